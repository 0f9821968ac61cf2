"""The command line of the benchmark."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import gc
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from . import clients, table
from .metrics import metrics
from .peers import CHECKOUT, OTHER, PEERS, Direct, Peer, Sttproxy
from .processes import Unable, compiled_sink, cores, free_port, running
from .results import Results
from .server import Server, Wire, issue
from .workloads import WORKLOADS, Scale, Subject


class Bench:
    """
    One run.

    :param folder: a temporary folder.
    :param scale: the sizes and durations of the workloads.
    :param cores: those of this machine, as `processes.cores` returns them; None: nothing is pinned.
    :raises Unable: when the sink cannot be compiled.
    """

    def __init__(self, folder: Path, scale: Scale, cores: list[int] | None) -> None:
        self.results = Results()
        self._folder = folder
        self._scale = scale
        #: Those for proxies, in the order in which they are used.
        self._cores = [cores[0], *cores[2:], cores[1]] if cores else []
        self._sink = compiled_sink(folder)
        self._certificate = issue(folder)

    @contextlib.contextmanager
    def _subject(self, peer: Peer, turn: int, secure: bool) -> Iterator[Subject]:
        """
        Start the sink, and a peer in front of it; run them during the block.

        :param secure: whether clients use TLS.
        :raises Unable: when one of them does not listen.
        """
        with contextlib.ExitStack() as stack:
            folder, place = (
                Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder, prefix=name)))
                for name in (peer.name, "sink")
            )
            upstream = free_port()
            stack.enter_context(running([str(self._sink), str(upstream)], upstream, place))
            if isinstance(peer, Direct):
                yield Subject(Server(upstream), None, peer.rewrites, folder)
                return
            server = Server(free_port(), self._certificate if secure else None)
            command = peer.command(folder, server, upstream)
            environment = peer.environment(folder, upstream)
            program = stack.enter_context(running(command, server.port, folder, self._cores[: peer.cores], environment))
            self.results.add("start-tls" if secure else "start", peer.name, turn, program.start_s)
            yield Subject(server, program.pid, peer.rewrites, folder)

    def measure(self, workload: str, peer: Peer, turn: int) -> None:
        """Run one workload on one peer, and add values and faults to the results."""
        wanted = WORKLOADS[workload]
        if wanted.wire not in peer.wires or (peer.workloads is not None and workload not in peer.workloads):
            return
        faults = self.results.faults[workload, peer.name]
        try:
            with self._subject(peer, turn, wanted.wire is Wire.TLS) as subject:
                if peer.transparent:
                    clients.check(subject.server, peer.rewrites)
                outcome = wanted.run(subject, self._scale)
        except (Unable, clients.Wrong, OSError) as error:
            faults.append(str(error) or repr(error))
            return
        for metric, value in outcome.values.items():
            self.results.add(metric, peer.name, turn, value)
        if outcome.faults:
            faults.append(outcome.faults)


def _commit(checkout: Path) -> str:
    """The commit of a checkout, and whether its files have changes."""

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True).stdout.strip()

    changed = " with changes" if git("status", "--porcelain", "sttproxy") else ""
    return (git("rev-parse", "--short", "HEAD") or "unknown") + changed


def _heading(rounds: int, pair: list[int] | None, load: float, other: Path | None) -> str:
    pinned = f"proxies on core {pair[0]}, load and sink on core {pair[1]}" if pair else "nothing is pinned"
    commits = _commit(CHECKOUT) + (f" against {_commit(other)}" if other else "")
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        f"{now:%Y-%m-%d %H:%M} UTC, commit {commits}, {rounds} round{'s' * (rounds > 1)}; "
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"{pinned}; load average before: {load:.2f}."
    )


def _chosen(names: Sequence[str], other: Path | None) -> list[Peer]:
    """
    The requested peers that can run here.  Prints for each other peer why it cannot.

    :param other: a checkout to compare with.
    """
    chosen = []
    for peer in (*PEERS, *([Sttproxy(OTHER, other)] if other else [])):
        if names and peer.name.lower() not in names and peer.name != OTHER:
            continue
        missing = peer.missing()
        if missing:
            print(f"{peer.name} is left out: {missing}.", file=sys.stderr)
        else:
            chosen.append(peer)
    return chosen


def _prepare(core: int | None) -> None:
    """Raise the limit of descriptors, pin this process to `core`, and handle SIGTERM like Ctrl-C."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if core is not None:
        os.sched_setaffinity(0, {core})
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # A garbage collection in this process would increase the p99 of a peer.
    gc.disable()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure sttproxy and its peers in one run.")
    names = [peer.name.lower() for peer in PEERS]
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument(
        "--only", nargs="+", type=str.lower, choices=names, default=[], metavar="PEER", help=", ".join(names)
    )
    parser.add_argument(
        "--workloads",
        nargs="+",
        choices=list(WORKLOADS),
        default=list(WORKLOADS),
        metavar="WORKLOAD",
        help=", ".join(WORKLOADS),
    )
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="another checkout of sttproxy, to compare this one with"
    )
    parser.add_argument("--upload-mib", type=int, default=256, help="size of the large upload (default: 256)")
    parser.add_argument("--seconds", type=int, default=2, help="how long each rate is measured (default: 2)")
    parser.add_argument("--quick", action="store_true", help="one short round with small numbers, to see that it works")
    parser.add_argument("--out", type=Path, help="a file to write the tables to as well")
    return parser.parse_args()


def main() -> int:
    """Run the benchmark; return the exit status."""
    arguments = _arguments()
    if platform.system() != "Linux":
        print("The sink and the accounting need Linux.", file=sys.stderr)
        return 1
    if arguments.quick:
        arguments.rounds = 1
        scale = Scale(seconds=1, upload_bytes=64 << 20, crowd=200, paused=100, events=100, rest_s=1)
    else:
        scale = Scale(seconds=arguments.seconds, upload_bytes=arguments.upload_mib << 20)
    other = arguments.against.resolve() if arguments.against else None
    peers = _chosen(arguments.only, other)
    pair, load = cores(), os.getloadavg()[0]
    _prepare(pair[1] if pair else None)
    try:
        with tempfile.TemporaryDirectory(prefix="bench.") as name:
            bench = Bench(Path(name), scale, pair)
            for turn in range(arguments.rounds):
                for workload in arguments.workloads:
                    for peer in peers:
                        print(f"round {turn + 1}: {workload}, {peer.name}", file=sys.stderr)
                        bench.measure(workload, peer, turn)
    except Unable as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped; everything that was started is ended.", file=sys.stderr)
        return 130
    shown = [peer.name for peer in peers]
    parts = [
        _heading(arguments.rounds, pair, load, other),
        table.figures(bench.results, metrics(scale), shown),
        table.verdicts(bench.results),
        table.faults(bench.results),
    ]
    text = "\n\n".join(part for part in parts if part)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
