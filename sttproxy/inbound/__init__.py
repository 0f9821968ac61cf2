"""
The server side: a `Site` whose requests are dispatched when their head is complete, while the body is still coming.

Twisted's Resource tree, Site and Request stay as they are known; the channel underneath is ours, because Twisted's own
renders only after the whole body has come.
"""
