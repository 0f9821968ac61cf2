"""
The command ``sttproxy health``: asks a running daemon whether it is healthy, for the health checks of containers.
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from typing import Any, ClassVar, TextIO
from urllib.parse import urlsplit

from .outcome import GOOD
from .routes import HEALTH
from .settings import Sources
from .usage import HelpfulOptions

#: The exit status for a daemon that is not healthy; container engines know no other than 0 and 1.
UNHEALTHY = 1
#: Seconds that the daemon may take, unless others are asked for.
_TIMEOUT_S = 5.0
#: What a URL of a Unix socket begins with.
_UNIX = "unix:"


class HealthOptions(HelpfulOptions):
    """``sttproxy health``."""

    synopsis = "sttproxy health [options] [URL|PORT|unix:PATH]"
    longdesc = (
        f"Asks a daemon at a URL, at a port of this machine, or at a Unix socket for {HEALTH}, and prints a line about "
        f"its response. The exit status is {GOOD} if the daemon and a server behind it are healthy, and {UNHEALTHY} "
        "otherwise. Without an address it asks where STTPROXY_PORT and STTPROXY_TLS_CERT, or the defaults, tell the "
        "daemon to listen. A certificate is not verified."
    )
    example = "sttproxy health 10241"
    optParameters: ClassVar[list[list[Any]]] = [
        ["timeout", None, _TIMEOUT_S, "Seconds that the daemon may take.", float]
    ]
    optFlags: ClassVar[list[list[Any]]] = [
        ["live", None, "Ask only whether the daemon responds, whatever the servers behind it do."]
    ]

    def parseArgs(self, address: str = "") -> None:
        self["address"] = address


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def health(options: HealthOptions, out: TextIO) -> int:
    """
    Print whether a daemon is healthy.

    :return: the exit status.
    """
    address = options["address"] or _default(Sources({}, os.environ))
    try:
        connection = _connection(address, options["timeout"])
    except ValueError as error:
        out.write(f"{address!r} is not an address: {error}\n")
        return UNHEALTHY
    try:
        connection.request("GET", f"{HEALTH}?live" if options["live"] else HEALTH)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        out.write(f"{address}: {' '.join(str(error).split()) or type(error).__name__}\n")
        return UNHEALTHY
    finally:
        connection.close()
    out.write(f"{address}: {response.status} {' '.join(body.decode('utf-8', 'replace').split())}\n")
    return GOOD if response.status == http.client.OK else UNHEALTHY


def _default(sources: Sources) -> str:
    """The address of a daemon that has its settings from the environment."""
    scheme = "https" if sources.value("tls-cert") else "http"
    return f"{scheme}://127.0.0.1:{sources.value('port')}"


def _connection(address: str, timeout: float) -> http.client.HTTPConnection:
    """
    A connection, not open yet.

    :raises ValueError: when the address is not one.
    """
    if address.startswith(_UNIX):
        return _UnixConnection(address.removeprefix(_UNIX), timeout)
    parts = urlsplit(f"http://127.0.0.1:{int(address)}" if address.isdigit() else address)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError("write a URL like http://127.0.0.1:10241, a port, or unix:PATH")
    if parts.scheme == "http":
        return http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)
    unverified = ssl.create_default_context()
    unverified.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=unverified)
