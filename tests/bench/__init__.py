"""
Tests for :mod:`bench`.
"""
