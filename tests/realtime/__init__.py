"""
Tests for :mod:`sttproxy.realtime`.
"""
