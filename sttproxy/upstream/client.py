"""
treq, as a proxy needs it: no cookies, no redirects, no decoding, and not a byte of a request changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.cookiejar import Cookie, CookieJar
from typing import Any, cast

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.web.iweb import IAgent, IResponse

from .interfaces import IOutgoing
from .response import OpaqueHeaders, Response


class WireURL(EncodedURL):
    """
    A URL that is text and nothing else.  The request target keeps every byte, and none of them is examined.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def to_uri(self) -> WireURL:
        return self

    def to_text(self, with_password: bool = False) -> str:
        return self._text


class NoCookies(CookieJar):
    """
    A jar that stays empty.  Cookies are between client and server; they travel in the heads.
    """

    def __iter__(self) -> Iterator[Cookie]:
        return iter(())

    def add_cookie_header(self, request: Any) -> None:
        """Adds none."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Stores none."""


class Upstream:
    """
    The server behind the proxy, as treq's client reaches it.
    """

    def __init__(self, agent: IAgent, reactor: Any, origin: str) -> None:
        """
        :param origin: of the server's URLs, like ``http://host:port``.
        """
        self._cookies = NoCookies()
        # An `IOutgoing` is its own producer.  To ask zope.interface for an adapter would cost some µs.
        self._client = HTTPClient(agent, cast(Any, self._cookies), data_to_body_producer=lambda outgoing: outgoing)
        self._reactor = reactor
        self._origin = origin
        self._headers = OpaqueHeaders()

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:
        """
        Send a request and wait for the head of its response.

        :return: fails as `UpstreamAgent.request` does.  Cancelling it ends the request at any stage.
        """
        head = outgoing.head
        response = self._client.request(
            head.method.decode("ascii"),
            WireURL(self._origin + head.target.decode("ascii")),
            headers=self._headers,
            data=cast(Any, outgoing),
            cookies=self._cookies,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        return cast("Deferred[Response]", response.addCallback(_unwrapped))


def _unwrapped(response: Any) -> IResponse:
    """The agent's own response.  treq wraps it in one that adds methods for reading a whole body."""
    return cast(IResponse, response.original)
