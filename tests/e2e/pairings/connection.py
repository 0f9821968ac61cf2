"""
One end of a connection, as far as it does not depend on the version of HTTP.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from ..loop import loop, run
from ..message import Message

if TYPE_CHECKING:
    from .exchange import Exchange

#: Unread bytes of a body after which an end of HTTP/1.1 stops to read.
MOST_UNREAD = 65536
#: Bytes that wait in a transport before sending is paused.
MOST_UNSENT = 65536


class BrokenExchangeError(Exception):
    """The other end has ended the exchange before it was complete."""


class Connection(asyncio.Protocol, ABC):
    """
    One end of a connection.

    :ivar version: of HTTP: 1 or 2.
    :ivar open: whether the connection is made and not over.
    """

    version: int
    transport: asyncio.Transport

    def __init__(self, began: Callable[[Exchange], None] | None) -> None:
        """
        :param began: called with each request of the other end; None for a client.
        """
        self.open = False
        self._began = began
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(MOST_UNSENT)
        self.open = True

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._writable.set()
        self._fail_all("the connection has ended")

    # For exchanges and tests.

    def ask(self, message: Message, last: bool = True) -> Exchange:
        """
        Send the head of a request.

        :param last: it has no body.
        """
        return run(self._ask(message, last))

    def drop(self) -> None:
        """End the connection at once."""
        loop().call_soon_threadsafe(self._drop)

    def _drop(self) -> None:
        if self.open:
            self.transport.abort()

    def close(self) -> None:
        """End the connection after what was sent."""
        loop().call_soon_threadsafe(self.transport.close)

    async def _ask(self, message: Message, last: bool) -> Exchange:
        exchange = self._new_exchange()
        await self.send_head(exchange, message, last)
        return exchange

    @abstractmethod
    def _new_exchange(self) -> Exchange:
        """Begin an exchange of a client."""

    @abstractmethod
    def _fail_all(self, reason: str) -> None:
        """Fail the exchanges in flight."""

    @abstractmethod
    async def send_head(self, exchange: Exchange, message: Message, last: bool) -> None:
        """Send a head; `last` if no body follows."""

    @abstractmethod
    async def send_data(self, exchange: Exchange, data: bytes, last: bool) -> None:
        """Send a part of a body, `last` with its end, when the other end takes it."""

    @abstractmethod
    def reset(self, exchange: Exchange) -> None:
        """End an exchange before it is complete: in HTTP/1.1 its connection, in HTTP/2 its stream."""

    @abstractmethod
    def stop(self, exchange: Exchange) -> None:
        """After a response: take no more of the request; ends the connection in HTTP/1.1."""

    @abstractmethod
    def consumed(self, exchange: Exchange, count: int) -> None:
        """The test has read so many bytes of a body."""
