"""
Starts programs, pinned to a core, and always ends them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: Maximum seconds until a program listens, and until it ends after SIGTERM; then it is killed.
START_S = 60.0
END_S = 3.0


class Unable(Exception):
    """Something cannot be measured; the message says what and why."""


def cores() -> list[int] | None:
    """
    The cores: the first one is for the proxies, the second one for all other programs, and further ones for proxies
    that use several; None if there is one core only, or no taskset.
    """
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return allowed if len(allowed) > 1 else None


def free_port() -> int:
    """A free TCP port on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """
    A running program that listens.

    :ivar pid: the PID of its first process, which leads its process group.
    :ivar start_s: seconds from the start until it accepted a connection.
    """

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.pid = process.pid
        self.start_s = self._wait(process, port, log)

    @staticmethod
    def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> float:
        began = time.monotonic()
        while not _listens(port):
            if process.poll() is not None or time.monotonic() - began > START_S:
                last = " ".join(log.read_text(errors="replace").split())[-400:]
                raise Unable(f"it does not listen; its last words: {last}")
            time.sleep(0.002)
        return time.monotonic() - began


@contextlib.contextmanager
def running(
    command: Sequence[str],
    port: int,
    folder: Path,
    cores: Sequence[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """
    Start a program, wait until it listens on `port`, and end it after the block.

    :param folder: its working directory, which also gets its log.
    :param cores: the cores that it is pinned to; None if it is not pinned.
    :param environment: additional environment variables.
    :raises Unable: when the program ends, or does not listen within START_S seconds.
    """
    pinned = [*(["taskset", "-c", ",".join(map(str, cores))] if cores else []), *command]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            # A new process group: Ctrl-C then signals only this process, which ends the group itself.
            start_new_session=True,
        )
    try:
        yield Program(process, port, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program and its process group with SIGTERM; kill them after END_S seconds."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    # Needed even if the first process has ended, because a worker may still run.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def compiled_sink(folder: Path) -> Path:
    """
    Compile the sink into a folder; return the path of the program.

    :raises Unable: when there is no compiler, or when compiling fails.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Unable("the sink is in C, and there is no compiler cc on the PATH")
    program, source = folder / "sink.program", Path(__file__).with_name("sink.c")
    made = subprocess.run([compiler, "-O2", "-o", str(program), str(source)], capture_output=True, text=True)
    if made.returncode:
        raise Unable(f"the sink does not compile: {made.stderr.strip()}")
    return program
