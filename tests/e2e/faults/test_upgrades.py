"""
Upgraded protocols: a WebSocket passes in both directions, with backpressure from both ends.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from typing import ClassVar

import httpx
from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket
from websockets.sync.server import Server, ServerConnection, serve

from ...e2e.case import DaemonTestCase
from ...e2e.certificates import certificate, trusting
from ...e2e.daemon import Daemon
from ...e2e.message import Header, counted, head, request
from ...e2e.process import LIMIT_S, until
from ...e2e.raw import Ending, Peer
from ...e2e.tlsrelay import Relay
from .tools import SOON_S, FaultTestCase, Sending, pieces, reset_while_sending, still

UPGRADE: list[Header] = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
SWITCHING = head(b"HTTP/1.1 101 Switching Protocols", UPGRADE)


class WebSockets(DaemonTestCase):
    """A real client and a real server."""

    server: ClassVar[Server]
    #: The port for clients.
    port: ClassVar[int]
    #: How each connection ended for the server: code and reason.
    endings: ClassVar[list[tuple[int, str]]]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.endings = []
        cls.server = stack.enter_context(serve(cls.handle, "127.0.0.1", 0, max_size=None, compression=None))
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()
        cls.start(stack, cls.server.socket.getsockname()[1])

    @classmethod
    def start(cls, stack: ExitStack, upstream_port: int, env: Mapping[str, str] | None = None) -> None:
        super().start(stack, upstream_port, env)
        cls.port = cls.daemon.port

    @classmethod
    def handle(cls, connection: ServerConnection) -> None:
        """Do what the messages say; echo all others."""
        assert connection.request is not None
        try:
            for message in connection:
                if message == "close":
                    connection.close(4000, "as you say")
                elif message == "break":
                    connection.socket.close()
                elif message == "wait":
                    threading.Event().wait(1)
                else:
                    connection.send(message)
        except ConnectionClosed:
            pass
        finally:
            cls.endings.append((connection.close_code or 0, connection.close_reason or ""))

    def open(self, path: str = "/v1/realtime?model=m") -> ClientConnection:
        """Open a WebSocket through the daemon."""
        client = connect_websocket(
            f"ws://127.0.0.1:{self.port}{path}",
            max_size=None,
            compression=None,
            open_timeout=LIMIT_S,
            proxy=None,
        )
        self.addCleanup(client.socket.close)
        return client

    def wait_for_none(self) -> None:
        """Wait until only this check's own request is in flight."""
        until(lambda: self.daemon.stats()["in_flight"] == 1, "the end of the tunnel", SOON_S)

    def test_echo(self) -> None:
        """Messages of every size pass in both directions, text and bytes."""
        with self.open() as client:
            for message in ("", "a", "ä" * 100, b"\0\xff" * 40_000, b"x" * 1_000_000):
                client.send(message)
                self.assertEqual(client.recv(LIMIT_S), message)
            client.ping().wait(LIMIT_S)
        self.wait_for_none()

    def test_backpressure(self) -> None:
        """Megabytes pass in both directions at once while neither end reads for a while."""
        count, message = 16, b"x" * 1_000_000
        with self.open() as client:
            client.send("wait")
            thread = threading.Thread(target=lambda: [client.send(message) for _ in range(count)], daemon=True)
            thread.start()
            thread.join(0.5)
            for _ in range(count):
                self.assertEqual(client.recv(LIMIT_S), message)
            thread.join(LIMIT_S)

    def test_client_closes(self) -> None:
        """The client's close reaches the server, with its code."""
        client = self.open()
        client.close(4001, "enough")
        until(lambda: (4001, "enough") in self.endings, "the end at the server", SOON_S)
        self.wait_for_none()

    def test_server_closes(self) -> None:
        """The server's close reaches the client, with its code."""
        client = self.open()
        client.send("close")
        with self.assertRaises(ConnectionClosedError) as caught:
            client.recv(LIMIT_S)
        assert caught.exception.rcvd is not None
        self.assertEqual((caught.exception.rcvd.code, caught.exception.rcvd.reason), (4000, "as you say"))
        self.wait_for_none()

    def test_many(self) -> None:
        """Many tunnels do not affect each other."""
        with ExitStack() as stack:
            clients = [stack.enter_context(self.open()) for _ in range(30)]
            for number, client in enumerate(clients):
                client.send(str(number))
            for number, client in enumerate(clients):
                self.assertEqual(client.recv(LIMIT_S), str(number))
        self.wait_for_none()

    def test_not_a_websocket(self) -> None:
        """The server's response to a request without an upgrade is relayed."""
        client = self.connect()
        client.send(request("GET", "/"))
        self.assertEqual(client.read_message().status, 426)


