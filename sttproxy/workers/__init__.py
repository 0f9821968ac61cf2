"""
Several processes that serve as one: a supervisor that holds the listening sockets, and its workers.
"""
