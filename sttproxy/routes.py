"""
Where a request target leads, judged as some upstream would.

Servers differ in what they make of a path before they route it: percent escapes, dot segments, doubled slashes, path
parameters, case.  A path that any of them could take to the transcription handler must not pass as something else.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata
from collections.abc import Collection
from urllib.parse import unquote_to_bytes

import attrs

from .errors import Header
from .http1.heads import RequestHead


@attrs.frozen
class Mount:
    """
    Where the paths of a server appear to a client.

    :ivar outside: what the client's paths begin with, and is taken off; empty or ``b"/…"`` without a slash at its end.
    :ivar inside: what is put before the rest, likewise.
    :ivar name: the server's own authority, ``host:port``.
    :ivar hosts: the authorities by which the client calls it.
    """

    outside: bytes
    inside: bytes
    name: bytes
    hosts: Collection[bytes]

    def outward(self, reference: bytes) -> bytes:
        """
        A URI reference of the server's (RFC 3986 §4.1), as it leads the client to the same place.

        One to another server stays as it is, and so does one to a path that the client cannot reach through here, and
        a relative one, which the client resolves against its own URL.
        """
        scheme, authority, path, rest = _split_reference(reference)
        host = None if authority is None else _plain(authority)
        if not path.startswith(b"/") or host not in (None, *map(_plain, (self.name, *self.hosts))):
            return reference
        if path != self.inside and not path.startswith(self.inside + b"/"):
            return reference
        path = self.outside + path[len(self.inside) :]
        # The server's own name may mean nothing to the client; a path alone keeps it where it is.
        named = authority is not None and host != _plain(self.name)
        return (scheme + b"//" + authority if named and authority else b"") + (path or b"/") + rest

    def amended(self, headers: list[Header]) -> list[Header]:
        """A response's headers with those turned outward that lead somewhere."""
        return [
            (name, self.outward(value)) if name.lower() in _REFERENCES else (name, value) for name, value in headers
        ]


def _plain(authority: bytes) -> bytes:
    """An authority as it is compared: in lower case, without HTTP's own port."""
    return authority.lower().removesuffix(b":80")


def _split_reference(reference: bytes) -> tuple[bytes, bytes | None, bytes, bytes]:
    """Scheme with its colon, authority, path, and the rest; by the pattern of RFC 3986, Appendix B."""
    found = _REFERENCE.fullmatch(reference)
    assert found is not None, "the pattern matches everything"
    scheme, authority, path, rest = found.groups()
    return scheme or b"", authority, path, rest


class Route(enum.Enum):
    """What a target is."""

    TRANSCRIPTION = "a transcription"
    ODD = "perhaps a transcription, spelled so that servers differ on it"
    OTHER = "anything else"


#: Paths on which no two servers differ: segments of unreserved characters, none beginning with a dot.
_PLAIN = re.compile(rb"(?:/[A-Za-z0-9_~\-][A-Za-z0-9_~.\-]*)*/?")
#: Starlette routes a path with a line feed at its end like the one without.
_TRANSCRIPTION = re.compile(rb"(?:.*/)?audio/transcriptions/?\n?", re.DOTALL)
_PROFILE = re.compile(rb"/profiles/([^/?#]*)(.*)", re.DOTALL)
_METHOD_OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")
_TARGET_OVERRIDES = (b"x-original-url", b"x-rewrite-url")
_OVERRIDES = frozenset({*_METHOD_OVERRIDES, *_TARGET_OVERRIDES})
_REFERENCES = frozenset({b"location", b"content-location"})
_REFERENCE = re.compile(rb"([A-Za-z][A-Za-z0-9+.\-]*:)?(?://([^/?#]*))?([^?#]*)(.*)", re.DOTALL)
#: Decoding goes on until nothing changes, and no honest path needs as many rounds.
_ROUNDS = 5


def split_profile(target: bytes) -> tuple[bytes | None, bytes]:
    """
    Take the prefix ``/profiles/NAME`` off a target.

    :return: the name as it stands there, None without the prefix; and the rest, a target in origin form.
    """
    found = _PROFILE.fullmatch(target)
    if found is None:
        return None, target
    rest = found.group(2)
    return found.group(1), rest if rest.startswith(b"/") else b"/" + rest


def profile_prefix(name: str) -> bytes:
    """What `split_profile` takes off."""
    return b"/profiles/" + name.encode()


def route(method: bytes, path: bytes) -> Route:
    """
    Judge a request.

    :param path: the whole target that the upstream will see, without its query.
    """
    if method.upper() != b"POST":
        return Route.OTHER
    return _of_path(path)


def takes_detour(head: RequestHead, target: bytes, prefix: bytes) -> bool:
    """
    Whether a request asks, by headers that some frameworks obey, to be routed as another one: as a transcription.

    :param target: the one that is passed on.
    :param prefix: of every path at the upstream.
    """
    if not head.has(_OVERRIDES):
        return False
    methods = [value for name in _METHOD_OVERRIDES for value in head.values(name)]
    targets = [value for name in _TARGET_OVERRIDES for value in head.values(name)]
    paths = [prefix + target.partition(b"?")[0] for target in (target, *targets)]
    return any(route(method.strip(), path) is not Route.OTHER for method in (head.method, *methods) for path in paths)


@functools.lru_cache(maxsize=256)
def _of_path(path: bytes) -> Route:
    if _TRANSCRIPTION.fullmatch(unquote_to_bytes(path)):
        return Route.TRANSCRIPTION
    if _PLAIN.fullmatch(path):
        # Nothing about it is odd but perhaps its case.
        return Route.ODD if _TRANSCRIPTION.fullmatch(path.lower()) else Route.OTHER
    return Route.ODD if _may_be_transcription(path) else Route.OTHER


def _may_be_transcription(path: bytes) -> bool:
    for _ in range(_ROUNDS):
        if _leads_to_transcriptions(path):
            return True
        decoded = unquote_to_bytes(path)
        if decoded == path:
            return False
        path = decoded
    return True  # escaped so often that it is made to deceive


def _leads_to_transcriptions(path: bytes) -> bool:
    """Whether a path, read as leniently as any server would, ends in audio/transcriptions."""
    text = unicodedata.normalize("NFKC", path.decode("utf-8", "replace")).casefold()
    # Whether a server cuts at these or keeps them, one reading of the two leads there.
    return any(_ends_there(reading) for reading in (text, re.split(r"[?#\0]", text)[0]))


def _ends_there(path: str) -> bool:
    segments: list[str] = []
    for raw in re.split(r"[/\\]", path):
        segment = raw.partition(";")[0]
        segment = "".join(char for char in segment if char.isprintable()).strip()
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return segments[-2:] == ["audio", "transcriptions"]
