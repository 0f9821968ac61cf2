"""
The whole proxy in memory, without its command line: a test plays its clients and the server behind it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from sttproxy import config
from sttproxy.admission import Admission
from sttproxy.cors import CrossOrigin
from sttproxy.errors import Header, ProxyError
from sttproxy.inbound.interfaces import BodySource, Limits, Timeouts
from sttproxy.inbound.request import Request
from sttproxy.inbound.site import Site
from sttproxy.monitor.registry import Registry
from sttproxy.monitor.server import Server
from sttproxy.peers import NOBODY, TrustedPeers
from sttproxy.rendering import Renderer
from sttproxy.resources.forwarding import PassThrough, Target, Targets
from sttproxy.resources.monitor import NO_PAGES, MonitorRoot, Pages
from sttproxy.resources.pages import Health, MetricsPage, Page
from sttproxy.resources.preflight import Preflight
from sttproxy.resources.root import Root
from sttproxy.resources.sessions import Sessions
from sttproxy.resources.stats import StatsPage
from sttproxy.resources.transcriptions import Transcriptions
from sttproxy.transcripts.document import MAX_TRANSCRIPT
from sttproxy.upstream.agent import UpstreamAgent
from sttproxy.upstream.client import Upstream
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.upstream.probe import Probe
from sttproxy.writer import FlushScheduler

from .fakes import Ending, FakeReactor, FakeUpstream, Peer
from .numbers import Numbers, facts

#: The name by which the proxy recognises its own requests.
PSEUDONYM = b"sttproxy-x"
#: The path of transcriptions.
PATH = b"/v1/audio/transcriptions"
FORM_TYPE = b"Content-Type: multipart/form-data; boundary=b"
#: A form with a recording between two fields.
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="language"\r\n\r\nen\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
    b"RIFF\r\n\0\xff\r\n"
    b'--b\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nhi\r\n'
    b"--b--\r\n"
)


def message(first_line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """Return a message as it is on the wire."""
    return b"\r\n".join([first_line, *fields, b"", b""]) + body


def get(target: bytes = b"/x", *fields: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    """Return a request without a body."""
    return message(b"%b %b %b" % (method, target, version), b"Host: h", *fields)


def post(length: int | None, *fields: bytes, target: bytes = b"/x", body: bytes = b"") -> bytes:
    """
    Return a request with a body.

    :param length: None for a chunked body.
    :param body: the first bytes of the body.
    """
    framing = b"Transfer-Encoding: chunked" if length is None else b"Content-Length: %d" % length
    return message(b"POST %b HTTP/1.1" % target, b"Host: h", framing, *fields, body=body)


def transcription(body: bytes = FORM, content_type: bytes = FORM_TYPE, *fields: bytes, target: bytes = PATH) -> bytes:
    """Return a transcription request with its length."""
    return post(len(body), content_type, *fields, target=target, body=body)


def ok(body: bytes = b"hi", *fields: bytes) -> bytes:
    """Return a response with a length."""
    return message(b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *fields, body=body)


def chunked(*pieces: bytes, last: bool = True) -> bytes:
    """Return a body in the chunked coding."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n" * last


def error_of(received: bytes) -> tuple[int, str]:
    """Return status and code of one of the proxy's own errors, which must be the only response."""
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"\r\nContent-Length: %d" % len(body) in head, received
    return int(head.split(b" ")[1]), json.loads(body)["error"]["code"]


class MemoryTestCase(SynchronousTestCase):
    """
    Base class for tests on a reactor in memory.  At the end no transport may be registered, and no delayed call be
    active.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()

    def assert_nothing_left(self) -> None:
        """Check that no transport is registered and no delayed call is active."""
        self.assertEqual(self.reactor.pending(), [])
        self.assertEqual(self.reactor.readers | self.reactor.writers, set())


class Recorder(Protocol):
    """A protocol that records what arrives."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = 0

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: object = None) -> None:
        self.lost += 1


class TransportTestCase(MemoryTestCase):
    """Base class: a transport and its peer."""

    def setUp(self) -> None:
        super().setUp()
        self.protocol = Recorder()
        self.peer = Peer(self.reactor, self.protocol)
        self.transport = self.peer.transport


