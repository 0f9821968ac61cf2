"""
Tests for :mod:`sttproxy.http2`.
"""
