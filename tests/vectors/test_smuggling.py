"""
Request smuggling against the daemon: each request of the client becomes exactly one request at a strict upstream.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar

from ..e2e.case import RawTestCase
from ..e2e.raw import Ending, Listener, Peer
from . import chunks, connections, framing
from .recorder import Recorder
from .stream import OK, Stream
from .vector import CONFIG

STREAMS = (*framing.STREAMS, *chunks.STREAMS, *connections.STREAMS)
#: Sent at the end of a stream whose connection persists.
LAST = b"GET /last HTTP/1.1\r\nHost: h\r\n\r\n"
SEEN_LAST = (b"GET", b"/last", b"")


class SmugglingTests(RawTestCase):
    """Each stream has its own client connection; the daemon's upstream connections are shared."""

    config = CONFIG
    recorder: ClassVar[Recorder]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.recorder = Recorder()
        cls.listener = stack.enter_context(Listener())
        cls.listener.serve(cls.recorder.serve)
        cls.start(stack, cls.listener.port)

    def tearDown(self) -> None:
        self.listener.check()

    def sent(self, stream: Stream, bytewise: bool) -> None:
        """Send a stream, and check the result."""
        client = self.connect()
        data = stream.sent + LAST if stream.goes_on else stream.sent
        client.send_while_taken([data[at : at + 1] for at in range(len(data))] if bytewise else [data])
        methods = [method for method, _, _ in stream.seen]
        statuses = (*stream.statuses, OK) if stream.goes_on else stream.statuses
        answers = [self.answer(client, methods[number : number + 1] == [b"HEAD"]) for number in range(len(statuses))]
        self.assertEqual(tuple(status for status, _ in answers), statuses)
        if stream.goes_on:
            self.assertEqual(answers[-1][1], b"/last")
            self.assertEqual(client.unread, b"")
        else:
            self.assertEqual(client.read_to_end(), b"")
            self.assertIs(client.ending, Ending.FIN)
        client.close()
        self.catch_up()
        seen, doubts = self.recorder.take()
        expected = [*stream.seen, SEEN_LAST] if stream.goes_on else [*stream.seen]
        self.assertEqual(
            [
                (method, target, self.shown(body, row))
                for (method, target, body), row in zip(seen, expected, strict=False)
            ],
            expected,
        )
        self.assertEqual((len(seen), doubts), (len(expected), []))

    @staticmethod
    def shown(body: bytes, row: tuple[bytes, bytes, bytes]) -> bytes:
        """Return a body as rows show it: a rewritten one as a star."""
        return b"*" if row[2] == b"*" and body else body

    @staticmethod
    def answer(client: Peer, bodiless: bool) -> tuple[int, bytes]:
        """Return status and body of the next final response; interim responses are skipped."""
        message = client.read_message(bodiless)
        while message.status == 100:
            message = client.read_message(bodiless)
        return message.status, message.body

    def held(self, bytewise: bool) -> None:
        """Check all streams; list all failures."""
        wrong = []
        for stream in STREAMS:
            try:
                self.sent(stream, bytewise)
            except (AssertionError, EOFError, TimeoutError) as error:
                wrong.append(f"{stream.name}: {str(error)[:500]}")
                self.catch_up()
                self.recorder.take()
        if wrong:
            self.fail("\n".join(["", *wrong]))

    def test_whole(self) -> None:
        """Each stream gets the expected responses, and the upstream sees the expected requests."""
        self.held(False)

    def test_bytewise(self) -> None:
        """The same holds byte by byte."""
        self.held(True)

    def test_table(self) -> None:
        """The tables have at least sixty streams, with unique names, and each has a reason."""
        self.assertGreaterEqual(len(STREAMS), 60)
        names = [stream.name for stream in STREAMS]
        self.assertEqual(len(set(names)), len(names), sorted(name for name in names if names.count(name) > 1))
        self.assertEqual([stream.name for stream in STREAMS if not stream.reason], [])
