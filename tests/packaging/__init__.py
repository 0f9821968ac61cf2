"""
What users install: the wheel and the source distribution, built and looked into.
"""
