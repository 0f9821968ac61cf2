"""
The soak itself: clients, daemon and upstream, and the checks at the end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import re
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator

from tests.e2e.daemon import Daemon
from tests.e2e.message import request
from tests.e2e.process import until
from tests.e2e.raw import Listener, connect
from tests.e2e.wallclock import MISSING, STEPS, WallClock

from . import upstream
from .clients import Client

#: The largest allowed growth of the daemon's memory, in bytes.  Allocators keep peak memory, and the soak's log is not
#: kept in memory; a leak of a request's objects, some 20 KB each, would be ten times this.
GROWTH = 48 << 20
#: Limits short enough that all connections of the soak end in time.
OPTIONS = (
    *("--pool-idle", "1", "--head-timeout", "3", "--body-timeout", "5", "--idle-timeout", "5", "--drain-timeout", "3"),
    *("--max-transcriptions", "8", "--max-queue", "1000", "--max-connections", "24", "--pool-wait", "0"),
)
#: Seconds that clean-up may take after the last request.
SETTLE_S = 30.0
#: The limit on open files: the soft one of macOS, which a crowd of clients reaches.
OPEN_FILES = 256
#: Clients in a crowd beyond the limit.
TOO_MANY = 50
#: How many times requests are followed by a crowd.
ROUNDS = 2
#: Seconds between two steps of the wall clock.
SET_EVERY_S = 0.1


@dataclasses.dataclass
class Report:
    """
    The result.

    :ivar clock: the steps of the wall clock.
    :ivar faults: unexpected results; empty if all was well.
    """

    requests: int
    seconds: float
    clock: str
    memory: tuple[int, int]
    files: tuple[int, int]
    actions: dict[str, int]
    faults: list[str]

    def __str__(self) -> str:
        before, after = (size >> 20 for size in self.memory)
        lines = [
            f"{self.requests} requests in {self.seconds:.1f} s; memory {before} -> {after} MiB, "
            f"open files {self.files[0]} -> {self.files[1]}; {self.clock}",
            ", ".join(f"{name} {count}" for name, count in sorted(self.actions.items())),
            *[f"FAULT {fault}" for fault in self.faults[:50]],
        ]
        return "\n".join(lines)


def memory(pid: int) -> int:
    """A process's current memory, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        found = re.search(r"^VmRSS:\s*(\d+) kB", file.read(), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) * 1024


