"""
Compares :mod:`sttproxy.routes` with the routers of Starlette, Werkzeug and Django, and with the reading of cpp-httplib:
no spelling that reaches a handler there is unknown to the proxy.
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import unquote, unquote_to_bytes, urlsplit

from django.urls.resolvers import RegexPattern, Resolver404, RoutePattern, URLPattern, URLResolver
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.routing import compile_path
from twisted.trial.unittest import SynchronousTestCase
from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, RequestRedirect, Rule

from sttproxy.routes import Route, Router

#: The paths of the handlers.  The last one is a pattern for cpp-httplib.
PATHS = ("/v1/audio/translations", "/asr", "/a.b/c")
ROUTER = Router(("/audio/translations", "/asr", "/a.b/c"))

_STARLETTE = [compile_path(path)[0] for path in PATHS]
_WERKZEUG = Map([Rule(path, endpoint="handler", methods=["POST"]) for path in PATHS]).bind("h")


def _handler(request: object) -> None:
    """Stands for the handler of a server; it is never called."""


_DJANGO = URLResolver(
    RegexPattern(r"^/"),
    [
        *(URLPattern(RoutePattern(path[1:], is_endpoint=True), _handler) for path in PATHS),
        *(URLPattern(RegexPattern(f"^{path[1:]}/?$", is_endpoint=True), _handler) for path in PATHS),
    ],
)


def starlette(path: str) -> bool:
    """Whether Starlette on uvicorn routes a path to a handler."""
    return any(pattern.match(unquote(path)) for pattern in _STARLETTE)


def werkzeug(path: str) -> bool:
    """Whether Werkzeug and its server do."""
    try:
        parts = urlsplit(path)
        # Its server takes two slashes at the beginning for those before a host.
        inside = f"/{parts.netloc}{parts.path}" if not parts.scheme and parts.netloc else parts.path
        _WERKZEUG.match(unquote(inside), "POST")
    except (HTTPException, RequestRedirect, ValueError):
        return False
    return True


def django(path: str) -> bool:
    """Whether Django on a WSGI server does; http.server merges slashes at the beginning."""
    merged = re.sub(r"\A//+", "/", path)
    try:
        _DJANGO.resolve(unquote_to_bytes(merged).decode("utf-8", "replace"))
    except Resolver404:
        return False
    return True


def httplib(path: str) -> bool:
    """Whether cpp-httplib does: it decodes Unicode escapes, and its patterns are regular expressions."""

    def character(escape: re.Match[str]) -> str:
        code = int(escape.group(1) or escape.group(2), 16)
        return "" if 0xD800 <= code < 0xE000 else chr(code)

    decoded = re.sub(r"%u([0-9A-Fa-f]{4})|%([0-9A-Fa-f]{2})", character, path.partition("#")[0])
    return any(re.fullmatch(pattern, decoded) for pattern in PATHS)


SERVERS = (starlette, werkzeug, django, httplib)

_ESCAPES = st.sampled_from(("{0}", "%{1:02x}", "%{1:02X}", "%u{1:04x}", "%u{1:04X}", "%25{1:02x}"))
_NOISE = st.sampled_from(
    (
        *("/", "//", "/./", "/x/../", "%2f", "\\", ";", ";x", "%00", "%0a", "%0A", "%0d", "%20", "%3f", "#", "%uD800"),
        *("%u0000", ".", "..", "%2e", "~", "x", "%", "%e2%80%8b", "%ef%bc%8f", "%25"),
    )
)


@st.composite
def spellings(draw: st.DrawFn) -> str:
    """A path of a handler with characters that are escaped, and with something put in."""
    characters = list(draw(st.sampled_from((*PATHS, "/audio/translations", "/a/b/c"))))
    for at in draw(st.lists(st.integers(0, len(characters) - 1), max_size=3)):
        if len(characters[at]) == 1:
            characters[at] = draw(_ESCAPES).format(characters[at], ord(characters[at]))
    for noise in draw(st.lists(_NOISE, max_size=2)):
        characters.insert(draw(st.sampled_from((0, 1, len(characters) - 1, len(characters)))), noise)
    return "".join(characters)


class OracleTests(SynchronousTestCase):
    """Spellings of paths."""

    def test_any_spelling(self) -> None:
        """What a server routes to a handler is a transcription or suspicious; each server is reached by many."""
        reached: Counter[str] = Counter()

        @settings(max_examples=3000, derandomize=True, database=None)
        @given(spellings())
        def known(path: str) -> None:
            by = [server.__name__ for server in SERVERS if server(path)]
            reached.update(by)
            if by:
                self.assertIsNot(ROUTER.route(b"POST", path.encode()), Route.OTHER, (path, by))

        known()
        self.assertGreater(min(reached[server.__name__] for server in SERVERS), 100, reached)
