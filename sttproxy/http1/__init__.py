"""
HTTP/1 without I/O, for both sides of the proxy: `heads` reads and checks message heads, `framing` finds where a body
ends.

llhttp (by ``httptools``) reads the field lines; what it lets pass and a proxy must refuse is refused here.  Bodies do
not go through it: it can be told neither to pause nor where a message ended.
"""
