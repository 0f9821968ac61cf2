"""
What leaves the rewriter, read by the parsers that upstreams use: each must read the same.

Parsers of this Python are called, others run in a process of their own; what is not installed is skipped, and says how
it can be had.
"""
