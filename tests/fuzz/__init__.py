"""
Forms and heads that nobody thought of: runs of strategies, and targets for a fuzzer that follows coverage.

README.md says how they are run for long.  The tests here take seconds, and replay what the fuzzer found worth keeping.
"""
