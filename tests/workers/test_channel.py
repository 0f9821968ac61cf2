"""
Tests for :mod:`sttproxy.workers.channel`.
"""

from __future__ import annotations

import pickle
import socket
import struct

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.workers import channel
from sttproxy.workers.channel import Channel, read_first


class ChannelTests(SynchronousTestCase):
    """Messages."""

    def test_messages(self) -> None:
        """Messages arrive by name, with their arguments; one that fails is logged, and the next ones arrive."""
        heard: list[object] = []

        def fail() -> None:
            raise ZeroDivisionError

        sender = Channel({}, lambda: None)
        receiver = Channel(
            {"add": lambda *arguments: heard.append(arguments), "fail": fail}, lambda: heard.append("lost")
        )
        sender.makeConnection(StringTransport())
        receiver.makeConnection(StringTransport())
        sender.send("add", 1, {"a": b"b"})
        sender.send("fail")
        sender.send("unknown")
        sender.send("add")
        for byte in sender.transport.value():
            receiver.dataReceived(bytes([byte]))
        self.assertEqual(heard, [(1, {"a": b"b"}), ()])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError, KeyError)), 2)
        receiver.connectionLost()
        receiver.send("nothing")
        self.assertEqual((heard[2:], receiver.transport.value()), (["lost"], b""))

    def test_first(self) -> None:
        """The first message is read before the reactor runs, and no byte of the next one."""
        ours, theirs = socket.socketpair()
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        message = pickle.dumps(("hello", "x"))
        ours.sendall(struct.pack("!I", len(message)) + message + b"next")
        self.assertEqual(read_first(theirs.fileno()), "x")
        self.assertEqual(theirs.recv(10), b"next")

    def test_no_first(self) -> None:
        """A supervisor that has ended, or says nothing, is an error."""
        self.patch(channel, "FIRST_S", 0.01)
        for ends, message in ((True, "the supervisor has ended"), (False, "timed out")):
            ours, theirs = socket.socketpair()
            self.addCleanup(ours.close)
            if ends:
                ours.close()
            self.assertIn(message, str(self.assertRaises(OSError, read_first, theirs.detach())))
