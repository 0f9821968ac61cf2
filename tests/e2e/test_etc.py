"""
The files of `etc/` for HAProxy, Caddy and nginx, before sttproxy and behind it.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, ClassVar

import httpx
from websockets.sync.client import connect as connect_websocket

from .case import StagedTestCase
from .certificates import certificate, trusting
from .daemon import get_json
from .process import LIMIT_S, until
from .stages import Balancer, Caddy, HAProxy, Nginx, Proxy, SpeechServer, speech_servers, started
from .system import unused_port

PATH = "/v1/audio/transcriptions"
#: Numbers for the names of gates.
_numbers = itertools.count()


class BalancerTestCase(StagedTestCase):
    """
    Tests of a file.

    :cvar kind: the program.
    :cvar file: the path of the file below `etc/`.
    """

    kind: ClassVar[type[Balancer]]
    file: ClassVar[str]
    balancer: ClassVar[Balancer]

    def client(self, source: str = "127.0.0.1") -> httpx.Client:
        """A client that trusts the certificate."""
        transport = httpx.HTTPTransport(verify=trusting(), local_address=source)
        client = httpx.Client(transport=transport, base_url=self.base(), trust_env=False, timeout=LIMIT_S)
        self.addCleanup(client.close)
        return client

    @classmethod
    def base(cls) -> str:
        """The URL that clients use."""
        raise NotImplementedError

    def check_valid(self, *arguments: str) -> None:
        """Check that the program finds no fault with the file."""
        command = [*arguments, *self.balancer.command()[-2:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("warn", (done.stdout + done.stderr).lower().replace('"level":"warn"', ""))

    def transcribe(self, client: httpx.Client, **headers: str) -> Any:
        """What the server read of a transcription."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = client.post(PATH, files={"file": ("a.wav", b"RIFF")}, headers=sent)
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def in_thread(self, client: httpx.Client, done: list[Any], **headers: str) -> threading.Thread:
        """The same in a thread; the answer is added to a list."""
        thread = threading.Thread(target=lambda: done.append(self.transcribe(client, **headers)), daemon=True)
        thread.start()
        self.addCleanup(thread.join, LIMIT_S)
        return thread


def told(heard: Any, name: str) -> list[str]:
    """The values of a header that the server has got."""
    return [value for header, value in heard["headers"] if header == name]


class StreamTests:
    """What every file promises of streams."""

    server: ClassVar[SpeechServer]

    def test_upload(self: Any) -> None:
        """An upload is passed on while it arrives."""
        begun = threading.Event()

        def pieces() -> Iterator[bytes]:
            yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 100_000
            self.wait_for(1)
            begun.set()
            yield b"y" * 100_000 + b"\r\n--b--\r\n"

        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        answer = self.client().post(PATH, content=pieces(), headers=headers)
        self.assertEqual((answer.status_code, begun.is_set()), (200, True), answer.text)
        self.assertEqual(answer.json()["size"], 200_000)

    def test_events(self: Any) -> None:
        """An event is passed on at once."""
        gate = f"events-{next(_numbers)}"
        with self.client().stream("GET", f"/events?{gate}") as answer:
            lines = answer.iter_lines()
            name = next(lines).removeprefix("data: ")
            self.assertTrue(name)
            self.open(gate)
            self.assertIn("data: end", list(lines))

    def test_websocket(self: Any) -> None:
        """A WebSocket is passed on."""
        url = self.base().replace("http", "ws", 1) + "/session"
        tls = {"ssl": trusting()} if url.startswith("wss") else {}
        with connect_websocket(url, proxy=None, **tls) as socket:
            self.assertTrue(socket.recv(LIMIT_S))
            for message in ("one", "two"):
                socket.send(message)
                self.assertEqual(socket.recv(LIMIT_S), message)


class FrontTestCase(BalancerTestCase):
    """
    Tests of a file for a program before three sttproxy and one speech server.

    :cvar told_for: what the server is told of a client at 127.0.0.2.
    """

    told_for: ClassVar[str]
    server: ClassVar[SpeechServer]
    proxies: ClassVar[list[Proxy]]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.server = started(stack, SpeechServer("speech", unused_port()))
        replaced = {
            "10.0.0.1": "127.0.0.1",
            "http://10.0.0.2:10240": f"http://127.0.0.1:{cls.server.port}",
            "stt.pem": certificate("server.pem"),
        }
        cls.proxies = [started(stack, Proxy(cls.file, unused_port(), replaced)) for _ in range(3)]
        ports = [proxy.port for proxy in cls.proxies]
        cls.balancer = started(stack, cls.kind(cls.file, unused_port(), ports, "10.0.0.11:10241"))
        with httpx.Client(verify=trusting(), trust_env=False) as client:
            until(lambda: client.get(cls.base() + "/health").status_code == 200, "a healthy proxy")

    @classmethod
    def base(cls) -> str:
        return f"https://127.0.0.1:{cls.balancer.port}"

    def counts(self) -> Any:
        """What the server counts."""
        return get_json(self.server.port, "/counts")

    def wait_for(self, transcriptions: int) -> None:
        """Wait until so many are in flight."""
        until(lambda: self.counts()["now"] == transcriptions, f"{transcriptions} transcriptions in flight")

    def open(self, gate: str) -> None:
        """Open a gate of the server."""
        httpx.get(f"http://127.0.0.1:{self.server.port}/open?{gate}", trust_env=False)


