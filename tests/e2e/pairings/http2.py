"""
Connections of HTTP/2 on h2, another implementation than that of the code under test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    DataReceived,
    Event,
    InformationalResponseReceived,
    RequestReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
)
from h2.exceptions import ProtocolError

from ..message import Header, Message
from .connection import BrokenExchangeError, Connection
from .exchange import Exchange

#: Bytes of all exchanges that may come at any time; each one may send 65,535.
CONNECTION_WINDOW = 1 << 30


class HTTP2(Connection):
    """One end of a connection, with many exchanges at a time."""

    version = 2

    def __init__(self, began: Callable[[Exchange], None] | None = None, scheme: bytes = b"http") -> None:
        """
        :param scheme: that of a client's requests.
        """
        super().__init__(began)
        self._scheme = scheme
        self._h2 = H2Connection(H2Configuration(client_side=began is None, header_encoding=False))
        self._exchanges: dict[int, Exchange] = {}
        self._windows = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._h2.initiate_connection()
        # An exchange that is not read must not hold up the others.
        self._h2.increment_flow_control_window(CONNECTION_WINDOW)
        self._flush()

    def _new_exchange(self) -> Exchange:
        number = self._h2.get_next_available_stream_id()
        exchange = self._exchanges[number] = Exchange(self, number)
        return exchange

    def _fail_all(self, reason: str) -> None:
        for exchange in self._exchanges.values():
            exchange.fail(reason)
        self._windows.set()

    # Receiving.

    def data_received(self, data: bytes) -> None:
        try:
            events = self._h2.receive_data(data)
        except ProtocolError as error:
            self._fail_all(f"invalid HTTP/2: {error}")
            events = []
        for event in events:
            self._happened(event)
        # Any frame may open a window or end a stream.
        self._windows.set()
        self._flush()

    def _happened(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            assert self._began is not None, "a server sends requests"
            exchange = self._exchanges[event.stream_id] = Exchange(self, event.stream_id)
            exchange.received_head(_request(event.headers))
            self._began(exchange)
            return
        known = self._exchanges.get(getattr(event, "stream_id", 0) or 0)
        if known is not None:
            self._happened_in(known, event)

    def _happened_in(self, exchange: Exchange, event: Event) -> None:
        if isinstance(event, ResponseReceived | InformationalResponseReceived):
            exchange.received_head(_response(event.headers))
        elif isinstance(event, DataReceived):
            exchange.received(event.data)
        elif isinstance(event, StreamEnded):
            exchange.completed()
        elif isinstance(event, StreamReset):
            exchange.reset_code = int(event.error_code)
            exchange.fail(f"the stream was reset (error {exchange.reset_code})")

    def consumed(self, exchange: Exchange, count: int) -> None:
        if count and self.open:
            self._h2.acknowledge_received_data(count, exchange.number)
            self._flush()

    # Sending.

    async def send_head(self, exchange: Exchange, message: Message, last: bool) -> None:
        fields = _request_fields(message, self._scheme) if message.is_request else _response_fields(message)
        self._check(exchange)
        self._h2.send_headers(exchange.number, fields, end_stream=last)
        self._flush()
        await self._writable.wait()

    async def send_data(self, exchange: Exchange, data: bytes, last: bool) -> None:
        rest = memoryview(data)
        while rest or last:
            self._check(exchange)
            room = min(self._h2.local_flow_control_window(exchange.number), self._h2.max_outbound_frame_size)
            if room <= 0 and rest:
                self._windows.clear()
                await self._windows.wait()
                continue
            piece, rest = bytes(rest[: max(room, 0)]), rest[max(room, 0) :]
            ends = last and not rest
            self._h2.send_data(exchange.number, piece, end_stream=ends)
            self._flush()
            if ends:
                return
            await self._writable.wait()

    def _check(self, exchange: Exchange) -> None:
        if exchange.broken or not self.open:
            raise BrokenExchangeError("the other end has ended it")

    def reset(self, exchange: Exchange) -> None:
        self._reset(exchange, ErrorCodes.CANCEL)

    def stop(self, exchange: Exchange) -> None:
        self._reset(exchange, ErrorCodes.NO_ERROR)

    def _reset(self, exchange: Exchange, code: ErrorCodes) -> None:
        if not exchange.broken:
            self._h2.reset_stream(exchange.number, code)
            exchange.fail("reset by this end")
            self._flush()

    def _flush(self) -> None:
        if self.open and not self.transport.is_closing():
            self.transport.write(self._h2.data_to_send())


def _request(fields: Iterable[Header]) -> Message:
    """A request's head in terms of HTTP/1.1."""
    pseudo, headers = _split(fields)
    return Message(
        b"%b %b HTTP/2" % (pseudo[b":method"], pseudo[b":path"]), [(b"host", pseudo[b":authority"]), *headers]
    )


def _response(fields: Iterable[Header]) -> Message:
    """The same for a response."""
    pseudo, headers = _split(fields)
    return Message(b"HTTP/2 " + pseudo[b":status"], headers)


def _split(fields: Iterable[Header]) -> tuple[dict[bytes, bytes], list[Header]]:
    pairs = [(bytes(name), bytes(value)) for name, value in fields]
    return (
        {name: value for name, value in pairs if name.startswith(b":")},
        [(name, value) for name, value in pairs if not name.startswith(b":")],
    )


def _request_fields(message: Message, scheme: bytes) -> list[Header]:
    (host,) = message.values(b"host")
    method, target, _ = message.start.split(b" ")
    pseudo = [(b":method", method), (b":scheme", scheme), (b":authority", host), (b":path", target)]
    return [*pseudo, *_own(message)]


def _response_fields(message: Message) -> list[Header]:
    return [(b":status", b"%d" % message.status), *_own(message)]


def _own(message: Message) -> list[Header]:
    """The fields that HTTP/2 has too."""
    names = [(name.lower(), value) for name, value in message.headers]
    return [(name, value) for name, value in names if name not in (b"host", b"transfer-encoding")]
