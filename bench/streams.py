"""
Uploads over many streams of HTTP/2 connections that make slow progress, or none: a client on jh2.
"""

from __future__ import annotations

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterator

from jh2.config import H2Configuration
from jh2.connection import H2Connection
from jh2.events import DataReceived, Event, ResponseReceived, StreamEnded

from . import forms
from .clients import Wrong, check_length
from .server import HOST, SILENCE_S, Server

#: Most streams of one connection.  All peers allow as many.
PER_CONNECTION = 100
#: A paused upload: the sink reads nothing of it.
PAUSED = forms.PATH + "?pause"
#: Seconds without progress after which a paused upload is expected to make none.
QUIET_S = 0.7
#: The size of each paused recording, in bytes: more than windows and buffers take.
_PAUSED_SIZE = 64 << 20


class Uploads:
    """
    Uploads over one connection, all begun.

    :ivar sent: bytes of each form that were sent, by stream.
    """

    def __init__(self, server: Server, count: int, target: str, file_size: int) -> None:
        """
        :param file_size: of each recording, in bytes.
        """
        self.sent: dict[int, int] = {}
        self._bodies: dict[int, bytes] = {}
        self._complete: set[int] = set()
        self._socket: socket.socket = server.connect("h2")
        self._h2 = H2Connection(H2Configuration(client_side=True, header_encoding=False))
        self._h2.initiate_connection()
        length = len(forms.BEFORE) + file_size + len(forms.AFTER)
        for _ in range(count):
            number = self._h2.get_next_available_stream_id()
            self._h2.send_headers(
                number,
                [
                    (":method", "POST"),
                    (":scheme", "https" if server.certificate else "http"),
                    (":authority", HOST),
                    (":path", target),
                    ("content-type", forms.CONTENT_TYPE),
                    ("content-length", str(length)),
                ],
            )
            self.sent[number] = 0
        self._flush()
        self.send(forms.BEFORE)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def send(self, data: bytes, last: bool = False) -> None:
        """
        Send bytes on each stream, and wait for windows.

        :param last: whether the form is complete then.
        :raises Wrong: when the windows stay closed.
        """
        for number in self.sent:
            rest = data
            while rest:
                piece = rest[: self._most(number)]
                if piece:
                    self._h2.send_data(number, piece)
                    self._flush()
                    rest = rest[len(piece) :]
                elif not self._receive(SILENCE_S):
                    raise Wrong("gave back no window for a slow upload")
            self.sent[number] += len(data)
            if last:
                self._h2.end_stream(number)
        self._flush()

    def fill(self, block: bytes) -> None:
        """
        Send the same bytes again and again on each stream, until the peer takes no more: all windows stay closed, or it
        no longer reads from the connection.

        :raises Wrong: when it takes everything.
        """
        active = True
        while active:
            active = False
            for number in self.sent:
                piece = block[: self._most(number)]
                if piece:
                    if not select.select([], [self._socket], [], QUIET_S)[1]:
                        return
                    self._h2.send_data(number, piece)
                    self._flush()
                    self.sent[number] += len(piece)
                    active = True
                if self.sent[number] > _PAUSED_SIZE - len(block):
                    raise Wrong(f"took {self.sent[number]} bytes that the sink has not read")
            active = self._receive(0 if active else QUIET_S) or active

    def answers(self) -> Iterator[bytes]:
        """
        Wait for the responses; return their bodies.

        :raises Wrong: when one is missing.
        """
        while len(self._complete) < len(self.sent):
            if not self._receive(SILENCE_S):
                raise Wrong(f"answered {len(self._complete)} uploads of {len(self.sent)}")
        return iter(self._bodies.values())

    def _most(self, number: int) -> int:
        most: int = min(self._h2.local_flow_control_window(number), self._h2.max_outbound_frame_size)
        return most

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

    def _receive(self, wait_s: float) -> bool:
        """
        Process what arrives; return whether something did within `wait_s` seconds.

        :raises Wrong: when the peer has closed the connection, or a response is wrong.
        """
        # A TLS socket may have decrypted bytes that select does not know of.
        pending = getattr(self._socket, "pending", int)()
        if not pending and not select.select([self._socket], [], [], wait_s)[0]:
            return False
        data = self._socket.recv(65536)
        if not data:
            raise Wrong("closed the connection during uploads")
        for event in self._h2.receive_data(data):
            self._process(event)
        self._flush()
        return True

    def _process(self, event: Event) -> None:
        if isinstance(event, ResponseReceived):
            status = dict(event.headers)[b":status"]
            if status != b"200":
                raise Wrong(f"answered an upload with {status.decode()}")
        elif isinstance(event, DataReceived):
            self._bodies[event.stream_id] = self._bodies.get(event.stream_id, b"") + event.data
        elif isinstance(event, StreamEnded):
            self._complete.add(event.stream_id)


@contextlib.contextmanager
def _begun(server: Server, count: int, target: str, file_size: int) -> Iterator[list[Uploads]]:
    """Begin `count` uploads, on as few connections as possible."""
    begun: list[Uploads] = []
    try:
        for first in range(0, count, PER_CONNECTION):
            begun.append(Uploads(server, min(PER_CONNECTION, count - first), target, file_size))
        yield begun
    finally:
        for uploads in begun:
            uploads.close()


def paused(server: Server, count: int, measure: Callable[[], float]) -> float:
    """
    Let `count` clients upload what windows and buffers take, while the sink reads nothing.

    :returns: the result of `measure` when no upload makes progress any more.
    :raises Wrong: when an upload was not paused.
    """
    block = forms.recording(1 << 16)
    with _begun(server, count, PAUSED, _PAUSED_SIZE) as begun:
        for uploads in begun:
            uploads.fill(block)
        return measure()


def slow(server: Server, count: int, pause_s: float, measure: Callable[[], float], rewritten: bool) -> float:
    """
    Let `count` clients upload concurrently: each sends 4 KiB in each turn, with a pause of `pause_s` between turns.

    :returns: the result of `measure` before the last turn.
    :raises Wrong: when an upload gets no correct response.
    """
    piece, turns = forms.recording(4096), 8
    with _begun(server, count, forms.PATH, turns * len(piece)) as begun:
        for _ in range(turns - 1):
            for uploads in begun:
                uploads.send(piece)
            time.sleep(pause_s)
        measured = measure()
        for uploads in begun:
            uploads.send(piece + forms.AFTER, last=True)
        for uploads in begun:
            for body in uploads.answers():
                check_length(body, turns * len(piece), rewritten)
        return measured
