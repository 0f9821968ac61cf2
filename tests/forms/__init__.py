"""
Tests for :mod:`sttproxy.forms`.
"""
