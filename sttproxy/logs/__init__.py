"""
The text log: how its lines look, and where they go.
"""
