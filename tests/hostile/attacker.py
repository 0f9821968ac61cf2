"""
The attacker's end of a connection, and the base class of the tests.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..support.fakes import Ending, Peer
from ..support.frames import FrameChecker
from ..support.http2 import use_h2
from ..support.stage import ProxyTestCase
from .row import Row


class Attacker:
    """
    A peer that sends what it likes.

    :ivar peer: its end of the connection.
    :ivar checker: reads what the proxy sends.
    """

    def __init__(self, peer: Peer, checker: FrameChecker, *segments: bytes) -> None:
        """
        :param segments: are sent at once.
        """
        self.peer = peer
        self.checker = checker
        self.send(segments)

    def send(self, segments: Iterable[bytes]) -> None:
        """Send these segments, as long as the connection is open, and check what comes."""
        for segment in segments:
            if self.peer.ending is Ending.OPEN:
                self.checker.sent(segment)
                self.peer.send(segment)
        self.checker.feed(self.peer.news())


class HostileTestCase(ProxyTestCase):
    """Base class: runs rows."""

    #: Whether h2 is in the place of jh2.
    on_h2 = False

    def setUp(self) -> None:
        if self.on_h2:
            use_h2(self)
        super().setUp()

    def check_all(self, rows: Iterable[Row]) -> None:
        """Check rows, each as the network may cut it."""
        for row in rows:
            for segments in row.segmentations:
                try:
                    self.check(row.expected(self.on_h2), segments)
                except Exception as error:
                    cut = f"in {len(segments)} segments"
                    raise AssertionError(f"{row.name} ({row.source}), {cut}: {error!r}") from error
                self.assertEqual(self.flushLoggedErrors(), [], row.name)

    def check(self, outcome: object, segments: list[bytes]) -> None:
        """Send segments, and check what becomes of the connection and its streams."""
        raise NotImplementedError
