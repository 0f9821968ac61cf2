"""
Tests for :mod:`sttproxy.websocket`; the library `websockets` writes the frames.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Frame, Opcode

from sttproxy.websocket import GOING_AWAY, MAX_REASON, Close, Frames, close_frame

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

    def test_advance(self) -> None:
        """It processes one frame at a time, or what has arrived of it."""
        frames = [frame(Opcode.TEXT, size, True) for size in (0, 3, 200)]
        data, follower, at = b"".join(frames), Frames(), 0
        for each in frames:
            self.assertEqual(follower.advance(data, at), at + len(each))
            self.assertTrue(follower.between)
            at += len(each)
        self.assertEqual((follower.advance(data[:-1], at - len(frames[-1])), follower.between), (at - 1, False))

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

    def test_reason(self) -> None:
        """A reason is cut at a character, so that it fits into a control frame."""
        for reason, expected in (
            ("why", b"why"),
            ("\u4e2d" * 50, "\u4e2d".encode() * 41),
            ("x" * 200, b"x" * MAX_REASON),
        ):
            payload = (1008).to_bytes(2, "big") + expected
            written = Frame(Opcode.CLOSE, payload).serialize(mask=False)
            self.assertEqual(close_frame(Close(1008, reason), masked=False), written)
            masked = close_frame(Close(1008, reason), masked=True)
            unmasked = bytes(byte ^ masked[2 + at % 4] for at, byte in enumerate(masked[6:]))
            self.assertEqual((masked[1], unmasked), (0x80 | len(payload), payload))
