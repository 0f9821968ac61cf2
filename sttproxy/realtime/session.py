"""
A realtime session: takes the bytes that a client sends over a WebSocket, returns the bytes to send to the server.

Frames pass as they are, to the byte.  Only an update of the session that the rules change is written anew, as one
frame, and one update may be added before the client's first message.  A message is kept until its type is known.  If
its type comes after `MAX_HELD` bytes, its beginning passes, and it must not turn out to be an update.  No message is
complete at the server before it has been read here to its end.

Extensions must not be negotiated: the payload is read as it is.
"""

from __future__ import annotations

from collections import Counter

from wsproto.frame_protocol import FrameProtocol, Opcode, ParseFailed

from ..config import Rules
from ..websocket import Close, Frames
from .messages import BinaryMessage, Kind, TextMessage
from .refusal import TOO_BIG, Refusal
from .updates import Dialect, Updates

#: Most bytes of a message that are kept, with the heads of its frames.  The instructions and the tools of a voice agent
#: have tens of kilobytes.  A server answers an update for each of them, so larger ones are not usual.
MAX_HELD = 256 * 1024


class Session:
    """
    One session.

    :ivar between: whether what was returned so far ends with a complete frame.
    :ivar refused: what both sides must be told, and then nothing more is returned; None while the session goes on.
    """

    def __init__(self, rules: Rules, dialect: Dialect, counts: Counter[str]) -> None:
        """
        :param counts: counts updates that were ``changed`` and ``added``, and a session that was ``refused``.
        """
        self.between = True
        self.refused: Close | None = None
        self._updates = Updates(rules, dialect)
        self._counts = counts
        self._frames = Frames()
        self._reader = FrameProtocol(client=False, extensions=[])
        self._writer = FrameProtocol(client=True, extensions=[])
        self._stopping = False
        #: The client's close frame has been returned.
        self._ended = False
        #: The beginning of a frame of which the reader has not returned anything.
        self._unread = b""
        #: The client has sent an update, or one was added.
        self._described = False
        self._message: TextMessage | BinaryMessage | None = None
        #: The message is passed on as it arrives.
        self._passing = False
        #: The frames of a message that is kept, and its text.
        self._held: list[bytes] = []
        self._held_size = 0
        self._text: list[str] = []

    @property
    def closed(self) -> bool:
        """Whether the client's close frame has begun."""
        return self._frames.closed

    def stop(self) -> None:
        """Return nothing more after the end of the frame that has been returned in part."""
        self._stopping = True

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the client; return those to send to the server."""
        out: list[bytes] = []
        at = 0
        while at < len(data):
            if self._ended or self.refused is not None or (self._stopping and self.between):
                self._frames.feed(data[at:])
                break
            end = self._frames.advance(data, at)
            try:
                self._piece(data[at:end], out)
            except ParseFailed as error:
                self._refuse(Close(error.code, f"{error}."))
            except Refusal as refusal:
                self._refuse(refusal.close)
            at = end
        return b"".join(out)

    def _refuse(self, close: Close) -> None:
        self.refused = close
        self._counts["refused"] += 1

    def _piece(self, data: bytes, out: list[bytes]) -> None:
        """Read bytes of one frame."""
        self._unread += data
        self._reader.receive_bytes(data)
        for frame in self._reader.received_frames():
            # One piece has at most one frame, and the reader returns what has arrived of it at once.
            raw, self._unread = self._unread, b""
            if frame.opcode.iscontrol():
                self._send(raw, out)
                self._ended = frame.opcode is Opcode.CLOSE
            else:
                assert not isinstance(frame.payload, tuple), "only a close frame has one"
                self._data(frame.payload, frame.message_finished, raw, out)

    def _data(self, payload: str | bytes, finished: bool, raw: bytes, out: list[bytes]) -> None:
        """
        Read bytes of a message.

        :param payload: the text or the bytes.
        :param finished: whether they are its last ones.
        :param raw: the same bytes as they arrived, with the heads of frames.
        """
        message = self._message
        if message is None:
            message = self._message = TextMessage() if isinstance(payload, str) else BinaryMessage()
        message.feed(payload.encode() if isinstance(payload, str) else payload)
        if finished:
            message.end()
        if self._passing:
            if message.kind is Kind.UPDATE:
                raise Refusal(TOO_BIG, f"The type of an update must be within its first {MAX_HELD} bytes.")
            self._send(raw, out)
        else:
            self._hold(message.kind, payload, finished, raw, out)
        if finished:
            self._message = None
            self._passing = False

    def _hold(self, kind: Kind, payload: str | bytes, finished: bool, raw: bytes, out: list[bytes]) -> None:
        """Keep bytes of a message, until its type is known or it is too long."""
        self._held.append(raw)
        self._held_size += len(raw)
        too_long = self._held_size > MAX_HELD
        if kind is Kind.UPDATE and too_long:
            raise Refusal(TOO_BIG, f"An update of the session must not be longer than {MAX_HELD} bytes.")
        if isinstance(payload, str):
            self._text.append(payload)
        if kind is Kind.UPDATE and finished:
            self._update("".join(self._text), out)
        elif kind is Kind.OTHER or too_long:
            self._passing = True
            self._add_update(out)
            self._send(b"".join(self._held), out)
        else:
            return
        self._held, self._held_size, self._text = [], 0, []

    def _update(self, text: str, out: list[bytes]) -> None:
        """Send an update of the client."""
        self._described = True
        edited = self._updates.edited(text)
        if edited == text:
            self._send(b"".join(self._held), out)
        else:
            self._counts["changed"] += 1
            self._write(edited, out)

    def _add_update(self, out: list[bytes]) -> None:
        """Send an update before the client's first message, if that is not one."""
        if self._described:
            return
        self._described = True
        added = self._updates.first()
        if added:
            self._counts["added"] += 1
            self._write(added, out)

    def _write(self, text: str, out: list[bytes]) -> None:
        """Send a text message of the proxy's own."""
        out.append(bytes(self._writer.send_data(text)))
        self.between = True

    def _send(self, data: bytes, out: list[bytes]) -> None:
        """Send what the client has sent, up to the current position."""
        out.append(data)
        self.between = self._frames.between
