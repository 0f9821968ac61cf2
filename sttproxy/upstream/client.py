"""
treq, as a proxy needs it: no cookies, no redirects, no decoding, and not a byte of a request changed.
"""

from __future__ import annotations

from http.cookiejar import Cookie, CookieJar
from typing import Any, cast

import hyperlink
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from .connection import IOutgoing, Response, UpstreamConnection
from .pool import Pool


class _NoCookies(CookieJar):
    """Stores and sends nothing: treq's jar would send one caller's cookie with the next caller's request."""

    def add_cookie_header(self, request: Any) -> None:
        pass

    def extract_cookies(self, response: Any, request: Any) -> None:
        pass

    def set_cookie(self, cookie: Cookie) -> None:
        pass


@implementer(IAgent)
class UpstreamAgent:
    """
    Sends each request on a connection of a pool.

    What goes on the wire is the `IOutgoing` given as body producer, head and all; method, URI and headers as treq
    understands them are ignored.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """
        Send a request.

        :return: fails with an `UpstreamError` or `UpstreamTimeout` that says what failed.
        """
        outgoing = cast(IOutgoing, bodyProducer)
        connection = self._pool.lend()
        if connection is not None:
            return cast("Deferred[IResponse]", connection.request(outgoing))
        connecting = self._pool.acquire()
        connecting.addCallback(UpstreamConnection.request, outgoing)
        return cast("Deferred[IResponse]", connecting)


class _AnyURL(hyperlink.EncodedURL):
    """
    What treq is told to ask for; the real target travels with the body producer.

    treq has it normalised for each request, and IDNA alone takes longer than a whole request through the proxy may.
    """

    def to_uri(self) -> _AnyURL:
        return self

    def to_text(self, with_password: bool = False) -> str:
        return "http://upstream/"


class Upstream:
    """The server behind the proxy."""

    _URL = _AnyURL.from_text("http://upstream/")

    def __init__(self, clock: Any, agent: IAgent) -> None:
        self._clock = clock
        self._jar = _NoCookies()
        self._client = HTTPClient(agent, cast(Any, self._jar))  # which jar treq names depends on its version

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:
        """
        Send a request and wait for the head of its response.

        :return: fails as `UpstreamAgent.request` does; cancelling it ends the request wherever it is.
        """
        answer = self._client.request(
            "POST",
            self._URL,
            data=outgoing,
            cookies=self._jar,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._clock,
        )
        return cast("Deferred[Response]", answer.addCallback(lambda response: response.original))
