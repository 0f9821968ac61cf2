"""
Tests for :mod:`sttproxy.embedded.engine` and :mod:`sttproxy.embedded.server`: no model, no sockets, no thread.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.embedded import EmbeddedError
from sttproxy.embedded.engine import Engine, EngineUnavailable
from sttproxy.embedded.server import make_site
from sttproxy.embedded.task import Task
from sttproxy.embedded.transcript import Segment, Transcript
from sttproxy.errors import BadRequest

HEAD = "multipart/form-data; boundary=B"


def part(disposition: str, value: bytes) -> bytes:
    """One part with the boundary before it."""
    return b"--B\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"


END = b"--B--\r\n"


class HeldThread:
    """Stands in for the one thread: does its work when told."""

    def __init__(self) -> None:
        self.work: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def __call__(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.work.append((result, function, args))
        return result

    def step(self) -> None:
        """Do the first piece of work."""
        result, function, args = self.work.pop(0)
        try:
            value = function(*args)
        except Exception:
            result.errback(Failure())
        else:
            result.callback(value)


class FakeTranscriber:
    """Hears the audio's own bytes, and notes what it was asked."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.abandoned: Callable[[], bool] = lambda: False

    def transcribe(self, task: Task, abandoned: Callable[[], bool]) -> Transcript:
        self.tasks.append(task)
        self.abandoned = abandoned
        if task.audio == b"noise":
            raise BadRequest("noise", param="file")
        if task.audio == b"bug":
            raise ZeroDivisionError
        return Transcript("en", 1.0, (Segment(task.audio.decode(), 0.0, 1.0),))


class EngineTests(SynchronousTestCase):
    """One task at a time, in order, for those who still wait."""

    def setUp(self) -> None:
        self.thread, self.model = HeldThread(), FakeTranscriber()
        self.engine = Engine(Clock(), self.thread, lambda: self.model)

    def test_order(self) -> None:
        """Tasks wait for the model, then for each other, and are done in the order they came."""
        self.engine.start()
        answers = [self.engine.submit(Task(name)) for name in (b"a", b"b", b"c")]
        self.assertEqual(len(self.thread.work), 1)
        self.thread.step()
        for number, answer in enumerate(answers, 1):
            self.assertNoResult(answer)
            self.assertEqual(len(self.thread.work), 1)
            self.thread.step()
            self.assertEqual(self.successResultOf(answer).text, "abc"[number - 1])
        self.assertEqual(self.thread.work, [])

    def test_departed(self) -> None:
        """Who leaves the queue is skipped, and who leaves at work is told to the model; the others do not notice."""
        self.engine.start()
        self.thread.step()
        first, second, third = (self.engine.submit(Task(name)) for name in (b"a", b"b", b"c"))
        second.cancel()
        self.failureResultOf(second, CancelledError)
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.assertNoResult(third)
        self.thread.step()
        self.assertTrue(self.model.abandoned())
        self.thread.step()
        self.assertEqual(self.successResultOf(third).text, "c")
        self.assertEqual([task.audio for task in self.model.tasks], [b"a", b"c"])

    def test_failed_task(self) -> None:
        """A task that cannot be done is its own trouble."""
        self.engine.start()
        self.thread.step()
        bad, good = self.engine.submit(Task(b"noise")), self.engine.submit(Task(b"a"))
        self.thread.step()
        self.failureResultOf(bad, BadRequest)
        self.thread.step()
        self.successResultOf(good)

    def test_load_failure(self) -> None:
        """Without a model, those who wait and those who come get the reason, and are told not to try again."""

        def load() -> FakeTranscriber:
            raise EmbeddedError("no such model")

        engine = Engine(Clock(), self.thread, load)
        engine.start()
        waiting = engine.submit(Task(b"a"))
        self.thread.step()
        for answer in (waiting, engine.submit(Task(b"b"))):
            error = self.failureResultOf(answer, EngineUnavailable).value
            self.assertEqual((error.status, error.message), (503, "no such model"))
            self.assertIn((b"x-should-retry", b"false"), error.headers)
        self.successResultOf(engine.stop())

    def test_load_bug(self) -> None:
        """An unforeseen error while loading is logged with its traceback, and its text is kept from clients."""
        engine = Engine(Clock(), self.thread, lambda: 1 / 0)  # type: ignore[arg-type,return-value]
        engine.start()
        self.thread.step()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn("zero", self.failureResultOf(engine.submit(Task(b"a"))).getErrorMessage())

    def test_stop(self) -> None:
        """Stopping refuses all, leaves the running task undone, and waits for the thread."""
        self.engine.start()
        self.thread.step()
        answers = [self.engine.submit(Task(name)) for name in (b"a", b"b")]
        stopped = self.engine.stop()
        for answer in (*answers, self.engine.submit(Task(b"c"))):
            self.failureResultOf(answer, EngineUnavailable)
        self.assertNoResult(stopped)
        self.thread.step()
        self.successResultOf(stopped)
        self.assertTrue(self.model.abandoned())
        self.assertEqual(self.thread.work, [])

    def test_stop_while_loading(self) -> None:
        """Stopping waits for the model to be loaded, and nothing is done with it."""
        self.engine.start()
        answer = self.engine.submit(Task(b"a"))
        stopped = self.engine.stop()
        self.failureResultOf(answer, EngineUnavailable)
        self.assertNoResult(stopped)
        self.thread.step()
        self.successResultOf(stopped)
        self.assertEqual(self.model.tasks, [])

    def test_stop_at_rest(self) -> None:
        """With nothing to do, before the start or after work, stopping is done at once."""
        self.successResultOf(Engine(Clock(), self.thread, lambda: self.model).stop())
        self.engine.start()
        self.thread.step()
        self.successResultOf(self.engine.stop())


