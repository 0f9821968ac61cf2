"""
Passes listening sockets from one process to another, so that a program is replaced while it serves.
"""
