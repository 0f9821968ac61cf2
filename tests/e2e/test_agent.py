"""
The agent of the proxy, used directly by treq and Twisted, with a real server.
"""

from __future__ import annotations

import hashlib
import io

from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.client import FileBodyProducer

from sttproxy.upstream.agent import UpstreamAgent
from sttproxy.upstream.pool import Pool, PoolLimits
from sttproxy.writer import FlushScheduler

from .process import LIMIT_S
from .upstream import shared_echo


class StockClient(TestCase):
    """Unmodified treq, with Twisted's own body producer."""

    timeout = LIMIT_S

    def setUp(self) -> None:
        echo = shared_echo()
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", echo.port)
        self.made: list[Protocol] = []

        def connect(factory: IProtocolFactory) -> Deferred[Protocol]:
            return endpoint.connect(factory).addCallback(lambda made: self.made.append(made) or made)

        self.pool = Pool(reactor, connect, PoolLimits(), FlushScheduler(reactor))
        self.client = HTTPClient(UpstreamAgent(self.pool))
        self.url = f"http://127.0.0.1:{echo.port}"

    async def tearDown(self) -> None:
        self.pool.close()
        while any(connection.transport.connected for connection in self.made):
            await deferLater(reactor, 0.01)

    async def test_get(self) -> None:
        """A GET, its query and its JSON."""
        response = await self.client.get(self.url + "/v1/models?a=b", params={"c": "d"})
        self.assertEqual(response.code, 200)
        echoed = await response.json()
        self.assertEqual((echoed["method"], echoed["path"], echoed["query"]), ("GET", "/v1/models", "a=b&c=d"))

    async def test_layers(self) -> None:
        """treq's features on top of an agent work: it decodes, follows redirects, and keeps cookies."""
        response = await self.client.get(self.url + "/gzip")
        self.assertEqual(await response.content(), b"compressed " * 100)
        response = await self.client.get(self.url + "/moved")
        self.assertEqual((await response.json())["query"], "a=b")
        for came in ([], ["session=1"]):
            response = await self.client.get(self.url + "/cookie?session")
            self.assertEqual((await response.json())["came"], came)

    async def test_post(self) -> None:
        """A file, some megabytes, and the same connection again."""
        data = bytes(range(256)) * 20_000
        for _ in range(2):
            response = await self.client.post(self.url + "/v1/files", FileBodyProducer(io.BytesIO(data)))
            echoed = await response.json()
            self.assertEqual(echoed["sha256"], hashlib.sha256(data).hexdigest())
        self.assertEqual(len(self.made), 1)
