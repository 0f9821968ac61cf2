"""
Tests for :mod:`sttproxy.watch`.
"""
