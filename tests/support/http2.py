"""
Both far ends of HTTP/2 connections in memory, on h2: a client before the proxy, and a server behind it.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import jh2.connection
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from hyperframe.frame import Frame
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import Header

from .fakes import FakeReactor, Peer
from .stage import ProxyTestCase

#: The Content-Type of `stage.FORM`.
FORM_TYPE = b"multipart/form-data; boundary=b"


class End:
    """
    One end of a connection whose other end is the proxy.

    :ivar h2: the connection; it sends what is sent with its own methods at the next `exchange`.
    :ivar bodies: what has come of each stream's body.
    :ivar trailers: the trailers of each stream.
    :ivar ended: the streams that have ended without a reset.
    :ivar resets: the error codes of resets by stream.
    :ivar goaway: the error code of the GOAWAY; None: none has come.
    :ivar acknowledges: whether it gives windows back.
    """

    def __init__(self, peer: Peer, reactor: FakeReactor, configuration: H2Configuration) -> None:
        self.peer = peer
        self._reactor = reactor
        self.h2 = H2Connection(configuration)
        self.h2.initiate_connection()
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, list[Header]] = {}
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.goaway: int | None = None
        self.acknowledges = True

    def exchange(self) -> None:
        """Send what there is, and process what comes, until nothing comes any more."""
        for _ in range(100):
            self.peer.send(self.h2.data_to_send())
            self._reactor.settle()
            if not self._receive():
                return

    def send(self, number: int, data: bytes, ends: bool = False) -> None:
        """Send bytes of a body, as far as the windows allow."""
        while data:
            size = min(len(data), self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if not size:
                break
            self.h2.send_data(number, data[:size])
            data = data[size:]
            self.exchange()
        if ends:
            self.h2.end_stream(number)
        self.exchange()

    def trail(self, number: int, *trailers: Header) -> None:
        """Send the trailers that end a body."""
        self.h2.send_headers(number, trailers, end_stream=True)
        self.exchange()

    def raw(self, *frames: Frame | bytes) -> None:
        """Send frames that h2 would not, in one segment, and process what comes."""
        self.peer.send(b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames))
        self._reactor.settle()
        self._receive()

    def _receive(self) -> bool:
        """Process what has come; return whether there was anything."""
        data = self.peer.news()
        for event in self.h2.receive_data(data) if data else []:
            self._process(event)
        return bool(data)

    def _process(self, event: Any) -> None:
        if isinstance(event, DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            if self.acknowledges:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            self.trailers[event.stream_id] = [(bytes(name), bytes(value)) for name, value in event.headers]
        elif isinstance(event, StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, StreamReset):
            self.resets[event.stream_id] = event.error_code
        elif isinstance(event, ConnectionTerminated):
            self.goaway = event.error_code


class Client(End):
    """
    A client of the proxy.

    :ivar status: the status of each stream's response.
    :ivar fields: its fields, without the identifier of the request.
    :ivar identifiers: that identifier.
    :ivar interim: the statuses of all interim responses.
    """

    def __init__(self, peer: Peer, reactor: FakeReactor) -> None:
        super().__init__(peer, reactor, H2Configuration(header_encoding=False, validate_outbound_headers=False))
        self.status: dict[int, int] = {}
        self.fields: dict[int, dict[bytes, bytes]] = {}
        self.identifiers: dict[int, bytes] = {}
        self.interim: list[int] = []
        self.exchange()

    def ask(self, path: bytes = b"/x", *fields: Header, method: bytes = b"GET", ends: bool = True) -> int:
        """Send a request's head; return its stream."""
        number = self.h2.get_next_available_stream_id()
        head = [(b":method", method), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path), *fields]
        self.h2.send_headers(number, head, end_stream=ends)
        self.exchange()
        return number

    def _process(self, event: Any) -> None:
        if isinstance(event, ResponseReceived):
            fields = {bytes(name): bytes(value) for name, value in event.headers}
            self.status[event.stream_id] = int(fields.pop(b":status"))
            self.identifiers[event.stream_id] = fields.pop(b"x-request-id", b"")
            self.fields[event.stream_id] = fields
        elif isinstance(event, InformationalResponseReceived):
            self.interim.append(int(dict(event.headers)[b":status"]))
        else:
            super()._process(event)


class Server(End):
    """
    A server behind the proxy.

    :ivar requests: the fields of each request, by stream.
    """

    def __init__(self, peer: Peer, reactor: FakeReactor) -> None:
        super().__init__(peer, reactor, H2Configuration(client_side=False, header_encoding=False))
        self.requests: dict[int, list[Header]] = {}

    def respond(self, number: int, body: bytes = b"hi", status: bytes = b"200", ends: bool = True) -> None:
        """Send a response, as far as the windows allow."""
        self.h2.send_headers(number, [(b":status", status), (b"x-a", b"1")])
        self.send(number, body, ends)

    def _process(self, event: Any) -> None:
        if isinstance(event, RequestReceived):
            self.requests[event.stream_id] = [(bytes(name), bytes(value)) for name, value in event.headers]
        else:
            super()._process(event)


class HTTP2TestCase(ProxyTestCase):
    """Base class: the whole proxy, and clients of HTTP/2."""

    def connected(self) -> Client:
        """A new client."""
        return Client(self.client(b""), self.reactor)


def use_h2(case: SynchronousTestCase) -> None:
    """Put h2 in the place of jh2, which has the same API, until the test ends."""
    import sttproxy.inbound.http2
    import sttproxy.upstream.session  # noqa: F401  # the proxy imports both when it needs them

    for module in [module for name, module in sys.modules.items() if name.startswith("sttproxy.")]:
        for name, value in list(vars(module).items()):
            known = value is getattr(jh2.connection, name, None)  # Rust's classes do not tell their module
            home = "jh2.connection" if known else str(getattr(value, "__module__", None))
            if home.startswith("jh2."):
                case.patch(module, name, getattr(importlib.import_module(home[1:]), name))
