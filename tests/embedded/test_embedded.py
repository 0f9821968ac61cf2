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
    """A part with the delimiter before it."""
    return b"--B\r\nContent-Disposition: form-data; " + disposition.encode() + b"\r\n\r\n" + value + b"\r\n"


END = b"--B--\r\n"


class HeldThread:
    """A fake thread that does its work on demand."""

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
    """A fake model whose transcript is the audio's bytes; it records its calls."""

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
    """The queue of tasks."""

    def setUp(self) -> None:
        self.thread, self.model = HeldThread(), FakeTranscriber()
        self.engine = Engine(Clock(), self.thread, lambda: self.model)

    def test_order(self) -> None:
        """Tasks wait for the model and then for each other, and are done in the order of arrival."""
        self.engine.start()
        results = [self.engine.submit(Task(name)) for name in (b"a", b"b", b"c")]
        self.assertEqual(len(self.thread.work), 1)
        self.thread.step()
        for number, result in enumerate(results, 1):
            self.assertNoResult(result)
            self.assertEqual(len(self.thread.work), 1)
            self.thread.step()
            self.assertEqual(self.successResultOf(result).text, "abc"[number - 1])
        self.assertEqual(self.thread.work, [])

    def test_departed(self) -> None:
        """A cancelled task is skipped, or abandoned if it is running; the other tasks are done."""
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
        """A failing task does not affect the next one."""
        self.engine.start()
        self.thread.step()
        bad, good = self.engine.submit(Task(b"noise")), self.engine.submit(Task(b"a"))
        self.thread.step()
        self.failureResultOf(bad, BadRequest)
        self.thread.step()
        self.successResultOf(good)

    def test_load_failure(self) -> None:
        """Without a model, waiting and later tasks fail with the reason, and clients are told not to retry."""

        def load() -> FakeTranscriber:
            raise EmbeddedError("no such model")

        engine = Engine(Clock(), self.thread, load)
        engine.start()
        waiting = engine.submit(Task(b"a"))
        self.thread.step()
        for result in (waiting, engine.submit(Task(b"b"))):
            error = self.failureResultOf(result, EngineUnavailable).value
            self.assertEqual((error.status, error.message), (503, "no such model"))
            self.assertIn((b"x-should-retry", b"false"), error.headers)
        self.successResultOf(engine.stop())

    def test_load_bug(self) -> None:
        """An unexpected error in loading is logged with its traceback; clients do not get its text."""
        engine = Engine(Clock(), self.thread, lambda: 1 / 0)  # type: ignore[arg-type,return-value]
        engine.start()
        self.thread.step()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn("zero", self.failureResultOf(engine.submit(Task(b"a"))).getErrorMessage())

    def test_stop(self) -> None:
        """Stopping refuses all tasks, abandons the running one, and waits for the thread."""
        self.engine.start()
        self.thread.step()
        results = [self.engine.submit(Task(name)) for name in (b"a", b"b")]
        stopped = self.engine.stop()
        for result in (*results, self.engine.submit(Task(b"c"))):
            self.failureResultOf(result, EngineUnavailable)
        self.assertNoResult(stopped)
        self.thread.step()
        self.successResultOf(stopped)
        self.assertTrue(self.model.abandoned())
        self.assertEqual(self.thread.work, [])

    def test_stop_while_loading(self) -> None:
        """Stopping waits until the model is loaded, and does not use it."""
        self.engine.start()
        result = self.engine.submit(Task(b"a"))
        stopped = self.engine.stop()
        self.failureResultOf(result, EngineUnavailable)
        self.assertNoResult(stopped)
        self.thread.step()
        self.successResultOf(stopped)
        self.assertEqual(self.model.tasks, [])

    def test_stop_at_rest(self) -> None:
        """An idle engine stops at once, before the start and after work."""
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

    def response(self, transport: StringTransport) -> tuple[int, bytes, bytes]:
        """The status, the content type and the body of a response."""
        head, _, body = transport.value().partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines[1:])
        self.assertEqual(int(headers[b"content-length"]), len(body))
        return int(lines[0].split()[1]), headers[b"content-type"], body

    def test_transcription(self) -> None:
        """Both paths accept a recording and respond in the requested format."""
        for path in (b"/v1/audio/transcriptions", b"/audio/transcriptions"):
            file, kind = part('name="file"; filename="a"', b"Hi."), part('name="response_format"', b"text")
            _, transport = self.open(self.upload(file, kind, part('name="model"', b"any"), path=path))
            self.assertEqual(transport.value(), b"")
            self.thread.step()
            self.assertEqual(self.response(transport), (200, b"text/plain; charset=utf-8", b"Hi.\n"))

    def test_keep_alive(self) -> None:
        """A second upload on the same connection gets nothing of the first."""
        channel, transport = self.open(self.upload(part('name="file"; filename="a"', b"One.")))
        self.thread.step()
        transport.clear()
        channel.dataReceived(self.upload(part('name="prompt"', b"x")))
        self.assertEqual(self.response(transport)[0], 400)

    def test_refused(self) -> None:
        """An error has OpenAI's shape, whether the form or the model finds it."""
        for parts in ([part('name="model"', b"x")], [part('name="file"; filename="a"', b"noise")]):
            _, transport = self.open(self.upload(*parts))
            if self.thread.work:
                self.thread.step()
            status, kind, body = self.response(transport)
            self.assertEqual((status, kind), (400, b"application/json"))
            self.assertEqual(json.loads(body)["error"]["param"], "file")

    def test_bug(self) -> None:
        """An unexpected error is logged once with its traceback; the client does not get its text."""
        _, transport = self.open(self.upload(part('name="file"; filename="a"', b"bug")))
        self.thread.step()
        status, _, body = self.response(transport)
        self.assertEqual((status, b"ZeroDivision" in body), (500, False))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_client_gone(self) -> None:
        """If a client disconnects, its task leaves the queue; nothing is written to it and nothing is logged."""
        channels = [self.open(self.upload(part('name="file"; filename="a"', name)))[0] for name in (b"a", b"b", b"c")]
        for channel in channels[:2]:
            channel.connectionLost(Failure(ConnectionDone()))
        self.thread.step()
        self.thread.step()
        self.assertEqual([task.audio for task in self.model.tasks], [b"a", b"c"])
        self.assertEqual(self.thread.work, [])

    def test_models(self) -> None:
        """The list of models has the model's name, not its folder's path."""
        _, transport = self.open(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
        status, _, body = self.response(transport)
        self.assertEqual((status, [model["id"] for model in json.loads(body)["data"]]), (200, ["small"]))

    def test_elsewhere(self) -> None:
        """Other paths get 404 and other methods get 405, in OpenAI's shape, too."""
        for method, path, status in (
            (b"GET", b"/", 404),
            (b"GET", b"/v1", 404),
            (b"GET", b"/v1/audio/transcriptions/x", 404),
            (b"GET", b"/v1/audio/transcriptions", 405),
            (b"DELETE", b"/v1/models", 405),
        ):
            _, transport = self.open(b"%b %b HTTP/1.1\r\nHost: a\r\n\r\n" % (method, path))
            received, kind, body = self.response(transport)
            self.assertEqual((received, kind, "error" in json.loads(body)), (status, b"application/json", True))
