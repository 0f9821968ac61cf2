"""
The body that one stream sends, while it waits for the other side's window; and what both sides of the proxy allow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..errors import Header

#: The beginning of a connection (RFC 9113 §3.4).
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#: Most requests of one connection at a time; RFC 9113 §6.5.2 recommends no fewer.
MAX_STREAMS = 100
#: Bytes of one body that may be in transit to the proxy, and that a paused one occupies.  Over 10 ms of latency a body
#: reaches 25 MB/s.
STREAM_WINDOW = 256 * 1024
#: Bytes of all bodies in transit.  A paused body takes none of it for long: the connection's window is given back at
#: once, and only the stream's own when the bytes are forwarded.
CONNECTION_WINDOW = 16 * 1024 * 1024
#: Largest frame that the other side may send; larger frames cost less for each byte.
MAX_FRAME = 64 * 1024
#: Most bytes of a body that wait for the other side's window before what produces them is paused.
MAX_WAITING = 64 * 1024


class Outbound:
    """
    The part of a body that is not sent yet.

    :ivar waiting: its bytes.
    :ivar sent: the body is sent completely.
    :ivar trailers: follow the body's last bytes.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.sent = False
        self.trailers: Sequence[Header] = ()
        self._pieces: deque[bytes] = deque()
        self._complete = False

    def add(self, data: bytes) -> None:
        """Add bytes; never empty."""
        self._pieces.append(data)
        self.waiting += len(data)

    def end(self, trailers: Sequence[Header] = ()) -> None:
        """The body is complete behind what was added, and these trailers."""
        self._complete = True
        self.trailers = trailers

    @property
    def sendable(self) -> bool:
        """Whether there is something to send: bytes, or the end."""
        return not self.sent and (bool(self._pieces) or self._complete)

    def take(self, most: int) -> tuple[bytes, bool]:
        """
        Take bytes for one frame, and whether they are the last ones.

        :param most: how many the window allows.
        """
        data = b""
        if self._pieces:
            data = self._pieces[0]
            if len(data) > most:
                self._pieces[0], data = data[most:], data[:most]
            else:
                self._pieces.popleft()
            self.waiting -= len(data)
        self.sent = self._complete and not self._pieces
        return data, self.sent
