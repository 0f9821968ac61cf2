"""
Tests for :mod:`sttproxy.rendering`: what leaves when, other threads, backpressure, and early ends.
"""

from __future__ import annotations

import json

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sttproxy.rendering import LIGHT, PATIENCE_S

from ..support.fakes import Ending
from ..support.stage import chunked, error_of, message
from .case import CLEAN_SRT, SRT, RenderingTestCase

PLAIN = b"Content-Type: text/plain; charset=utf-8"
JSON = b"Content-Type: application/json"
EVENTS = b"Content-Type: text/event-stream"
CHUNKED = b"Transfer-Encoding: chunked"


def delta(text: str) -> bytes:
    """An event with a part of a transcript."""
    return b"data: %b\n\n" % json.dumps({"type": "transcript.text.delta", "delta": text}).encode()


def cues(count: int) -> bytes:
    """Some cues; "um" is in each."""
    return b"".join(
        b"%d\n%02d:%02d:00,000 --> %02d:%02d:59,500\nHello um there, number %d\n\n"
        % (number + 1, number // 60, number % 60, number // 60, number % 60, number)
        for number in range(count)
    )


def body_of(received: bytes) -> bytes:
    """The body of a chunked response."""
    return b"".join(received.partition(b"\r\n\r\n")[2].split(b"\r\n")[1::2])


class StreamTests(RenderingTestCase):
    """What leaves while the response comes."""

    def test_cue_by_cue(self) -> None:
        """A cue leaves when it is complete; the length is not known."""
        self.rules()
        client = self.asked("srt")
        self.server.send(message(b"HTTP/1.1 200 OK", PLAIN, CHUNKED, b'ETag: "x"', body=chunked(SRT[:20], last=False)))
        self.assertEqual(client.received, b"")
        self.server.send(chunked(SRT[20:70], last=False))
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 OK\r\n" + PLAIN + b"\r\n" + CHUNKED + b"\r\n\r\n"))
        self.server.send(chunked(SRT[70:]))
        self.assertEqual(body_of(client.received), CLEAN_SRT)

    def test_long(self) -> None:
        """A long response with a length leaves while it comes, without the length."""
        self.rules()
        body = cues(3000)
        client = self.asked("srt")
        self.server.send(message(b"HTTP/1.1 200 OK", PLAIN, b"Content-Length: %d" % len(body), body=body[:50_000]))
        self.assertGreater(len(client.received), 40_000)
        self.server.send(body[50_000:])
        self.assertEqual(body_of(client.received), body.replace(b"um ", b""))
        self.assertNotIn(b"Content-Length", client.received)

    def test_head(self) -> None:
        """The head of a stream does not wait for the first sentence."""
        self.rules()
        client = self.asked()
        head = message(b"HTTP/1.1 200 OK", EVENTS, CHUNKED)
        self.server.send(head)
        self.assertEqual(client.received, head)
        self.server.send(chunked(delta("Bye.")))
        self.assertEqual(client.received, head + chunked(delta("Bye.")))

    def test_trailers(self) -> None:
        """A digest of the old body in the trailers is removed; other trailers stay."""
        self.rules()
        client = self.asked("srt")
        end = b"Repr-Digest: sha-256=:eA==:\r\nX-Sum: 1\r\n\r\n"
        body = chunked(SRT).removesuffix(b"\r\n") + end
        self.server.send(message(b"HTTP/1.1 200 OK", PLAIN, CHUNKED, body=body))
        self.assertTrue(client.received.endswith(b"\r\n0\r\nX-Sum: 1\r\n\r\n"), client.received)

    def test_first_of_equals(self) -> None:
        """The first of equal cues leaves at once; it stays, however many follow."""
        self.rules({"collapse_repeats": 3})
        client = self.asked("srt")
        cue = b"%d\n00:00:0%d,000 --> 00:00:0%d,900\nHello there, everyone\n\n"
        self.server.send(message(b"HTTP/1.1 200 OK", PLAIN, CHUNKED, body=chunked(cue % (1, 1, 1), last=False)))
        self.assertIn(b"Hello there", client.received)
        self.server.send(chunked(*(cue % (number, number, number) for number in range(2, 6))))
        self.assertEqual(body_of(client.received), cue % (1, 1, 1))

    def test_any_cut(self) -> None:
        """However the network cuts the response, the client gets the same bytes."""
        self.rules()
        body = "".join(
            f"{number}\n00:00:0{number},000 --> 00:00:0{number},900\num é\n\n" for number in range(3)
        ).encode()
        for cut in range(len(body)):
            client = self.asked("srt")
            self.server.send(message(b"HTTP/1.1 200 OK", PLAIN, b"Content-Length: %d" % len(body)))
            self.server.send(body[:cut])
            self.server.send(body[cut:])
            self.assertTrue(client.received.endswith(b"\r\n\r\n" + body.replace(b"um ", b"")), cut)

    def test_sentences(self) -> None:
        """Deltas are gathered to sentences, and the last event has the clean text, too."""
        self.rules({"replace": {"um": ""}})
        client = self.asked()
        head = message(b"HTTP/1.1 200 OK", EVENTS, CHUNKED)
        self.server.send(head + chunked(delta("Hello um"), delta(" there."), last=False))
        self.assertEqual(client.received, head)
        self.server.send(chunked(delta(" Bye"), last=False))
        self.assertIn(b"Hello there.", client.received)
        self.assertNotIn(b"Bye", client.received)
        done = b'data: {"type": "transcript.text.done", "text": "Hello um there. Bye"}\n\n'
        self.server.send(chunked(done))
        self.assertIn(b'"text": "Hello there. Bye"', body_of(client.received))
        self.assertNotIn(b"um", client.received)

    def test_patience(self) -> None:
        """A part of a sentence waits for its end, but not long."""
        self.rules({"replace": {"um": ""}})
        client = self.asked()
        self.server.send(message(b"HTTP/1.1 200 OK", EVENTS, CHUNKED) + chunked(delta("Hello um"), last=False))
        self.reactor.advance(PATIENCE_S / 2)
        self.server.send(chunked(delta(" there"), last=False))
        self.reactor.advance(PATIENCE_S / 2 - 0.01)
        self.assertNotIn(b"Hello", client.received)
        self.reactor.advance(0.02)
        self.assertIn(b'"delta": "Hello there"', client.received)
        self.server.send(chunked(delta(", you."), last=False))
        self.reactor.advance(PATIENCE_S)
        self.assertIn(b'"delta": ", you."', client.received)

    def test_own_patience(self) -> None:
        """Each sentence has its own time, also behind an event without a sentence, and behind one that was cut."""
        self.rules({"replace": {"um": ""}})
        client = self.asked()
        other = b'data: {"type": "transcript.other"}\n\n'
        self.server.send(message(b"HTTP/1.1 200 OK", EVENTS, CHUNKED) + chunked(other, last=False))
        for number in range(3):
            self.reactor.advance(PATIENCE_S - 0.1)
            self.server.send(chunked(delta(f"Part {number}"), last=False))
            self.reactor.advance(PATIENCE_S - 0.1)
            self.assertNotIn(b"Part %d" % number, client.received)
            self.reactor.advance(0.2)
            self.assertIn(b"Part %d" % number, client.received)

    def test_limit(self) -> None:
        """What is longer than the limit passes as it came, with its length, and is counted."""
        body = json.dumps({"text": "um " * 1000}).encode()
        for rules in ({"replace": {"um": ""}}, {"deliver": "as-asked"}):
            self.rules(rules, max_transcript=len(body) - 1)
            client = self.asked("text")
            received = self.answer(client, body, JSON)
            length = b"Content-Length: %d" % len(body)
            self.assertEqual(received, message(b"HTTP/1.1 200 OK", JSON, length, body=body))
            self.assertEqual(self.registry.passed["too_long"], 1)
            self.registry.passed.clear()
            self.rules(rules, max_transcript=len(body))
            self.assertNotIn(b"um um", self.answer(self.asked("json"), body, JSON) if "replace" in rules else b"")

    def test_held_to_the_end(self) -> None:
        """JSON is held whole."""
        self.rules()
        client = self.asked("json")
        self.server.send(message(b"HTTP/1.1 200 OK", JSON, CHUNKED, body=chunked(b'{"text": "Hello um', last=False)))
        self.assertEqual(client.received, b"")
        self.server.send(chunked(b' there"}'))
        self.assertTrue(client.received.endswith(b'\r\nContent-Length: 23\r\n\r\n{"text": "Hello there"}'))


class EarlyEndTests(RenderingTestCase):
    """Responses that are cut off, and clients that leave."""

    def test_cut_off_while_held(self) -> None:
        """If nothing has left, the client gets an error that says so."""
        self.rules()
        client = self.asked("json")
        self.server.send(message(b"HTTP/1.1 200 OK", JSON, b"Content-Length: 100", body=b'{"text": "um'))
        self.server.close()
        self.assertEqual(error_of(client.received)[0], 502)

    def test_cut_off_behind_a_cue(self) -> None:
        """If the response has begun, what was read leaves, and the connection is aborted."""
        self.rules()
        client = self.asked("srt")
        self.server.send(message(b"HTTP/1.1 200 OK", PLAIN, CHUNKED, body=chunked(SRT[:-5], last=False)))
        self.server.close()
        self.assertIn(b"Hello there", client.received)
        self.assertIs(client.ending, Ending.RESET)
        self.assertEqual(self.stats.broken_off, 1)

    def test_client_gone(self) -> None:
        """A client that leaves ends the exchange; nothing is left behind."""
        self.rules({"replace": {"um": ""}})
        client = self.asked()
        self.server.send(message(b"HTTP/1.1 200 OK", EVENTS, CHUNKED) + chunked(delta("Hello"), last=False))
        client.reset()
        self.reactor.settle()
        self.assertEqual(self.reactor.pending(), [])
        self.assertIs(self.server.ending, Ending.RESET)


class ThreadTests(RenderingTestCase):
    """What takes long is done by another thread."""

    def setUp(self) -> None:
        super().setUp()
        self.works = []

    def test_large(self) -> None:
        """A large response is processed there; a small one is not."""
        self.rules()
        self.assertIn(b"Hello there", self.answer(self.asked("srt"), SRT, PLAIN))
        self.assertEqual(self.works, [])
        client = self.asked("json")
        body = json.dumps({"text": "um word " * (LIGHT // 8)}).encode()
        self.answer(client, body, JSON)
        while self.works:
            self.assertEqual(client.received, b"")
            self.work()
        self.assertIn(b'"text": "word word', client.received)

    def test_patterns(self) -> None:
        """Patterns are always searched for there, in order."""
        self.rules({"replace": {"/\\bum +/": ""}})
        client = self.asked("srt")
        body = cues(3)
        self.server.send(message(b"HTTP/1.1 200 OK", PLAIN, CHUNKED, body=chunked(body[:80], last=False)))
        self.server.send(chunked(body[80:]))
        self.assertEqual(len(self.works or ()), 1)
        while self.works:
            self.work()
        self.assertEqual(body_of(client.received), body.replace(b"um ", b""))

    def test_backpressure(self) -> None:
        """While the thread works, the server is paused when enough waits."""
        self.rules({"replace": {"/\\bum +/": ""}})
        client = self.asked("srt")
        body = cues(5000)
        self.server.send(message(b"HTTP/1.1 200 OK", PLAIN, b"Content-Length: %d" % len(body), body=body))
        self.assertFalse(self.server.heard)
        self.assertGreater(len(self.server.socket.arriving), 0)
        while self.works:
            self.work()
        self.assertTrue(body_of(client.received).endswith(b"number 4999\n\n"))
        self.assertNotIn(b"um ", client.received)

    def test_client_gone(self) -> None:
        """The result for a client that has left is dropped."""
        self.rules({"replace": {"/\\bum +/": ""}})
        client = self.asked("srt")
        self.answer(client, SRT, PLAIN)
        client.reset()
        self.reactor.settle()
        self.work()
        self.assertEqual((self.works, client.received), ([], b""))

    def test_bug(self) -> None:
        """An exception becomes an error for the client, and a line in the log."""
        self.rules({"replace": {"/\\bum +/": ""}})
        client = self.asked("srt")
        self.answer(client, SRT, PLAIN)
        assert self.works
        done: Deferred[bytes] = self.works.pop()[1]
        done.errback(Failure(ZeroDivisionError()))
        self.reactor.settle()
        self.assertEqual(error_of(client.received)[0], 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
