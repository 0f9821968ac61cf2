"""
Classification of request targets: transcription, suspicious spelling of one, or other.

Servers normalize a path differently before they route it: percent escapes, dot segments, doubled slashes, path
parameters, case.  A path that some server could route to a handler whose form the rules are for must not be classified
as other.  Translations, and the paths that the configuration adds, count as transcriptions here.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata
from collections.abc import Collection, Iterable
from urllib.parse import unquote_to_bytes

import attrs

from .errors import Header
from .http1.requests import RequestHead


@attrs.frozen
class Mount:
    """
    Maps the paths of a server to the paths that a client uses.

    :ivar outside: the prefix of the client's paths, which the proxy removes; empty or ``b"/…"`` without a final slash.
    :ivar inside: the prefix that the proxy puts before the rest; same form.
    :ivar name: the authority of the server, ``host:port``.
    :ivar hosts: the authorities that the client uses for it.
    """

    outside: bytes
    inside: bytes
    name: bytes
    hosts: Collection[bytes]

    def outward(self, reference: bytes) -> bytes:
        """
        Translate a URI reference of the server (RFC 3986 §4.1) so that the client reaches the same resource.

        Returns these references unchanged: to another server, to a path that the client cannot reach through the proxy,
        and a relative path, which the client resolves against its own URL.
        """
        scheme, authority, path, rest = _split_reference(reference)
        host = None if authority is None else _plain(authority)
        if not path.startswith(b"/") or host not in (None, *map(_plain, (self.name, *self.hosts))):
            return reference
        if path != self.inside and not path.startswith(self.inside + b"/"):
            return reference
        path = self.outside + path[len(self.inside) :]
        # The client may be unable to resolve the authority of the server; a path alone refers to the proxy.
        named = authority is not None and host != _plain(self.name)
        return (scheme + b"//" + authority if named and authority else b"") + (path or b"/") + rest

    def amended(self, headers: list[Header]) -> list[Header]:
        """The headers of a response, with Location and Content-Location translated by `outward`."""
        return [
            (name, self.outward(value)) if name.lower() in _REFERENCES else (name, value) for name, value in headers
        ]


def _plain(authority: bytes) -> bytes:
    """Normalize an authority for comparison: lower case, without the default port of HTTP."""
    return authority.lower().removesuffix(b":80")


def _split_reference(reference: bytes) -> tuple[bytes, bytes | None, bytes, bytes]:
    """Split into scheme with colon, authority, path, and the rest (RFC 3986, Appendix B)."""
    found = _REFERENCE.fullmatch(reference)
    assert found is not None, "the pattern matches everything"
    scheme, authority, path, rest = found.groups()
    return scheme or b"", authority, path, rest


class Route(enum.Enum):
    """The class of a request."""

    TRANSCRIPTION = "a transcription"
    ODD = "possibly a transcription, in a spelling that servers route differently"
    OTHER = "anything else"


#: The endpoints of OpenAI's API whose forms the rules are for, without the version.
TRANSCRIPTIONS, TRANSLATIONS = "/audio/transcriptions", "/audio/translations"
#: The endpoint of OpenAI's API for WebSockets with messages about a session, without the version.
REALTIME = "/realtime"
#: The proxy's own pages, which no request for the server reaches.
HEALTH, STATS, METRICS = "/health", "/stats", "/metrics"
#: Precedes the name of a profile in a target.
PROFILES = "/profiles/"

#: Paths that all servers read alike: segments of unreserved characters, none of which begins with a dot.
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9_~\-][A-Za-z0-9_~.\-]*)*/?")
#: cpp-httplib and IIS decode these like other percent escapes.
_UNICODE_ESCAPE = re.compile(rb"%[Uu]([0-9A-Fa-f]{4})")
#: Some servers cut the path at these characters, others keep them: check all readings.  Fastify cuts at semicolons.
_CUTS = re.compile(r"[?#\0]"), re.compile(r"[?#\0;]")
_PROFILE = re.compile(rb"/profiles/([^/?#]*)(.*)", re.DOTALL)
_METHOD_OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")
_TARGET_OVERRIDES = (b"x-original-url", b"x-rewrite-url")
_OVERRIDES = frozenset({*_METHOD_OVERRIDES, *_TARGET_OVERRIDES})
_REFERENCES = frozenset({b"location", b"content-location"})
_REFERENCE = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*:)?(?://([^/?#]*))?([^?#]*)(.*)", re.DOTALL)
#: Most rounds of percent-decoding.  A path that changes in every round is suspicious.
_ROUNDS = 5


def split_profile(target: bytes) -> tuple[bytes | None, bytes]:
    """
    Split the prefix ``/profiles/NAME`` from a target.

    :return: the name, not decoded, or None if the target has no such prefix; and the rest, a target in origin form.
    """
    found = _PROFILE.fullmatch(target) if target.startswith(b"/profiles/") else None
    if found is None:
        return None, target
    rest = found.group(2)
    return found.group(1), rest if rest.startswith(b"/") else b"/" + rest


def profile_prefix(name: str) -> bytes:
    """The prefix that `split_profile` removes."""
    return b"/profiles/" + name.encode()


def without_version(path: str) -> str:
    """A path without the prefix ``/v1``, because servers have their endpoints with and without it."""
    return path.removeprefix("/v1") if path.startswith("/v1/") else path


def canonical(path: bytes) -> bytes:
    """The path that servers route: decoded once, without a slash, and without a line feed, which Starlette ignores."""
    return unquote_to_bytes(path).removesuffix(b"\n").removesuffix(b"/")


class Router:
    """
    Finds the requests that the rules are for: those whose path ends in one of some paths.

    Anything may precede such a path: a version, or the prefix under which a server or another proxy has it.
    """

    def __init__(self, paths: Iterable[str] = (TRANSCRIPTIONS, TRANSLATIONS), any_request: bool = False) -> None:
        """
        :param paths: each ``"/…"``, of characters that need no escape, without a slash at the end.
        :param any_request: also finds requests that have no form, because of their method and without a body.
        """
        names = tuple(paths)
        self._any_request = any_request
        self._suffixes = tuple(name.encode() for name in names)
        # cpp-httplib reads a path as a regular expression, in which a dot is any character; so a dot stays one here.
        self._similar = re.compile(f"(?:.*)(?:{'|'.join(map(str.casefold, names))})/?", re.DOTALL)
        #: Clients repeat few paths, and the classification of an unusual one is slow.
        self._of_path = functools.lru_cache(maxsize=256)(self._classify)

    def route(self, method: bytes, path: bytes, has_body: bool = False) -> Route:
        """
        Classify a request.

        :param path: the target sent to the upstream, without its query.
        :param has_body: whether the request has a body.  Some servers read a form whatever the method is.
        """
        if not self._any_request and not has_body and method.upper() != b"POST":
            return Route.OTHER
        return self._of_path(path)

    def _classify(self, path: bytes) -> Route:
        if canonical(path).endswith(self._suffixes):
            return Route.TRANSCRIPTION
        if _PLAIN.fullmatch(path):
            # Such a path has only one reading, except that some servers ignore case.
            return Route.ODD if self._similar.fullmatch(path.decode().lower()) else Route.OTHER
        return Route.ODD if self._may_lead_there(path) else Route.OTHER

    def _may_lead_there(self, path: bytes) -> bool:
        for _ in range(_ROUNDS):
            if self._leads_there(path):
                return True
            decoded = unquote_to_bytes(_UNICODE_ESCAPE.sub(_character, path))
            if decoded == path:
                return False
            path = decoded
        return True  # no legitimate client escapes a path this often

    def _leads_there(self, path: bytes) -> bool:
        """Whether a path ends in one of the paths after the most lenient normalization."""
        text = unicodedata.normalize("NFKC", path.decode("utf-8", "replace")).casefold()
        readings = (text, *(cut.split(text, 1)[0] for cut in _CUTS))
        return any(self._similar.fullmatch(_normalized(reading)) for reading in readings)


def _character(escape: re.Match[bytes]) -> bytes:
    """The character of a Unicode escape in UTF-8; nothing for half a surrogate pair, as in cpp-httplib."""
    return chr(int(escape.group(1), 16)).encode("utf-8", "ignore")


def _normalized(path: str) -> str:
    """A path without empty segments, dot segments and path parameters, and without characters that are not seen."""
    segments: list[str] = []
    for raw in re.split(r"[/\\]", path):
        segment = raw.partition(";")[0]
        segment = "".join(char for char in segment if char.isprintable()).strip()
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "".join(f"/{segment}" for segment in segments)


def takes_detour(router: Router, head: RequestHead, target: bytes, prefix: bytes) -> bool:
    """
    Whether override headers, which some frameworks obey, could route a request to a handler that ``router`` finds.

    :param target: the target that the proxy forwards.
    :param prefix: the prefix of every path at the upstream.
    """
    if not head.has(_OVERRIDES):
        return False
    methods = [value for name in _METHOD_OVERRIDES for value in head.values(name)]
    targets = [value for name in _TARGET_OVERRIDES for value in head.values(name)]
    paths = [prefix + target.partition(b"?")[0] for target in (target, *targets)]
    has_body = head.length != 0
    return any(
        router.route(method.strip(), path, has_body) is not Route.OTHER
        for method in (head.method, *methods)
        for path in paths
    )


def transcriptions_path(prefixes: Iterable[bytes]) -> str:
    """
    Where to send a transcription.

    :param prefixes: what precedes the targets of requests at the servers.
    """
    versioned = all(prefix.endswith(b"/v1") for prefix in prefixes)
    return TRANSCRIPTIONS if versioned else "/v1" + TRANSCRIPTIONS
