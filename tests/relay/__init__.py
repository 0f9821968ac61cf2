"""
Tests for :mod:`sttproxy.relay`.
"""