class WebSocketsOverTLS(WebSockets):
    """
    The same with TLS on both sides, and a server that chooses HTTP/2 if it is offered: then no WebSocket would open.
    """

    @classmethod
    def start(cls, stack: ExitStack, upstream_port: int, env: Mapping[str, str] | None = None) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate("server.pem"))
        context.set_alpn_protocols(["h2", "http/1.1"])
        server = Relay(upstream_port, serving=context)
        stack.callback(server.close)
        target = ("--target", f"https://127.0.0.1:{server.port}", "--target-ca", certificate("ca.pem"))
        cls.daemon = Daemon(*target, "--tls-cert", certificate("server.pem"))
        stack.callback(cls.daemon.close)
        client = Relay(cls.daemon.port, connecting=trusting())
        stack.callback(client.close)
        cls.port = client.port

    def test_not_a_websocket(self) -> None:
        """For a request without an upgrade HTTP/2 is offered, which this server then does not speak."""
        with httpx.Client(verify=trusting(), trust_env=False) as client:
            self.assertEqual(client.get(self.daemon.url("/")).status_code, 502)


class Upgrades(FaultTestCase):
    """Exact bytes."""

    def tunnel(self, early: bytes = b"", answer: bytes = SWITCHING) -> tuple[Peer, Peer]:
        """Return the two ends of a tunnel."""
        client = self.connect()
        client.send(request("GET", "/ws", *UPGRADE) + early)
        upstream = self.listener.accept()
        upstream.read_head()
        upstream.send(answer)
        self.assertEqual(client.read_head().start, b"HTTP/1.1 101 Switching Protocols")
        return client, upstream

    def wait_for_none(self) -> None:
        """Wait until only this check's own connection is left."""
        until(lambda: self.daemon.stats()["connections"] == 1, "the end of the tunnel", SOON_S)

    def test_heads(self) -> None:
        """The upgrade request and its response keep their headers; Connection names Upgrade in both."""
        own = [(b"Sec-WebSocket-Key", b"dGhl"), (b"Sec-WebSocket-Version", b"13"), (b"Origin", b"http://a")]
        client = self.connect()
        client.send(
            request("GET", "/ws?a=b", *own, (b"connection", b"keep-alive, Upgrade"), (b"upgrade", b"WebSocket"))
        )
        upstream = self.listener.accept()
        received = upstream.read_message()
        self.assertEqual((received.target, received.headers[1:4]), (b"/ws?a=b", own))
        self.assertEqual(received.values(b"Connection") + received.values(b"Upgrade"), [b"Upgrade", b"WebSocket"])
        accept = (b"Sec-WebSocket-Accept", b"x")
        upstream.send(head(b"HTTP/1.1 101 Sure", [accept, *UPGRADE]))
        answer = client.read_message()
        self.assertEqual((answer.start, answer.passed), (b"HTTP/1.1 101 Sure", [accept, *UPGRADE]))

    def test_early_bytes(self) -> None:
        """Bytes that either end sends at once after its head reach the other end."""
        client, upstream = self.tunnel(b"early client", SWITCHING + b"early upstream")
        self.assertEqual(upstream.read_exactly(12), b"early client")
        self.assertEqual(client.read_exactly(14), b"early upstream")

    def test_not_http_any_more(self) -> None:
        """Bytes in a tunnel are never read as requests."""
        client, upstream = self.tunnel()
        client.send(request("GET", "/stats") + b"\r\n\0\xff")
        self.assertEqual(upstream.read_exactly(len(request("GET", "/stats")) + 4)[-2:], b"\0\xff")
        upstream.send(b"HTTP/1.1 200 OK\r\n\r\n\0")
        self.assertEqual(client.read_exactly(20), b"HTTP/1.1 200 OK\r\n\r\n\0")

    def test_close_reaches_the_other(self) -> None:
        """A close or a reset of either end ends the other, after all bytes sent before."""
        for ends in ("client", "upstream"):
            for leave in (Peer.close, Peer.reset):
                client, upstream = self.tunnel()
                near, far = (client, upstream) if ends == "client" else (upstream, client)
                near.send(b"last words")
                self.assertEqual(far.read_exactly(10), b"last words")
                leave(near)
                self.assert_ends(far, Ending.FIN if leave is Peer.close else None)
                self.wait_for_none()

    def test_held_back(self) -> None:
        """Either end may pause the other; a reset is noticed even then."""
        for fast in ("client", "upstream"):
            client, upstream = self.tunnel()
            sender, reader = (client, upstream) if fast == "client" else (upstream, client)
            with Sending(sender, pieces(1 << 27, False)) as sending:
                still(lambda sending=sending: sending.sent)
                self.assertFalse(sending.over, "nobody was held back")
                reader.read_exactly(1 << 20)
                still(lambda sending=sending: sending.sent)
                reset_while_sending(sender)
                self.wait_for_none()
            self.assert_ends(reader)

    def test_idle(self) -> None:
        """A tunnel may be silent longer than a connection may be idle between requests."""
        target = ("--target-host", "127.0.0.1", "--target-port", str(self.listener.port))
        limits = ("--idle-timeout", "0.5", "--head-timeout", "0.5", "--body-timeout", "0.5", "--answer-timeout", "0.5")
        daemon = self.start_daemon(*target, *limits)
        self.patch(type(self), "daemon", daemon)
        client, upstream = self.tunnel()
        client._sock.settimeout(2)
        self.assertRaises(TimeoutError, client.read_some)
        upstream.send(b"still there")
        self.assertEqual(client.read_exactly(11), b"still there")

    def test_refused(self) -> None:
        """A refusal is relayed like any response, and the connections persist."""
        for start in (b"HTTP/1.1 200 OK", b"HTTP/1.1 403 Forbidden", b"HTTP/1.1 426 Upgrade Required"):
            client = self.connect()
            client.send(request("GET", "/ws", *UPGRADE) + request("GET", "/stats"))
            upstream = self.listener.accept()
            upstream.read_head()
            upstream.send(head(start, [counted(b"no")]) + b"no")
            answer = client.read_message()
            self.assertEqual((answer.start, answer.body), (start, b"no"))
            self.assertEqual(client.read_message().values(b"Content-Type"), [b"application/json"])
            upstream.close()
            self.catch_up()

    def test_not_taken(self) -> None:
        """h2c, Upgrade not named by Connection, requests with a body, and HTTP/1.0 are forwarded as normal requests."""
        h2c = [(b"Connection", b"Upgrade, HTTP2-Settings"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AAMAAABk")]
        rows = [
            request("GET", "/", *h2c),
            request("GET", "/", (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket, H2C")),
            request("GET", "/", (b"Upgrade", b"websocket")),
            request("GET", "/", (b"Connection", b"Upgrade")),
            request("POST", "/", *UPGRADE, counted(b"whole")) + b"whole",
            head(b"GET / HTTP/1.0", UPGRADE),
        ]
        for sent in rows:
            client = self.connect()
            client.send(sent)
            upstream = self.listener.accept()
            received = upstream.read_message()
            for name in (b"Connection", b"Upgrade", b"HTTP2-Settings"):
                self.assertEqual(received.values(name), [])
            upstream.send(head(b"HTTP/1.1 200 OK", [counted(b"ok")]) + b"ok")
            self.assertEqual(client.read_message().body, b"ok")
            upstream.close()
            self.catch_up()

    def test_breaks_before_the_answer(self) -> None:
        """An upstream that closes without a response is 502."""
        client = self.connect()
        client.send(request("GET", "/ws", *UPGRADE))
        upstream = self.listener.accept()
        upstream.read_head()
        upstream.close()
        self.assertEqual(client.read_message().status, 502)
        self.assert_works()
