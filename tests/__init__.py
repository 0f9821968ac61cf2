"""
The tests of sttproxy: each module's stand in the module of the same place and name.

Those in `e2e` need sockets, real servers and real clients; all others need nothing but Python.  Generated examples are
the same in every run; ``HYPOTHESIS_PROFILE=default`` asks for fresh ones.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("ci", derandomize=True, max_examples=100, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
