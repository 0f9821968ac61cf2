"""
``/stats``: everything that the proxy knows about its work, as JSON, and as a page for browsers.
"""

from __future__ import annotations

import functools
import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from ..config import Config, outline
from ..errors import ForbiddenValues, InvalidKey
from ..forwarded import FORWARDED
from ..http1.requests import RequestHead
from ..inbound.request import Request
from ..monitor.registry import Registry
from ..monitor.report import last_minute, recent, report, series, under_way
from ..page.document import Document
from ..page.summary import Summary, summarize
from ..page.texts import choose
from ..peers import UNIX
from .keys import check_key
from .pages import Page

#: What a request may ask for besides the numbers, as ``?with=recent,series``.
RECENT, SERIES, SUMMARY, OUTLINE, VALUES = "recent", "series", "summary", "outline", "values"

#: Of the page.  Its script may use the microphone.
_PAGE_HEADERS = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Cache-Control", b"no-store"),
    (b"Vary", b"Accept, Accept-Language"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"no-referrer"),
    (b"Permissions-Policy", b"microphone=(self)"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Cross-Origin-Resource-Policy", b"same-origin"),
)
_MEDIA_RANGE = re.compile(rb"\s*([^\s;,]+)\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?))?")


class StatsPage(Page):
    """``/stats``."""

    def __init__(
        self,
        registry: Registry,
        snapshot: Callable[[], dict[str, Any]],
        config: Callable[[], Config],
        *,
        probe: Callable[[], None] = lambda: None,
        path: str = "",
        requires_key: bool = False,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """
        :param snapshot: returns the members that are not about requests.
        :param config: gives the configuration in force.
        :param probe: checks whether the servers take connections, so that the next snapshot shows it.
        :param path: where the page sends transcriptions, relative to its folder; empty: nowhere.
        :param requires_key: whether only clients with a key see the numbers.
        :param wall: returns the date, in seconds since 1970.
        """
        super().__init__()
        self._registry = registry
        self._snapshot = snapshot
        self._config = config
        self._probe = probe
        self._path = path
        self._requires_key = requires_key
        self._wall = wall

    @functools.cached_property
    def _document(self) -> Document:
        """Read when it is asked for: most daemons never show the page."""
        return Document()

    def needs_key(self, head: RequestHead) -> bool:
        """The page asks for the key itself, and shows no numbers without one."""
        return not asks_for_page(head)

    def render_GET(self, request: Request) -> bytes:
        """
        The numbers, or the page.

        :raises ForbiddenValues: when the values of the configuration are asked for from elsewhere.
        """
        request.changes = self._changes
        asked = _query(request.head.target)
        if asks_for_page(request.head):
            return self._page(request, asked)
        wanted = asked.get("with", "").split(",")
        numbers = self._numbers(request)
        if RECENT in wanted:
            after = asked.get("after", "")
            numbers["recent"] = recent(self._registry, self._wall(), int(after) if after.isdecimal() else 0)
            numbers["under_way"] = under_way(self._registry)
        if SERIES in wanted:
            numbers["series"] = series(self._registry)
        if SUMMARY in wanted:
            summary = self._summary(numbers, self._language(request.head, asked))
            numbers["summary"] = {"state": summary.state, "text": summary.text}
        if VALUES in wanted and not (self._requires_key or is_local(request)):
            raise ForbiddenValues(
                "The values of the configuration are shown to clients on this machine, and with --require-key to those "
                "with a key."
            )
        if OUTLINE in wanted or VALUES in wanted:
            numbers["outline"] = outline(self._config(), values=VALUES in wanted)
        request.setHeader(b"Vary", b"Accept")
        return self._json(request, 200, numbers)

    def _page(self, request: Request, asked: Mapping[str, str]) -> bytes:
        language = self._language(request.head, asked)
        summary, numbers = None, {}
        if not self._requires_key or _has_key(request.head, self._config().keys):
            numbers = self._numbers(request)
            summary = self._summary(numbers, language)
        for name, value in (*_PAGE_HEADERS, (b"Content-Security-Policy", self._document.policy.encode())):
            request.setHeader(name, value)
        return self._document.render(language, self._path, summary, numbers)

    def _numbers(self, request: Request) -> dict[str, Any]:
        return {
            **report(self._registry),
            **self._snapshot(),
            "time": round(self._wall(), 3),
            "draining": self._registry.draining,
        }

    def _summary(self, numbers: dict[str, Any], language: str) -> Summary:
        self._probe()
        numbers.update(last_minute(self._registry))
        return summarize(numbers, self._document.languages[language])

    def _language(self, head: RequestHead, asked: Mapping[str, str]) -> str:
        languages = self._document.languages
        wanted = asked.get("lang", "")
        if wanted in languages:
            return wanted
        return choose(b",".join(head.values(b"accept-language")).decode("ascii", "replace"), languages)


def asks_for_page(head: RequestHead) -> bool:
    """
    Whether a client prefers HTML to JSON, as browsers do; ``?format=html`` and ``?format=json`` decide for it.

    A range like ``*/*`` does not ask for HTML.
    """
    form = _query(head.target).get("format")
    if form is not None:
        return form == "html"
    qualities: dict[bytes, float] = {}
    for each in b",".join(head.values(b"accept")).split(b","):
        found = _MEDIA_RANGE.match(each)
        if found is not None:
            qualities[found[1].lower()] = float(found[2] or 1)
    html = qualities.get(b"text/html", 0)
    return html > 0 and html >= qualities.get(b"application/json", 0)


def is_local(request: Request) -> bool:
    """
    Whether a client is on this machine, and not behind a proxy on it, and knows the page as a page of this machine.

    The last condition keeps out web pages whose name leads to this machine (DNS rebinding).
    """
    head, peer = request.head, request.peer
    if head.has(FORWARDED) and not peer.trusted:
        return False
    client = peer.client(head)
    if client == UNIX:
        return True
    name = re.sub(r":[0-9]*\Z", "", b"".join(head.values(b"host")).decode("ascii", "replace")).strip("[]")
    return _is_loopback(client) and (name.lower() == "localhost" or _is_loopback(name))


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def _has_key(head: RequestHead, keys: Mapping[str, str]) -> bool:
    try:
        check_key(head, keys)
    except InvalidKey:
        return False
    return True


def _query(target: bytes) -> dict[str, str]:
    """The first value of each parameter."""
    query = target.partition(b"?")[2].decode("ascii", "replace")
    return {name: values[0] for name, values in parse_qs(query, max_num_fields=None).items()}
