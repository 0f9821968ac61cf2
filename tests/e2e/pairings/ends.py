"""
Clients and servers of either version, in clear and over TLS.
"""

from __future__ import annotations

import queue
import ssl

from ..certificates import certificate, trusting
from ..loop import loop, run
from ..process import LIMIT_S
from .connection import Connection
from .exchange import Exchange
from .http1 import HTTP1
from .http2 import HTTP2

#: What a version is called in ALPN.
PROTOCOLS = {1: "http/1.1", 2: "h2"}


def connect(port: int, version: int, secure: bool) -> Connection:
    """
    A client's connection to a port of this machine.

    :raises AssertionError: when ALPN does not choose this version.
    """
    context = None
    if secure:
        context = trusting()
        context.set_alpn_protocols([PROTOCOLS[version]])

    def new() -> Connection:
        return HTTP1() if version == 1 else HTTP2(scheme=b"https" if secure else b"http")

    connecting = loop().create_connection(new, "127.0.0.1", port, ssl=context)
    transport, connection = run(connecting)
    if secure:
        assert transport.get_extra_info("ssl_object").selected_alpn_protocol() == PROTOCOLS[version]
    return connection


class Server:
    """
    An upstream controlled by the test.

    :ivar port: the port that it listens on.
    """

    def __init__(self, version: int, secure: bool) -> None:
        self._version = version
        self._begun: queue.Queue[Exchange] = queue.Queue()
        self._connections: list[Connection] = []
        context = None
        if secure:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(certificate("server.pem"))
            context.set_alpn_protocols([PROTOCOLS[version]])
        self._listening = run(loop().create_server(self._accept, "127.0.0.1", 0, ssl=context))
        self.port: int = self._listening.sockets[0].getsockname()[1]

    def _accept(self) -> Connection:
        connection = (HTTP1 if self._version == 1 else HTTP2)(self._begun.put)
        self._connections.append(connection)
        return connection

    def accept(self) -> Exchange:
        """The next request whose head has come."""
        return self._begun.get(timeout=LIMIT_S)

    def accept_waiting(self) -> Exchange | None:
        """The same, if one has come already."""
        return None if self._begun.empty() else self._begun.get()

    def forget(self) -> None:
        """End all connections, and forget their requests."""
        connections, self._connections = self._connections, []
        for connection in connections:
            connection.drop()
        while self.accept_waiting():
            pass
