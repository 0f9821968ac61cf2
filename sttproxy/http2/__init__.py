"""
HTTP/2 without I/O: heads.  Frames, streams, windows and HPACK are jh2's.
"""
