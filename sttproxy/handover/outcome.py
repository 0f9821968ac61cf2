"""
How the outcome of an upgrade gets from the daemon to ``sttproxy upgrade``: in a file beside the pidfile.

The command makes the file, because the daemon's user may not be allowed to, and removes it.
"""

from __future__ import annotations

import os
from contextlib import suppress

_SUFFIX = ".upgrade"


class Outcome:
    """
    The file.

    :ivar path: its path.
    """

    def __init__(self, pidfile: str) -> None:
        """
        :param pidfile: its absolute path.
        """
        self.path = pidfile + _SUFFIX

    def expect(self, owner: int) -> None:
        """
        Make the file, empty.

        :param owner: the user that writes it.
        :raises OSError: when it cannot be made.
        """
        self.forget()
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            if owner != os.geteuid():
                os.fchown(descriptor, owner, -1)
        finally:
            os.close(descriptor)

    def write(self, text: str) -> None:
        """Write a line, if it is expected."""
        with suppress(OSError):
            descriptor = os.open(self.path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                os.write(descriptor, text.encode("utf-8", "backslashreplace") + b"\n")
            finally:
                os.close(descriptor)

    def read(self) -> str | None:
        """The line; None as long as it is not complete."""
        try:
            with open(self.path, encoding="utf-8") as file:
                text = file.read()
        except OSError:
            return None
        return text.rstrip("\n") if text.endswith("\n") else None

    def forget(self) -> None:
        """Remove the file."""
        with suppress(FileNotFoundError):
            os.unlink(self.path)
