"""
Starting programs, on a core of their own, and ending them whatever happens.
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

#: Seconds that a program is given to listen, and to end before it is killed.
START_S = 60.0
END_S = 3.0


class Unable(Exception):
    """Something cannot be measured; the message says what and why."""


def cores() -> tuple[int, int] | None:
    """The core of the proxies, and that of everything else; None where there is but one, or no pinning."""
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else None


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """
    A program that listens.

    :ivar pid: its process, the first of its group.
    :ivar start_s: seconds from its start until it took a connection.
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
    core: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Program]:
    """
    A program, from when it listens on `port` until the end of the block.

    :param folder: where it runs and where its log goes.
    :param core: where it is pinned; None: nowhere.
    :raises Unable: when it ends, or does not listen within START_S.
    """
    pinned = [*([] if core is None else ["taskset", "-c", str(core)]), *command]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            pinned,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            # A group of its own: Ctrl-C reaches us alone, and we end the whole group in order.
            start_new_session=True,
        )
    try:
        yield Program(process, port, log)
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Have a program and its group end; kill them after END_S."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    # Also where the first process is gone: a worker may have outlived it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def compiled_sink(folder: Path) -> Path:
    """
    The sink's program, made in a folder.

    :raises Unable: when it cannot be compiled.
    """
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise Unable("the sink is in C, and there is no compiler cc on the PATH")
    program, source = folder / "sink.program", Path(__file__).with_name("sink.c")
    made = subprocess.run([compiler, "-O2", "-o", str(program), str(source)], capture_output=True, text=True)
    if made.returncode:
        raise Unable(f"the sink does not compile: {made.stderr.strip()}")
    return program
