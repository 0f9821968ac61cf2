"""
The command ``sttproxy``: runs ``twistd -n sttproxy``, or a command that needs no daemon.
"""

from __future__ import annotations

import sys

from .signals import signals


def main() -> None:
    """
    Run the command that the first argument names; without one, run the daemon in the foreground, without a pidfile.
    """
    signals.catch()
    # These imports are slow, so they follow after the signal handlers.
    from twisted.scripts import twistd

    from . import commands

    if sys.argv[1:2] and sys.argv[1] in commands.COMMANDS:
        signals.release()
        raise SystemExit(commands.run(sys.argv[1], sys.argv[2:]))
    sys.argv = ["twistd", "--nodaemon", "sttproxy", *sys.argv[1:]]
    twistd.run()
