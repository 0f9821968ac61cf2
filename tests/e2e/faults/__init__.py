"""
What the proxy does on the days on which something breaks: one module for each kind of fault.

Real sockets, the real daemon, and on the other side raw bytes or somebody else's HTTP: never our own code twice.
"""
