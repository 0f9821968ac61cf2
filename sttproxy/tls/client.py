"""
TLS to the upstream: verified against the platform's trust store, or against an authority of one's own.
"""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from typing import Any, cast

import attrs
from cryptography import x509
from OpenSSL import SSL
from service_identity import VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import UpstreamCertificate, UpstreamUnreachable
from .certificates import Identity, names_of, new_context, reasons_of, trust
from .transport import Connection, TLSTransport

#: OpenSSL's numbers of faults (``X509_V_ERR_…``) whose reason users can do something about.
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNKNOWN_AUTHORITY = frozenset({2, 18, 19, 20, 21})

#: Records that are no TLS, in OpenSSL's words.
_NO_TLS = frozenset({"wrong version number", "packet length too long", "record layer failure", "http request"})


@implementer(IOpenSSLClientConnectionCreator)
class ClientTLS:
    """
    Makes the TLS side of connections to one server.

    :ivar host: the server's name or address, which its certificate must be issued for.
    :ivar insecure: nothing is verified.
    """

    def __init__(
        self,
        host: str,
        trusted: list[x509.Certificate] | None = None,
        presented: Identity | None = None,
        *,
        insecure: bool = False,
    ) -> None:
        """
        :param trusted: the authorities to trust; None: those of the platform.
        :param presented: the certificate for a server that asks for one.
        """
        self.host = host
        self.insecure = insecure
        self._is_address = _is_address(host)
        self._context = context = new_context()
        if presented is not None:
            presented.use_in(context)
        if insecure:
            context.set_verify(SSL.VERIFY_NONE)
            return
        context.set_verify(SSL.VERIFY_PEER, _noted)
        if trusted is None:
            _trust_platform(context)
        else:
            trust(context, trusted)

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        connection = Connection(self._context, None)
        wrapped = tlsProtocol.wrappedProtocol
        connection.set_alpn_protos([b"h2", b"http/1.1"] if wrapped.speaks_http2 else [b"http/1.1"])
        if not self._is_address:
            connection.set_tlsext_host_name(self.host.encode("idna"))
        return connection

    def verify_name(self, connection: SSL.Connection) -> None:
        """
        Check that the server's certificate is issued for its name (RFC 9525).

        :raises UpstreamCertificate: when it is not.
        """
        if self.insecure:
            return
        try:
            if self._is_address:
                verify_ip_address(connection, self.host)
            else:
                verify_hostname(connection, self.host)
        except (VerificationError, ValueError):
            certificate = connection.get_peer_certificate(as_cryptography=True)
            issued = ", ".join(names_of(certificate)) if certificate else ""
            raise UpstreamCertificate(
                f"The certificate of the upstream is issued for {issued or 'no name'}, not for {self.host}: "
                "give --target a name that it is issued for."
            ) from None

    def explained(self, fault: Fault, reason: Failure) -> Exception:
        """Why there is no TLS connection."""
        if fault.number:
            return UpstreamCertificate(f"The certificate of the upstream {self.host} {fault.explained()}")
        error = reason.value
        reasons = reasons_of(error) if isinstance(error, SSL.Error) else [reason.getErrorMessage()]
        if _NO_TLS.intersection(reasons):
            return UpstreamUnreachable(f"The upstream {self.host} does not speak TLS; is its URL http://… ?")
        return UpstreamUnreachable(f"The TLS handshake with the upstream {self.host} failed: {', '.join(reasons)}")


