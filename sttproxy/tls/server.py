"""
TLS for the connections of clients: certificates chosen by name (SNI), replaced while the daemon runs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import attrs
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IListeningPort,
    IOpenSSLServerConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from .. import proxyheader
from ..errors import BadRequest
from ..inbound.addresses import Addresses
from ..inbound.rejection import last_response, reject
from ..peers import Peer
from ..transport import IStreamTransport
from .certificates import (
    CertificateError,
    Contents,
    Identity,
    authorities,
    contents_of,
    expired,
    identity,
    new_context,
    reasons_of,
    trust,
)
from .transport import Connection, TLSTransport

log = Logger()

#: The first byte of each TLS handshake (RFC 8446 §5.1).
_HANDSHAKE = b"\x16"
#: What is spoken over TLS (RFC 7301).
_PROTOCOLS = (b"h2", b"http/1.1")


@attrs.frozen
class ServerFiles:
    """
    The files of a server's TLS; all paths are absolute.

    :ivar pairs: the paths of certificates and their keys; the first pair is for clients that name no other one.
    :ivar client_ca: the path of the authorities that sign the certificates of clients; empty: clients need none.
    """

    pairs: tuple[tuple[str, str], ...]
    client_ca: str = ""

    @property
    def paths(self) -> frozenset[str]:
        """All paths."""
        return frozenset(path for pair in self.pairs for path in pair) | ({self.client_ca} - {""})

    def identities(self, contents: Contents) -> list[Identity]:
        """
        The certificates with their keys.

        :raises CertificateError: when one cannot be used.
        """
        return [
            identity(cert, contents_of(contents, cert), key, contents_of(contents, key)) for cert, key in self.pairs
        ]


@implementer(IOpenSSLServerConnectionCreator)
class ServerTLS:
    """
    Makes the TLS side of new connections, with the certificates in force.

    :ivar error: why the files' current contents are not in force; empty if they are.
    """

    def __init__(self, files: ServerFiles, wall: Callable[[], float] = time.time) -> None:
        """
        :param wall: returns the date, in seconds since 1970.
        """
        self.files = files
        self.error = ""
        self._wall = wall
        self._identities: list[Identity] = []
        self._contexts: list[SSL.Context] = []

    def adopt(self, contents: Contents) -> None:
        """
        Use the certificates in the files for all new connections.

        :raises CertificateError: when they cannot be used; then nothing changes, except `error`.
        """
        try:
            identities = self.files.identities(contents)
            contexts = [self._context(each, contents) for each in identities]
        except CertificateError as error:
            self.error = str(error)
            raise
        self.error = ""
        self._identities, self._contexts = identities, contexts
        for each in identities:
            log.info(
                "The certificate {file} for {names} is in force until {expires}.",
                file=each.file,
                names=", ".join(each.names) or "no name",
                expires=each.expires.isoformat(),
            )
            if expired(each.expires, self._wall()):
                log.warn("The certificate {file} has expired; clients will reject it.", file=each.file)

    def _context(self, presented: Identity, contents: Contents) -> SSL.Context:
        context = new_context()
        presented.use_in(context)
        context.set_tlsext_servername_callback(self._choose)
        context.set_alpn_select_callback(_protocol)
        if self.files.client_ca:
            trusted = authorities(self.files.client_ca, contents_of(contents, self.files.client_ca))
            trust(context, trusted)
            for authority in trusted:
                context.add_client_ca(authority)
            context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _as_openssl_decided)
            context.set_session_id(b"sttproxy")  # sessions of verified clients need one
        return context

    def _choose(self, connection: SSL.Connection) -> None:
        """Present the certificate for the name that the client asks for (RFC 6066 §3)."""
        name = connection.get_servername()
        if name:
            asked = name.decode("ascii", "replace")
            for presented, context in zip(self._identities, self._contexts, strict=True):
                if presented.matches(asked):
                    connection.set_context(context)
                    return

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        return Connection(self._contexts[0], None)

    def snapshot(self) -> dict[str, Any]:
        """What the statistics show, ready for JSON."""
        return {"certificates": [each.snapshot() for each in self._identities], "error": self.error or None}


def _as_openssl_decided(connection: SSL.Connection, certificate: Any, fault: int, depth: int, good: int) -> bool:
    return bool(good)


def _protocol(connection: SSL.Connection, offered: Sequence[bytes]) -> Any:
    """Choose the protocol (ALPN); a client that offers only others goes on without it."""
    return next((each for each in _PROTOCOLS if each in offered), SSL.NO_OVERLAPPING_PROTOCOLS)


class ServerProtocol(TLSTransport):
    """
    TLS on one connection of a client.

    A request in plain HTTP gets a 400 that says so, and a failed handshake is logged.
    """

    factory: ServerFactory
    _begun = False

    def dataReceived(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            if not data.startswith(_HANDSHAKE):
                self._reject(data)
                return
        super().dataReceived(data)

    def _reject(self, data: bytes) -> None:
        proxied = data.startswith((proxyheader.LINE, proxyheader.SIGNATURE))
        error = BadRequest(proxyheader.REFUSED if proxied else "This port speaks HTTPS; use an https:// URL.")
        transport: Any = self.transport
        answer = reject(self.factory.wrappedFactory, self._peer(), error, None, data, 0.0)
        transport.write(last_response(error, *answer))
        transport.loseConnection()

    def _peer(self) -> Peer:
        return Addresses(cast(IStreamTransport, self.transport), self.factory.wrappedFactory.trusted).peer

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # Twisted keeps the reason of a failed handshake here until it passes it to the wrapped protocol.
        fault = getattr(self, "_reason", None)
        if fault is not None and fault.check(SSL.Error):
            why = ", ".join(reasons_of(fault.value))
            log.info("The TLS connection of {peer} failed: {reason}.", peer=self._peer().name, reason=why)
        super().connectionLost(reason)


class ServerFactory(TLSMemoryBIOFactory):
    """Puts TLS around the connections of a `Site`."""

    protocol = ServerProtocol
    wrappedFactory: Any


@implementer(IStreamServerEndpoint)
@attrs.frozen
class TLSListening:
    """An endpoint that listens at another one, with TLS."""

    endpoint: IStreamServerEndpoint
    tls: ServerTLS
    clock: IReactorTime

    def listen(self, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        return self.endpoint.listen(ServerFactory(self.tls, False, factory, self.clock))
