"""
Tests for :mod:`sttproxy.http2.frames`.
"""

from __future__ import annotations

from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from jh2.errors import ErrorCodes
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http2.frames import Control, Data, FrameReader, GoAway, Passed, Violation

PREFACE = b"x" * 24
MOST = 100


def read(*reads: bytes | Frame, preface: int = 0) -> list[Passed | Data | Control | GoAway]:
    """Return what a reader passes on of several reads."""
    frames = FrameReader(MOST, preface)
    if not preface:
        list(frames.feed(SettingsFrame(0).serialize()))
    return [piece for data in reads for piece in frames.feed(data if isinstance(data, bytes) else data.serialize())]


def joined(*frames: Frame) -> bytes:
    """Return frames as they are on the wire."""
    return b"".join(frame.serialize() for frame in frames)


class ReaderTests(SynchronousTestCase):
    """The three kinds of frames."""

    def test_any_cut(self) -> None:
        """What is read does not depend on where the reads are cut."""
        passed = [
            SettingsFrame(0),
            HeadersFrame(1, b"ab"),
            ContinuationFrame(1, b"c", flags=["END_HEADERS"]),
            PingFrame(0, b"12345678"),
        ]
        numbers = range(9)
        data = PREFACE + joined(
            *passed[:3],
            *[DataFrame(1, b"%d" % number * 30) for number in numbers],
            DataFrame(3, b"other"),
            DataFrame(3, b"padded", flags=["PADDED"], pad_length=7),
            DataFrame(1, b""),
            GoAwayFrame(0, last_stream_id=5, error_code=2, additional_data=b"debug"),
            DataFrame(1, b"end", flags=["END_STREAM"]),
            passed[3],
            DataFrame(3, b"", flags=["PADDED", "END_STREAM"], pad_length=3),
        )
        first = b"".join(b"%d" % number * 30 for number in numbers) + b"end"
        for size in range(1, len(data) + 1):
            pieces = read(*(data[at : at + size] for at in range(0, len(data), size)), preface=len(PREFACE))
            wire = b"".join(piece.data for piece in pieces if isinstance(piece, Passed | Control))
            self.assertEqual(wire, PREFACE + joined(*passed), size)
            for number, body, flow in ((1, first, len(first)), (3, b"otherpadded", len(b"otherpadded") + 12)):
                own = [piece for piece in pieces if isinstance(piece, Data) and piece.number == number]
                self.assertEqual(b"".join(piece.data for piece in own), body, size)
                self.assertEqual(sum(piece.flow for piece in own), flow, size)
                self.assertEqual([piece.ends for piece in own], [False] * (len(own) - 1) + [True], size)
            self.assertEqual([piece for piece in pieces if isinstance(piece, GoAway)], [GoAway(5, 2)], size)

    def test_joined(self) -> None:
        """DATA of one stream in one read is one piece, up to its end."""
        end = ["END_STREAM"]
        self.assertEqual(read(joined(DataFrame(1, b"ab"), DataFrame(1, b"cd"))), [Data(1, b"abcd", 4, False)])
        ends = joined(DataFrame(1, b"ab"), DataFrame(1, b"", flags=end), DataFrame(1, b"e"))
        self.assertEqual(read(ends), [Data(1, b"ab", 2, True), Data(1, b"e", 1, False)])
        ping = PingFrame(0)
        others = joined(DataFrame(1, b"a"), DataFrame(3, b"b"), DataFrame(1, b"c"), ping, DataFrame(1, b"d"))
        expected = [
            Data(1, b"a", 1, False),
            Data(3, b"b", 1, False),
            Data(1, b"c", 1, False),
            Control(ping.serialize(), 6, 0, 0, 8),
            Data(1, b"d", 1, False),
        ]
        self.assertEqual(read(others), expected)

    def test_empty(self) -> None:
        """Each empty frame that ends nothing is a piece of its own, so that a flood of them is noticed."""
        padding = DataFrame(1, b"", flags=["PADDED"], pad_length=3)
        data = joined(DataFrame(1, b"a"), DataFrame(1, b""), padding, DataFrame(1, b"b"))
        empty = [Data(1, b"", 0, False), Data(1, b"", 4, False)]
        self.assertEqual(read(data), [Data(1, b"a", 1, False), *empty, Data(1, b"b", 1, False)])

    def test_parts(self) -> None:
        """DATA is passed on as it comes, and ends with its last byte."""
        data = DataFrame(1, b"abcd", flags=["END_STREAM"]).serialize()
        self.assertEqual(read(data[:11], data[11:]), [Data(1, b"ab", 2, False), Data(1, b"cd", 2, True)])

    def test_padded(self) -> None:
        """Padding takes the windows, and is not part of the body; jh2 rejects more of it than the frame has."""
        for pad in (0, 5):
            data = DataFrame(1, b"abc", flags=["PADDED", "END_STREAM"], pad_length=pad).serialize()
            self.assertEqual(read(data), [Data(1, b"abc", 4 + pad, True)])
            self.assertEqual(read(data[:9], data[9:]), [Data(1, b"abc", 4 + pad, True)])
        for excess in (b"\x00\x00\x02\x00\x08\x00\x00\x00\x01\xff\x00", b"\x00\x00\x00\x00\x08\x00\x00\x00\x01"):
            self.assertEqual(read(excess), [Passed(excess)])

    def test_large(self) -> None:
        """A frame that is too large is found when its header is complete, wherever it comes."""
        header = DataFrame(1, bytes(MOST + 1)).serialize()[:9]
        for cut in range(9):
            frames = FrameReader(MOST, 0)
            list(frames.feed(SettingsFrame(0).serialize() + header[:cut]))
            with self.assertRaises(Violation):
                list(frames.feed(header[cut:]))

    def test_goaway(self) -> None:
        """A GOAWAY is read and dropped, with its debug data; a malformed one is left to jh2."""
        good = GoAwayFrame(0, last_stream_id=2**31 - 1, error_code=11, additional_data=b"x" * 50).serialize()
        ping = PingFrame(0).serialize()
        self.assertEqual(read(good + ping), [GoAway(2**31 - 1, 11), Control(ping, 6, 0, 0, 8)])
        for bad in (good[:5] + b"\0\0\0\1" + good[9:], b"\0\0\7\7\0\0\0\0\0" + bytes(7)):
            self.assertEqual(read(bad), [Control(bad, 7, 0, bad[8], len(bad) - 9)])

    def test_control(self) -> None:
        """Control frames are marked once; those that are checked are complete, if they are not too long."""
        for frame in (PriorityFrame(3, 1), WindowUpdateFrame(0, 5)):
            data = frame.serialize()
            for cut in range(1, len(data)):
                self.assertEqual(
                    read(data[:cut], data[cut:]), [Control(data, frame.type, 0, frame.stream_id, len(data) - 9)]
                )
        settings = SettingsFrame(0, {1: 2, 3: 4}).serialize()
        self.assertEqual(
            read(settings[:12], settings[12:]), [Control(settings[:12], 4, 0, 0, 12), Passed(settings[12:])]
        )
        long = b"\0\0\x11\x08\0\0\0\0\1" + bytes(17)
        self.assertEqual(read(long[:9], long[9:]), [Control(long[:9], 8, 0, 1, 17), Passed(long[9:])])

    def test_first(self) -> None:
        """The first frame is SETTINGS."""
        for frame in (PingFrame(0), SettingsFrame(0, flags=["ACK"]), DataFrame(1, b"a"), GoAwayFrame(0)):
            with self.assertRaises(Violation) as caught:
                list(FrameReader(MOST, 0).feed(frame.serialize()))
            self.assertEqual(caught.exception.code, ErrorCodes.PROTOCOL_ERROR)

    def test_in_head(self) -> None:
        """Frames in the middle of a head are left to jh2, which ends the connection."""
        begun = HeadersFrame(1, b"ab").serialize()
        goaway, data = GoAwayFrame(0).serialize(), DataFrame(1, b"a").serialize()
        self.assertEqual(read(begun + goaway + data), [Passed(begun), Passed(goaway), Passed(data)])
        end = ContinuationFrame(1, b"", flags=["END_HEADERS"]).serialize()
        self.assertEqual(read(begun + end + goaway), [Passed(begun), Passed(end), GoAway(0, 0)])
