"""
Output of the rewriter, read by the parsers that upstreams use: all must read the same.

Parsers of this Python are called; others run in their own processes.  A parser that is not installed is skipped, and
the message says how to get it.
"""
