"""
Tests for :mod:`sttproxy.realtime.messages`.
"""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.realtime.messages import MAX_BEGINNING, MAX_TYPE, BinaryMessage, Kind, TextMessage
from sttproxy.realtime.refusal import Refusal

UPDATE = '"session.update"'

#: Text messages that are read: the text, and what they are.
READ: tuple[tuple[str, Kind], ...] = (
    ('{"type":"session.update"}', Kind.UPDATE),
    (' \n{ "type" \t:\r "session.update" , "x": 1 } ', Kind.UPDATE),
    ('{"type":"transcription_session.update","session":{}}', Kind.UPDATE),
    ('{"\\u0074ype":"session\\u002eupdate"}', Kind.UPDATE),
    ('{"type":" Session.Update "}', Kind.UPDATE),
    ('{"session":{"type":"realtime"},"type":"session.update"}', Kind.UPDATE),
    ('{"x":[1,{"type":"session.update"}],"type":"a"}', Kind.OTHER),
    ('{"type":"session.updated"}', Kind.OTHER),
    ('{"type":""}', Kind.OTHER),
    ('{"audio":"AA\\n=="}', Kind.OTHER),
    ("{}", Kind.OTHER),
    ('{"typ":"session.update"}', Kind.OTHER),
)
#: Text messages that are refused: the text, the status, and a part of the reason.
REFUSED: tuple[tuple[str, int, str], ...] = (
    *(
        (text, 1007, "one JSON object")
        for text in ("", " ", "[]", '"a"', "1", "null", "{", '{"a":1', "{'a':1}", "{}{}")
    ),
    *(
        (text, 1007, "one JSON object")
        for text in ('{"a":1,}', "{} x", '\ufeff{"a":1}', "/**/{}", '{"a":NaN}', '{"a":"\n"}')
    ),
    ('{"type":"a","type":"session.update"}', 1007, "'type' appears twice"),
    ('{"type":"a","\\u0074ype":"session.update"}', 1007, "'type' appears twice"),
    ('{"x":{"a":1,"a":2}}', 1007, "'a' appears twice"),
    *(
        (f'{{"{name}":"session.update"}}', 1008, "spelled like 'type'")
        for name in ("Type", "TYPE", "typ\uff45", "type ", "type[]", "\\u0054ype", "type[x]")
    ),
    ('{"type":"a","Type":"session.update"}', 1008, "spelled like 'type'"),
    *((f'{{"type":{value}}}', 1008, "must be a string") for value in ("1", "null", '["session.update"]', "{}", "true")),
    (f'{{"type":"{"x" * MAX_TYPE}"}}', 1008, "must not be longer"),
    (f'{{"type"{" " * MAX_TYPE}:{UPDATE}}}', 1008, "must not be longer"),
)


def read(text: str, step: int = 0) -> TextMessage:
    """A message that arrives at once, or in pieces of this many bytes."""
    data = text.encode()
    message = TextMessage()
    for at in range(0, len(data), step or len(data) or 1):
        message.feed(data[at : at + (step or len(data))])
    message.end()
    return message


class TextTests(SynchronousTestCase):
    """Text messages at any segmentation."""

    def test_read(self) -> None:
        """The kind of a message does not depend on the segmentation."""
        for text, kind in READ:
            for step in (0, 1, 2, 3, 7):
                self.assertIs(read(text, step).kind, kind, (text, step))

    def test_refused(self) -> None:
        """What servers may read in different ways is refused, at any segmentation."""
        for text, status, reason in REFUSED:
            for step in (0, 1, 5):
                refusal = self.assertRaises(Refusal, read, text, step)
                self.assertEqual(refusal.close.status, status, (text, step))
                self.assertIn(reason, refusal.close.reason)

    def test_early(self) -> None:
        """The kind is known as soon as the type has arrived."""
        message = TextMessage()
        message.feed(b'{"type":"input_audio_buffer.append')
        self.assertIs(message.kind, Kind.UNKNOWN)
        message.feed(b'"')
        self.assertIs(message.kind, Kind.OTHER)

    def test_constant_memory(self) -> None:
        """Nothing is kept of a long value."""
        message = TextMessage()
        message.feed(b'{"type":"input_audio_buffer.append","audio":"')
        for _ in range(100):
            message.feed(b"A" * 10_000)
        self.assertEqual((message._rest, len(message._type) < MAX_TYPE), (b"", True))


class BinaryTests(SynchronousTestCase):
    """Binary messages at any segmentation."""

    def refuses(self, data: bytes, step: int = 0) -> bool:
        """Whether a message is refused that arrives at once, or in pieces of this many bytes."""
        message = BinaryMessage()
        try:
            for at in range(0, len(data), step or len(data) or 1):
                message.feed(data[at : at + (step or len(data))])
            message.end()
        except Refusal as refusal:
            self.assertEqual(refusal.close.status, 1003)
            return True
        return False

    def test_objects(self) -> None:
        """An object is refused, in each encoding that a parser may detect, and after what a parser may skip."""
        text = '{"type":"session.update"}'
        spaced = ' \n{ \t"ty\\"pe" \n: 1}'
        for each in (text, spaced, '{"":', '{"\\\\":', '{"a"/**/:1}', '{/**/"a":1}', "{//\n"):
            for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"):
                for step in (0, 1, 3):
                    self.assertTrue(self.refuses(each.encode(encoding), step), (each, encoding, step))
        for before in (b"\0" * 9000, b" " * 9000, b"/**/", b"/*" + b"x" * 9000 + b"**/ //x\n", b"//*/\r", b"\x01\x1f"):
            for step in (0, 1, 4096, 5000):
                self.assertTrue(self.refuses(before + text.encode(), step), (before[:9], step))
        self.assertTrue(self.refuses(b'{"' + b"x" * MAX_BEGINNING))

    def test_other(self) -> None:
        """Other messages pass."""
        for data in (b"", b"\0", b"{", b"{}", b"{ }", b'{"', b'{"a', b'{"a"', b'{"a" ', b'{"a"b', b"{a", b"{'", b"[{"):
            for step in (0, 1):
                self.assertFalse(self.refuses(data, step), data)
        for data in (b"RIFF", b"/", b"/*", b"//", b"/x", b"/*{}", b"\xff{x", b"OggS" + b'{"a":1}', b"{" * 9000):
            self.assertFalse(self.refuses(data), data)

    @given(st.binary(), st.integers(1, 9))
    def test_any_cut(self, data: bytes, step: int) -> None:
        """The segmentation does not matter."""
        self.assertEqual(self.refuses(data), self.refuses(data, step))

    def test_noise(self) -> None:
        """Loud audio passes."""
        noise = random.Random(0)
        for _ in range(20_000):
            self.assertFalse(self.refuses(noise.randbytes(64)))

    def test_constant_memory(self) -> None:
        """Nothing is kept of what a parser may skip."""
        for begin in (b"", b"/*", b"//"):
            message = BinaryMessage()
            message.feed(begin)
            for _ in range(20):
                message.feed(bytes(10_000))
            self.assertLess(len(message._beginning), 4)
