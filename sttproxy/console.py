"""
The command ``sttproxy``: the same as ``twistd -n sttproxy``, and commands that need no daemon.
"""

from __future__ import annotations

import sys

from twisted.scripts.twistd import run

from . import commands


def main() -> None:
    """
    Run a command, or else the daemon in the foreground, which leaves no pidfile behind then.
    """
    if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
        raise SystemExit(commands.run(sys.argv[1], sys.argv[2:]))
    sys.argv = ["twistd", "--nodaemon", "--pidfile=", "sttproxy", *sys.argv[1:]]
    run()
