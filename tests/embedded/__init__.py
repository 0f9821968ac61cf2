"""
Tests for :mod:`sttproxy.embedded`.
"""
