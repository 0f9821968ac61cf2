"""
A new configuration, and the end of the daemon, while requests are in flight.
"""

from __future__ import annotations

import signal

from ..daemon import Daemon
from ..forms import form
from ..message import CHUNKED
from ..process import until
from .case import CONFIG, TRANSCRIPTIONS, PairingTestCase, answer, asked, launch
from .connection import BrokenExchangeError

FORM = form([("language", "en")])


class ChangeTests(PairingTestCase):
    """The configuration changes."""

    def test_during_an_upload(self) -> None:
        """A request keeps the configuration that it began with; the next one on its connection gets the new one."""
        self.addCleanup(self.daemon.configure, CONFIG)
        connection = self.connect()
        client = self.upload(len(FORM), TRANSCRIPTIONS, connection=connection)
        upstream, _ = self.accept()
        self.daemon.configure({"prompt": "new"})
        client.send(FORM, last=True)
        body = upstream.read_body()
        self.assertIn(b'name="language"\r\n\r\nzh\r\n', body)
        self.assertNotIn(b"\r\nnew\r\n", body)
        upstream.respond(answer(200, body=b"ok"))
        self.assertEqual(client.read_message().body, b"ok")
        client = self.transcribe(FORM, connection=connection)
        upstream, _ = self.accept()
        body = upstream.read_body()
        self.assertIn(b'name="prompt"\r\n\r\nnew\r\n', body)
        self.assertIn(b'name="language"\r\n\r\nen\r\n', body)
        upstream.respond(answer(200, body=b"ok"))
        self.assertEqual(client.read_message().body, b"ok")


class DrainTests(PairingTestCase):
    """SIGTERM: each test has its own daemon."""

    def launch(self) -> Daemon:
        """Start it."""
        daemon = launch(self.kind, "--grace", "25")
        self.addCleanup(daemon.close)
        return daemon

    def assert_done(self, daemon: Daemon) -> None:
        """Check that the daemon ends with success and without errors."""
        self.assertEqual(daemon.wait(), 0)
        self.assertNotIn("Traceback", daemon.log() + daemon.errors())
        self.assertNotIn("Unhandled", daemon.log() + daemon.errors())

    def test_in_flight(self) -> None:
        """Uploads, waiting requests and responses go on to their ends; the daemon takes no more, and ends."""
        daemon = self.launch()
        shared = self.connect(daemon)
        connections = [shared if self.pairing.client == 2 else self.connect(daemon) for _ in range(3)]
        uploading = self.upload(None, connection=connections[0])
        uploading.send(b"first")
        first, _ = self.accept()
        first.read_until(b"first")
        waiting = self.ask(asked("GET", "/waiting"), connection=connections[1])
        second, _ = self.accept()
        answered = self.ask(asked("GET", "/answered"), connection=connections[2])
        third, _ = self.accept()
        third.send_head(answer(200, CHUNKED))
        third.send(b"first")
        answered.read_head()
        answered.read_until(b"first")
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("Waiting for requests in flight")
        uploading.send(b"later", last=True)
        self.assertEqual(first.read_body(), b"later")
        first.respond(answer(200, body=b"ok"))
        self.assertEqual(uploading.read_message().body, b"ok")
        second.respond(answer(200, body=b"ok"))
        self.assertEqual(waiting.read_message().body, b"ok")
        third.send(b"later", last=True)
        self.assertEqual(answered.read_body(), b"later")
        self.assertRaises(OSError, self.connect, daemon)
        self.assert_done(daemon)

    def test_twice(self) -> None:
        """A second signal ends the requests in flight, and none looks complete."""
        daemon = self.launch()
        client = self.ask(asked("GET", "/"), connection=self.connect(daemon))
        upstream, _ = self.accept()
        upstream.send_head(answer(200, CHUNKED))
        upstream.send(b"first")
        client.read_head()
        client.read_until(b"first")
        daemon.signal(signal.SIGTERM)
        daemon.wait_for_log("Waiting for requests in flight")
        daemon.signal(signal.SIGTERM)
        self.assertRaises(BrokenExchangeError, client.read_body)
        until(lambda: upstream.broken, "the end of the upstream's exchange")
        self.assert_done(daemon)
