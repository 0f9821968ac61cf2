"""
HTTP/2 without I/O, for both sides: heads, frames, and many streams over one connection.  HPACK and the states of
streams are jh2's.
"""
