"""
The Resource tree: what the proxy answers itself, what it rewrites, and what it passes on.
"""
