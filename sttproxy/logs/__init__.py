"""
The text log: `observer` formats the lines, `destination` writes them to a file or a stream.
"""
