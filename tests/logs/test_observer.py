"""
Tests for :mod:`sttproxy.logs.observer`: it writes the same text as Twisted's own observer.
"""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger, textFileLogObserver
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sttproxy.inbound import accesslog
from sttproxy.inbound.accesslog import AccessLog
from sttproxy.inbound.lines import FORMATS
from sttproxy.logs.destination import Destination
from sttproxy.logs.observer import LineObserver
from sttproxy.writer import FlushScheduler

from ..support.requests import finished


class Lines(Destination):
    """A destination that keeps the lines in memory."""

    def __init__(self) -> None:
        super().__init__(Clock())
        self.text = ""

    def write(self, line: str) -> None:
        self.text += line


class ObserverTests(SynchronousTestCase):
    """Our observer and Twisted's get the same events."""

    def setUp(self) -> None:
        self.lines = Lines()
        self.clock = Clock()
        self.observer = LineObserver(self.lines, FlushScheduler(self.clock))
        self.theirs = io.StringIO()
        self.stock = textFileLogObserver(self.theirs)

    def see(self, event: Any) -> None:
        """Give an event to both observers."""
        self.observer(dict(event))
        self.stock(dict(event))

    def test_same(self) -> None:
        """Both write the same for fields, several lines, a failure, an event of t.p.log and an empty event."""
        self.assertTrue(verifyObject(ILogObserver, self.observer))
        log = Logger("some.name", observer=self.see)
        log.info("a {b} {{c}}", b="x\ny")
        log.debug("")
        try:
            raise ValueError("why")
        except ValueError:
            log.failure("it failed")
        self.see({"log_time": 1.5, "log_system": "-", "log_format": "{log_text}", "log_text": "old"})
        self.see({})
        self.see({"log_failure": Failure(ValueError("x")), "log_format": None})
        self.assertEqual(self.lines.text, self.theirs.getvalue())
        self.assertIn("ValueError: why", self.lines.text)

    def test_requests(self) -> None:
        """Both write the same for events of requests, at any time."""
        self.patch(accesslog, "log", Logger("sttproxy.inbound.request", observer=self.see))
        access = AccessLog()
        for now in (0.0, 0.999, 1.0, 86400.5, 86400.9, 3.0):
            self.patch(accesslog.time, "time", lambda now=now: now)
            for status in (200, 500):
                access.write(finished(status=status, target=b"/{a}", response_bytes=5, why="a\nb"), None)
        self.clock.advance(0)
        self.assertEqual(self.lines.text, self.theirs.getvalue())
        self.assertEqual(self.lines.text.count("00 5 B 0.100 s waiting=0.100 id= done: a"), 12)

    def test_together(self) -> None:
        """Lines of requests are written at the end of the reactor iteration, and before the line of a later event."""
        self.patch(accesslog, "log", Logger("sttproxy.inbound.request", observer=self.observer))
        for path in (b"/1", b"/2"):
            AccessLog().write(finished(target=path), None)
        self.assertEqual(self.lines.text, "")
        self.clock.advance(0)
        self.assertEqual(self.lines.text.count("\n"), 2)
        AccessLog().write(finished(target=b"/3"), None)
        Logger("some.name", observer=self.observer).info("later")
        self.clock.advance(0)
        lines = self.lines.text.splitlines()
        self.assertEqual([line.split("] ")[1].split(" HTTP")[0] for line in lines[2:]], ["192.0.2.7 GET /3", "later"])

    def test_json(self) -> None:
        """In JSON, each event is one object, and finished lines stay as they are."""
        observer = LineObserver(self.lines, FlushScheduler(self.clock), json=True, stamped=False)
        self.patch(accesslog, "log", Logger("sttproxy.inbound.request", observer=observer))
        AccessLog(FORMATS["json"]).write(finished(why="a\nb"), None)
        Logger("some.name", observer=observer).warn("two\nlines")
        objects = [json.loads(line) for line in self.lines.text.splitlines()]
        self.assertEqual([each["namespace"] for each in objects], ["sttproxy.inbound.request", "some.name"])
        self.assertEqual((objects[0]["reason"], objects[1]["message"]), ("a\nb", "two\nlines"))

    def test_combined(self) -> None:
        """Finished lines in another format get no timestamp; other events are written as text."""
        observer = LineObserver(self.lines, FlushScheduler(self.clock), stamped=False)
        self.patch(accesslog, "log", Logger("sttproxy.inbound.request", observer=observer))
        AccessLog(FORMATS["combined"]).write(finished(), None)
        Logger("some.name", observer=observer).warn("text")
        first, second = self.lines.text.splitlines()
        self.assertTrue(first.startswith("192.0.2.7 - - ["), first)
        self.assertTrue(second.endswith("[some.name#warn] text"), second)
