"""
After an upgrade: bytes both ways, whatever they mean (RFC 9110 §7.8).
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from .transport import IStreamTransport


class TunnelEnd(Protocol):
    """
    One end: what arrives here leaves at the other, at the other's pace; when this one closes, so does the other.
    """

    transport: IStreamTransport
    other: TunnelEnd

    def dataReceived(self, data: bytes) -> None:
        self.other.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        far = self.other.transport
        far.unregisterProducer()
        if reason.check(ConnectionDone):
            far.loseConnection()
        else:
            far.abortConnection()


def ends() -> tuple[TunnelEnd, TunnelEnd]:
    """The two ends of a tunnel; each needs its transport before anything may arrive."""
    one, other = TunnelEnd(), TunnelEnd()
    one.other, other.other = other, one
    return one, other


def connect(end: TunnelEnd, early: bytes, other_early: bytes) -> None:
    """
    Let bytes through, each end pacing the other.

    :param early: what had arrived at this end before it was one; `other_early` at the other.
    """
    for here, data in ((end, early), (end.other, other_early)):
        here.transport.registerProducer(here.other.transport, True)
        if data:
            here.dataReceived(data)