class SiteTestCase(MemoryTestCase):
    """
    Base class: a site with a Resource.  At the end all clients disconnect.

    :ivar peers: the clients.
    :ivar stats: what the registry counts.
    """

    def setUp(self) -> None:
        super().setUp()
        self.peers: list[Peer] = []
        self.registry = Registry(self.reactor.seconds, [Server("upstream:1")])
        self.stats = Numbers(self.registry)

    def serve(
        self,
        resource: IResource,
        timeouts: Timeouts | None = None,
        body: int | None = None,
        trusted: TrustedPeers = NOBODY,
        cors: CrossOrigin | None = None,
    ) -> None:
        """Create the site; without given timeouts it has its defaults."""
        self.site = Site(
            resource,
            self.reactor,
            FlushScheduler(self.reactor),
            self.registry,
            timeouts or Timeouts(),
            Limits(body),
            trusted,
            cors,
        )

    def client(self, *segments: bytes, site: Site | None = None) -> Peer:
        """
        Return a new client that sends these bytes at once.

        :param site: what it connects to, if it is another one than `site`.
        """
        peer = Peer(self.reactor, (site or self.site).buildProtocol(None))
        self.peers.append(peer)
        peer.send(*segments)
        return peer

    def tearDown(self) -> None:
        for peer in self.peers:
            if peer.ending in (Ending.OPEN, Ending.HALF):
                peer.reset()
                peer.read()
        self.reactor.advance(1.0)  # a paused client is polled at intervals
        self.assertEqual((self.stats.connections, self.stats.in_flight), (0, 0))
        self.assertEqual(self.site.channels, set())
        self.assert_nothing_left()


