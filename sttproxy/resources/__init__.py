"""
The Resource tree: pages of the proxy's own, requests that are rewritten, and requests that are forwarded unchanged.
"""
