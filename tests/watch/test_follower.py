"""
Tests for :mod:`sttproxy.watch.follower`.
"""

from __future__ import annotations

import os

from twisted.application.service import IService
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from sttproxy.watch.files import Look
from sttproxy.watch.follower import FOLLOW_EVERY_S, FileFollower


class FollowerTests(SynchronousTestCase):
    """The contents of files, handed over when they change."""

    def setUp(self) -> None:
        self.path = os.path.abspath(self.mktemp())
        self.write(b"one")
        self.clock = Clock()
        self.taken: list[bytes | str] = []
        self.follower = FileFollower(self.clock, [self.path], self.adopt)

    def adopt(self, contents: Look) -> None:
        """Take contents, unless they are bad."""
        content = contents[self.path]
        if content == b"bad":
            raise ValueError("the file is bad")
        self.taken.append(content)

    def write(self, data: bytes) -> None:
        """Replace the file."""
        with open(self.path, "wb") as file:
            file.write(data)

    def start(self) -> None:
        """Load the file and begin to watch it."""
        self.follower.load()
        self.follower.startService()
        self.addCleanup(self.follower.stopService)

    def test_start(self) -> None:
        """The contents are taken once at the start, and not again while nothing changes."""
        self.assertTrue(verifyObject(IService, self.follower))
        self.start()
        self.clock.pump([FOLLOW_EVERY_S] * 5)
        self.assertEqual(self.taken, [b"one"])

    def test_bad_start(self) -> None:
        """Contents that cannot be used raise the error at the start."""
        self.write(b"bad")
        self.assertRaises(ValueError, self.follower.load)

    def test_change(self) -> None:
        """A change is taken once two looks in a row have seen it."""
        self.start()
        for data in (b"t", b"tw", b"two"):
            self.write(data)
            self.clock.advance(FOLLOW_EVERY_S)
        self.assertEqual(self.taken, [b"one"])
        self.clock.advance(FOLLOW_EVERY_S)
        self.assertEqual(self.taken, [b"one", b"two"])

    def test_bad_change(self) -> None:
        """Contents that cannot be used are logged once; the next good ones are taken."""
        self.start()
        self.write(b"bad")
        with capturedLogs() as captured:
            self.clock.pump([FOLLOW_EVERY_S] * 5)
        (line,) = map(formatEvent, captured)
        self.assertEqual(line, "the file is bad.  The previous contents stay in force.")
        self.write(b"three")
        self.clock.pump([FOLLOW_EVERY_S] * 2)
        self.assertEqual(self.taken, [b"one", b"three"])

    def test_reload(self) -> None:
        """A reload takes the contents at once."""
        self.start()
        self.write(b"two")
        self.follower.reload()
        self.assertEqual(self.taken, [b"one", b"two"])
        self.clock.pump([FOLLOW_EVERY_S] * 3)
        self.assertEqual(self.taken, [b"one", b"two"])

    def test_missing(self) -> None:
        """A file that disappears is handed over as the reason."""
        self.start()
        os.unlink(self.path)
        self.clock.pump([FOLLOW_EVERY_S] * 2)
        self.assertEqual(self.taken[1:], ["it cannot be read: No such file or directory"])

    def test_stop(self) -> None:
        """Nothing is scheduled after the stop."""
        self.follower.load()
        self.follower.startService()
        self.follower.stopService()
        self.assertEqual(self.clock.getDelayedCalls(), [])
