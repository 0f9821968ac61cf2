"""
The command ``sttproxy``: the same as ``twistd -n sttproxy``, and commands that need no daemon.
"""

from __future__ import annotations

import sys

from .signals import signals


def main() -> None:
    """
    Run a command, or else the daemon in the foreground, which leaves no pidfile behind then.
    """
    signals.catch()
    # These take a while.
    from twisted.scripts import twistd

    from . import commands

    if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
        signals.release()
        raise SystemExit(commands.run(sys.argv[1], sys.argv[2:]))
    sys.argv = ["twistd", "--nodaemon", "sttproxy", *sys.argv[1:]]
    twistd.run()
