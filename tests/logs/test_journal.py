"""
Tests for :mod:`sttproxy.logs.journal`.
"""

from __future__ import annotations

import json
import os

from twisted.internet.task import Clock
from twisted.logger import ILogObserver, Logger
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sttproxy.inbound import accesslog
from sttproxy.inbound.accesslog import AccessLog
from sttproxy.inbound.lines import FORMATS
from sttproxy.logs.journal import JournalObserver, own_line, reads
from sttproxy.writer import FlushScheduler

from ..support.requests import finished
from .test_observer import Lines


class JournalTests(SynchronousTestCase):
    """Lines for the journal."""

    def setUp(self) -> None:
        self.lines = Lines()
        self.clock = Clock()

    def observer(self, *, json: bool = False, stamped: bool = True) -> JournalObserver:
        """An observer, also for the access log."""
        observer = JournalObserver(self.lines, FlushScheduler(self.clock), json=json, stamped=stamped)
        self.patch(accesslog, "log", Logger("sttproxy.inbound.request", observer=observer))
        return observer

    def test_levels(self) -> None:
        """Each level has its severity, and events without a level are information; there are no timestamps."""
        observer = self.observer()
        self.assertTrue(verifyObject(ILogObserver, observer))
        log = Logger("some.name", observer=observer)
        for level in ("debug", "info", "warn", "error", "critical"):
            getattr(log, level)("text")
        observer({"log_time": 1.5, "log_system": "-", "log_format": "{log_text}", "log_text": "old"})
        observer({})
        self.assertEqual(
            self.lines.text.splitlines(),
            [
                "<7>[some.name#debug] text",
                "<6>[some.name#info] text",
                "<4>[some.name#warn] text",
                "<3>[some.name#error] text",
                "<2>[some.name#critical] text",
                "<6>[-] old",
            ],
        )

    def test_several_lines(self) -> None:
        """Each line of a text has the severity of the event, also those of a traceback and of a request's reason."""
        log = Logger("some.name", observer=self.observer())
        try:
            raise ValueError("why")
        except ValueError:
            log.failure("it failed")
        AccessLog().write(finished(status=500, why="a\nb"), None)
        self.clock.advance(0)
        lines = self.lines.text.splitlines()
        self.assertEqual(lines[0], "<2>[some.name#critical] it failed")
        self.assertEqual({line[:4] for line in lines[1:-2]}, {"<2>\t"})
        self.assertEqual((lines[-2][:3], lines[-1]), ("<4>", "<4>\tb"))

    def test_requests(self) -> None:
        """Lines of requests are written at the end of the reactor iteration, and before the line of a later event."""
        observer = self.observer()
        for status in (200, 500):
            AccessLog().write(finished(status=status), None)
        self.assertEqual(self.lines.text, "")
        self.clock.advance(0)
        first, second = self.lines.text.splitlines()
        self.assertTrue(first.startswith("<6>[sttproxy.inbound.request#info] 192.0.2.7 "), first)
        self.assertTrue(second.startswith("<4>[sttproxy.inbound.request#warn] 192.0.2.7 "), second)
        AccessLog().write(finished(), None)
        Logger("some.name", observer=observer).info("later")
        self.assertEqual(self.lines.text.splitlines()[-1], "<6>[some.name#info] later")
        self.assertEqual(self.lines.text.count("\n"), 4)

    def test_formats(self) -> None:
        """JSON objects and lines in another format stay as they are, behind the severity."""
        observer = self.observer(json=True, stamped=False)
        AccessLog(FORMATS["json"]).write(finished(why="a\nb"), None)
        Logger("some.name", observer=observer).warn("two\nlines")
        first, second = self.lines.text.splitlines()
        self.assertEqual((first[:3], json.loads(first[3:])["reason"]), ("<6>", "a\nb"))
        self.assertEqual((second[:3], json.loads(second[3:])["message"]), ("<4>", "two\nlines"))
        self.observer(stamped=False)
        AccessLog(FORMATS["combined"]).write(finished(), None)
        self.clock.advance(0)
        self.assertTrue(self.lines.text.splitlines()[-1].startswith("<6>192.0.2.7 - - ["), self.lines.text)

    def test_own(self) -> None:
        """Lines about the log itself are warnings."""
        self.assertEqual(own_line(json=False)("2 lost"), "<4>[sttproxy.logs#warn] 2 lost\n")
        self.assertEqual(json.loads(own_line(json=True)("2 lost").removeprefix("<4>"))["message"], "2 lost")

    def test_reads(self) -> None:
        """A descriptor leads to the journal if device and inode are those that the environment names."""
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        status = os.fstat(writing)
        named = f"{status.st_dev}:{status.st_ino}"
        self.assertTrue(reads(writing, {"JOURNAL_STREAM": named}))
        for environment in ({}, {"JOURNAL_STREAM": ""}, {"JOURNAL_STREAM": "1:" + named}):
            self.assertFalse(reads(writing, environment))
        os.close(writing)
        self.assertFalse(reads(writing, {"JOURNAL_STREAM": named}))
