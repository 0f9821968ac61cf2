"""
Tests for :mod:`sttproxy.tap`: the whole daemon on a reactor in memory.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import re
from typing import Any

import twisted.internet
from twisted.application.service import IServiceMaker
from twisted.internet._resolver import HostResolution
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import (
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.logger import capturedLogs, formatEvent
from twisted.plugin import IPlugin
from zope.interface import alsoProvides, implementer
from zope.interface.verify import verifyObject

from sttproxy import __version__, descriptors, embedded
from sttproxy.daemon import Daemon, StartError
from sttproxy.inbound.proxied import HeaderReader
from sttproxy.sites import MONITOR_CLIENTS
from sttproxy.tap import Options, makeService

from .support.documents import Document
from .support.fakes import FakeReactor, Peer
from .support.stage import get, ok
from .test_settings import OptionsTestCase


@implementer(IHostnameResolver)
class Names:
    """Resolves each name to 127.0.0.1."""

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: object = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = HostResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        resolutionReceiver.addressResolved(IPv4Address("TCP", "127.0.0.1", portNumber))
        resolutionReceiver.resolutionComplete()
        return resolution


class ServiceTests(OptionsTestCase):
    """The daemon that makeService creates."""

    def setUp(self) -> None:
        super().setUp()
        importlib.import_module("twisted.internet.reactor")  # patch() needs an existing attribute
        self.reactor = FakeReactor()
        self.reactor.nameResolver = Names()
        alsoProvides(self.reactor, IReactorPluggableNameResolver)
        self.patch(twisted.internet, "reactor", self.reactor)
        self.path = self.mktemp()
        with open(self.path, "w") as file:
            file.write('{"language": "zh"}')

    def make(self, *arguments: str) -> Daemon:
        """Create the daemon of a command line."""
        return makeService(self.options("--config", self.path, *arguments))

    def start(self, *arguments: str) -> Daemon:
        """Create the daemon and start it."""
        daemon = self.make(*arguments)
        daemon.privilegedStartService()
        daemon.startService()
        self.addCleanup(daemon.stopService)
        return daemon

    def ask(self, data: bytes, factory: Any = None) -> Peer:
        """Connect a client to a port, by default the first one, and send `data`."""
        factory = factory or self.reactor.tcpServers[0][1]
        peer = Peer(self.reactor, factory.buildProtocol(None))
        peer.send(data)
        self.addCleanup(peer.close)
        return peer

    def test_plugin(self) -> None:
        """twistd finds the plugin, whose maker only names this module."""
        from twisted.plugins import sttproxy_plugin

        maker = sttproxy_plugin.sttproxy
        self.assertTrue(verifyObject(IPlugin, maker))
        self.assertTrue(verifyObject(IServiceMaker, maker))
        self.assertEqual((maker.tapname, maker.options, maker.makeService), ("sttproxy", Options, makeService))

    def test_nothing_before_start(self) -> None:
        """makeService opens no port and schedules no call."""
        self.make()
        self.assertEqual((self.reactor.tcpServers, self.reactor.pending()), ([], []))

    def test_listens(self) -> None:
        """It listens at host and port, or at each endpoint of --listen."""
        for arguments, expected in (
            ((), [(10241, "0.0.0.0")]),
            (("--host", "::1", "--port", "1"), [(1, "::1")]),
            (("--host", "[::]", "--port", "1"), [(1, "::")]),
            (("--listen", "tcp:1", "--listen", "tcp6:2:interface=\\:\\:1"), [(1, ""), (2, "::1")]),
        ):
            self.reactor.tcpServers.clear()
            self.start(*arguments)
            self.assertEqual([(each[0], each[3]) for each in self.reactor.tcpServers], expected)

    def test_socket_modes(self) -> None:
        """A Unix socket has the mode of --socket-mode, unless its description names another one."""
        listen = (
            "unix:/a",
            "unix:/b:mode=600",
            "unix:address=/c",
            "unix:/d\\:mode\\=7",
            "haproxy:unix:/e",
            "haproxy:unix:/f:mode=600",
        )
        for arguments, mode in (((), 0o660), (("--socket-mode", "0666"), 0o666)):
            self.reactor.unixServers.clear()
            self.start(*arguments, "--listen", "tcp:1", *(word for each in listen for word in ("--listen", each)))
            modes = [mode, 0o600, mode, mode, mode, 0o600]
            paths = ["/a", "/b", "/c", "/d:mode=7", "/e", "/f"]
            self.assertEqual(
                [(each[0], each[3]) for each in self.reactor.unixServers], list(zip(paths, modes, strict=True))
            )

    def test_trusted(self) -> None:
        """The peers of --trust-forwarded are trusted, and no others."""
        site = self.make("--trust-forwarded", "unix", "--trust-forwarded", "10.0.0.0/8")._site
        self.assertTrue("unix" in site.trusted and "10.0.0.1" in site.trusted)
        self.assertFalse("192.0.2.7" in site.trusted or "unix" in self.make()._site.trusted)

    def test_proxied(self) -> None:
        """Connections of clients from --proxy-protocol-from begin with a header; those to --monitor do not."""
        self.start("--proxy-protocol-from", "10.0.0.0/8", "--monitor", "tcp:9090")
        peer = IPv4Address("TCP", "10.0.0.1", 50000)
        clients, monitor = (each[1].buildProtocol(peer) for each in self.reactor.tcpServers)
        self.assertIsInstance(clients, HeaderReader)
        self.assertNotIsInstance(monitor, HeaderReader)
        self.assertNotIsInstance(self.reactor.tcpServers[0][1].buildProtocol(None), HeaderReader)

    def test_forwarded(self) -> None:
        """Forwarded is sent with --forwarded only."""
        for options, expected in (((), False), (("--forwarded",), True)):
            self.reactor.tcpServers.clear()
            self.reactor.tcpClients.clear()
            self.start(*options, "--target", "http://127.0.0.1:1")
            self.ask(get())
            upstream = Peer(self.reactor, self.reactor.tcpClients[0][2].buildProtocol(None))
            self.reactor.settle()
            self.assertEqual(b'\r\nForwarded: for=192.0.2.7;proto=http;host="h"\r\n' in upstream.received, expected)

    def test_monitor(self) -> None:
        """The monitoring pages are at each endpoint of --monitor, which sends nothing to a server, and nowhere else."""
        monitor = ("--monitor", "tcp:9090:interface=127.0.0.1", "--monitor", "unix:/m", "--socket-mode", "0600")
        self.start("--target", "http://127.0.0.1:1", *monitor)
        self.assertEqual([(each[0], each[3]) for each in self.reactor.tcpServers[1:]], [(9090, "127.0.0.1")])
        self.assertEqual([(each[0], each[3]) for each in self.reactor.unixServers], [("/m", 0o600)])
        for factory in (self.reactor.tcpServers[1][1], self.reactor.unixServers[0][1]):
            self.assertIn(b" 200 OK\r\n", self.ask(get(b"/stats"), factory).received)
            self.assertIn(b" 404 Not Found\r\n", self.ask(get(b"/v1/models"), factory).received)
        self.assertEqual(self.reactor.tcpClients, [])
        self.ask(get(b"/stats"))
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_monitor_refusals(self) -> None:
        """An endpoint that is not valid gives one line; so does one that is the target."""
        for description in ("nonsense:1", "", "systemd:domain=INET:index=7"):
            error = self.assertRaises(StartError, self.make, "--monitor", description)
            self.assertIn(f"--monitor {description!r}", str(error))
        itself = self.make("--monitor", "tcp:1", "--target", "http://127.0.0.1:1")
        self.assertIn("itself", str(self.assertRaises(StartError, itself.privilegedStartService)))

    def test_monitor_room(self) -> None:
        """Listeners for monitoring have room of their own, which the limit on descriptors leaves for them."""
        self.patch(descriptors, "raise_limit", lambda: descriptors.RESERVE + 200)
        daemon = self.make("--monitor", "tcp:1")
        assert daemon._monitor is not None
        clients = daemon._site.limits.clients, daemon._monitor.limits.clients
        self.assertEqual(clients, ((200 - MONITOR_CLIENTS) // 2, MONITOR_CLIENTS))
        self.assertIn("--monitor", daemon._monitor.limits.advice)

    def test_viewers(self) -> None:
        """--monitor-from names those that may see the pages, and --trust-forwarded counts."""
        self.start("--monitor-from", "198.51.100.0/24", "--trust-forwarded", "192.0.2.7")
        self.assertIn(b" 403 Forbidden\r\n", self.ask(get(b"/health")).received)
        self.assertIn(b" 200 OK\r\n", self.ask(get(b"/stats", b"X-Forwarded-For: 198.51.100.9")).received)

    def test_clients_shown(self) -> None:
        """Addresses of clients are shown only with --monitor-clients."""
        self.assertFalse(self.make()._site.registry.shows_clients)
        self.assertTrue(self.make("--monitor-clients")._site.registry.shows_clients)

    def test_odd_paths(self) -> None:
        """Paths that are not UTF-8 or contain line breaks are escaped in the statistics and in the log."""
        folder = os.fsencode(self.mktemp())
        os.mkdir(folder)
        shown = "c\\xff\\n.json"
        self.path = os.fsdecode(os.path.join(folder, b"c\xff\n.json"))
        with open(self.path, "w") as file:
            file.write('{"prompt": {"$file": "p"}, "top_p": 1}')
        prompt = os.path.join(folder, b"p")
        with open(prompt, "w") as file:
            file.write("hi")
        with capturedLogs() as logs:
            self.start()
            os.unlink(prompt)
            self.reactor.pass_time(2, 0.25)
            found = json.loads(self.ask(get(b"/stats")).received.partition(b"\r\n\r\n")[2])["config"]
        for text in (found["path"], found["warnings"][0], found["error"], found["last_refusal"]["errors"][0]):
            self.assertIn(shown, text)
        lines = [formatEvent(event) for event in logs]
        self.assertEqual(sum(shown in line for line in lines), 3, lines)
        for text in (json.dumps(found, ensure_ascii=False), *lines):
            self.assertEqual((text.encode().decode(), text.splitlines()), (text, [text]))

    def test_wrong_endpoint(self) -> None:
        """An endpoint that is not valid, or cannot be used, gives one line that quotes it."""
        for description in (
            "nonsense:1",
            "tcp:x",
            "tcp",
            "tcp:1:y=z",
            "",
            "ssl:1:privateKey=/nowhere/key.pem",
            "systemd:domain=INET:index=7",
        ):
            error = self.assertRaises(StartError, self.make, "--listen", description)
            self.assertIn(f"--listen {description!r}", str(error))
            self.assertEqual(len(str(error).splitlines()), 1)

    def test_itself(self) -> None:
        """The daemon refuses to start if its target is one of its own listeners."""
        for arguments in (
            ("--port", "10240"),
            ("--host", "127.0.0.1", "--port", "1", "--target", "http://localhost:1/x"),
            ("--listen", "tcp:2", "--listen", "tcp:1", "--target-host", "127.0.0.1", "--target-port", "1"),
        ):
            error = str(self.assertRaises(StartError, self.make(*arguments).privilegedStartService))
            self.assertIn("is this proxy itself", error)
            self.assertEqual(len(error.splitlines()), 1)

    def test_configuration(self) -> None:
        """An invalid configuration, or a missing one that --config names, gives one line with its path."""
        for content in ("{", "[]", None):
            if content is None:
                os.unlink(self.path)
            else:
                with open(self.path, "w") as file:
                    file.write(content)
            error = str(self.assertRaises(StartError, self.make))
            self.assertIn(self.path, error)
            self.assertEqual(len(error.splitlines()), 1)

    def test_default_configuration(self) -> None:
        """The configuration at the default path may be missing."""
        folder = self.mktemp()
        os.mkdir(folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)
        self.assertIsInstance(makeService(self.options()), Daemon)

    def test_documented(self) -> None:
        """Both READMEs describe exactly the members of /stats; `tls` and `workers` are there only with an option."""
        self.start()
        shown = json.loads(self.ask(get(b"/stats")).received.partition(b"\r\n\r\n")[2])
        for name, title in (("README.md", "member of `/stats`"), ("README.zh-CN.md", "`/stats` 的成员")):
            first = [cells[0] for head, cells in Document(name).rows if head == title]
            described = [word for cell in first for word in re.findall("`([^`]+)`", cell)]
            self.assertEqual(sorted(described), sorted([*shown, "tls", "workers"]), name)

    def test_stats(self) -> None:
        """The statistics show the version, the upstream and the configuration in force, without its values."""
        self.start("--target", "http://h:1/x")
        self.reactor.advance(5)
        shown = json.loads(self.ask(get(b"/stats")).received.partition(b"\r\n\r\n")[2])
        self.assertEqual((shown["version"], shown["upstream"], shown["uptime_s"]), (__version__, "h:1", 5))
        self.assertEqual((shown["total_requests"], shown["queued"], shown["in_flight"]), (1, 0, 1))
        with open(self.path, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()[:16]
        expected = {
            "path": os.path.abspath(self.path),
            "generation": 1,
            "since": shown["config"]["since"],
            "age_s": 5,
            "hash": digest,
            "fields": ["language"],
            "profiles": {},
            "warnings": [],
            "error": None,
            "last_refusal": None,
        }
        self.assertEqual(shown["config"], expected)

    def test_configuration_watched(self) -> None:
        """The file is watched while the daemon runs, and not afterwards."""
        daemon = self.start()
        with open(self.path, "w") as file:
            file.write("{")
        for _ in range(4):
            self.reactor.advance(0.25)
        shown = json.loads(self.ask(get(b"/stats")).received.partition(b"\r\n\r\n")[2])
        self.assertIn(":1:2: ", shown["config"]["error"])
        stopped = daemon.stopService()
        self.reactor.advance(2)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.pending(), [])

    def test_upstream(self) -> None:
        """A request goes to the target, below its prefix, and the response comes back."""
        self.start("--target", "http://127.0.0.1:1/api")
        client = self.ask(get(b"/v1/models"))
        (host, port, factory, *_), *_ = self.reactor.tcpClients
        self.assertEqual((host, port), ("127.0.0.1", 1))
        server = Peer(self.reactor, factory.buildProtocol(None))  # type: ignore[arg-type]
        self.reactor.settle()
        self.assertTrue(server.received.startswith(b"GET /api/v1/models HTTP/1.1\r\n"), server.received)
        server.send(ok())
        self.assertEqual(client.received, ok())

    def test_limits(self) -> None:
        """The limits of the command line are in force."""
        daemon = self.start("--head-timeout", "1", "--max-body", "5", "--idle-timeout", "9")
        self.assertEqual((daemon._site.timeouts.head, daemon._site.timeouts.idle), (1.0, 9.0))
        client = self.ask(get(b"/stats")[:9])
        self.reactor.advance(1.1)
        self.assertIn(b"HTTP/1.1 408 ", client.received)
        self.assertEqual(daemon._site.limits.body, 5)
        self.assertIsNone(self.make()._site.limits.body)

    def test_clients(self) -> None:
        """The descriptors limit the number of clients; a higher --max-clients gives a warning."""
        self.patch(descriptors, "raise_limit", lambda: descriptors.RESERVE + 100)
        for arguments, clients, warns in (
            ((), 50, False),
            (("--max-clients", "0"), 50, False),
            (("--max-clients", "20"), 20, False),
            (("--max-clients", "51"), 50, True),
            (("--max-clients", "90", "--max-connections", "10"), 90, False),
        ):
            with capturedLogs() as logs:
                self.assertEqual(self.make(*arguments)._site.limits.clients, clients)
            text = "".join(str(formatEvent(event)) for event in logs)
            self.assertEqual("are enough for 50. Raise the limit" in text, warns, text)
        self.start("--max-clients", "7")
        shown = json.loads(self.ask(get(b"/stats")).received.partition(b"\r\n\r\n")[2])
        self.assertEqual((shown["max_clients"], shown["clients_refused"]), (7, 0))
        self.assertEqual(shown["descriptors"], {"open": descriptors.open_now(), "limit": descriptors.RESERVE + 100})

    def test_embedded_missing(self) -> None:
        """Without the packages of the engine, --embedded gives one line that says how to install them."""

        def missing() -> None:
            raise embedded.EmbeddedError("install it with: pip install 'sttproxy[embedded]'")

        self.patch(embedded, "check_installed", missing)
        self.assertIn("pip install", str(self.assertRaises(StartError, self.make, "--embedded")))
