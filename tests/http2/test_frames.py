"""
Tests for :mod:`sttproxy.http2.frames`.
"""

from __future__ import annotations

from hyperframe.frame import DataFrame, PingFrame, SettingsFrame
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http2.frames import FrameSizes

PREFACE = b"x" * 24


class SizeTests(SynchronousTestCase):
    """Frames that are small enough, and the first one that is not."""

    def test_good(self) -> None:
        """Frames up to the limit pass, in any pieces."""
        data = PREFACE + b"".join(
            frame.serialize() for frame in (SettingsFrame(0), DataFrame(1, bytes(100)), PingFrame(0, bytes(8)))
        )
        for size in range(1, len(data) + 1):
            sizes = FrameSizes(100, len(PREFACE))
            for at in range(0, len(data), size):
                self.assertTrue(sizes.feed(data[at : at + size]))

    def test_large(self) -> None:
        """A larger one is found when its header is complete, wherever it comes."""
        before = PREFACE + SettingsFrame(0).serialize()
        for cut in range(9):
            sizes = FrameSizes(100, len(PREFACE))
            header = DataFrame(1, bytes(101)).serialize()[:9]
            self.assertTrue(sizes.feed(before + header[:cut]))
            self.assertFalse(sizes.feed(header[cut:]))
