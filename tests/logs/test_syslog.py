"""
Tests for :mod:`sttproxy.logs.syslog`, with a socket in the place of the daemon's.
"""

from __future__ import annotations

import json
import os
import re
import socket
import tempfile

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, LogEvent, Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sttproxy.inbound import accesslog
from sttproxy.inbound.accesslog import AccessLog
from sttproxy.inbound.lines import FORMATS
from sttproxy.logs import syslog
from sttproxy.logs.destination import MAX_PENDING, RETRY_S
from sttproxy.logs.syslog import MAX_MESSAGE, Daemon, SyslogObserver

from ..support.requests import finished


class SyslogTests(SynchronousTestCase):
    """Messages to the syslog daemon."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="stt-")  # a socket's path must be short
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "log")
        self.clock = Clock()
        self.listen()

    def listen(self) -> None:
        """Listen in the daemon's place."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(self.socket.close)
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def messages(self) -> list[tuple[int, str]]:
        """The severities and texts of the messages that have arrived."""
        found = []
        while True:
            try:
                data = self.socket.recv(65536).decode()
            except BlockingIOError:
                return found
            parts = re.fullmatch(r"<(\d+)>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d name\[(\d+)\]: (.*)", data)
            assert parts is not None, data
            self.assertEqual((int(parts[1]) & ~7, int(parts[2])), (8, os.getpid()))  # facility "user"
            found.append((int(parts[1]) & 7, parts[3]))

    def observer(self, format: str = "text") -> SyslogObserver:
        """Return an observer."""
        form = {"json": format == "json", "stamped": format == "text"}
        self.daemon = Daemon(self.clock, self.path, "name", json=form["json"])
        self.addCleanup(self.daemon.close)
        return SyslogObserver(self.daemon, **form)

    def test_severities(self) -> None:
        """The severity is that of the level; events without a level are information."""
        observer = self.observer()
        self.assertTrue(verifyObject(ILogObserver, observer))
        log = Logger("some.name", observer=observer)
        for emit in (log.debug, log.info, log.warn, log.error, log.critical):
            emit("x")
        observer({"log_format": "old", "log_system": "-"})
        self.assertEqual([severity for severity, _ in self.messages()], [7, 6, 4, 3, 2, 6])

    def test_formats(self) -> None:
        """Requests are in the chosen format, and other events are objects in JSON; each line is a message."""
        for format, beginnings in (
            ("text", ["[sttproxy.inbound.request#info] 192.0.2.7 GET", "[some.name#warn] a", "b"]),
            ("combined", ["192.0.2.7 - - [", "[some.name#warn] a", "b"]),
            ("json", ['{"time":', '{"time":']),
        ):
            observer = self.observer(format)
            self.patch(accesslog, "log", Logger("sttproxy.inbound.request", observer=observer))
            AccessLog(FORMATS[format]).write(finished(), None)
            Logger("some.name", observer=observer).warn("a\nb")
            texts = [text.strip() for _, text in self.messages()]
            self.assertEqual(
                [text[: len(start)] for text, start in zip(texts, beginnings, strict=True)], beginnings, format
            )

    def test_blocked(self) -> None:
        """A daemon that does not read blocks nothing; later it gets the messages, and the number of lost ones."""
        log = Logger("some.name", observer=self.observer())
        count = 3 * MAX_PENDING // 100
        for number in range(count):
            log.info("{number:>80}", number=number)
        numbers: list[int] = []
        lost = 0
        for _ in range(count):
            for _, text in self.messages():
                found = re.search(r"(\d+) lines of the log were lost here", text)
                if found:
                    lost = int(found[1])
                else:
                    numbers.append(int(text.split()[-1]))
            if lost:
                break
            self.clock.advance(RETRY_S)
        self.assertEqual(numbers, [*range(len(numbers))])
        self.assertEqual(len(numbers) + lost, count)

    def test_lost_in_json(self) -> None:
        """The note about lost messages has the format of the others."""
        self.observer("json")
        text = self.daemon._about_itself("Lost.")
        self.assertEqual(json.loads(text.partition(": ")[2])["message"], "Lost.")

    def test_restart(self) -> None:
        """A daemon that restarts gets what was logged meanwhile."""
        log = Logger("some.name", observer=self.observer())
        log.info("one")
        self.assertEqual(len(self.messages()), 1)
        self.socket.close()
        os.unlink(self.path)
        log.info("two")
        self.listen()
        self.clock.advance(RETRY_S)
        self.assertEqual(self.messages(), [(6, "[some.name#info] two")])

    def test_long(self) -> None:
        """A message is cut to what a datagram can have."""
        Logger("some.name", observer=self.observer()).info("x" * 2 * MAX_MESSAGE)
        self.assertEqual(len(self.socket.recv(100_000)), MAX_MESSAGE)

    def test_path(self) -> None:
        """The first socket that exists is used; without one there is an error."""
        self.patch(syslog, "SOCKETS", ("/nowhere", self.path))
        self.assertEqual(syslog.path(), self.path)
        self.patch(syslog, "SOCKETS", ("/nowhere",))
        error = self.assertRaises(FileNotFoundError, syslog.path)
        self.assertEqual(str(error), "no syslog daemon listens on /nowhere")

    def test_nothing(self) -> None:
        """An event that says nothing sends nothing."""
        event: LogEvent = {}
        for format in ("text", "json"):
            self.observer(format)(event)
        self.assertEqual(self.messages(), [])
