"""
After an upgrade: bytes both ways, whatever they mean (RFC 9110 §7.8).
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .inbound.interfaces import TunnelProtocol
from .transport import IStreamTransport, ReadPause
from .websocket import GOING_AWAY, Frames, close_frame


@implementer(IPushProducer)
class TunnelEnd(TunnelProtocol):
    """
    One end: what arrives here leaves at the other, at the other's pace; when this one closes, so does the other.
    """

    transport: IStreamTransport
    other: TunnelEnd

    def __init__(self, clock: IReactorTime, frames: Frames | None = None, *, to_server: bool = False) -> None:
        """
        :param frames: follow what arrives here, where it is WebSocket's.
        :param to_server: what arrives here leaves for a server.
        """
        self._clock = clock
        self._frames = frames
        self._to_server = to_server
        self._going_away = False
        #: A close frame of ours was the last that leaves at the other end.
        self._said = False

    def connectionMade(self) -> None:
        self._pause = ReadPause(self.transport, self._clock)

    def pauseProducing(self) -> None:
        self._pause.set(True)

    def resumeProducing(self) -> None:
        self._pause.set(False)

    def stopProducing(self) -> None:
        """The other end is gone; `connectionLost` there sees to this one."""

    def go_away(self) -> None:
        """Tell both sides that the connection ends, between two frames of the other side each (RFC 6455 §5.5.1)."""
        for end in (self, self.other):
            end._going_away = True
            end._say_so()

    def _say_so(self) -> None:
        if self._frames is not None and self._frames.between and not self._said:
            self._said = True
            self.other.transport.write(close_frame(GOING_AWAY, masked=self._to_server))

    def dataReceived(self, data: bytes) -> None:
        if self._frames is None:
            self.other.transport.write(data)
            return
        taken = self._frames.feed(data, to_end=self._going_away)
        if not self._said and taken:
            self.other.transport.write(data if taken == len(data) else data[:taken])
        if self._going_away:
            self._say_so()
            # Nothing more is passed on; that the peer closes too is all that is awaited of it.
            self._frames.feed(data[taken:])
            if self._frames.closed:
                self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._pause.cancel()
        far = self.other.transport
        far.unregisterProducer()
        if reason.check(ConnectionDone):
            far.loseConnection()
        else:
            far.abortConnection()


def ends(clock: IReactorTime, websocket: bool = False) -> tuple[TunnelEnd, TunnelEnd]:
    """
    The two ends of a tunnel, at the client and at the server; each needs its transport before anything may arrive.

    :param websocket: whether it carries WebSocket frames.
    """
    near = TunnelEnd(clock, Frames() if websocket else None, to_server=True)
    far = TunnelEnd(clock, Frames() if websocket else None)
    near.other, far.other = far, near
    return near, far


def connect(end: TunnelEnd, early: bytes, other_early: bytes) -> None:
    """
    Let bytes through, each end pacing the other.

    :param early: what had arrived at this end before it was one; `other_early` at the other.
    """
    for here, data in ((end, early), (end.other, other_early)):
        here.transport.registerProducer(here.other, True)
        if data:
            here.dataReceived(data)
