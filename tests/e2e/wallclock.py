"""
A wall clock that tests set while a daemon runs, by libfaketime (Debian's package faketime).
"""

from __future__ import annotations

import glob
import os

_LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
#: Why no such clock is available here; None if one is.
MISSING = None if _LIBRARIES else "libfaketime is not installed (Debian's package faketime)"
#: Seconds by which clocks are set: NTP after the start, a resumed machine, a wrong time zone, a wrong date.
STEPS = (-8, 8, -3600, 3600, -86400, 86400)


class WallClock:
    """
    The wall clock of processes that are started with an environment.

    :ivar env: the environment.
    """

    def __init__(self, folder: str) -> None:
        """
        :param folder: for its own file.
        """
        self._offset = os.path.join(folder, "wallclock")
        self.set(0)
        self.env = {
            "LD_PRELOAD": _LIBRARIES[0],
            "FAKETIME_TIMESTAMP_FILE": self._offset,
            "FAKETIME_NO_CACHE": "1",
            # The monotonic clock must not change; both spellings of the variable are in use.
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: int) -> None:
        """Set it, relative to the true time."""
        with open(self._offset + "~", "w") as file:
            file.write(f"{seconds:+d}")
        os.replace(self._offset + "~", self._offset)
