"""
One end of a request and its response, in either version of HTTP.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from ..loop import loop, run
from ..message import Message
from ..process import LIMIT_S
from .connection import BrokenExchangeError, Connection


class Exchange:
    """
    One end of one exchange.  Its methods block for at most `LIMIT_S`.

    :ivar number: of its stream, if it has one.
    :ivar reset_code: the error code of the stream's reset, once the other end has reset it.
    """

    def __init__(self, connection: Connection, number: int = 0) -> None:
        self.connection = connection
        self.number = number
        self.reset_code: int | None = None
        self._heads: deque[Message] = deque()
        self._body = bytearray()
        self._taken = bytearray()
        self._complete = False
        self._broken: str | None = None
        self._changed = asyncio.Event()

    # Sending.

    def send_head(self, message: Message, last: bool = False) -> None:
        """Send a head; `last` if no body follows."""
        run(self.connection.send_head(self, message, last))

    def send(self, data: bytes, last: bool = False) -> None:
        """
        Send a part of the body.

        :raises BrokenExchangeError: when the other end has ended the exchange.
        """
        run(self.connection.send_data(self, data, last))

    def end(self) -> None:
        """End the body."""
        self.send(b"", last=True)

    def respond(self, message: Message) -> None:
        """Send a complete response."""
        self.send_head(message, last=not message.raw_body)
        if message.raw_body:
            self.send(message.raw_body, last=True)

    def sending(self, pieces: Iterable[bytes], last: bool = True) -> Sending:
        """Begin to send a body, in the background."""
        return Sending(self, pieces, last)

    def abort(self) -> None:
        """End the exchange before it is complete."""
        loop().call_soon_threadsafe(self.connection.reset, self)

    def stop(self) -> None:
        """After a response: take no more of the request."""
        loop().call_soon_threadsafe(self.connection.stop, self)

    # Reading: each call continues where the previous one ended.

    def read_head(self) -> Message:
        """
        Read a head, without a body.

        :raises BrokenExchangeError: when the exchange ends before.
        """
        return run(self._read_head())

    def read_exactly(self, count: int) -> bytes:
        """
        Read so many bytes of the body.

        :raises BrokenExchangeError: when the exchange ends before; `EOFError` when the body does.
        """
        return run(self._read(lambda taken: count if len(taken) >= count else None))

    def read_until(self, marker: bytes) -> bytes:
        """The same up to and including a marker."""

        def found(taken: bytearray) -> int | None:
            at = taken.find(marker)
            return None if at < 0 else at + len(marker)

        return run(self._read(found))

    def read_body(self) -> bytes:
        """
        Read the rest of the body.

        :raises BrokenExchangeError: when it is not complete.
        """
        return run(self._read_rest())

    def swallow(self) -> int:
        """Read the rest of the body without storing it; return its length."""
        return run(self._swallow())

    def read_message(self) -> Message:
        """Read a head and its body."""
        message = self.read_head()
        message.raw_body = self.read_body()
        return message

    @property
    def untouched(self) -> bool:
        """Whether neither a head nor a byte waits to be read."""
        return not self._heads and not self._body and not self._taken

    @property
    def broken(self) -> bool:
        """Whether the other end has ended the exchange before both messages were complete."""
        return self._broken is not None

    def wait_stopped(self) -> None:
        """Wait until the other end has ended the exchange, with a complete message or without; reads what comes."""
        run(self._wait_stopped())

    @property
    def complete(self) -> bool:
        """Whether the other end's message is complete."""
        return self._complete

    # For connections, in the event loop.

    def received_head(self, message: Message) -> None:
        self._heads.append(message)
        self._changed.set()

    def received(self, data: bytes) -> None:
        self._body += data
        self._changed.set()

    def completed(self) -> None:
        self._complete = True
        self._changed.set()

    def fail(self, reason: str) -> None:
        if self._broken is None:
            self._broken = reason
            self._changed.set()

    @property
    def unread(self) -> int:
        """Bytes of the body that have arrived since the last call that reads."""
        return len(self._body)

    async def _more(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _read_head(self) -> Message:
        while not self._heads:
            if self._broken is not None:
                raise BrokenExchangeError(self._broken)
            await self._more()
        return self._heads.popleft()

    async def _read(self, found: Callable[[bytearray], int | None]) -> bytes:
        while (count := found(self._taken)) is None:
            if not await self._take():
                raise EOFError(f"the body ends early, after {bytes(self._taken[-200:])!r}")
        data = bytes(self._taken[:count])
        del self._taken[:count]
        return data

    async def _read_rest(self) -> bytes:
        while await self._take():
            pass
        data = bytes(self._taken)
        self._taken.clear()
        return data

    async def _swallow(self) -> int:
        count = len(self._taken)
        while await self._take():
            count += len(self._taken)
            self._taken.clear()
        return count

    async def _take(self) -> bool:
        """Wait for bytes and take what has arrived, so that the other end may send more; return False at the end."""
        while not self._body:
            if self._complete:
                return False
            if self._broken is not None:
                raise BrokenExchangeError(self._broken)
            await self._more()
        count = len(self._body)
        self._taken += self._body
        self._body.clear()
        self.connection.consumed(self, count)
        return True

    async def _wait_stopped(self) -> None:
        while self._broken is None:
            if self._body:
                await self._take()
            else:
                await self._more()


class Sending:
    """
    A body that is being sent.

    :ivar sent: how many bytes the connection has taken so far.
    """

    def __init__(self, exchange: Exchange, pieces: Iterable[bytes], last: bool) -> None:
        self.sent = 0
        self._exchange = exchange
        self._done: Future[bool] = asyncio.run_coroutine_threadsafe(self._run(pieces, last), loop())

    @property
    def over(self) -> bool:
        """Whether it has stopped."""
        return self._done.done()

    def wait(self) -> bool:
        """Wait until it has stopped; return whether all was sent."""
        return self._done.result(LIMIT_S)

    async def _run(self, pieces: Iterable[bytes], last: bool) -> bool:
        try:
            for piece in pieces:
                await self._exchange.connection.send_data(self._exchange, piece, last=False)
                self.sent += len(piece)
            if last:
                await self._exchange.connection.send_data(self._exchange, b"", last=True)
        except BrokenExchangeError:
            return False
        return True
