"""
Tests for :mod:`sttproxy.config`.
"""