@attrs.define
class Fault:
    """
    What OpenSSL found wrong with a server's certificate.

    :ivar number: ``X509_V_ERR_…``; 0: nothing.
    """

    number: int = 0
    certificate: x509.Certificate | None = None

    def explained(self) -> str:
        """The fault in words, with what would help."""
        certificate = self.certificate
        if self.number == _EXPIRED and certificate is not None:
            return f"expired on {certificate.not_valid_after_utc.isoformat()}: it must be renewed."
        if self.number == _NOT_YET_VALID and certificate is not None:
            return f"is valid from {certificate.not_valid_before_utc.isoformat()} on; is the clock here right?"
        if self.number in _UNKNOWN_AUTHORITY and certificate is not None:
            issuer = certificate.issuer.rfc4514_string() or "an authority without a name"
            return (
                f"is signed by {issuer}, which is not trusted here: name the authority's certificate with --target-ca."
            )
        return f"cannot be verified (OpenSSL verification error {self.number})."


def _noted(connection: SSL.Connection, certificate: Any, number: int, depth: int, good: int) -> bool:
    """Note the first fault for the error message, and decide as OpenSSL did."""
    # Twisted's protocol for TLS is its connection's application data.
    fault: Fault = connection.get_app_data().wrappedProtocol.fault
    if not good and not fault.number:
        fault.number, fault.certificate = number, certificate.to_cryptography()
    return bool(good)


def _trust_platform(context: SSL.Context) -> None:
    """Trust the authorities of the system, and those of this Python where it brings its own, as on macOS."""
    context.set_default_verify_paths()
    paths = ssl.get_default_verify_paths()
    if paths.cafile or paths.capath:
        context.load_verify_locations(paths.cafile, paths.capath)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@implementer(IHandshakeListener)
class _Handshaking(Protocol):
    """
    Waits for the handshake, and then passes everything to the protocol that the connection is for.
    """

    transport: Any

    def __init__(self, tls: ClientTLS, factory: IProtocolFactory, address: IAddress) -> None:
        self._tls = tls
        self._factory = factory
        self._address = address
        self._inner: Protocol | None = None
        self.fault = Fault()
        self.speaks_http2 = hasattr(factory, "build_http2")
        #: Fires with the protocol when the connection is verified.
        self.ready: Deferred[Protocol] = Deferred(lambda _: self.transport.abortConnection())

    def handshakeCompleted(self) -> None:
        try:
            self._tls.verify_name(self.transport.getHandle())
            factory: Any = self._factory
            if self.transport.getHandle().get_alpn_proto_negotiated() == b"h2":
                inner = factory.build_http2(b"https")
            else:
                inner = factory.buildProtocol(self._address)
            assert inner is not None, "the factory makes a protocol for each connection"
        except Exception:
            self.transport.abortConnection()
            self._conclude(Failure())
            return
        self._inner = cast(Protocol, inner)
        self._inner.makeConnection(self.transport)
        self._conclude(self._inner)

    def dataReceived(self, data: bytes) -> None:
        assert self._inner is not None, "data comes after the handshake"
        self._inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        else:
            self._conclude(Failure(self._tls.explained(self.fault, reason)))

    def _conclude(self, result: Protocol | Failure) -> None:
        if not self.ready.called:
            self.ready.callback(result)


@implementer(IStreamClientEndpoint)
@attrs.frozen
class TLSConnecting:
    """An endpoint that connects through another one, with TLS; a connection is made when it is verified."""

    endpoint: IStreamClientEndpoint
    tls: ClientTLS
    clock: IReactorTime

    def connect(self, factory: IProtocolFactory) -> Deferred[Any]:
        """
        :return: fails with `UpstreamCertificate` when the certificate is not valid, and as the endpoint does.
        """
        handshaking: list[_Handshaking] = []

        def build(address: IAddress) -> _Handshaking:
            handshaking.append(_Handshaking(self.tls, factory, address))
            return handshaking[0]

        outer = Factory()
        outer.noisy = False
        outer.buildProtocol = cast(Any, build)  # type: ignore[method-assign]  # the protocol needs the address
        factory_of_tls = TLSMemoryBIOFactory(self.tls, True, outer, self.clock)
        factory_of_tls.protocol = TLSTransport
        connecting = self.endpoint.connect(factory_of_tls)
        return connecting.addCallback(lambda _: handshaking[0].ready)
