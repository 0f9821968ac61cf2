"""
CPU time and memory of a process, from Linux's ``/proc``.

All figures include the descendants of the process, because nginx, for example, has a worker process.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the third on.  The second field may contain spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def family(pid: int) -> list[int]:
    """The process and all its running descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(int(entry.name))[1]), []).append(int(entry.name))
    found = [pid]
    for member in found:
        found.extend(children.get(member, []))
    return found


def cpu_s(pid: int) -> float:
    """CPU time so far in seconds, user and kernel mode, with a resolution of 10 ms (a tick)."""
    ticks = 0
    for member in family(pid):
        fields = _stat(member)
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_SECOND


def fine_cpu_s(pid: int) -> float:
    """CPU time of the running threads so far in seconds, from the scheduler, in nanosecond resolution."""
    spent_ns = 0
    for member in family(pid):
        for task in Path(f"/proc/{member}/task").iterdir():
            with contextlib.suppress(OSError):
                spent_ns += int((task / "schedstat").read_text().split()[0])
    return spent_ns / 1e9


def _status_bytes(pid: int, field: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise LookupError(f"/proc/{pid}/status has no {field}")


class Memory:
    """
    Measures how far the resident memory of a process grows from now on.

    Resets the kernel's high-water mark (`VmHWM`), which then includes short peaks.
    """

    def __init__(self, pid: int) -> None:
        self._members = family(pid)
        for member in self._members:
            Path(f"/proc/{member}/clear_refs").write_text("5")
        self._before = sum(_status_bytes(member, "VmRSS") for member in self._members)

    def growth(self) -> int:
        """The growth in bytes, from the memory at the beginning to the peak since then."""
        return max(0, sum(_status_bytes(member, "VmHWM") for member in self._members) - self._before)
