"""
HTTP/2 clients and servers that break RFC 9113 or attack the proxy, as tables.

A row names its source and its outcome: which stream or connection ends, and how.  A second stream of the same
connection tells whether it was hurt.  All rows run with jh2, and with h2 in its place.
"""
