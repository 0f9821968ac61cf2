"""
Tests for :mod:`sttproxy.http1`.
"""
