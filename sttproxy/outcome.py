"""
What the commands have in common: exit statuses, and how a configuration is read.
"""

from __future__ import annotations

from typing import TextIO

from .config import Config
from .errors import ConfigError
from .watch import Source

#: Exit statuses; Python's own for a crash is 1.
GOOD, ERRORS, WARNINGS, USAGE = 0, 2, 3, 64


def read_config(source: Source, out: TextIO) -> Config | None:
    """The configuration; None if it has errors, which are printed."""
    found = source.read()[0].found
    if isinstance(found, ConfigError):
        out.writelines(f"{finding} (error)\n" for finding in found.findings)
        return None
    return found
