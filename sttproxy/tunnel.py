"""
After an upgrade: bytes both ways, whatever they mean (RFC 9110 §7.8).
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .transport import Hold, IStreamTransport


@implementer(IPushProducer)
class TunnelEnd(Protocol):
    """
    One end: what arrives here leaves at the other, at the other's pace; when this one closes, so does the other.
    """

    transport: IStreamTransport
    other: TunnelEnd

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

    def connectionMade(self) -> None:
        self._hold = Hold(self.transport, self._clock)

    def pauseProducing(self) -> None:
        self._hold.set(True)

    def resumeProducing(self) -> None:
        self._hold.set(False)

    def stopProducing(self) -> None:
        """The other end is gone; `connectionLost` there sees to this one."""

    def dataReceived(self, data: bytes) -> None:
        self.other.transport.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._hold.cancel()
        far = self.other.transport
        far.unregisterProducer()
        if reason.check(ConnectionDone):
            far.loseConnection()
        else:
            far.abortConnection()


def ends(clock: IReactorTime) -> tuple[TunnelEnd, TunnelEnd]:
    """The two ends of a tunnel; each needs its transport before anything may arrive."""
    one, other = TunnelEnd(clock), TunnelEnd(clock)
    one.other, other.other = other, one
    return one, other


def connect(end: TunnelEnd, early: bytes, other_early: bytes) -> None:
    """
    Let bytes through, each end pacing the other.

    :param early: what had arrived at this end before it was one; `other_early` at the other.
    """
    for here, data in ((end, early), (end.other, other_early)):
        here.transport.registerProducer(here.other, True)
        if data:
            here.dataReceived(data)
