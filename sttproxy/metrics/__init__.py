"""
The numbers of the proxy for Prometheus: ``/metrics``.

They are read from the registry when they are asked for, so that a request costs nothing more.  Only `families` may be
imported before that; the other modules import prometheus_client.
"""
