"""
The command ``sttproxy``: the same as ``twistd -n sttproxy``.
"""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run


def main() -> None:
    """Run the daemon in the foreground, with what was given on the command line; it leaves no pidfile behind."""
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "sttproxy", *sys.argv[1:]]
    run()
