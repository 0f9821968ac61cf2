"""
Child processes that end with the tests in every case, and polling with a limit.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import sttproxy

T = TypeVar("T")

#: Seconds that a test waits for any condition.  This is far longer than needed, also on a busy machine.
LIMIT_S = 30.0
#: Seconds between two checks of a condition.
LOOK_EVERY_S = 0.01

#: Where the package was found: the checkout, or its site-packages.  Computed at import, because trial changes its
#: directory later and the module's path may be relative.
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(sttproxy.__file__)))

#: Kills the remaining processes when the tests are killed: its stdin is then closed, for any cause of death.
_KEEPER = """
import os, signal, sys
alive = set()
for line in sys.stdin:
    (alive.add if line[0] == "+" else alive.discard)(int(line[1:]))
for pid in alive:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass
"""
_keeper: subprocess.Popen[str] | None = None


def keep(pid: int) -> None:
    """Register a process to be killed if the tests end without `release`."""
    global _keeper
    if _keeper is None:
        # A session of its own: an interrupt from the terminal must reach the tests, but not this helper.
        _keeper = subprocess.Popen(
            [sys.executable, "-c", _KEEPER], stdin=subprocess.PIPE, text=True, start_new_session=True
        )
        atexit.register(_end_keeper, _keeper)
    _tell(f"+{pid}\n")


def release(pid: int) -> None:
    """Unregister a process that has ended; its number may be reused."""
    _tell(f"-{pid}\n")


def _tell(line: str) -> None:
    if _keeper is not None and _keeper.stdin is not None and not _keeper.stdin.closed:
        _keeper.stdin.write(line)
        _keeper.stdin.flush()


def _end_keeper(keeper: subprocess.Popen[str]) -> None:
    keeper.communicate()


def until(look: Callable[[], T | None], what: str, limit_s: float = LIMIT_S) -> T:
    """
    Poll a function; return its first true value.

    :raises AssertionError: when the limit is over; the message says what was waited for.
    """
    end = time.monotonic() + limit_s
    while True:
        value = look()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"within {limit_s:g} s there was not {what}")
        time.sleep(LOOK_EVERY_S)


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """An environment for children: they find the package as the tests did, and get only the test's settings."""
    drop = re.compile(r"STT_CONFIG_PATH|TARGET_(HOST|PORT)|(.*_)?proxy|OPENAI_.*", re.IGNORECASE)
    env = {name: value for name, value in os.environ.items() if not drop.fullmatch(name)}
    env["PYTHONPATH"] = os.pathsep.join([ROOT, *filter(None, [env.get("PYTHONPATH")])])
    return {**env, **(extra or {})}


class Process:
    """
    A child process whose output goes to files.

    :ivar pid: its process ID.
    :ivar out: the path of the file for its standard output; `err` likewise.
    """

    def __init__(
        self,
        argv: Sequence[str],
        folder: str,
        name: str,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        descriptors: Sequence[int] = (),
    ) -> None:
        """
        :param folder: for the two files.
        :param name: the prefix of the files' names.
        :param env: added to `environment`.
        :param descriptors: that it inherits.
        """
        self.out = os.path.join(folder, name + ".out")
        self.err = os.path.join(folder, name + ".err")
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self._child = subprocess.Popen(
                argv,
                cwd=cwd or folder,
                env=environment(env),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                pass_fds=descriptors,
            )
        self.pid = self._child.pid
        keep(self.pid)

    def wait(self, limit_s: float = LIMIT_S) -> int:
        """Wait for its end and return its exit status; negative if a signal ended it."""
        status = self._child.wait(limit_s)
        release(self.pid)
        return status

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._child.send_signal(number)

    def wait_for(self, pattern: str, path: str | None = None) -> re.Match[str]:
        """
        Wait for a line in its standard output, or in another of its files.

        :raises AssertionError: when it ends without this line; the message has its output.
        """

        def look() -> re.Match[str] | None:
            ended = self._child.poll() is not None
            found = re.search(pattern, read(path or self.out), re.MULTILINE)
            if found is None and ended:
                raise AssertionError(f"it ended with {self._child.returncode}: {read(self.out)}{read(self.err)}")
            return found

        return until(look, f"a line like {pattern!r} in {path or self.out}")

    def end(self) -> None:
        """Kill it, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()
        self._child.wait()
        release(self.pid)


def read(path: str) -> str:
    """A file's text; empty if the file does not exist."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""
