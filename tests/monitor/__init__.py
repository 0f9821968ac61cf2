"""
Tests for :mod:`sttproxy.monitor`.
"""
