"""
Tests for :mod:`sttproxy.workers`.
"""
