"""
Tests for :mod:`sttproxy.tls`.
"""
