"""
Tests for :mod:`sttproxy.loops`.
"""

from __future__ import annotations

import errno
import socket
import threading
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import loops
from sttproxy.errors import Header
from sttproxy.http1.requests import parse_request

NAME = b"sttproxy-0123456789abcdef"


class MarkTests(SynchronousTestCase):
    """The name in CDN-Loop."""

    def marked(self, *fields: bytes) -> list[Header]:
        """The forwarded headers of a request, without Host."""
        head = parse_request(b"\r\n".join([b"GET / HTTP/1.1", b"Host: h", *fields, b"", b""]))
        headers = head.headers.copy()
        loops.mark(head, headers, NAME)
        return headers[1:]

    def test_new(self) -> None:
        """A request without CDN-Loop gets it."""
        self.assertEqual(self.marked(b"A: b"), [(b"A", b"b"), (b"CDN-Loop", NAME)])

    def test_added(self) -> None:
        """Names that are already there keep their order and lines; the new name comes last."""
        for fields, expected in (
            ([b"cdn-loop: a;x=1 , b"], [(b"cdn-loop", b"a;x=1 , b, " + NAME)]),
            (
                [b"CDN-Loop: a", b"X: y", b"CDN-LOOP: b", b"Z: z"],
                [(b"CDN-Loop", b"a"), (b"X", b"y"), (b"CDN-LOOP", b"b, " + NAME), (b"Z", b"z")],
            ),
            ([b"CDN-Loop:"], [(b"CDN-Loop", NAME)]),
        ):
            self.assertEqual(self.marked(*fields), expected)

    def test_names(self) -> None:
        """Each process has a name of its own, which is a token."""
        one, other = loops.new_pseudonym(), loops.new_pseudonym()
        self.assertNotEqual(one, other)
        self.assertRegex(one, rb"\Asttproxy-[0-9a-f]{16}\Z")


class StartTests(SynchronousTestCase):
    """The check at startup."""

    def setUp(self) -> None:
        self.patch(socket, "getaddrinfo", self.look_up)
        self.patch(loops, "_is_local", lambda address: address.is_loopback or str(address) in ("10.0.0.1", "fd00::1"))
        self.asked: list[str] = []

    def look_up(self, host: str, *arguments: Any) -> list[Any]:
        """A resolver that knows addresses and one name of this machine."""
        self.asked.append(host)
        found = {"here": ["fd00::1%eth0", "10.0.0.1"]}.get(host, [host])
        if not set(found[0]) <= set("0123456789abcdef:.%eth"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(0, 0, 0, "", (address, 0)) for address in found]

    def leads_to(self, host: str, listening: str) -> bool:
        """Whether the host leads to a listening address on the same port."""
        return loops.leads_to(host, 1, listening, 1)

    def test_all_addresses(self) -> None:
        """A wildcard address accepts connections to each address of this machine in its family."""
        names = ("localhost", "LocalHost.", "stt.localhost", "here")
        for host in ("127.0.0.1", "127.9.9.9", "0.0.0.0", "10.0.0.1", *names):
            self.assertTrue(self.leads_to(host, "0.0.0.0"), host)
            self.assertTrue(self.leads_to(host, "::"), host)
        for host in ("::1", "::", "fd00::1", "fd00::1%eth0"):
            self.assertFalse(self.leads_to(host, "0.0.0.0"), host)
            self.assertTrue(self.leads_to(host, "::"), host)
        self.assertTrue(self.leads_to("::ffff:127.0.0.1", "0.0.0.0"))
        for host in ("10.0.0.2", "fd00::2", "nobody.example", "localhost.example"):
            self.assertFalse(self.leads_to(host, "0.0.0.0"), host)
            self.assertFalse(self.leads_to(host, "::"), host)

    def test_one_address(self) -> None:
        """One listening address accepts connections to itself only, under any of its names."""
        for host in ("127.0.0.1", "localhost", "0.0.0.0", "::ffff:127.0.0.1"):
            self.assertTrue(self.leads_to(host, "127.0.0.1"), host)
            self.assertFalse(self.leads_to(host, "10.0.0.1"), host)
        for host in ("10.0.0.1", "here"):
            self.assertTrue(self.leads_to(host, "10.0.0.1"), host)
            self.assertFalse(self.leads_to(host, "127.0.0.1"), host)
        for host in ("::1", "::", "localhost"):
            self.assertTrue(self.leads_to(host, "::1"), host)

    def test_another_port(self) -> None:
        """A target with another port is another server; its name is not resolved."""
        self.assertFalse(loops.leads_to("here", 1, "0.0.0.0", 2))
        self.assertEqual(self.asked, [])

    def test_silence(self) -> None:
        """A name server that does not respond does not delay the start."""
        answered = threading.Event()
        self.addCleanup(answered.set)
        self.patch(loops, "RESOLVE_S", 0.01)
        self.patch(socket, "getaddrinfo", lambda *_: answered.wait(30) and [])
        self.assertFalse(self.leads_to("here", "0.0.0.0"))


class FakeSocket:
    """A socket of a machine with one address of each family, and a route to IPv4 addresses only."""

    def __init__(self, family: int, kind: int) -> None:
        assert kind == socket.SOCK_DGRAM, "nothing may be sent"
        self._family = family

    def __enter__(self) -> FakeSocket:
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""

    def connect(self, address: tuple[str, int]) -> None:
        if self._family == socket.AF_INET6 and address[0] != "fd00::1":
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

    def getsockname(self) -> tuple[str, int]:
        return ("10.0.0.1" if self._family == socket.AF_INET else "fd00::1"), 50000


class LocalTests(SynchronousTestCase):
    """The addresses of this machine."""

    def test_local(self) -> None:
        """Loopback addresses belong to this machine, and addresses that are their own source address."""
        self.patch(socket, "socket", FakeSocket)
        for text, local in (
            ("127.0.0.1", True),
            ("127.5.5.5", True),
            ("::1", True),
            ("10.0.0.1", True),
            ("10.0.0.2", False),
            ("fd00::1", True),
            ("2001:db8::77", False),
        ):
            self.assertEqual(loops._is_local(loops._plain(text)), local, text)
