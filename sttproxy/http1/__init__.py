"""
HTTP/1 without I/O, for both sides of the proxy.

`requests` and `responses` parse, check and write message heads, `heads` is their common part, and `framing` finds where
a body ends.

llhttp (through ``httptools``) reads the field lines.  This package makes the stricter checks that a proxy needs.
Bodies are not passed to llhttp, because ``httptools`` cannot pause it and does not tell where a message ended.
"""
