"""
End-to-end tests: the daemon under twistd, in its own process, between real clients and real servers.

Tests may use what `case` starts for their class: a `daemon`, with `echo` (Starlette on uvicorn, which returns what it
read) or a `raw` listener (exact bytes, controlled by the test) behind it.  Tests do not sleep for a fixed time: they
poll for a condition or read until it is met, within `process.LIMIT_S`.
"""
