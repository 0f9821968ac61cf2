"""
Parsers of option values: one function for each kind of value, from text to a Python value.

Each function raises ``ValueError`` with a message that says what is wrong and what would be right.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

import attrs

from .peers import UNIX, Trusted

#: An address of a server without the scheme.
_AUTHORITY = re.compile(r"[\w.\-]+(:[0-9]+)?(/\S*)?")
#: Paths of API endpoints, which users add to the server's address by mistake.
_ENDPOINT = re.compile(
    r"(?:/v1)?/(?:audio/(?:transcriptions|translations|speech)|(?:chat/)?completions|embeddings|models|responses"
    r"|images/\w+|realtime|messages)\Z"
)
#: By scheme.
_DEFAULT_PORTS = {"http": 80, "https": 443, "h2c": 80}
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


@attrs.frozen
class Kind:
    """
    A kind of value.

    :ivar read: parses the text.
    :ivar placeholder: shown for the value in the help; empty for a flag, which has no value on the command line.
    :ivar files: whether shells complete the value as the name of a file.
    :ivar words: all texts that are valid; empty: there are too many.
    """

    read: Callable[[str], Any]
    placeholder: str
    files: bool = False
    words: tuple[str, ...] = ()


@attrs.frozen
class Destination:
    """
    The upstream's address.

    :ivar prefix: the path before the path of each request, without a slash at its end.
    :ivar secure: whether connections use TLS.
    :ivar http2: whether the server is known to speak HTTP/2, so that it is spoken without TLS.
    """

    host: str
    port: int
    prefix: str = ""
    secure: bool = False
    http2: bool = False

    @property
    def name(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.secure else "http"

    @property
    def authority(self) -> str:
        """The server's Host header: `name` without the default port."""
        return self.name.removesuffix(f":{_DEFAULT_PORTS[self.scheme]}")


def port(text: str) -> int:
    """A TCP port; with 0 the system chooses one."""
    if not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ValueError(f"{text!r} is not a port; it must be a number from 0 to 65535")
    return int(text)


def seconds(text: str) -> float:
    """A time in seconds, greater than 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1e9:
        raise ValueError(f"{text!r} is not a time; it must be a positive number of seconds")
    return number


def limit(text: str) -> float | None:
    """A time limit in seconds; 0 means no limit, and becomes None."""
    return None if text == "0" else seconds(text)


def duration(text: str) -> float:
    """A time in seconds, which may be 0."""
    return 0.0 if text == "0" else seconds(text)


def count(text: str) -> int:
    """A whole number, 0 or more."""
    if not (text.isascii() and text.isdigit()):
        raise ValueError(f"{text!r} is not a count; it must be a whole number, 0 or more")
    return int(text)


def workers(text: str) -> int:
    """A number of processes, at least 1; ``auto``: one for each core that this process may use."""
    if text == "auto":
        affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
        return len(affinity(0)) if affinity else os.cpu_count() or 1
    try:
        number = count(text)
    except ValueError:
        number = 0
    if not number:
        raise ValueError(f"{text!r} is not a number of processes; it must be 1 or more, or auto")
    return number


def mode(text: str) -> int:
    """The permissions of a file, in octal."""
    if not re.fullmatch("0?[0-7]{3}", text):
        raise ValueError(f"{text!r} is not a file mode; it must be three octal digits, like 0660")
    return int(text, 8)


def trusted(text: str) -> Trusted:
    """Peers that are trusted: an address, a network, or all peers at Unix sockets."""
    if text == UNIX:
        return UNIX
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is not an address like 10.0.0.1, nor a network like 10.0.0.0/8, nor the word {UNIX!r} for the "
            "peers at Unix sockets"
        ) from None


def flag(text: str) -> bool:
    """True or false, from an environment variable."""
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"{text!r} is neither true nor false; write 1 or 0")
    return word in _TRUE


def path(text: str) -> str:
    """The path of a file, made absolute: in the background twistd changes directory."""
    if not text or "\0" in text:
        raise ValueError(f"{text!r} is not the path of a file")
    return os.path.abspath(text)


def host(text: str) -> str:
    """A host name or an IP address.  The brackets of an IPv6 address are optional, and are removed."""
    name = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        if not name or not name.isprintable() or " " in name or "/" in name:
            raise UnicodeError
        # The same encoding as in `socket.getaddrinfo`, which accepts underscores.
        name.encode("idna")
    except UnicodeError:
        raise ValueError(f"{name!r} is not a host name or address") from None
    return name


def target(text: str) -> Destination:
    """The address of the upstream as a URL."""
    try:
        parts = urlsplit(text)
        number = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        hint = f"; did you mean http://{text}?" if _AUTHORITY.fullmatch(text) else ""
        raise ValueError(f"{text!r} must be a URL like http://host:10240/prefix or https://host/prefix{hint}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{text!r} must not contain a user, a query or a fragment")
    prefix = parts.path.rstrip("/")
    endpoint = _ENDPOINT.search(prefix)
    if endpoint is not None:
        base = f"{parts.scheme}://{parts.netloc}{prefix[: endpoint.start()]}"
        raise ValueError(f"{text!r} names an endpoint; give the address before it: {base}")
    if not prefix.isascii() or not prefix.isprintable() or " " in prefix:
        raise ValueError(f"{text!r}: the path must be percent-encoded")
    number = _DEFAULT_PORTS[parts.scheme] if number is None else number
    return Destination(host(parts.hostname), number, prefix, parts.scheme == "https", parts.scheme == "h2c")


def origin(text: str) -> str:
    """An origin as browsers write it in Origin (RFC 6454 §6.2), ``null``, or ``*`` for every origin."""
    if text in ("*", "null"):
        return text
    try:
        parts = urlsplit(text)
        number = parts.port
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None
    if not parts.scheme or not parts.hostname:
        hint = "; pages from files have the origin null" if parts.scheme == "file" else ""
        raise ValueError(f"{text!r} is not an origin like https://example.org or http://localhost:3000{hint}")
    name = host(parts.hostname).encode("idna").decode()
    authority = f"[{name}]" if ":" in name else name
    if number not in (None, _DEFAULT_PORTS.get(parts.scheme)):
        authority += f":{number}"
    if parts.path not in ("", "/") or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(f"{text!r} is more than an origin; write {parts.scheme}://{authority}")
    return f"{parts.scheme}://{authority}"


def one_of(placeholder: str, *words: str) -> Kind:
    """The kind of a value that is one of some words."""

    def word(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} must be {', '.join(words[:-1])} or {words[-1]}")
        return text

    return Kind(word, placeholder, words=words)


TEXT = Kind(str, "TEXT")
NAME = Kind(str, "NAME")
FILE = Kind(path, "FILE", files=True)
ENDPOINT = Kind(str, "ENDPOINT")
FLAG = Kind(flag, "")
HOST = Kind(host, "HOST")
PORT = Kind(port, "PORT")
URL = Kind(target, "URL")
COUNT = Kind(count, "NUMBER")
WORKERS = Kind(workers, "NUMBER")
MODE = Kind(mode, "MODE")
PEERS = Kind(trusted, "PEERS")
ORIGIN = Kind(origin, "ORIGIN")
SECONDS = Kind(seconds, "SECONDS")
LIMIT = Kind(limit, "SECONDS")
DURATION = Kind(duration, "SECONDS")
LOG_FORMAT = one_of("FORMAT", "text", "json", "combined")
LOG_LEVEL = one_of("LEVEL", "debug", "info", "warn", "error")
