"""
Forms, rewritten without I/O so that they carry what the configuration says.

Each kind of form has a rewriter with `feed` and `finish`; `evaluation` is how they all apply the rules.
"""
