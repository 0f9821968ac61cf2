"""
A year in some minutes: what happens to a daemon that is not looked after, one day after the other.

Meanwhile clients ask without a pause, over TLS, and their form must arrive with the configured field.  Two things that
have tests of their own are not in it: a disk that fills up, and a target whose name leads elsewhere.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

from tests.e2e.certificates import trusting
from tests.e2e.daemon import get_json, listeners, twistd
from tests.e2e.forms import File, content_type, form
from tests.e2e.message import Message, counted, head
from tests.e2e.process import LIMIT_S, Process, read, until
from tests.e2e.raw import Listener, Peer, connect
from tests.e2e.wallclock import MISSING, STEPS, WallClock
from tests.support.certificates import pem

from .run import GROWTH, OPEN_FILES, SETTLE_S, TOO_MANY, Report, files, memory

DAYS = 365
#: Seconds that a day takes at least, so that clients ask also while nothing happens.
DAY_S = 1.2
#: Edits of the configuration on each day; 5,000 in a year.
EDITS = 14
#: The server is restarted on this many of nine days, 200 times in a year.
RESTARTS = 5
#: Days between two renewals of the certificate, and between two storms of clients.
RENEWAL, STORM = 60, 30
#: Clients that ask all the time.
CLIENTS = 4
#: What `--log-keep` is: rotated files that are kept.
KEPT = 3
#: More than a full log file.
FULL = b"full\n" * 220_000
#: Answers that a client may get: all is well, or the server was just restarted, or a storm of clients is there.
ALLOWED = frozenset({200, 502, 503})
BODY = b'{"text": "a year"}'
#: The server's own address: while it is restarted, no connection of another program takes its port there.
SERVER = "127.0.0.2"


class Clients:
    """
    Clients that ask until they are stopped.

    :ivar answers: how many they got, by status; None: the connection was lost.
    :ivar faults: unexpected ones.
    """

    def __init__(self, port: int) -> None:
        self.answers: Counter[int | None] = Counter()
        self.faults: list[str] = []
        self._port = port
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(CLIENTS)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let them end."""
        self._over.set()
        for thread in self._threads:
            thread.join(LIMIT_S)

    def _work(self) -> None:
        name, value = (each.decode() for each in content_type())
        body = form([("model", "m"), ("file", File(b"x" * 16_000))])
        while not self._over.is_set():
            connection = http.client.HTTPSConnection("localhost", self._port, timeout=LIMIT_S, context=trusting())
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                for _ in range(20):
                    connection.request("POST", "/v1/audio/transcriptions", body, {name: value})
                    answer = connection.getresponse()
                    read_ = answer.read()
                    self.answers[answer.status] += 1
                    if answer.status not in ALLOWED or (answer.status == 200 and read_ != BODY):
                        self.faults.append(f"a client got {answer.status} {read_[:200]!r}")
                    if self._over.wait(0.01):
                        return
                continue
            self.answers[None] += 1


def serve(peer: Peer) -> None:
    """Serve one connection of the daemon; a form without the configured field gets a 400."""
    with contextlib.suppress(OSError):
        while True:
            message: Message = peer.read_message()
            status = b"200 OK" if b'name="prompt"\r\n\r\nday ' in message.body else b"400 Bad Request"
            peer.send(head(b"HTTP/1.1 " + status, [counted(BODY)]) + BODY)
            del peer.received[: peer._at]
            peer._at = 0


