"""
Forms, rewritten without I/O so that they carry what the configuration says.

Each kind of form has a rewriter with `feed` and `finish`; `rules` is what they all obey.
"""
