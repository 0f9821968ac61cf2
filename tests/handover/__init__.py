"""
Tests for :mod:`sttproxy.handover`.
"""
