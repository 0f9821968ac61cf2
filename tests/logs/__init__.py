"""
Tests for :mod:`sttproxy.logs`.
"""