class FrontTests(StreamTests):
    """What each of these files promises."""

    def test_client(self: Any) -> None:
        """The server and the log know the client; what the client writes of itself is not believed."""
        heard = self.transcribe(
            self.client("127.0.0.2"),
            X_Forwarded_For="198.51.100.1",
            Forwarded="for=198.51.100.1;host=evil",
            X_Forwarded_Host="evil",
        )
        self.assertEqual(told(heard, "x-forwarded-for"), [self.told_for])
        self.assertEqual(told(heard, "x-forwarded-host"), [f"127.0.0.1:{self.balancer.port}"])
        self.assertEqual(told(heard, "forwarded"), [])
        line = f"] 127.0.0.2 POST {PATH} "
        until(lambda: any(line in log for log in self.logs()), "the client in a log")

    def test_spread(self: Any) -> None:
        """Transcriptions at the same time are spread, as soon as all proxies are known to be well."""
        until(lambda: self.spread() == len(self.proxies), "a transcription at each proxy")

    def spread(self: Any) -> int:
        """Transcribe three at the same time; return the number of proxies that had one."""
        gate = f"spread-{next(_numbers)}"
        done: list[Any] = []
        threads = []
        for number in range(1, 4):
            threads.append(self.in_thread(self.client(), done, X_Gate=gate))
            self.wait_for(number)
        self.open(gate)
        for thread in threads:
            thread.join(LIMIT_S)
        names = [told(heard, "x-request-id")[0] for heard in done]
        self.assertEqual(len(names), 3)
        until(lambda: all(any(name in log for log in self.logs()) for name in names), "the lines of the requests")
        return sum(any(name in log for name in names) for log in self.logs())

    def logs(self: Any) -> list[str]:
        """What each proxy has logged."""
        return [proxy.output() for proxy in self.proxies]

    def test_killed(self: Any) -> None:
        """When a proxy dies, requests that begin later are served by the others, and by itself when it is back."""
        proxy = self.proxies[0]
        proxy.end(signal.SIGKILL)
        try:
            self.check_served()
        finally:
            proxy.start()
        until(lambda: self.transcribe(self.client()) and PATH in proxy.output(), "the proxy back in service")

    def check_served(self: Any) -> None:
        """Check that all requests are served."""
        client = self.client()
        for _ in range(20):
            self.transcribe(client)


class BehindTestCase(BalancerTestCase):
    """Tests of a file for a program behind one sttproxy, before three speech servers."""

    servers: ClassVar[list[SpeechServer]]
    proxy: ClassVar[Proxy]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.servers = speech_servers(stack)
        ports = [server.port for server in cls.servers]
        cls.balancer = started(stack, cls.kind(cls.file, unused_port(), ports, "10.0.0.21:10240"))
        replaced = {"http://127.0.0.1:10240": f"http://127.0.0.1:{cls.balancer.port}"}
        cls.proxy = started(stack, Proxy(cls.file, unused_port(), replaced))

    @classmethod
    def base(cls) -> str:
        return f"http://127.0.0.1:{cls.proxy.port}"

    def counts(self, of: str) -> list[int]:
        """A number of each server; 0 of one that does not run."""
        found = []
        for server in self.servers:
            found.append(0)
            with contextlib.suppress(OSError):
                found[-1] = get_json(server.port, "/counts")[of]
        return found

    def wait_for(self, transcriptions: int) -> None:
        """Wait until so many are in flight at the servers together."""
        until(lambda: sum(self.counts("now")) == transcriptions, f"{transcriptions} transcriptions in flight")

    def open(self, gate: str) -> None:
        """Open a gate of all servers."""
        for server in self.servers:
            httpx.get(f"http://127.0.0.1:{server.port}/open?{gate}", trust_env=False)