def files(pid: int) -> int:
    """A process's number of open descriptors."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def soak(requests: int, seed: int, clients: int = 16) -> Report:
    """Send about this many requests; the seed determines what each client does."""
    begun = time.monotonic()
    with Listener() as listener, tempfile.TemporaryDirectory() as folder:
        listener.serve(upstream.serve)
        target = ("--target-host", "127.0.0.1", "--target-port", str(listener.port))
        clock = None if MISSING else WallClock(folder)
        env = None if clock is None else clock.env
        daemon = Daemon(*target, *OPTIONS, config=_config(0), env=env, open_files=OPEN_FILES)
        try:
            with _setting(clock, seed) as clock_steps:
                report = _soak(daemon, requests, seed, clients)
        finally:
            daemon.close()
    report.seconds = time.monotonic() - begun
    report.clock = MISSING or f"the wall clock was set {len(clock_steps)} times"
    return report


@contextlib.contextmanager
def _setting(clock: WallClock | None, seed: int) -> Iterator[list[int]]:
    """Set the wall clock back and forth in the meantime; yield the steps."""
    steps: list[int] = []
    over = threading.Event()
    chance = random.Random(f"{seed} clock")

    def work(clock: WallClock) -> None:
        while not over.wait(SET_EVERY_S):
            steps.append(chance.choice(STEPS))
            clock.set(steps[-1])

    if clock is None:
        yield steps
        return
    thread = threading.Thread(target=work, args=(clock,), daemon=True)
    thread.start()
    try:
        yield steps
    finally:
        over.set()
        thread.join()


def _config(number: int) -> dict[str, str]:
    """The configuration after this many edits."""
    return {"language": "zh", "prompt": f"soaked {number}"}


def _soak(daemon: Daemon, requests: int, seed: int, clients: int) -> Report:
    # The first requests import modules and allocate permanent memory; they are not measured.
    _run(daemon, 200, f"{seed} before", clients)
    faults = _settle(daemon, None)
    before = memory(daemon.pid), files(daemon.pid)
    done: list[Client] = []
    for number in range(1, ROUNDS + 1):
        done += _run(daemon, requests // ROUNDS, f"{seed} {number}", clients)
        faults += _settle(daemon, before[1])
        faults += _overcrowd(daemon, number)
        faults += _settle(daemon, before[1])
    for client in done:
        faults += client.faults
    after = memory(daemon.pid), files(daemon.pid)
    if after[0] - before[0] > GROWTH:
        faults.append(f"memory has grown by {after[0] - before[0] >> 20} MiB")
    status = daemon.stop()
    if status != 0:
        faults.append(f"the daemon ended with {status}")
    log = daemon.log() + daemon.errors()
    for sign in ("Traceback", "Unhandled"):
        if sign in log:
            at = log.index(sign)
            faults.append(f"the log says: {log[max(0, at - 500) : at + 3000]}")
    actions = sum((client.actions for client in done), Counter())
    count = sum(client.requests for client in done)
    return Report(count, 0.0, "", (before[0], after[0]), (before[1], after[1]), dict(actions), faults)


def _run(daemon: Daemon, requests: int, seed: str, clients: int) -> list[Client]:
    """Let clients send about this many requests."""
    crowd = [Client(daemon.port, f"{seed} {number}") for number in range(clients)]

    def work(client: Client) -> None:
        while client.requests < requests / clients:
            client.step()

    threads = [threading.Thread(target=work, args=(client,), daemon=True) for client in crowd]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return crowd


def _overcrowd(daemon: Daemon, number: int) -> list[str]:
    """
    Connect more clients than the limit: accepted ones are served, the others get 503, and an edit takes effect.

    :param number: of the edit.
    """
    most: int = daemon.stats()["max_clients"]
    answers: Counter[int] = Counter()
    with contextlib.ExitStack() as stack:
        peers = [connect(daemon.port) for _ in range(most + TOO_MANY)]
        for peer in peers:
            stack.callback(peer.close)
            peer.send_while_taken([request("GET", "/v1/models", (b"X-Do", b"answer"))])
        for peer in peers:
            with contextlib.suppress(EOFError):
                answers[peer.read_message().status] += 1
        daemon.edit(_config(number))
        daemon.wait_for_log(rf"is in force \(generation {number + 1}\)")
    # The connection that checked whether the daemon is idle may have been one of them.
    if answers not in ({200: most, 503: TOO_MANY}, {200: most - 1, 503: TOO_MANY + 1}):
        return [f"of {len(peers)} clients {dict(answers)} got an answer, with room for {most}"]
    return []


def _settle(daemon: Daemon, open_files: int | None) -> list[str]:
    """Wait until no request is in flight; anything that does not end is a fault."""
    state: dict[str, int] = {}

    def settled() -> bool:
        if open_files is not None:
            state["files"] = files(daemon.pid)
        stats = daemon.stats()
        # This request is itself in flight, on its own connection.
        state.update(in_flight=stats["in_flight"] - 1, connections=stats["connections"] - 1, queued=stats["queued"])
        idle = not (state["in_flight"] or state["connections"] or state["queued"])
        if open_files is not None:
            return idle and state["files"] <= open_files
        # Upstream connections are idle for a second; without a number to compare with, wait for their close.
        return idle and _sockets(daemon.pid) <= 1

    try:
        until(settled, "an end", SETTLE_S)
    except AssertionError:
        return [f"{SETTLE_S:g} s after the last request there was still {state}; {files(daemon.pid)} files open"]
    return []


def _sockets(pid: int) -> int:
    """A process's number of sockets beyond those of its start: its listener and its waker."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
        except OSError:
            continue
    return count - 2
