"""
The tunnel after an upgrade: bytes are relayed in both directions, unread (RFC 9110 §7.8).
"""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from .inbound.interfaces import TunnelProtocol
from .transport import IStreamTransport, ReadPause, close
from .websocket import GOING_AWAY, Frames, close_frame


@implementer(IPushProducer)
class TunnelEnd(TunnelProtocol):
    """
    One end.  What arrives here leaves at the other end, at that end's pace.  When this end closes, the other does too.
    """

    transport: IStreamTransport
    other: TunnelEnd

    def __init__(self, clock: IReactorTime, frames: Frames | None = None, *, to_server: bool = False) -> None:
        """
        :param frames: tracks the WebSocket frames that arrive here; None for other protocols.
        :param to_server: whether what arrives here goes to the server.
        """
        self._clock = clock
        self._frames = frames
        self._to_server = to_server
        self._going_away = False
        #: A close frame of the proxy was the last one sent to the other end.
        self._close_sent = False

    def connectionMade(self) -> None:
        self._pause = ReadPause(self.transport, self._clock)

    def pauseProducing(self) -> None:
        self._pause.set(True)

    def resumeProducing(self) -> None:
        self._pause.set(False)

    def stopProducing(self) -> None:
        """The other end is disconnected; its `connectionLost` closes this one."""

    def go_away(self) -> None:
        """Send both sides a close frame, each between two frames of the other side (RFC 6455 §5.5.1)."""
        for end in (self, self.other):
            end._going_away = True
            end._send_close()

    def _send_close(self) -> None:
        if self._frames is not None and self._frames.between and not self._close_sent:
            self._close_sent = True
            self.other.transport.write(close_frame(GOING_AWAY, masked=self._to_server))

    def dataReceived(self, data: bytes) -> None:
        if self._frames is None:
            self.other.transport.write(data)
            return
        taken = self._frames.feed(data, to_end=self._going_away)
        if not self._close_sent and taken:
            self.other.transport.write(data if taken == len(data) else data[:taken])
        if self._going_away:
            self._send_close()
            # Nothing more is relayed.  The peer is expected to send its own close frame.
            self._frames.feed(data[taken:])
            if self._frames.closed:
                close(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._pause.cancel()
        far = self.other.transport
        far.unregisterProducer()
        if reason.check(ConnectionDone):
            close(far)
        else:
            far.abortConnection()


def ends(clock: IReactorTime, websocket: bool = False) -> tuple[TunnelEnd, TunnelEnd]:
    """
    The two ends of a tunnel, at the client and at the server.  Each needs a transport before `connect`.

    :param websocket: whether it carries WebSocket frames.
    """
    near = TunnelEnd(clock, Frames() if websocket else None, to_server=True)
    far = TunnelEnd(clock, Frames() if websocket else None)
    near.other, far.other = far, near
    return near, far


def connect(end: TunnelEnd, early: bytes, other_early: bytes) -> None:
    """
    Begin to relay.  Each end paces the other.

    :param early: bytes that arrived at this end before the tunnel was made; `other_early`: at the other end.
    """
    for here, data in ((end, early), (end.other, other_early)):
        here.transport.registerProducer(here.other, True)
        if data:
            here.dataReceived(data)
