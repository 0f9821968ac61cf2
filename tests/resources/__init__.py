"""
Tests for :mod:`sttproxy.resources`.
"""
