"""
Random forms, heads and sequences of HTTP/2 frames: Hypothesis strategies, and targets for a coverage-guided fuzzer.

README.md says how to run them for long.  The tests here take seconds, and replay the fuzzer's saved corpus.
"""
