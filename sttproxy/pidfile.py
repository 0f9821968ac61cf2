"""
Pidfiles: the check of an existing one before the daemon starts, and who runs.

twistd refuses to start if any process has the PID from the file, even another program.  In a container, PIDs repeat at
each start, so after a kill the file would name the new daemon itself.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

#: Maximum seconds that ps may take.
_PS_S = 5.0


class PidfileError(Exception):
    """The pidfile prevents the start.  The message says why, and what to do."""


def clear(path: str) -> None:
    """
    Remove a stale pidfile, which a killed process has left.

    :param path: the absolute path of the pidfile.
    :raises PidfileError: when the file names a running daemon, when it is not a pidfile, or when a pidfile cannot be
        written there.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise PidfileError(f"the folder of the pidfile {path} does not exist; create it, or choose another --pidfile")
    try:
        pid = _read(path)
    except FileNotFoundError:
        if not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PidfileError(f"the pidfile {path} cannot be written: its folder is read-only for this user") from None
        return
    if pid and pid != os.getpid() and _is_ours(pid):
        raise PidfileError(
            f"sttproxy is already running as process {pid}; stop it (kill {pid}), or choose another --pidfile"
        )
    try:
        os.unlink(path)
    except OSError as error:
        raise PidfileError(f"the pidfile {path} is stale and cannot be removed: {error.strerror}") from None


def running(path: str) -> int:
    """
    The process that a pidfile names.

    :raises PidfileError: when it names no running daemon.
    """
    try:
        pid = _read(path)
    except FileNotFoundError:
        raise PidfileError(f"there is no pidfile {path}") from None
    if not pid or not _is_ours(pid):
        raise PidfileError(f"no sttproxy runs as process {pid}, which the pidfile {path} names")
    return pid


def write(path: str) -> None:
    """
    Make a pidfile name this process.

    :raises OSError: when it cannot be written.
    """
    with open(path, "w") as file:
        file.write(str(os.getpid()))


def _read(path: str) -> int:
    """
    The PID in a pidfile; 0 if the file is empty, because the disk was full or the machine crashed.

    :raises FileNotFoundError: when there is no file.
    :raises PidfileError: when it cannot be read, or is not a pidfile.
    """
    try:
        with open(path, "rb") as file:
            text = file.read(64).strip()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PidfileError(f"the pidfile {path} cannot be read: {error.strerror}") from None
    if text and not (text.isdigit() and 0 < int(text) < 1 << 31):
        shown = text[:20].decode("ascii", "backslashreplace")
        raise PidfileError(f"{path} contains {shown!r}, so it is not a pidfile; remove it, or choose another --pidfile")
    return int(text or 0)


def _is_ours(pid: int) -> bool:
    """Whether the PID belongs to a running sttproxy, and not to another program that has got the same PID."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    command = _command(pid)
    return command is None or b"sttproxy" in command


def _command(pid: int) -> bytes | None:
    """The command line of a process; None if the system does not provide it."""
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()
    with suppress(OSError, subprocess.SubprocessError):
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, timeout=_PS_S, check=True)
        return shown.stdout
    return None
