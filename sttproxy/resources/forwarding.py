"""
Forwarding requests to the upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import attrs
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from .. import loops, requestid, trailers
from ..errors import Header
from ..forwarded import forwarded
from ..headers import end_to_end, upgrade_asked
from ..inbound.interfaces import BodySource
from ..inbound.request import Request
from ..monitor.record import PASS_THROUGH
from ..monitor.server import Server
from ..relay import Answers, Hop, Notes, Relay, Tunnels, unchanged, unread
from ..routes import Mount
from ..upload import Rewriter, Untouched, Upload
from ..upstream.client import Upstream
from ..upstream.interfaces import OutgoingHead


@attrs.frozen
class Target:
    """
    Where requests go.

    :ivar upstream: the server.
    :ivar server: what is known of it.
    :ivar prefix: precedes each request target; empty, or ``b"/…"`` without a slash at its end.
    :ivar host: the server's own Host, also for requests that have none (HTTP/1.0).
    :ivar replaces_host: whether all requests get `host`.
    :ivar response_s: seconds from the end of a request to the head of its response; None: any time.
    :ivar pseudonym: the name of this process in CDN-Loop, for the detection of loops.
    :ivar sends_forwarded: whether each request has Forwarded (RFC 7239).
    :ivar authorization: returns the Authorization that replaces that of clients; None: theirs is sent.
    """

    upstream: Upstream
    server: Server
    prefix: bytes
    host: bytes
    response_s: float | None = None
    pseudonym: bytes = attrs.field(factory=loops.new_pseudonym)
    replaces_host: bool = False
    sends_forwarded: bool = False
    authorization: Callable[[], bytes] | None = None

    def identified(self, headers: list[Header]) -> list[Header]:
        """Replace Host and Authorization by those for the server."""
        replaced = {b"host"} if self.replaces_host else set()
        if self.authorization is not None:
            replaced.add(b"authorization")
        kept = [header for header in headers if header[0].lower() not in replaced]
        if not any(name.lower() == b"host" for name, _ in kept):
            kept.insert(0, (b"Host", self.host))
        if self.authorization is not None:
            kept.append((b"Authorization", self.authorization()))
        return kept


@attrs.frozen
class Targets:
    """
    All servers that requests may go to.

    :ivar candidates: returns those for one request, in the order in which they are tried.
    :ivar prefixes: the prefixes of all, each once.
    :ivar pseudonym: as that of each.
    """

    candidates: Callable[[], Iterator[Target]]
    prefixes: Sequence[bytes]
    pseudonym: bytes


def upgrading(protocol: bytes) -> list[Header]:
    """The headers that ask for another protocol."""
    return [(b"Connection", b"Upgrade"), (b"Upgrade", protocol)]


class Forwarding(Resource):
    """A Resource that forwards requests."""

    isLeaf = True

    def __init__(self, targets: Targets) -> None:
        super().__init__()
        self._targets = targets

    def _forward(
        self,
        request: Request,
        body: BodySource,
        headers: list[Header],
        rewriter: Rewriter,
        length: int | None,
        *,
        upgrades: bool = False,
        keeps_trailers: bool = False,
        notes: Notes = list,
        tunnels: Tunnels = unread,
        answers: Answers = unchanged,
    ) -> None:
        """
        Forward a request.

        :param body: what is rewritten and sent.
        :param headers: the end-to-end headers of the request to the upstream.
        :param length: of the rewritten body, in bytes; None for a chunked one.
        :param upgrades: whether the request asks for another protocol.
        :param keeps_trailers: whether the body's trailers are forwarded.
        :param notes: returns additional headers for the response.
        :param tunnels: makes the tunnel if the upstream switches to that protocol.
        :param answers: returns what the response is written to.
        """
        upload = Upload(request, body, rewriter, length, keeps_trailers=keeps_trailers)
        hops = (self._hop(request, target, headers, length, upgrades) for target in self._targets.candidates())
        Relay(request, hops, upload, notes, tunnels, answers).start()

    def _hop(
        self, request: Request, destination: Target, headers: list[Header], length: int | None, upgrades: bool
    ) -> Hop:
        """The request as one of the servers gets it."""
        head = request.head
        if destination.replaces_host or destination.authorization is not None:
            headers = destination.identified(headers)
        elif b"host" not in head.index:
            headers = [(b"Host", destination.host), *headers]
        proto = b"https" if request.isSecure() else b"http"
        headers = forwarded(head, headers, request.peer, proto, destination.sends_forwarded)
        headers.append((requestid.HEADER, request.record.request_id.encode()))
        loops.mark(head, headers, destination.pseudonym)
        if b"te" in head.index and not upgrades:  # servers may read only one Connection header of an upgrade
            headers += trailers.accepting(head)
        if length is None:
            headers.append((b"Transfer-Encoding", b"chunked"))
        target = request.target if request.target == b"*" else destination.prefix + request.target
        outgoing = OutgoingHead(head.method, target, headers, length is None, upgrades)
        mount = None
        if request.prefix or destination.prefix or destination.replaces_host:
            mount = Mount(request.prefix, destination.prefix, destination.host, head.values(b"host"))
        return Hop(destination.upstream, destination.server, outgoing, mount, destination.response_s)


class PassThrough(Forwarding):
    """Everything that is not a transcription: forwarded unchanged, to the byte."""

    def render(self, request: Request) -> int:
        request.record.route, request.record.profile = PASS_THROUGH, request.profile
        head = request.head
        headers = end_to_end(head)
        upgrade = upgrade_asked(head)
        if upgrade is not None:
            headers += upgrading(upgrade)
        self._forward(
            request,
            request.body,
            headers,
            Untouched(),
            head.length,
            upgrades=upgrade is not None,
            keeps_trailers=True,
        )
        return NOT_DONE_YET
