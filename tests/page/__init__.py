"""
Tests for :mod:`sttproxy.page`; a browser shows it in :mod:`tests.e2e.test_page`.
"""
