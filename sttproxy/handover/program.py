"""
How this program was started, and how it is started again.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

import attrs
from twisted.python.failure import Failure

from ..signals import ALL
from .given import VARIABLE, Given

#: Variables of the environment that are for the first process only.
_OWN = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
#: Runs a command as the process that the sockets of systemd are for.
_ACTIVATED = ("/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"')
#: Descriptors from this number on are used while those of a new program are put in their places.
_ASIDE = 64


def how_it_ended(reason: Failure) -> str:
    """How a process has ended, in words."""
    number = getattr(reason.value, "signal", None)
    if number is not None:
        return f"killed by {signal.Signals(number).name}"
    return f"exit status {getattr(reason.value, 'exitCode', None)}"


def _activation() -> dict[str, str]:
    """
    The variables with which systemd has passed sockets to this process.

    Twisted takes them from the environment as soon as it is imported; /proc still has them.
    """
    try:
        with open("/proc/self/environ", "rb") as file:
            first = dict(line.partition("=")[::2] for line in os.fsdecode(file.read()).split("\0"))
    except OSError:
        return {}
    if first.get("LISTEN_PID") != str(os.getpid()):
        return {}
    return {name: value for name, value in first.items() if name.startswith("LISTEN_")}


@attrs.frozen
class Program:
    """
    How the program was started.

    :ivar command: the command line.
    :ivar folder: the working directory.
    :ivar environment: the variables.
    """

    command: tuple[str, ...]
    folder: str
    environment: Mapping[str, str]

    @classmethod
    def current(cls) -> Program:
        """That of this process.  To be called before it changes its directory and its environment."""
        return cls((sys.executable, *sys.orig_argv[1:]), os.getcwd(), {**os.environ, **_activation()})

    def spawn(self, reactor: Any, protocol: Any, given: Given, descriptors: Mapping[int, int | str]) -> Any:
        """
        Start the program as a child.

        :param descriptors: as ``childFDs`` of ``IReactorProcess.spawnProcess``.
        """
        variables = {name: value for name, value in self.environment.items() if name not in _OWN}
        variables[VARIABLE] = given.dump()
        command = (*_ACTIVATED, *self.command) if "LISTEN_FDS" in variables else self.command
        return reactor.spawnProcess(protocol, command[0], command, variables, self.folder, childFDs=descriptors)

    def replace(self, given: Given, descriptors: Mapping[int, int]) -> NoReturn:
        """
        Replace this process by the program.  Its PID stays.  Signals that arrive meanwhile wait.

        :param descriptors: those of this process by those that the program gets, besides the standard streams.
        :raises OSError: when the program cannot be executed.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, ALL)
        atexit._run_exitfuncs()
        with suppress(OSError):
            os.chdir(self.folder)
        aside = {new: fcntl.fcntl(old, fcntl.F_DUPFD, max(_ASIDE, *descriptors)) for new, old in descriptors.items()}
        for new, old in aside.items():
            os.dup2(old, new, inheritable=True)
            os.close(old)
        os.execve(self.command[0], self.command, {**self.environment, VARIABLE: given.dump()})
