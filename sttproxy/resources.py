"""
The Resource tree: what the proxy answers itself, what it rewrites, and what it passes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from .config import Config
from .errors import BadRequest, Header, UnsupportedBody
from .forms.multipart import MultipartRewriter
from .forms.rules import rules_of
from .headers import boundary_of, end_to_end, forwarded, parse_content_type
from .inbound.request import Request
from .relay import Relay, Rewriter, Untouched, Upload
from .routes import is_transcription
from .stats import Stats
from .upstream.client import Upstream
from .upstream.connection import OutgoingHead


@attrs.frozen
class Target:
    """
    Where requests go.

    :ivar upstream: the server itself.
    :ivar prefix: put before each request target; empty or ``b"/…"`` without a slash at its end.
    :ivar host: the Host for requests that came without one (HTTP/1.0).
    """

    upstream: Upstream
    prefix: bytes
    host: bytes


class Forwarding(Resource):
    """What passing on a request needs, whether its body is rewritten or not."""

    isLeaf = True

    def __init__(self, target: Target, stats: Stats) -> None:
        super().__init__()
        self._target = target
        self._stats = stats

    def _forward(self, request: Request, rewriter: Rewriter, length: int | None, content_type: bytes | None) -> int:
        """
        Pass a request on.

        :param length: of the body that leaves, in bytes; None for a chunked one.
        :param content_type: in place of the client's, if it changes.
        """
        head = request.head
        headers = end_to_end(head.headers, head.connection_options())
        if content_type is not None:
            headers = [_replaced(header, content_type, length) for header in headers]
        if not head.values(b"host"):
            headers.insert(0, (b"Host", self._target.host))
        host = head.values(b"host")
        proto = b"https" if request.isSecure() else b"http"
        headers = forwarded(headers, _address(request.client), proto, host[0] if host else None, trusted=False)
        if length is None:
            headers.append((b"Transfer-Encoding", b"chunked"))
        target = head.target if head.target == b"*" else self._target.prefix + head.target
        outgoing = OutgoingHead(head.method, target, headers, length is None, length == 0)
        Relay(request, self._target.upstream, Upload(request, outgoing, rewriter, length)).start()
        return NOT_DONE_YET


class PassThrough(Forwarding):
    """Everything that is not a transcription: untouched, to the byte."""

    def render(self, request: Request) -> int:
        self._stats.forwarded_requests += 1
        return self._forward(request, Untouched(), request.head.length, None)


class Transcriptions(Forwarding):
    """``POST …/audio/transcriptions``: the form leaves with the configuration's fields forced into it."""

    def __init__(self, target: Target, stats: Stats, config: Callable[[], Config]) -> None:
        """
        :param config: gives the configuration in force; asked once for each request, which keeps it to its end.
        """
        super().__init__(target, stats)
        self._config = config

    def render(self, request: Request) -> int:
        self._stats.stt_requests += 1
        head = request.head
        if head.values(b"content-encoding"):
            raise UnsupportedBody("A transcription with a Content-Encoding cannot be rewritten; send the plain form.")
        content_types = head.values(b"content-type")
        if len(content_types) != 1:
            raise UnsupportedBody("A transcription needs exactly one Content-Type, multipart/form-data.")
        media, parameters = parse_content_type(content_types[0])
        if media != b"multipart/form-data":
            raise UnsupportedBody(f"A transcription is sent as multipart/form-data, not as {media.decode()}.")
        if head.length == 0:
            raise BadRequest("The transcription request has no body; send a form with the recording as 'file'.")
        rewriter = MultipartRewriter(rules_of(self._config()), boundary_of(parameters), head.length)
        return self._forward(request, rewriter, rewriter.length, rewriter.content_type)


def _replaced(header: Header, content_type: bytes, length: int | None) -> Header:
    """A header of the rewritten form, in its old place."""
    name = header[0].lower()
    if name == b"content-type":
        return header[0], content_type
    if name == b"content-length" and length is not None:
        return header[0], b"%d" % length
    return header


def _address(client: IAddress) -> bytes:
    """A client's address for X-Forwarded-For; "unknown" (RFC 7239 §6.2) where there is none."""
    host: str = getattr(client, "host", "unknown")
    return host.encode()


class Page(Resource):
    """A page of the proxy's own: JSON, for GET and HEAD."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes | int:
        raise NotImplementedError

    def _json(self, request: Request, status: int, content: dict[str, Any]) -> bytes:
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"


class Health(Page):
    """``/health``: whether the upstream takes connections."""

    def __init__(self, probe: Callable[[], Deferred[str]], about: dict[str, Any]) -> None:
        """
        :param probe: fires with an empty string where the upstream takes a connection, else with what is wrong.
        :param about: further members of the answer.
        """
        super().__init__()
        self._probe = probe
        self._about = about

    def render_GET(self, request: Request) -> int:
        self._probe().addCallback(self._answer, request)
        return NOT_DONE_YET

    def _answer(self, trouble: str, request: Request) -> None:
        if request.over:
            return
        content = {"status": "degraded" if trouble else "healthy", **self._about}
        if trouble:
            content["error"] = trouble
        body = self._json(request, 503 if trouble else 200, content)
        request.setHeader(b"Content-Length", b"%d" % len(body))
        request.write(body)
        request.finish()


class StatsPage(Page):
    """``/stats``: the counters."""

    def __init__(self, snapshot: Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._snapshot = snapshot

    def render_GET(self, request: Request) -> bytes:
        return self._json(request, 200, self._snapshot())


class Root(Resource):
    """
    The root: own pages by their exact path, transcriptions by what the upstream would route, the rest passes.
    """

    def __init__(self, pages: dict[bytes, IResource], transcriptions: IResource, pass_through: IResource) -> None:
        super().__init__()
        self._pages = pages
        self._transcriptions = transcriptions
        self._pass_through = pass_through

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        page = self._pages.get(request.path)
        if page is not None:
            return page
        if is_transcription(request.method, request.path):
            return self._transcriptions
        return self._pass_through
