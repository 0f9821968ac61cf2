"""
Relays that begin or end TLS, for clients and servers that read and write a connection in two threads.

OpenSSL does not allow that, and WebSockets over TLS in `websockets.sync` stop at times.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from .loop import loop, run


class Relay:
    """
    A listener that passes all bytes on to a port of this machine, and back.

    :ivar port: the port that it listens on.
    """

    def __init__(
        self, port: int, *, serving: ssl.SSLContext | None = None, connecting: ssl.SSLContext | None = None
    ) -> None:
        """
        :param serving: for TLS with its clients; None: they speak in clear.
        :param connecting: for TLS with the port; None: it is reached in clear.
        """
        self._to = port
        self._connecting = connecting
        self._listening = run(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=serving))
        self.port: int = self._listening.sockets[0].getsockname()[1]

    def close(self) -> None:
        """Listen no more."""
        loop().call_soon_threadsafe(self._listening.close)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._to, ssl=self._connecting)
        await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes on up to the end, and then close."""
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