class ServerTests(SynchronousTestCase):
    """The engine over HTTP."""

    def setUp(self) -> None:
        self.thread, self.model, self.clock = HeldThread(), FakeTranscriber(), Clock()
        self.engine = Engine(self.clock, self.thread, lambda: self.model)
        self.engine.start()
        self.thread.step()
        self.site = make_site(self.clock, self.engine, "/models/small")

    def open(self, request: bytes) -> tuple[Any, StringTransport]:
        """Send bytes on a fresh connection."""
        channel, transport = self.site.buildProtocol(None), StringTransport()
        assert channel is not None
        channel.makeConnection(transport)
        channel.dataReceived(request)
        return channel, transport

    def upload(self, *parts: bytes, path: bytes = b"/v1/audio/transcriptions") -> bytes:
        """A POST of these parts."""
        body = b"".join(parts) + END
        head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
        return head % (path, HEAD.encode(), len(body)) + body

    def answer(self, transport: StringTransport) -> tuple[int, bytes, bytes]:
        """Status, content type and body of what was answered."""
        head, _, body = transport.value().partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
        self.assertEqual(int(headers[b"content-length"]), len(body))
        return int(lines[0].split()[1]), headers[b"content-type"], body

    def test_transcription(self) -> None:
        """Both paths take a recording and answer in the format asked for."""
        for path in (b"/v1/audio/transcriptions", b"/audio/transcriptions"):
            file, kind = part('name="file"; filename="a"', b"Hi."), part('name="response_format"', b"text")
            _, transport = self.open(self.upload(file, kind, part('name="model"', b"any"), path=path))
            self.assertEqual(transport.value(), b"")
            self.thread.step()
            self.assertEqual(self.answer(transport), (200, b"text/plain; charset=utf-8", b"Hi.\n"))

    def test_keep_alive(self) -> None:
        """A second upload on the same connection finds nothing of the first."""
        channel, transport = self.open(self.upload(part('name="file"; filename="a"', b"One.")))
        self.thread.step()
        transport.clear()
        channel.dataReceived(self.upload(part('name="prompt"', b"x")))
        self.assertEqual(self.answer(transport)[0], 400)

    def test_refused(self) -> None:
        """A refusal has OpenAI's shape, whether it is found at once or by the model."""
        for parts in ([part('name="model"', b"x")], [part('name="file"; filename="a"', b"noise")]):
            _, transport = self.open(self.upload(*parts))
            if self.thread.work:
                self.thread.step()
            status, kind, body = self.answer(transport)
            self.assertEqual((status, kind), (400, b"application/json"))
            self.assertEqual(json.loads(body)["error"]["param"], "file")

    def test_bug(self) -> None:
        """An unforeseen error is logged once, with its traceback, and its text is kept from the client."""
        _, transport = self.open(self.upload(part('name="file"; filename="a"', b"bug")))
        self.thread.step()
        status, _, body = self.answer(transport)
        self.assertEqual((status, b"ZeroDivision" in body), (500, False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_gone(self) -> None:
        """A client that closes its connection leaves the queue; nothing is written to it and nothing logged."""
        channels = [self.open(self.upload(part('name="file"; filename="a"', name)))[0] for name in (b"a", b"b", b"c")]
        for channel in channels[:2]:
            channel.connectionLost(Failure(ConnectionDone()))
        self.thread.step()
        self.thread.step()
        self.assertEqual([task.audio for task in self.model.tasks], [b"a", b"c"])
        self.assertEqual(self.thread.work, [])

    def test_models(self) -> None:
        """The list of models names the one, and not its place on the machine."""
        _, transport = self.open(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
        status, _, body = self.answer(transport)
        self.assertEqual((status, [model["id"] for model in json.loads(body)["data"]]), (200, ["small"]))

    def test_elsewhere(self) -> None:
        """Other paths are not found, other methods not allowed, in OpenAI's shape too."""
        for method, path, status in (
            (b"GET", b"/", 404),
            (b"GET", b"/v1", 404),
            (b"GET", b"/v1/audio/transcriptions/x", 404),
            (b"GET", b"/v1/audio/transcriptions", 405),
            (b"DELETE", b"/v1/models", 405),
        ):
            _, transport = self.open(b"%b %b HTTP/1.1\r\nHost: a\r\n\r\n" % (method, path))
            answered, kind, body = self.answer(transport)
            self.assertEqual((answered, kind, "error" in json.loads(body)), (status, b"application/json", True))
