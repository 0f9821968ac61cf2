"""
System information: about a process (whether it lives, its memory, its files), and ports.  From /proc on Linux, from ps
elsewhere.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
from contextlib import suppress

#: Whether this system has the data that only Linux provides: peak memory, open files, bytes written.
LINUX = os.path.exists("/proc/self/io")


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    if LINUX:
        try:
            return _status(pid, "State")[0] not in "ZX"
        except (FileNotFoundError, ProcessLookupError):
            return False
    state = _ps(pid, "stat")
    return bool(state) and not state.startswith("Z")


def peak_memory(pid: int) -> int:
    """A process's peak memory in bytes; its current memory if only ps is available."""
    if LINUX:
        return int(_status(pid, "VmHWM").split()[0]) * 1024
    return int(_ps(pid, "rss")) * 1024


def bytes_written(pid: int) -> int:
    """The bytes that a process has written to disks, its log included."""
    with open(f"/proc/{pid}/io") as file:
        found = re.search(r"^write_bytes: (\d+)", file.read(), re.MULTILINE)
    assert found is not None
    return int(found.group(1))


def open_files(pid: int) -> list[str]:
    """Paths of the files that a process has open, without sockets, pipes and devices."""
    folder = f"/proc/{pid}/fd"
    links = []
    for name in os.listdir(folder):
        try:
            links.append(os.readlink(os.path.join(folder, name)))
        except FileNotFoundError:
            continue  # closed in the meantime
    return sorted(link for link in links if link.startswith("/") and not link.startswith("/dev/"))


def queue_limit() -> int:
    """The system's maximum length of a port's backlog."""
    if not LINUX:
        return 128  # the default of macOS
    with open("/proc/sys/net/core/somaxconn") as file:
        return int(file.read())


def unused_port() -> int:
    """A port without a listener: one that was free a moment ago."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def control_groups() -> set[str]:
    """The folders of this machine's control groups."""
    return {folder for folder, _, _ in os.walk("/sys/fs/cgroup")}


def remove_control_groups(before: set[str]) -> None:
    """
    Remove control groups that programs have left behind; those with a process stay.

    :param before: those that existed before.
    """
    for group in sorted(control_groups() - before, key=len, reverse=True):
        with suppress(OSError):
            os.rmdir(group)


def _status(pid: int, name: str) -> str:
    with open(f"/proc/{pid}/status") as file:
        found = re.search(rf"^{name}:\s*(.*)", file.read(), re.MULTILINE)
    assert found is not None, f"/proc/{pid}/status has no {name}"
    return found.group(1)


def _ps(pid: int, column: str) -> str:
    found = subprocess.run(["ps", "-o", column + "=", "-p", str(pid)], capture_output=True, text=True, timeout=30)
    return found.stdout.strip()
