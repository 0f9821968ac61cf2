"""
The daemon as its users meet it: under twistd, in a process of its own, between real clients and real servers.

Tests may use what `case` stages for their class: a `daemon`, with `echo` (Starlette on uvicorn, which tells what it
read) or a `raw` listener (exact bytes, in the hands of the test) behind it.  Nothing here waits for a time to pass:
tests poll for a condition or read until it is met, within `process.LIMIT_S`.
"""
