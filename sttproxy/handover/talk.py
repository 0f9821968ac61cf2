"""
The connection between a process and the one that it was started by: lines of text over a socket pair.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

#: The stand-in serves.
SERVING = b"serving"
#: The first process drains; from now on the stand-in is needed.
RELY = b"rely"
#: The first process serves again, or shall end; the stand-in shall drain.
DRAIN = b"drain"


class Talk(LineOnlyReceiver):
    """One end of the connection."""

    delimiter = b"\n"
    transport: Any

    def __init__(self, heard: Callable[[bytes], None], lost: Callable[[], None]) -> None:
        """
        :param heard: called with each line.
        :param lost: called when the other process has closed its end, or has ended.
        """
        self._heard = heard
        self._lost = lost

    def say(self, line: bytes) -> None:
        """Send a line.  Does nothing if the connection is lost."""
        if self.connected:
            self.sendLine(line)

    def lineReceived(self, line: bytes) -> None:
        self._heard(line)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self._lost()


def connect_pair(reactor: Any, descriptor: int, protocol: Protocol) -> None:
    """Connect a protocol over a descriptor of a socket pair.  A copy of it is used."""
    factory = Factory.forProtocol(lambda: protocol)
    factory.noisy = False
    reactor.adoptStreamConnection(descriptor, socket.AF_UNIX, factory)


def talk_over(reactor: Any, descriptor: int, heard: Callable[[bytes], None], lost: Callable[[], None]) -> Talk:
    """
    Talk over a descriptor of a socket pair; see `connect_pair`.

    :param heard: as that of `Talk`.
    :param lost: as that of `Talk`.
    """
    talk = Talk(heard, lost)
    connect_pair(reactor, descriptor, talk)
    return talk
