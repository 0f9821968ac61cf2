"""
Tests for :mod:`sttproxy.service`.
"""
