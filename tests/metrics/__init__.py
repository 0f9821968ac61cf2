"""
Tests for :mod:`sttproxy.metrics`, and for what uses the metrics: alert rules and the dashboard.
"""
