"""
Tests for :mod:`sttproxy.realtime.session`: the bytes of a client at any segmentation.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Opcode

from sttproxy.realtime.session import MAX_HELD

from .wire import APPEND, bytewise, fed, fragments, frame, messages_of, session_of

UPDATE = '{"type":"session.update","session":{"type":"realtime","audio":{"input":{"transcription":%s}}}}'
SENT, MADE = UPDATE % '{"language":"en"}', UPDATE % '{"language":"zh","model":"small"}'
PING, PONG = frame(b"p", Opcode.PING), frame(b"", Opcode.PONG)
CLOSE = frame(struct.pack("!H", 1000) + b"bye", Opcode.CLOSE)
BINARY = frame(bytes(range(256)) * 10)


class CutTests(SynchronousTestCase):
    """What a server gets does not depend on the segmentation."""

    def assert_at_all_cuts(self, data: bytes, expected: list[str | bytes], counted: dict[str, int]) -> None:
        """Check the messages that a server gets, and the counters."""
        cuts = [[data[:cut], data[cut:]] for cut in range(1, len(data))]
        for pieces in ([data], bytewise(data), *cuts):
            session, counts = session_of()
            self.assertEqual(messages_of(fed(session, pieces)), expected)
            self.assertEqual((counts, session.refused, session.between), (counted, None, True))

    def test_update(self) -> None:
        """An update of the client is changed, and none is added."""
        self.assert_at_all_cuts(frame(SENT) + frame(APPEND), [MADE, APPEND], {"changed": 1})

    def test_right(self) -> None:
        """An update that has the right values passes as it is."""
        self.assert_at_all_cuts(frame(MADE), [MADE], {})

    def test_added(self) -> None:
        """An update is added before the first message that is none."""
        for data in (
            frame(APPEND),
            frame("{}"),
            frame(b"abc"),
            frame("{ ", fin=False) + PING + frame("}", Opcode.CONT),
        ):
            message = messages_of(data)
            self.assert_at_all_cuts(data, [MADE, *message], {"added": 1})

    def test_later(self) -> None:
        """A later update of the client is changed, too."""
        self.assert_at_all_cuts(frame(APPEND) + frame(SENT), [MADE, APPEND, MADE], {"added": 1, "changed": 1})

    def test_fragments(self) -> None:
        """An update in fragments is one message for the server."""
        pieces = fragments(SENT[:1], "", SENT[1:9], SENT[9:30], SENT[30:])
        self.assert_at_all_cuts(pieces[0] + PING + b"".join(pieces[1:]) + frame(APPEND), [MADE, APPEND], {"changed": 1})

    def test_letters(self) -> None:
        """Characters of several bytes may be cut."""
        text = UPDATE % '{"language":"en","x":"\u4e2d\U0001f600"}'
        made = UPDATE % '{"language":"zh","x":"\u4e2d\U0001f600","model":"small"}'
        data = text.encode()
        at = data.index("\u4e2d".encode()) + 1
        pieces = [frame(data[:at], Opcode.TEXT, False), frame(data[at:], Opcode.CONT)]
        self.assert_at_all_cuts(b"".join(pieces), [made], {"changed": 1})


class FrameTests(SynchronousTestCase):
    """Frames that pass."""

    def assert_same(self, data: bytes) -> None:
        """Check that the same bytes are returned, after the update that is added."""
        for pieces in ([data], bytewise(data)):
            session, _ = session_of({"language": None})
            self.assertEqual(fed(session, pieces), data)

    def test_to_the_byte(self) -> None:
        """Frames that describe no session pass with their fragments and their masks."""
        pieces = fragments('{"type":', "", '"x"', ',"a": 1.50', "}")
        for data in (
            frame(APPEND),
            BINARY,
            PING,
            PONG,
            b"".join(pieces),
            b"".join(fragments(b"a", b"", b"b")),
            frame(b""),
        ):
            self.assert_same(data)
            self.assert_same(data + frame(APPEND) + CLOSE)

    def test_pings_in_a_message(self) -> None:
        """Pings between fragments pass at once, before the fragments that are kept."""
        first, second, third = fragments("{", '"type":"x",', '"a":1}')
        session, _ = session_of({"language": None})
        self.assertEqual(session.feed(first + PING), PING)
        self.assertEqual(session.feed(second + PING), first + second + PING)
        self.assertEqual(session.feed(PONG + third), PONG + third)

    def test_control_frames_first(self) -> None:
        """No update is added before control frames."""
        session, counts = session_of()
        self.assertEqual((session.feed(PING + CLOSE), counts), (PING + CLOSE, {}))
        self.assertTrue(session.closed)

    def test_after_close(self) -> None:
        """Nothing passes after the client's close frame."""
        session, _ = session_of()
        self.assertEqual(session.feed(CLOSE + frame(SENT)), CLOSE)
        self.assertEqual(session.feed(frame(APPEND)), b"")
        self.assertIsNone(session.refused)

    def test_close_in_a_message(self) -> None:
        """A close frame passes, and the incomplete message before it does not."""
        session, _ = session_of()
        self.assertEqual(session.feed(fragments(SENT[:20], "")[0] + CLOSE), CLOSE)


