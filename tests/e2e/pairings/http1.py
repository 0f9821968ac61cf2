"""
Connections of HTTP/1.1 on h11.
"""

from __future__ import annotations

from collections.abc import Callable

import h11

from ..message import Message
from .connection import MOST_UNREAD, BrokenExchangeError, Connection
from .exchange import Exchange

#: Chunks have another framing field in HTTP/1.1, and none in HTTP/2.
_FRAMING = b"transfer-encoding"


class HTTP1(Connection):
    """One end of a connection, with one exchange after the other."""

    version = 1

    def __init__(self, began: Callable[[Exchange], None] | None = None) -> None:
        super().__init__(began)
        self._h11 = h11.Connection(h11.CLIENT if began is None else h11.SERVER)
        self._exchange: Exchange | None = None
        self._paused = False

    def _new_exchange(self) -> Exchange:
        self._exchange = Exchange(self)
        return self._exchange

    def _fail_all(self, reason: str) -> None:
        if self._exchange is not None:
            self._exchange.fail(reason)

    # Receiving.

    def data_received(self, data: bytes) -> None:
        self._h11.receive_data(data)
        self._process()

    def eof_received(self) -> None:
        self._h11.receive_data(b"")
        self._process()

    def _process(self) -> None:
        try:
            while True:
                event = self._h11.next_event()
                if event in (h11.NEED_DATA, h11.PAUSED) or isinstance(event, h11.ConnectionClosed):
                    break
                self._happened(event)
        except h11.RemoteProtocolError as error:
            self._fail_all(str(error))
        self._pace()

    def _happened(self, event: object) -> None:
        if isinstance(event, h11.Request):
            assert self._began is not None, "a server sends requests"
            self._new_exchange().received_head(_message(b"%b %b HTTP/1.1" % (event.method, event.target), event))
            self._began(self._current)
        elif isinstance(event, h11.Response | h11.InformationalResponse):
            start = b"HTTP/1.1 %d %b" % (event.status_code, event.reason)
            self._current.received_head(_message(start, event))
        elif isinstance(event, h11.Data):
            self._current.received(bytes(event.data))
        elif isinstance(event, h11.EndOfMessage):
            self._current.completed()
            self._next()

    @property
    def _current(self) -> Exchange:
        assert self._exchange is not None, "no exchange has begun"
        return self._exchange

    def _next(self) -> None:
        """After an exchange the connection is ready for another one."""
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
            self._exchange = None

    def consumed(self, exchange: Exchange, count: int) -> None:
        self._pace()

    def _pace(self) -> None:
        full = self._exchange is not None and self._exchange.unread >= MOST_UNREAD
        if full != self._paused and self.open:
            self._paused = full
            if full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    # Sending.

    async def send_head(self, exchange: Exchange, message: Message, last: bool) -> None:
        first, second, *_ = message.start.split(b" ")
        event: h11.Event
        if message.is_request:
            event = h11.Request(method=first, target=second, headers=message.headers)
        elif message.status < 200:
            event = h11.InformationalResponse(status_code=message.status, headers=message.headers)
        else:
            event = h11.Response(status_code=message.status, headers=message.headers)
        await self._send(exchange, event, last)

    async def send_data(self, exchange: Exchange, data: bytes, last: bool) -> None:
        await self._send(exchange, h11.Data(data=data), last)

    async def _send(self, exchange: Exchange, event: h11.Event, last: bool) -> None:
        if not self.open or self.transport.is_closing() or exchange is not self._exchange:
            raise BrokenExchangeError("the connection has ended")
        try:
            # In one write: the other end may close as soon as it has all.
            events = [event, h11.EndOfMessage()] if last else [event]
            self.transport.write(b"".join([self._h11.send(event) or b"" for event in events]))
        except h11.LocalProtocolError as error:
            raise BrokenExchangeError(str(error)) from error
        if last:
            self._next()
            self._process()
        if self._h11.our_state is h11.MUST_CLOSE and self._began is not None:
            self.transport.close()
        await self._writable.wait()

    def reset(self, exchange: Exchange) -> None:
        self._drop()

    def stop(self, exchange: Exchange) -> None:
        self.transport.close()


def _message(start: bytes, event: h11.Request | h11.Response | h11.InformationalResponse) -> Message:
    """A head as tests see it in either version: without the fields of its framing."""
    return Message(start, [(name, value) for name, value in event.headers if name != _FRAMING])
