"""
What the clients connect to: a port on loopback, in the clear or with TLS.
"""

from __future__ import annotations

import enum
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

HOST = "127.0.0.1"
#: Socket timeout in seconds.
SILENCE_S = 60.0


class Wire(enum.Enum):
    """What a peer serves on its port."""

    #: HTTP/1.1 in the clear.
    CLEAR = enum.auto()
    #: HTTP/1.1 in the clear, and HTTP/2 by prior knowledge.
    PRIOR_KNOWLEDGE = enum.auto()
    #: HTTP/1.1 and HTTP/2 with TLS; ALPN chooses.
    TLS = enum.auto()


@dataclass(frozen=True)
class Certificate:
    """
    The certificate of all peers.

    :ivar pem: the path of its chain and key, in one file.
    :ivar authority: the path of the authority that has signed it, for clients.
    """

    pem: Path
    authority: Path


def issue(folder: Path) -> Certificate:
    """Write a certificate (ECDSA, P-256) for loopback, and its authority."""
    authority = trustme.CA()
    made = Certificate(folder / "server.pem", folder / "authority.pem")
    authority.issue_cert(HOST, "bench.test").private_key_and_cert_chain_pem.write_to_path(str(made.pem))
    authority.cert_pem.write_to_path(str(made.authority))
    return made


@dataclass(frozen=True)
class Server:
    """
    A port on loopback.

    :ivar certificate: what the server presents; None if it has no TLS.
    """

    port: int
    certificate: Certificate | None = None

    @property
    def url(self) -> str:
        """The URL of its root, without a slash at the end."""
        return f"{'https' if self.certificate else 'http'}://{HOST}:{self.port}"

    def connect(self, protocol: str = "http/1.1") -> socket.socket:
        """
        Connect, with TCP_NODELAY.

        :param protocol: the name of the protocol in ALPN.
        """
        connection = socket.create_connection((HOST, self.port), SILENCE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.certificate is None:
            return connection
        context = ssl.create_default_context(cafile=str(self.certificate.authority))
        context.set_alpn_protocols([protocol])
        return context.wrap_socket(connection, server_hostname=HOST)
