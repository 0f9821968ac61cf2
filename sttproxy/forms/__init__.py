"""
Rewriters for request bodies that carry form fields, without I/O.

Each body format has a module: `multipart`, `urlencoded` and `json`.  All of them apply the configured rules through
`evaluation`.  `multipart` and `json` stream: their rewriters have ``feed`` and ``finish``.
"""