class Scripted(Resource):
    """
    A Resource whose responses are written by the test; a request below ``/now`` gets its own path at once.

    :ivar requests: all requests, in order.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def render(self, request: Request) -> bytes | int:
        self.requests.append(request)
        return request.path if request.path.startswith(b"/now") else NOT_DONE_YET


class Taken:
    """
    A receiver of bodies.

    :ivar pieces: the pieces received.
    :ivar ended: whether the body is complete.
    :ivar trailers: its trailer section.
    :ivar error: the error of the body, if it failed.
    """

    unsent = 0

    def __init__(self, body: BodySource | None = None) -> None:
        """
        :param body: the body to receive.
        """
        self.pieces: list[bytes] = []
        self.ended = False
        self.trailers: Sequence[Header] = ()
        self.error: ProxyError | None = None
        if body is not None:
            body.deliver(self)

    @property
    def data(self) -> bytes:
        """All bytes received."""
        return b"".join(self.pieces)

    def body_received(self, data: bytes) -> None:
        assert data and not self.ended and self.error is None, "a body ends once, and pieces are not empty"
        self.pieces.append(data)

    def body_ended(self, trailers: Sequence[Header] = ()) -> None:
        assert not self.ended and self.error is None, "a body ends once"
        self.ended = True
        self.trailers = trailers

    def body_failed(self, error: ProxyError) -> None:
        assert not self.ended and self.error is None, "a body ends once"
        self.error = error


class ScriptedTestCase(SiteTestCase):
    """
    Base class: a site whose requests are answered by the test.

    :ivar requests: the dispatched requests.
    """

    def setUp(self) -> None:
        super().setUp()
        self.serve_with()

    def serve_with(self, timeouts: Timeouts | None = None, body: int | None = None) -> None:
        """Create the site again."""
        resource = Scripted()
        self.requests = resource.requests
        self.serve(resource, timeouts, body)


class ProxyTestCase(SiteTestCase):
    """
    Base class: the whole proxy.

    :ivar upstream: the server.
    :ivar monitor: the site of listeners for monitoring.
    """

    def setUp(self) -> None:
        super().setUp()
        self._pools: list[Pool] = []
        self._upstreams: list[FakeUpstream] = []
        self.proxy()

    def in_thread(self, work: Callable[[], bytes]) -> Deferred[bytes]:
        """Stands for another thread: does the work at once."""
        return maybeDeferred(work)

    def proxy(
        self,
        *,
        fields: bytes = b"{}",
        pool: PoolLimits | None = None,
        timeouts: Timeouts | None = None,
        body: int | None = None,
        most: int = 0,
        queue: int = 0,
        profile: str = "",
        explains: bool = False,
        max_json: int | None = None,
        max_transcript: int = MAX_TRANSCRIPT,
        traces: bool = False,
        trusted: TrustedPeers = NOBODY,
        requires_key: bool = False,
        cors: CrossOrigin | None = None,
        viewers: TrustedPeers | None = None,
        apart: bool = False,
        **target: Any,
    ) -> None:
        """
        Create the proxy again, with another upstream.

        :param fields: the configuration file.
        :param most: the limit of concurrent transcriptions, `queue` of those that wait.
        :param profile: the profile of requests that do not name one.
        :param explains: whether responses have the explanation header.
        :param max_json: the size limit of a JSON body in bytes.
        :param max_transcript: the most bytes of a response that are held for the rules for transcripts.
        :param traces: whether the values that the rules have set are logged.
        :param trusted: the peers whose forwarded headers are trusted.
        :param requires_key: whether requests need a key of the configuration.
        :param cors: the pages of other origins that may use the proxy.
        :param viewers: the clients that may see the proxy's own pages; None: all.
        :param apart: whether these pages are at `monitor` only.
        :param target: further attributes of the `Target`.
        """
        self.config = config.parse(fields)
        self.upstream = FakeUpstream(self.reactor)
        self.pool = Pool(self.reactor, self.connect, pool or PoolLimits(), FlushScheduler(self.reactor))
        self._upstreams.append(self.upstream)
        self._pools.append(self.pool)
        self.admission = Admission(most, queue)
        settings = {"prefix": b"", "host": b"upstream:1", "pseudonym": PSEUDONYM, **target}
        upstream = Upstream(UpstreamAgent(self.pool), self.reactor, "http://upstream:1")
        to = Target(upstream, self.registry.servers[0], **settings)
        probe = Probe(self.upstream.connect, self.pool, self.reactor.seconds)
        pages: dict[bytes, Page] = {
            b"/health": Health([("upstream:1", probe)], {"version": "1"}),
            b"/stats": StatsPage(self.registry, dict, lambda: self.config, requires_key=requires_key),
            b"/metrics": MetricsPage(self.reactor, [probe], self.registry, self.facts),
        }
        own = Pages(pages, viewers)
        servers = [to]
        targets = Targets(servers.__iter__, (to.prefix,), to.pseudonym)
        transcriptions = Transcriptions(
            targets,
            lambda: self.config,
            self.admission,
            Renderer(self.in_thread, max_transcript, explains),
            explains=explains,
            max_json=max_json,
            traces=traces,
        )
        root = Root(
            NO_PAGES if apart else own,
            targets,
            transcriptions,
            Sessions(targets, lambda: self.config),
            PassThrough(targets),
            lambda: self.config,
            requires_key,
            profile,
            None if cors is None else Preflight(cors),
        )
        self.serve(root, timeouts, body, trusted, cors)
        self.monitor = Site(
            MonitorRoot(own), self.reactor, FlushScheduler(self.reactor), self.registry, trusted=trusted
        )

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        """Connect to the upstream."""
        return self.upstream.connect(factory)

    def facts(self) -> dict[str, Any]:
        """What is known apart from requests."""
        return facts(connections=self.pool.numbers())

    @property
    def server(self) -> Peer:
        """The upstream's most recent connection."""
        return self.upstream.peers[-1]

    def tearDown(self) -> None:
        for peer in self.peers:
            if peer.ending in (Ending.OPEN, Ending.HALF):
                peer.reset()
                peer.read()
        self.reactor.advance(1.0)
        for pool in self._pools:
            self.assertFalse(pool.busy, "a connection is still lent")
            pool.close()
        self.assertEqual(self.admission.waiting, 0)
        for upstream in self._upstreams:
            for peer in upstream.peers:
                peer.read()
                peer.close()
        super().tearDown()
