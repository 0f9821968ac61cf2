"""
Composes what TLS and API keys need, from the settings.

TLS is imported only by the functions that need it.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint, IStreamServerEndpoint
from twisted.logger import Logger

from . import privileges
from .daemon import StartError
from .errors import printable
from .settings import Settings
from .watch.files import Look, look
from .watch.follower import FileFollower

if TYPE_CHECKING:
    from .tls.server import ServerTLS

log = Logger()


@attrs.define
class TargetKey:
    """
    The API key for the server.

    :ivar authorization: the value of the Authorization header.
    """

    authorization: bytes = b""

    def adopt(self, contents: Look) -> None:
        """
        Take the key from its file.

        :raises ValueError: when the file does not contain a key.
        """
        ((path, data),) = contents.items()
        if isinstance(data, str):
            raise ValueError(f"{printable(path)}: {data}")
        key = data.strip()
        if not key or not key.isascii() or not key.decode().isprintable() or b" " in key:
            raise ValueError(f"{printable(path)} must contain one API key, and nothing else")
        self.authorization = b"Bearer " + key


def _loaded(follower: FileFollower) -> FileFollower:
    """
    A follower that has taken the contents of its files.

    :raises StartError: when they cannot be used.
    """
    try:
        follower.load()
    except ValueError as error:
        raise StartError(str(error)) from None
    return follower


@attrs.frozen
class Security:
    """
    What secures the daemon.

    :ivar tls: for ``--port``; None: it speaks plain HTTP.
    :ivar key: the API key for the server; None: the clients' own are sent.
    :ivar followers: what follows the files of both.
    """

    tls: ServerTLS | None = None
    key: TargetKey | None = None
    followers: tuple[FileFollower, ...] = ()

    def snapshot(self) -> dict[str, Any]:
        """What the statistics show, ready for JSON."""
        return {} if self.tls is None else {"tls": self.tls.snapshot()}

    def listening(self, clock: IReactorTime, endpoint: IStreamServerEndpoint) -> IStreamServerEndpoint:
        """An endpoint to listen at, with TLS if the daemon serves it."""
        if self.tls is None:
            return endpoint
        from .tls.server import TLSListening

        return TLSListening(endpoint, self.tls, clock)


#: Plain HTTP, and no key.
NONE = Security()


def security_of(reactor: Any, settings: Settings) -> Security:
    """
    What secures the daemon, with its files loaded.

    :raises StartError: when a certificate or a key cannot be used, or when the user of --uid and --gid cannot read it.
    """
    tls, key, followers = None, None, []
    followed: set[str] = set()
    if settings.tls_cert:
        from .tls.server import ServerFiles, ServerTLS

        pairs = tuple(zip(settings.tls_cert, settings.tls_key or settings.tls_cert, strict=True))
        tls = ServerTLS(ServerFiles(pairs, settings.tls_client_ca or ""))
        followed |= tls.files.paths
        followers.append(_loaded(FileFollower(reactor, tls.files.paths, tls.adopt)))
    if settings.target_key_file:
        key = TargetKey()
        followed.add(settings.target_key_file)
        followers.append(_loaded(FileFollower(reactor, [settings.target_key_file], key.adopt)))
        if stat.S_IMODE(os.stat(settings.target_key_file).st_mode) & 0o077:
            path = printable(settings.target_key_file)
            log.warn("{path} can be read by other users; make it private with: chmod 600", path=path)
    if settings.process.user is not None:
        problem = privileges.unreadable(sorted(followed), *settings.process.user)
        if problem is not None:
            raise StartError(
                f"the user of --uid and --gid cannot read {printable(problem)}; it must be able to, because files are "
                "read again when they change"
            )
    return Security(tls, key, tuple(followers))


def secured(reactor: Any, settings: Settings, host: str, endpoint: IStreamClientEndpoint) -> IStreamClientEndpoint:
    """
    A server's endpoint with TLS.

    :param host: the name or address that its certificate must have.
    :raises StartError: when a certificate cannot be used.
    """
    from .tls.certificates import CertificateError, authorities, contents_of, identity
    from .tls.client import ClientTLS, TLSConnecting

    trusted = presented = None
    ca, cert = settings.target_ca, settings.target_cert
    key = settings.target_key
    contents = look(filter(None, (ca, cert, key)))
    try:
        if ca:
            trusted = authorities(ca, contents_of(contents, ca))
        if cert:
            presented = identity(cert, contents_of(contents, cert), key or cert, contents_of(contents, key or cert))
    except CertificateError as error:
        raise StartError(str(error)) from None
    if settings.target_insecure:
        log.warn("--target-insecure: the certificate of the server is not verified, so anyone can pose as the server.")
    tls = ClientTLS(host, trusted, presented, insecure=settings.target_insecure)
    return TLSConnecting(endpoint, tls, reactor)
