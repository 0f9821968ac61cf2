"""
Tests for :mod:`sttproxy.upstream`.
"""
