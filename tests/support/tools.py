"""
Programs that Python packages bring.
"""

from __future__ import annotations

import os
import shutil
import sys


def tool(name: str) -> str | None:
    """The path of a program, beside the interpreter or elsewhere; None: it is not installed."""
    return shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