class Year:
    """
    The daemon, and what happens to it.

    :ivar faults: unexpected results.
    :ivar deeds: how often each thing happened.
    """

    def __init__(self, folder: str, seed: int) -> None:
        self.faults: list[str] = []
        self.deeds: Counter[str] = Counter()
        self._folder = folder
        self._chance = random.Random(seed)
        self._log = os.path.join(folder, "stt.log")
        self._config = os.path.join(folder, "stt_config.json")
        self._pem = os.path.join(folder, "served.pem")
        self._clock = None if MISSING else WallClock(folder)
        self._server = Listener(SERVER)
        self._server.serve(serve)
        self._write(self._config, b'{"prompt": "day 0"}')
        self._write(self._pem, pem("localhost"))
        options = ("--tls-cert", self._pem, "--host", "127.0.0.1", "--port", "0", "--log-keep", str(KEPT))
        target = ("--target", f"http://{SERVER}:{self._server.port}", "--pool-idle", "1", "--idle-timeout", "5")
        command = [*twistd(), "-n", "--pidfile=", "--logfile", self._log, "sttproxy", *options, *target]
        limited = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', str(OPEN_FILES), *command]
        self._process = Process(limited, folder, "daemon", env=self._clock.env if self._clock else None)
        self.port = int(until(lambda: listeners(read(self._log)), "a listener")[0])
        until(lambda: connect(self.port).close() is None, "a daemon")

    @property
    def pid(self) -> int:
        """The daemon's."""
        return self._process.pid

    def day(self, number: int) -> None:
        """What happens on one day, from its beginning to its end."""
        ends = time.monotonic() + DAY_S
        self._edit(number)
        self._rotate(number)
        if self._clock is not None:
            self._clock.set(self._chance.choice(STEPS))
            self.deeds["clock set"] += 1
        if number % 9 < RESTARTS:
            self._restart_server()
        if number % RENEWAL == 0:
            self._renew(number)
        if number % STORM == 0:
            self._storm()
        time.sleep(max(0.0, ends - time.monotonic()))

    def _edit(self, number: int) -> None:
        for edit in range(EDITS):
            wrong = edit % 7 == 3  # a configuration that is refused leaves the old one in force
            self._write(self._config, b"{" if wrong else b'{"prompt": "day %d.%d"}' % (number, edit))
            if edit % 5 == 0:
                self._process.signal(signal.SIGHUP)
        self.deeds["edits"] += EDITS
        self._process.signal(signal.SIGHUP)
        try:
            until(lambda: self._stats()["config"]["error"] is None, "the last configuration in force")
        except AssertionError as error:
            self.faults.append(f"day {number}: {error}")

    def _rotate(self, number: int) -> None:
        """As logrotate does, or as the daemon does when its file is full."""
        if number % 2:
            os.replace(self._log, f"{self._log}.moved")
        else:
            with open(self._log, "ab") as file:
                file.write(FULL)
        self._process.signal(signal.SIGUSR1)
        self.deeds["rotations"] += 1
        try:
            until(lambda: os.path.exists(self._log) and os.path.getsize(self._log) < len(FULL), "a new log file")
        except AssertionError as error:
            self.faults.append(f"day {number}: {error}")

    def _restart_server(self) -> None:
        port = self._server.port
        self._server.close()
        time.sleep(self._chance.choice((0.0, 0.02, 0.1)))
        self._server = Listener(SERVER, port)
        self._server.serve(serve)
        self.deeds["server restarts"] += 1

    def _renew(self, number: int) -> None:
        """Renew the certificate, and expect the new one to be served."""
        end = datetime.now(timezone.utc) + timedelta(days=30 + number % 300)
        self._write(self._pem, pem("localhost", expires=end))
        self._process.signal(signal.SIGHUP)
        self.deeds["certificates"] += 1
        try:
            until(lambda: self._served_until()[:10] == f"{end:%Y-%m-%d}", "the new certificate")
        except AssertionError as error:
            self.faults.append(f"day {number}: {error}")

    def _served_until(self) -> str:
        expires: str = self._stats()["tls"]["certificates"][0]["expires"]
        return expires

    def _storm(self) -> None:
        """More clients than the daemon has room for, at once; then they leave."""
        self.deeds["storms"] += 1
        with contextlib.ExitStack() as stack:
            for _ in range(OPEN_FILES // 2 + TOO_MANY):
                with contextlib.suppress(OSError):
                    stack.callback(connect(self.port).close)

    def _stats(self) -> dict[str, dict[str, object]]:
        """``/stats``; a storm may take more than one attempt."""
        found: list[dict[str, dict[str, object]]] = []

        def look() -> bool:
            with contextlib.suppress(OSError, ssl.SSLError, json.JSONDecodeError, http.client.HTTPException):
                found.append(get_json(self.port, "/stats", "https"))
            return bool(found) and "config" in found[-1]

        until(look, "/stats")
        return found[-1]

    def settle(self, open_files: int | None) -> tuple[int, int]:
        """Wait until no request is in flight and connections have ended; return memory and open files."""

        def settled() -> bool:
            stats = self._stats()
            idle = stats["connections"] == 1 and stats["in_flight"] == 1
            return idle and (open_files is None or files(self.pid) <= open_files)

        try:
            until(settled, "rest", SETTLE_S)
        except AssertionError as error:
            self.faults.append(f"at the end: {error}; {files(self.pid)} files open")
        return memory(self.pid), files(self.pid)

    def end(self) -> None:
        """Stop the daemon, and look at what it leaves."""
        self._process.signal(signal.SIGTERM)
        status = self._process.wait()
        if status:
            self.faults.append(f"the daemon ended with {status}")
        kept = [name for name in os.listdir(self._folder) if name.startswith("stt.log.") and name[8:].isdigit()]
        if len(kept) > KEPT:
            self.faults.append(f"{len(kept)} rotated log files are kept")
        for name in ("stt.log", "stt.log.moved", *kept):
            path = os.path.join(self._folder, name)
            text = read(path) if os.path.exists(path) else ""
            for sign in ("Traceback", "Unhandled"):
                if sign in text:
                    at = text.index(sign)
                    self.faults.append(f"{name} says: {text[max(0, at - 500) : at + 3000]}")

    def close(self) -> None:
        """End what runs."""
        self._process.end()
        self._server.close()

    @staticmethod
    def _write(path: str, data: bytes) -> None:
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.replace(path + ".new", path)


@contextlib.contextmanager
def _asking(port: int) -> Iterator[Clients]:
    clients = Clients(port)
    try:
        yield clients
    finally:
        clients.stop()


def year(folder: str, days: int = DAYS, seed: int = 1) -> Report:
    """
    Let days pass.

    :param folder: for the daemon's files.
    """
    begun = time.monotonic()
    passing = Year(folder, seed)
    try:
        # The first days import modules and allocate permanent memory; they are not measured.
        with _asking(passing.port) as first:
            for number in range(RENEWAL, RENEWAL + 2):
                passing.day(number)
        before = passing.settle(None)
        passing.deeds.clear()
        with _asking(passing.port) as clients:
            for number in range(1, days + 1):
                passing.day(number)
        after = passing.settle(before[1])
        passing.end()
    finally:
        passing.close()
    faults = [*passing.faults, *first.faults, *clients.faults]
    if after[0] - before[0] > GROWTH:
        faults.append(f"memory has grown by {after[0] - before[0] >> 20} MiB")
    asked = sum(clients.answers.values())
    if clients.answers[200] < 0.9 * asked:
        faults.append("more than a tenth of the requests failed")
    told = {f"answers {status}": count for status, count in clients.answers.items()}
    clock = MISSING or f"{days} days"
    seconds = time.monotonic() - begun
    return Report(
        asked, seconds, clock, (before[0], after[0]), (before[1], after[1]), {**passing.deeds, **told}, faults
    )