class LongTests(SynchronousTestCase):
    """Long messages."""

    def pieces(self, text: str) -> Iterator[bytes]:
        """A message as the network delivers it."""
        data = frame(text)
        return (data[at : at + 60_000] for at in range(0, len(data), 60_000))

    def test_streamed(self) -> None:
        """A long message is not collected, whether its type comes first or last."""
        audio = f'"audio":"{"A" * 3_000_000}"'
        type_ = '"type":"input_audio_buffer.append"'
        for text, kept in ((f"{{{type_},{audio}}}", 0), (f"{{{audio},{type_}}}", MAX_HELD + 60_000)):
            session, _ = session_of()
            given = returned = 0
            out = []
            for piece in self.pieces(text):
                out.append(session.feed(piece))
                given += len(piece)
                returned += len(out[-1])
                self.assertLessEqual(given - returned, kept)
            self.assertEqual(messages_of(b"".join(out)), [MADE, text])

    def test_update_too_long(self) -> None:
        """A long update ends the session; the server gets nothing of it, or its beginning."""
        filling = f'"x":"{"A" * MAX_HELD}","y":"{"A" * MAX_HELD}"'
        type_ = '"type":"session.update"'
        for text, reason, complete in (
            (f"{{{type_},{filling}}}", "An update of the session must not be longer than 262144 bytes.", []),
            (f"{{{filling},{type_}}}", "within its first 262144 bytes", [MADE]),
        ):
            session, counts = session_of()
            out = fed(session, self.pieces(text))
            assert session.refused is not None
            self.assertEqual((session.refused.status, messages_of(out)), (1009, complete))
            self.assertIn(reason, session.refused.reason)
            self.assertEqual((session.between, counts["refused"]), (not complete, 1))

    def test_limit(self) -> None:
        """The limit is for all frames of an update, also for empty ones."""
        text = '{"type":"session.update","x":"%s","session":{}}'
        size = MAX_HELD - len(frame(text % ("A" * 70_000))) + 70_000
        for more, refused in ((0, False), (1, True)):
            session, _ = session_of()
            session.feed(frame(text % ("A" * (size + more))))
            self.assertEqual(session.refused is not None, refused)
        session, _ = session_of()
        begin, empty = fragments('{"type":"session.update"', "", "}")[:2]
        session.feed(begin)
        for _ in range(MAX_HELD // len(empty)):
            session.feed(empty)
        self.assertIsNotNone(session.refused)


class RefusedTests(SynchronousTestCase):
    """What ends a session."""

    def test_table(self) -> None:
        """The status says why, at any segmentation; nothing passes afterwards."""
        two = fragments('{"type":"a"', ',"type":"session.update"}')
        for data, status, reason in (
            (frame("hello"), 1007, "must be one JSON object"),
            (frame('{"Type":"session.update"}'), 1008, "spelled like"),
            (frame(b'{"type":1}'), 1003, "text messages"),
            (frame(UPDATE % "1"), 1008, "must be an object"),
            (b"".join(two), 1007, "'type' appears twice"),
            (frame(b"\xff", Opcode.TEXT), 1007, "utf-8"),
            (frame(b'{"a":"\xf0\x9f"}', Opcode.TEXT), 1007, "utf-8"),
            (frame(b"\xf0\x9f", Opcode.TEXT), 1007, "utf-8"),
            (b"\xc1" + frame(APPEND)[1:], 1002, "Reserved bit"),
            (b"\x81\x02{}", 1002, "unmasked"),
            (frame("{}", Opcode.CONT), 1002, "CONTINUATION"),
            (frame("{", fin=False) + frame("}"), 1002, "CONTINUATION"),
            (b"\x83\x80\0\0\0\0", 1002, "opcode"),
            (b"\x81\xfe\0\x02\0\0\0\0{}", 1002, "2 bytes"),
            (b"\x09\x80\0\0\0\0", 1002, "fragment"),
            (b"\x88\x81\0\0\0\0x", 1002, "1 byte"),
        ):
            for pieces in ([data], bytewise(data)):
                session, counts = session_of({"language": None})
                fed(session, pieces)
                assert session.refused is not None, data
                self.assertEqual((session.refused.status, counts), (status, {"refused": 1}), data)
                self.assertIn(reason, session.refused.reason)
                self.assertEqual(session.feed(frame(SENT) + PING), b"")

    def test_after_others(self) -> None:
        """What came before passes."""
        session, _ = session_of()
        self.assertEqual(messages_of(session.feed(frame(SENT) + frame(APPEND) + frame("x"))), [MADE, APPEND])

    def test_in_a_message(self) -> None:
        """If the beginning of a message has passed, the server gets no complete message."""
        session, _ = session_of()
        first, last = fragments('{"type":"a"', ',"type":"session.update"}')
        out = session.feed(first)
        self.assertEqual((messages_of(out), session.between), ([MADE], True))
        self.assertEqual((session.feed(last), session.between), (b"", True))
        session, _ = session_of()
        data = frame('{"type":"a","x":1,"type":"session.update"}')
        session.feed(data[:20])
        self.assertFalse(session.between)
        self.assertEqual((session.feed(data[20:]), session.between), (b"", False))


class StopTests(SynchronousTestCase):
    """The daemon stops."""

    def test_between(self) -> None:
        """Between two frames nothing more passes."""
        session, _ = session_of()
        update = frame(SENT)
        session.feed(frame(APPEND) + update[:9])
        session.stop()
        self.assertEqual((session.feed(update[9:] + frame(APPEND)), session.between), (b"", True))
        self.assertFalse(session.closed)
        session.feed(CLOSE)
        self.assertTrue(session.closed)

    def test_in_a_frame(self) -> None:
        """The frame in transit is returned to its end."""
        session, _ = session_of()
        first, second = fragments('{"type":"input_audio_buffer.append","audio":"', "A" * 100 + '"}')
        out = session.feed(first + second[:50])
        self.assertFalse(session.between)
        session.stop()
        out += session.feed(second[50:] + frame(APPEND))
        self.assertEqual((out[-len(second) :], session.between), (second, True))
