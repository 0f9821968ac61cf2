"""
treq, as a proxy needs it: no cookies, no redirects, no decoding, and not a byte of a request changed.
"""

from __future__ import annotations

from typing import cast

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from .connection import IOutgoing, Response, UpstreamConnection
from .pool import Pool


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


class TransparentClient(HTTPClient):
    """
    treq's client without the layers that it lays around its agent for each request.

    Cookies, redirects, decoding and a URL put into normal form: a proxy may do none of these, and telling each layer to
    do nothing took a sixth of all that a small request costs.
    """

    def request(  # type: ignore[override]  # treq's options are those of its layers
        self, method: str, url: str, *, data: IOutgoing
    ) -> Deferred[Response]:
        """Send a request; its real method and target are in `data`."""
        answer = self._agent.request(method.encode(), url.encode(), None, data)
        return cast("Deferred[Response]", answer)


class Upstream:
    """The server behind the proxy."""

    def __init__(self, agent: IAgent) -> None:
        self._client = TransparentClient(agent)

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:
        """
        Send a request and wait for the head of its response.

        :return: fails as `UpstreamAgent.request` does; cancelling it ends the request wherever it is.
        """
        return self._client.request("POST", "http://upstream/", data=outgoing)
