"""
Tests for :mod:`sttproxy.security`.
"""

from __future__ import annotations

import os
from typing import Any

import attrs
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP4ServerEndpoint
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from sttproxy import privileges, security
from sttproxy.daemon import StartError
from sttproxy.settings import Process, Settings
from sttproxy.tap import Options
from sttproxy.tls.client import TLSConnecting
from sttproxy.tls.server import TLSListening

from .support.certificates import authority_pem, pem


class SecurityTestCase(SynchronousTestCase):
    """Tests with files of their own."""

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.clock = Clock()
        self.patch(os, "environ", {})

    def file(self, name: str, data: bytes, mode: int = 0o600) -> str:
        """Write a file; return its path."""
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        os.chmod(path, mode)
        return path

    def settings(self, *arguments: str) -> Settings:
        """The settings of a command line."""
        options = Options()
        options.parseOptions(arguments)
        return options.settings

    def secured(self, *arguments: str) -> security.Security:
        """What a command line secures."""
        return security.security_of(self.clock, self.settings(*arguments))


class ServedTests(SecurityTestCase):
    """TLS for clients."""

    def test_nothing(self) -> None:
        """Without options nothing is secured: endpoints and statistics stay as they are."""
        found = self.secured()
        endpoint = TCP4ServerEndpoint(self.clock, 0)
        self.assertEqual((found, found.snapshot()), (security.NONE, {}))
        self.assertIs(found.listening(self.clock, endpoint), endpoint)

    def test_pairs(self) -> None:
        """Each certificate has the key at the same place among the keys, or in its own file."""
        both = pem("a.example")
        one, key = self.file("a.pem", both), self.file("key.pem", both)
        for arguments in (("--tls-cert", one), ("--tls-cert", one, "--tls-key", key)):
            found = self.secured(*arguments)
            assert found.tls is not None
            self.assertEqual(found.tls.snapshot()["certificates"][0]["names"], ["a.example"])
            self.assertIsInstance(found.listening(self.clock, TCP4ServerEndpoint(self.clock, 0)), TLSListening)
            self.assertEqual(len(found.followers), 1)

    def test_refused(self) -> None:
        """A file that cannot be used keeps the daemon from starting."""
        error = self.assertRaises(StartError, self.secured, "--tls-cert", self.file("a.pem", b""))
        self.assertIn("a.pem contains no certificate", str(error))
        error = self.assertRaises(StartError, self.secured, "--tls-cert", "/absent.pem")
        self.assertIn("/absent.pem: it cannot be read", str(error))

    def test_other_user(self) -> None:
        """The daemon does not start if the user that it switches to cannot read all files that it follows."""
        cert, key = self.file("a.pem", pem("a.example")), self.file("key", b"sk")
        settings = self.settings("--tls-cert", cert, "--target-key-file", key)
        settings = attrs.evolve(settings, process=Process(user=(1, 2)))
        asked: list[Any] = []

        def unreadable(*question: Any) -> str | None:
            asked.append(question)
            return f"{key}: Permission denied" if len(asked) > 1 else None

        self.patch(privileges, "unreadable", unreadable)
        security.security_of(self.clock, settings)
        error = self.assertRaises(StartError, security.security_of, self.clock, settings)
        self.assertIn(f"--uid and --gid cannot read {key}: Permission denied", str(error))
        self.assertEqual(asked[0], (sorted([cert, key]), 1, 2))


class ServerKeyTests(SecurityTestCase):
    """The API key for the server."""

    def test_key(self) -> None:
        """White space around the key is removed; a new key is used when the file changes."""
        path = self.file("key", b" sk-1\r\n")
        found = self.secured("--target-key-file", path)
        assert found.key is not None
        self.assertEqual(found.key.authorization, b"Bearer sk-1")
        self.file("key", b"sk-2")
        found.followers[0].reload()
        self.assertEqual(found.key.authorization, b"Bearer sk-2")

    def test_refused(self) -> None:
        """Anything but one key is an error that does not show the contents."""
        for data in (b"", b" \n", b"sk-secret two", b"sk-secret\nsk", b"sk-\xff", b"sk-\x00"):
            error = self.assertRaises(StartError, self.secured, "--target-key-file", self.file("key", data))
            self.assertIn("must contain one API key", str(error))
            self.assertNotIn("secret", str(error))

    def test_mode(self) -> None:
        """A file that others can read is a warning."""
        for mode, count in ((0o600, 0), (0o640, 1), (0o604, 1)):
            path = self.file("key", b"sk", mode)
            with capturedLogs() as captured:
                self.secured("--target-key-file", path)
            self.assertEqual(len(captured), count, oct(mode))
        self.assertIn("chmod 600", str(formatEvent(captured[0])))


class ServerTLSTests(SecurityTestCase):
    """TLS to the server."""

    def endpoint(self, *arguments: str) -> Any:
        """The endpoint of an https server."""
        settings = self.settings("--target", "https://h.example:8443", *arguments)
        return security.secured(self.clock, settings, "h.example", TCP4ClientEndpoint(self.clock, "h.example", 8443))

    def test_endpoint(self) -> None:
        """The certificate must be issued for the host of the URL."""
        ca, cert = self.file("ca.pem", authority_pem()), self.file("c.pem", pem("client"))
        found = self.endpoint("--target-ca", ca, "--target-cert", cert)
        self.assertIsInstance(found, TLSConnecting)
        self.assertEqual((found.tls.host, found.tls.insecure), ("h.example", False))

    def test_insecure(self) -> None:
        """No verification is a warning at each start."""
        with capturedLogs() as captured:
            self.assertTrue(self.endpoint("--target-insecure").tls.insecure)
        self.assertIn("is not verified", str(formatEvent(captured[0])))

    def test_refused(self) -> None:
        """A file that cannot be used keeps the daemon from starting."""
        bad = self.file("bad.pem", b"")
        for option in ("--target-ca", "--target-cert"):
            error = self.assertRaises(StartError, self.endpoint, option, bad)
            self.assertIn("bad.pem contains no certificate", str(error))
