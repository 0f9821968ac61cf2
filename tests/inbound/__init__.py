"""
Tests for :mod:`sttproxy.inbound`.
"""
