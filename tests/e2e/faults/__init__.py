"""
The proxy's behaviour under faults: one module for each kind of fault.

These tests use real sockets and the real daemon; the other side is raw bytes or an independent HTTP library, never
our own code.
"""
