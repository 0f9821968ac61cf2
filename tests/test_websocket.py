"""
Tests for :mod:`sttproxy.websocket`; the library `websockets` writes the frames.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode

from sttproxy.websocket import GOING_AWAY, Close, Frames, close_frame

OPCODES = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)


def frame(opcode: Opcode, size: int, masked: bool) -> bytes:
    """A frame, written by `websockets`."""
    return Frame(opcode, b"x" * size).serialize(mask=masked)


class FramesTests(SynchronousTestCase):
    """Frames at any segmentation."""

    @given(
        st.lists(st.tuples(st.sampled_from(OPCODES), st.sampled_from((0, 1, 125, 126, 300, 70_000)), st.booleans())),
        st.integers(1, 50),
    )
    def test_ends(self, written: list[tuple[Opcode, int, bool]], step: int) -> None:
        """The tracker finds exactly the ends of the frames."""
        frames = [frame(*each) for each in written]
        data = b"".join(frames)
        ends = {sum(map(len, frames[:count])) for count in range(len(frames) + 1)}
        follower = Frames()
        at = 0
        while at < len(data):
            size = step if len(data) < 5000 else 4096
            taken = follower.feed(data[at : at + size], to_end=not follower.between)
            at += taken
            self.assertEqual(follower.between, at in ends)
        self.assertFalse(follower.closed)

    def test_to_end(self) -> None:
        """With `to_end` it processes no byte after the end of the current frame."""
        data = frame(Opcode.BINARY, 200, False)
        for cut in range(1, len(data)):
            follower = Frames()
            follower.feed(data[:cut])
            self.assertEqual(follower.feed(data[cut:] + data, to_end=True), len(data) - cut)
            self.assertTrue(follower.between)
            self.assertEqual(follower.feed(data, to_end=True), 0)

    def test_close(self) -> None:
        """A close frame is recognized by its first byte."""
        follower = Frames()
        follower.feed(frame(Opcode.TEXT, 8, True))
        self.assertFalse(follower.closed)
        follower.feed(b"\x88")
        self.assertTrue(follower.closed)


class CloseTests(SynchronousTestCase):
    """Close frames."""

    def test_written(self) -> None:
        """An unmasked frame equals that of `websockets`; a masked one has the same payload."""
        expected = Frame(Opcode.CLOSE, GOING_AWAY.to_bytes(2, "big")).serialize(mask=False)
        self.assertEqual(close_frame(Close(GOING_AWAY), masked=False), expected)
        masked = close_frame(Close(GOING_AWAY), masked=True)
        self.assertEqual(masked[:2], b"\x88\x82")
        self.assertEqual(bytes(masked[6 + at] ^ masked[2 + at] for at in range(2)), GOING_AWAY.to_bytes(2, "big"))
