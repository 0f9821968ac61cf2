"""
The tests of sttproxy: one module for each of the package's, and `e2e` for the whole with real sockets and clients.
"""
