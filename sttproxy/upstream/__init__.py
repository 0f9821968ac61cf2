"""
The client side: treq, made transparent, over a pool of persistent connections of ours.
"""
