"""
Profiles sttproxy under one workload, by function, with cProfile inside twistd.

The profiler adds a cost to each call of a Python function, so small functions seem more expensive than they are.
Compare lines with each other, or two runs with each other.  For rates, use ``python -m bench``.
"""

from __future__ import annotations

import argparse
import functools
import os
import pstats
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from . import clients, forms, load
from .peers import CHECKOUT, Sttproxy
from .processes import Unable, compiled_sink, cores, free_port, running
from .server import Server, issue

#: By function (file, line, name), the figures of pstats: calls, primitive calls, own seconds, seconds with callees.
Profile = dict[tuple[str, int, str], tuple[int, int, float, float]]


def _get(server: Server, seconds: int, folder: Path) -> tuple[float, str]:
    return load.wrk(server, "/", seconds, 16).requests, "request"


def _form(server: Server, seconds: int, folder: Path) -> tuple[float, str]:
    lua = load.script(load.form_file(folder, 16_000))
    return load.wrk(server, forms.PATH, seconds, 16, lua).requests, "request"


def _form_h2(server: Server, seconds: int, folder: Path) -> tuple[float, str]:
    return load.h2load(server, load.form_file(folder, 16_000), seconds, 4, 4).requests, "request"


def _upload(server: Server, seconds: int, folder: Path, version: str = "--http1.1") -> tuple[float, str]:
    form = load.form_file(folder, 64 << 20)
    took_s, sent = 0.0, 0
    while took_s < seconds:
        took_s += load.curl(server, form, version)[0]
        sent += 64 << 20
    return sent / 1e6, "MB"


_upload_h2 = functools.partial(_upload, version="--http2")
#: For each workload, whether TLS is needed, and a function.  It creates load on a server for some seconds, and returns
#: the amount of work and its unit.
LOADS: dict[str, tuple[bool, Callable[[Server, int, Path], tuple[float, str]]]] = {
    "get": (False, _get),
    "form": (False, _form),
    "form-tls": (True, _form),
    "form-h2": (True, _form_h2),
    "upload": (False, _upload),
    "upload-tls": (True, _upload),
    "upload-h2": (True, _upload_h2),
}


def record(name: str, seconds: int) -> tuple[Profile, float, str]:
    """
    Profile sttproxy under a load.

    :returns: the profile, the amount of work, and its unit.
    :raises Unable: when a required program is missing, or when no profile was written.
    """
    pair = cores()
    if pair:
        os.sched_setaffinity(0, {pair[1]})
    with tempfile.TemporaryDirectory(prefix="bench.") as place:
        folder = Path(place)
        here, there, stats = folder / "proxy", folder / "sink", folder / "stats"
        here.mkdir()
        there.mkdir()
        secure, generate = LOADS[name]
        sink_port, server = free_port(), Server(free_port(), issue(folder) if secure else None)
        peer = Sttproxy()
        # The arguments of sttproxy, which follow those of twistd.
        own = peer.command(here, server, sink_port)[3:]
        daemon = ["--nodaemon", "--pidfile=", f"--profile={stats}", "--profiler=cprofile", "--savestats"]
        main = "from twisted.scripts.twistd import run; run()"
        command = [sys.executable, "-c", main, *daemon, "sttproxy", *own]
        environment = peer.environment(here, sink_port)
        with running([str(compiled_sink(folder)), str(sink_port)], sink_port, there):
            with running(command, server.port, here, pair[:1] if pair else None, environment):
                clients.check(server, rewritten=True)
                done, unit = generate(server, seconds, folder)
            # twistd writes the profile when it ends.
            if not stats.exists():
                raise Unable(f"there is no profile: {(here / 'log').read_text(errors='replace')[-400:]}")
            found: Profile = {
                function: (calls, first, own_s, all_s)
                for function, (first, calls, own_s, all_s, _) in pstats.Stats(str(stats)).stats.items()  # type: ignore[attr-defined]
            }
    return found, done, unit


#: Calls that wait for something to do.
_WAITING = ("poll", "epoll_wait", "select", "kevent")


def _place(function: tuple[str, int, str]) -> str:
    """A function's file, from its package on, line and name; built-in ones have a name only."""
    file, line, name = function
    if not line:
        return name
    for root in (str(CHECKOUT), *sorted(sys.path, key=len, reverse=True)):
        if root and file.startswith(root + os.sep):
            file = file[len(root) + 1 :]
            break
    return f"{file}:{line} {name}"


def report(found: Profile, done: float, unit: str, top: int, cumulative: bool) -> str:
    """
    A table of the most expensive functions.

    :param found: the profile.
    :param done: the amount of work.
    :param unit: the unit of the work.
    :param top: the number of functions.
    :param cumulative: whether to sort by time with callees, not by own time.
    """
    rows = {
        function: values
        for function, values in found.items()
        if not (function[1] == 0 and any(f"'{word}'" in function[2] for word in _WAITING))
    }
    total_s = sum(own_s for _, _, own_s, _ in rows.values())
    lines = [
        f"{done:.0f} × {unit}, {total_s / done * 1e6:.1f} µs each by the profiler's clock; waiting is not counted.",
        "",
        f"{'own µs/' + unit:>15} {'share':>6} {'with callees':>13} {'calls/' + unit:>14}  function",
    ]
    by = 3 if cumulative else 2
    for function, (calls, _, own_s, all_s) in sorted(rows.items(), key=lambda row: -row[1][by])[:top]:
        lines.append(
            f"{own_s / done * 1e6:15.2f} {own_s / total_s:6.1%} {all_s / done * 1e6:13.2f} {calls / done:14.2f}"
            f"  {_place(function)}"
        )
    return "\n".join(lines)


def main() -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="bench/profile", description="Show where sttproxy's time goes, by function.")
    parser.add_argument("workload", choices=list(LOADS))
    parser.add_argument("--seconds", type=int, default=4, help="how long the load runs (default: 4)")
    parser.add_argument("--top", type=int, default=30, help="how many functions (default: 30)")
    parser.add_argument("--cumulative", action="store_true", help="order by time with callees, not by own time")
    arguments = parser.parse_args()
    try:
        found, done, unit = record(arguments.workload, arguments.seconds)
    except Unable as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(report(found, done, unit, arguments.top, arguments.cumulative))
    return 0
