"""
The tunnel after an upgrade: bytes are relayed in both directions (RFC 9110 §7.8).

They are not read, except what a client sends in a realtime session.
"""

from __future__ import annotations

from typing import Protocol as Structure

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .deadline import Deadline
from .inbound.interfaces import TunnelProtocol
from .transport import IStreamTransport, ReadPause, close
from .websocket import GOING_AWAY, Close, Frames, close_frame

log = Logger()

#: Seconds that a client gets to read why its session was refused, and to close.
REFUSED_GRACE_S = 5.0


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
        #: What both sides are told; None while the tunnel goes on.
        self._closing: Close | None = None
        self._lost = False
        #: A close frame of the proxy was the last one sent to the other end.
        self._close_sent = False
        #: The end of the other end does not end this one.
        self._closes_itself = False

    def connectionMade(self) -> None:
        self._pause = ReadPause(self.transport, self._clock)

    def pauseProducing(self) -> None:
        self._pause.set(True)

    def resumeProducing(self) -> None:
        self._pause.set(False)

    def stopProducing(self) -> None:
        """The other end is disconnected; its `connectionLost` closes this one."""

    def go_away(self) -> None:
        self._close(Close(GOING_AWAY))

    def _close(self, told: Close) -> None:
        """Send both sides a close frame, each between two frames of the other side (RFC 6455 §5.5.1)."""
        for end in (self, self.other):
            end._closing = told
            end._send_close(told)

    def _send_close(self, told: Close) -> None:
        if self._between and not self._close_sent:
            self._close_sent = True
            self.other.transport.write(close_frame(told, masked=self._to_server))

    @property
    def _between(self) -> bool:
        """Whether what was sent to the other end are WebSocket frames, of which the last one is complete."""
        return self._frames is not None and self._frames.between

    def dataReceived(self, data: bytes) -> None:
        if self._frames is None:
            self.other.transport.write(data)
            return
        taken = self._frames.feed(data, to_end=self._closing is not None)
        if not self._close_sent and taken:
            self.other.transport.write(data if taken == len(data) else data[:taken])
        if self._closing is not None:
            self._send_close(self._closing)
            # Nothing more is relayed.  The peer is expected to send its own close frame.
            self._frames.feed(data[taken:])
            if self._frames.closed:
                close(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._pause.cancel()
        if self.other._lost:
            return  # a lost TLS transport cannot be ended once more
        far = self.other.transport
        far.unregisterProducer()
        if self.other._closes_itself:
            return
        if reason.check(ConnectionDone):
            close(far)
        else:
            far.abortConnection()


class Filter(Structure):
    """
    Decides what a server gets of the WebSocket frames that a client sends; see `realtime.session`.

    :ivar between: whether what was returned so far ends with a complete frame.
    :ivar closed: whether the client's close frame has begun.
    :ivar refused: what both sides must be told, and then nothing more is returned; None while the session goes on.
    """

    between: bool
    refused: Close | None

    @property
    def closed(self) -> bool: ...

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the client; return those to send to the server."""

    def stop(self) -> None:
        """Return nothing more after the end of the frame that has been returned in part."""


class SessionEnd(TunnelEnd):
    """The client's end of a realtime session."""

    def __init__(self, clock: IReactorTime, session: Filter, client: str) -> None:
        """
        :param client: names the client in the log.
        """
        super().__init__(clock, to_server=True)
        self._session = session
        self._client = client
        self._grace = Deadline(clock, self._expired)

    def go_away(self) -> None:
        self._session.stop()
        super().go_away()

    @property
    def _between(self) -> bool:
        return self._session.between

    def dataReceived(self, data: bytes) -> None:
        sent = self._session.feed(data)
        if sent:
            self.other.transport.write(sent)
        if self._closing is not None:
            self._send_close(self._closing)
        elif self._session.refused is not None:
            self._refuse(self._session.refused)
        if self._closing is not None and self._session.closed:
            close(self.transport)

    def _refuse(self, told: Close) -> None:
        """
        End the session.  What the client still sends is dropped until it closes, because a close with unread bytes
        would reset the connection, and the client might not read the reason.
        """
        log.warn(
            "The realtime session of {client} was ended with {status}: {reason}",
            client=self._client,
            status=told.status,
            reason=told.reason,
        )
        self._closes_itself = True
        self._grace.set(REFUSED_GRACE_S)
        self.other.transport.unregisterProducer()
        self._pause.set(False)
        self._close(told)
        if not self._between:
            # The server must not take what it has for the whole message.
            self.other.transport.abortConnection()

    def _expired(self) -> None:
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._grace.cancel()
        super().connectionLost(reason)


def ends(clock: IReactorTime, websocket: bool = False) -> tuple[TunnelEnd, TunnelEnd]:
    """
    The two ends of a tunnel, at the client and at the server.  Each needs a transport before `connect`.

    :param websocket: whether it carries WebSocket frames.
    """
    near = TunnelEnd(clock, Frames() if websocket else None, to_server=True)
    far = TunnelEnd(clock, Frames() if websocket else None)
    near.other, far.other = far, near
    return near, far


def session_ends(clock: IReactorTime, session: Filter, client: str) -> tuple[TunnelEnd, TunnelEnd]:
    """
    The two ends of a realtime session, as `ends` returns them.

    :param client: names the client in the log.
    """
    near, far = SessionEnd(clock, session, client), TunnelEnd(clock, Frames())
    near.other, far.other = far, near
    return near, far


def connect(end: TunnelEnd, early: bytes, other_early: bytes) -> None:
    """
    Begin to relay.  Each end paces the other.

    :param early: bytes that arrived at this end before the tunnel was made; ``other_early``: at the other end.
    """
    for here, data in ((end, early), (end.other, other_early)):
        here.transport.registerProducer(here.other, True)
        if data:
            here.dataReceived(data)
