"""
The client side: treq, made transparent, over the proxy's own pool of persistent connections.
"""
