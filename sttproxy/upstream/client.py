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
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from .interfaces import IOutgoing
from .response import Response


class WireURL(EncodedURL):
    """
    A URL that is text and nothing else: a request target keeps every byte, and none is looked at.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def to_uri(self) -> WireURL:
        return self

    def to_text(self, with_password: bool = False) -> str:
        return self._text


class NoCookies(CookieJar):
    """A jar that stays empty: the cookies of clients, and those for them, pass by."""

    def __iter__(self) -> Iterator[Cookie]:
        return iter(())

    def add_cookie_header(self, request: Any) -> None:
        """Nothing."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Nothing."""


class Upstream:
    """
    The server behind the proxy.
    """

    def __init__(self, agent: IAgent, reactor: Any, origin: str) -> None:
        """
        :param origin: of the server's URLs, like ``http://host:port``.
        """
        self._cookies = NoCookies()
        # An `IOutgoing` is its own producer already, and to ask zope.interface for an adapter costs some µs.
        self._client = HTTPClient(agent, cast(Any, self._cookies), data_to_body_producer=lambda outgoing: outgoing)
        self._reactor = reactor
        self._origin = origin
        self._headers = Headers()

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:
        """
        Send a request and wait for the head of its response.

        :return: fails as `UpstreamAgent.request` does; cancelling it ends the request wherever it is.
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
    """The agent's own response, without treq's conveniences for those who want a body whole."""
    return cast(IResponse, response.original)
