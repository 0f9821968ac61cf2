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

    What goes on the wire is an `IOutgoing`, given in place of a body producer; method, URI and headers as treq
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


class Upstream(HTTPClient):
    """
    The server behind the proxy: treq's client without the layers that it lays around its agent for each request.

    Cookies, redirects, decoding and a URL put into normal form: a proxy may do none of these, and telling each layer to
    do nothing took a sixth of all that a small request costs.
    """

    def request(self, outgoing: IOutgoing) -> Deferred[Response]:  # type: ignore[override]  # treq's is for its layers
        """
        Send a request and wait for the head of its response.

        :return: fails as `UpstreamAgent.request` does; cancelling it ends the request wherever it is.
        """
        producer = cast(IBodyProducer, outgoing)
        return cast("Deferred[Response]", self._agent.request(b"POST", b"http://upstream/", None, producer))