class BehindTests(StreamTests):
    """What each of these files promises."""

    def test_one_each(self: Any) -> None:
        """Each server gets one transcription at a time, the others wait, and other requests do not wait for them."""
        gate = f"each-{next(_numbers)}"
        done: list[Any] = []
        threads = []
        for number in range(1, 7):
            threads.append(self.in_thread(self.client(), done, X_Gate=gate))
            if number <= 3:
                self.wait_for(number)
        self.assertEqual(self.client().get("/counts").status_code, 200)
        self.assertEqual(self.counts("now"), [1, 1, 1])
        self.open(gate)
        for thread in threads:
            thread.join(LIMIT_S)
        self.assertEqual(len(done), 6)

    def test_killed(self: Any) -> None:
        """A server that has died attracts nothing, and gets requests again when it is back."""
        server = self.servers[1]
        server.end(signal.SIGKILL)
        try:
            self.check_served()
        finally:
            server.start()
        until(lambda: self.transcribe(self.client())["server"] == "two", "the server back in service")

    def check_served(self: Any) -> None:
        """Check that all requests are served, by the other two servers."""
        client = self.client()
        names = {self.transcribe(client)["server"] for _ in range(20)}
        self.assertEqual(names, {"one", "three"})


class CaddyLoses:
    """What Caddy 2.6 does not do: send a body again that it has not sent yet."""

    def check_served(self: Any) -> None:
        """Check that one request at most is lost."""
        client = self.client()
        statuses = [client.post(PATH, files={"file": ("a.wav", b"RIFF")}).status_code for _ in range(20)]
        self.assertLessEqual(statuses.count(502), 1, statuses)
        self.assertEqual(set(statuses) | {502}, {200, 502})


class HAProxyFrontTests(FrontTests, FrontTestCase):
    """etc/haproxy/front.cfg"""

    kind = HAProxy
    file = "haproxy/front.cfg"
    told_for = "127.0.0.2"
    if not HAProxy.installed():
        skip = "haproxy is not installed; apt-get install haproxy"

    def test_valid(self) -> None:
        """HAProxy finds no fault with it."""
        self.check_valid("haproxy", "-c")

    def test_checked(self) -> None:
        """Its health checks, which name no client, are understood; direct connections are refused."""
        for proxy in self.proxies:
            self.assertNotIn("PROXY header", proxy.output())
        with self.assertRaises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{self.proxies[1].port}/health", trust_env=False)


class HAProxyPassthroughTests(StreamTests, FrontTestCase):
    """etc/haproxy/passthrough.cfg"""

    kind = HAProxy
    file = "haproxy/passthrough.cfg"
    told_for = "127.0.0.2"
    if not HAProxy.installed():
        skip = "haproxy is not installed; apt-get install haproxy"

    test_client = FrontTests.test_client
    test_killed = FrontTests.test_killed
    check_served = FrontTests.check_served
    logs = FrontTests.logs

    def test_valid(self) -> None:
        """HAProxy finds no fault with it."""
        self.check_valid("haproxy", "-c")


class CaddyFrontTests(CaddyLoses, FrontTests, FrontTestCase):
    """etc/caddy/front.Caddyfile"""

    kind = Caddy
    file = "caddy/front.Caddyfile"
    told_for = "127.0.0.2, 127.0.0.1"
    if not Caddy.installed():
        skip = "caddy is not installed; apt-get install caddy"

    def test_valid(self) -> None:
        """Caddy finds no fault with it."""
        self.check_valid("caddy", "validate", "--adapter", "caddyfile")


class NginxFrontTests(FrontTests, FrontTestCase):
    """etc/nginx/front.conf"""

    kind = Nginx
    file = "nginx/front.conf"
    told_for = "127.0.0.2, 127.0.0.1"
    if not Nginx.installed():
        skip = "nginx is not installed; apt-get install nginx-light"

    def test_valid(self) -> None:
        """nginx finds no fault with it."""
        self.check_valid(self.balancer.executable(), "-t")


class HAProxyBehindTests(BehindTests, BehindTestCase):
    """etc/haproxy/behind.cfg"""

    kind = HAProxy
    file = "haproxy/behind.cfg"
    if not HAProxy.installed():
        skip = "haproxy is not installed; apt-get install haproxy"

    def test_valid(self) -> None:
        """HAProxy finds no fault with it."""
        self.check_valid("haproxy", "-c")


class CaddyBehindTests(CaddyLoses, BehindTests, BehindTestCase):
    """etc/caddy/behind.Caddyfile"""

    kind = Caddy
    file = "caddy/behind.Caddyfile"
    if not Caddy.installed():
        skip = "caddy is not installed; apt-get install caddy"

    def test_valid(self) -> None:
        """Caddy finds no fault with it."""
        self.check_valid("caddy", "validate", "--adapter", "caddyfile")


class NginxBehindTests(BehindTests, BehindTestCase):
    """etc/nginx/behind.conf"""

    kind = Nginx
    file = "nginx/behind.conf"
    if not Nginx.installed():
        skip = "nginx is not installed; apt-get install nginx-light"

    def test_valid(self) -> None:
        """nginx finds no fault with it."""
        self.check_valid(self.balancer.executable(), "-t")
