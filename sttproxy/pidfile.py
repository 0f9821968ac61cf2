"""
The pidfile: whether what one says keeps the daemon from starting.

twistd refuses to start where a process has the number in it, whatever that process is.  In a container each start has
the same few numbers, so that a daemon that was killed would find its own.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

#: Seconds that ps may take.
_PS_S = 5.0


class PidfileError(Exception):
    """Why a pidfile keeps the daemon from starting, and what to do."""


def clear(path: str) -> None:
    """
    Take away a pidfile that is left over, of a process that was killed.

    :raises PidfileError: when a daemon runs that it names, when it is no pidfile, or when none can be written there.
    """
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise PidfileError(f"the folder of the pidfile {path} does not exist; make it, or name another --pidfile")
    try:
        with open(path, "rb") as file:
            text = file.read(64).strip()
    except FileNotFoundError:
        if not os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PidfileError(f"the pidfile {path} cannot be written: its folder is read-only for this user") from None
        return
    except OSError as error:
        raise PidfileError(f"the pidfile {path} cannot be read: {error.strerror}") from None
    # It is empty where the disk was full, or the machine went down before it was written.
    if text and not (text.isdigit() and 0 < int(text) < 1 << 31):
        shown = text[:20].decode("ascii", "backslashreplace")
        raise PidfileError(f"{path} holds {shown!r}, so it is no pidfile; remove it, or name another --pidfile")
    if text and int(text) != os.getpid() and _is_ours(int(text)):
        raise PidfileError(
            f"sttproxy runs already, as process {int(text)}; stop it (kill {int(text)}), or name another --pidfile"
        )
    try:
        os.unlink(path)
    except OSError as error:
        raise PidfileError(f"the pidfile {path} is left over and cannot be removed: {error.strerror}") from None


def _is_ours(pid: int) -> bool:
    """Whether a process runs that may be this daemon; another program may have got the number since."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    command = _command(pid)
    return command is None or b"sttproxy" in command


def _command(pid: int) -> bytes | None:
    """The command line of a process; None where the system does not tell."""
    with suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()
    with suppress(OSError, subprocess.SubprocessError):
        told = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, timeout=_PS_S, check=True)
        return told.stdout
    return None
