"""
The Resource tree: the transcriptions under two paths, and the list of models.

Stock ``twisted.web`` serves it, and renders a request when its body is complete.  Only the code that reads the body
into memory is our own.
"""

from __future__ import annotations

import json
import os
from io import BytesIO

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from sttproxy.embedded.engine import Engine
from sttproxy.embedded.form import Form
from sttproxy.embedded.task import Task
from sttproxy.embedded.transcript import Transcript, render
from sttproxy.errors import MethodNotAllowed, NotFound, ProxyError

log = Logger()


class FormRequest(Request):
    """
    A request whose body is parsed as a form while it arrives.

    Stock requests write a body to a temporary file, and then read that into memory to parse it.
    """

    form: Form

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()
        header = self.requestHeaders.getRawHeaders(b"content-type", [b""])[-1]
        self.form = Form(header.decode("latin-1"))

    def handleContentChunk(self, data: bytes) -> None:
        self.form.feed(data)


class Branch(Resource):
    """A path without content: responds with 404, also for each child that was not added."""

    def getChild(self, path: bytes, request: Request) -> Resource:
        return Branch()

    def render(self, request: Request) -> int:
        message = "the embedded engine has no such path; send recordings to /v1/audio/transcriptions"
        return refuse(request, NotFound(message))


class Transcriptions(Branch):
    """Takes recordings."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def render(self, request: Request) -> int:
        assert isinstance(request, FormRequest)
        if request.method != b"POST":
            return refuse(request, MethodNotAllowed("send a recording with POST", headers=((b"Allow", b"POST"),)))
        try:
            task = request.form.finish()
        except ProxyError as error:
            return refuse(request, error)
        work = self._engine.submit(task)
        request.notifyFinish().addErrback(lambda _: work.cancel())
        work.addCallback(self._respond, task, request)
        work.addErrback(self._failed, request)
        return NOT_DONE_YET

    def _respond(self, transcript: Transcript, task: Task, request: Request) -> None:
        kind, body = render(transcript, task.response_format, task.words)
        respond(request, kind, body)

    def _failed(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError):
            return  # the client disconnected
        if failure.check(ProxyError):
            error = failure.value
        else:
            log.failure("a transcription failed", failure)
            error = ProxyError("the embedded engine failed; the proxy's log has the reason")
        assert isinstance(error, ProxyError)
        refuse(request, error)


class Models(Branch):
    """Lists the one model."""

    def __init__(self, model: str) -> None:
        super().__init__()
        # Clients need not know where a folder is on this machine; its name is enough.
        self._model = {"id": os.path.basename(model), "object": "model", "created": 0, "owned_by": "sttproxy"}

    def render(self, request: Request) -> int:
        if request.method not in (b"GET", b"HEAD"):
            return refuse(request, MethodNotAllowed("send GET or HEAD", headers=((b"Allow", b"GET, HEAD"),)))
        body = json.dumps({"object": "list", "data": [self._model]}, ensure_ascii=False).encode()
        return respond(request, b"application/json", body)


def respond(request: Request, kind: bytes, body: bytes) -> int:
    """Send the whole response and finish the request; returns the value that ``render`` must return."""
    request.setHeader(b"Content-Type", kind)
    request.setHeader(b"Content-Length", str(len(body)).encode())
    request.write(body)
    request.finish()
    return NOT_DONE_YET


def refuse(request: Request, error: ProxyError) -> int:
    """Send the response of an error and finish the request; returns the same as :func:`respond`."""
    request.setResponseCode(error.status)
    for name, value in error.headers:
        request.setHeader(name, value)
    return respond(request, b"application/json", error.body())


class EmbeddedSite(Site):
    """A site without an access log, because the proxy logs each request."""

    noisy = False

    def log(self, request: http.Request) -> None:
        """Write no line."""


def make_site(reactor: IReactorTime, engine: Engine, model: str) -> Site:
    """
    The engine as a web site.

    It has no timeout of its own.  Programs that connect over loopback are trusted to complete their requests, and the
    proxy's timeouts apply to its clients.
    """
    root, v1 = Branch(), Branch()
    for parent in (root, v1):
        audio = Branch()
        audio.putChild(b"transcriptions", Transcriptions(engine))
        parent.putChild(b"audio", audio)
    v1.putChild(b"models", Models(model))
    root.putChild(b"v1", v1)
    return EmbeddedSite(root, requestFactory=FormRequest, timeout=None, reactor=reactor)
