"""
What a process costs, as Linux accounts for it in ``/proc``.

A process here is always that with its descendants: nginx has a worker, others may have threads.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> list[str]:
    """The fields of ``/proc/PID/stat`` from the third on; the second may hold spaces."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def family(pid: int) -> list[int]:
    """The process and all its descendants that live."""
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
    """Seconds of CPU used so far, in user and kernel mode; they come in ticks of 10 ms."""
    ticks = 0
    for member in family(pid):
        fields = _stat(member)
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS_PER_SECOND


def fine_cpu_s(pid: int) -> float:
    """Seconds of CPU that the threads that live have used so far, by the scheduler's count, which has no ticks."""
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
    How far the resident memory of a process rises above what it is now.

    The kernel's high-water mark is set back to the present; growth between two looks is not lost.
    """

    def __init__(self, pid: int) -> None:
        self._members = family(pid)
        for member in self._members:
            Path(f"/proc/{member}/clear_refs").write_text("5")
        self._before = sum(_status_bytes(member, "VmRSS") for member in self._members)

    def growth(self) -> int:
        """Bytes from the beginning to the peak since."""
        return max(0, sum(_status_bytes(member, "VmHWM") for member in self._members) - self._before)
