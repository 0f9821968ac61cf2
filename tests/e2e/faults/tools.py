"""
Shared tools for tests of faults: bounds, clients that send while they read, and ways to wait for an ending.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from ...e2e.case import RawTestCase
from ...e2e.forms import BOUNDARY, content_type
from ...e2e.message import CHUNKED, Message, chunks_end, request
from ...e2e.process import LIMIT_S
from ...e2e.raw import Ending, Peer

#: Whether to run the long forms of the tests, with the full number of repetitions.
BIG = os.environ.get("STTPROXY_E2E_BIG") == "1"
#: How many times a race is repeated.
ROUNDS = 100 if BIG else 20
#: The bound on what must happen within a second.  It normally takes far less, but a busy machine may pause for that
#: long now and then.
SOON_S = 4.0

TRANSCRIPTIONS = "/v1/audio/transcriptions"
#: The part of a form's file before its data.
OPENING = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'
).encode()
CLOSING = f"\r\n--{BOUNDARY}--\r\n".encode()
#: The content of uploads: if a proxy lost count of a body, it would respond to these.
TRAP = (b"GET /stats HTTP/1.1\r\nHost: trap.test\r\n\r\n" * 2000)[:65536]


def upload_head(length: int | None, path: str = TRANSCRIPTIONS) -> bytes:
    """The head of a transcription with a body of this length, or chunked, and the beginning of its file."""
    if length is None:
        return request("POST", path, content_type(), CHUNKED) + b"%x\r\n%b\r\n" % (len(OPENING), OPENING)
    return request("POST", path, content_type(), (b"Content-Length", b"%d" % length)) + OPENING


def pieces(size: int, chunks: bool) -> Iterator[bytes]:
    """Bytes of a file's data, in chunks or plain, without end."""
    for _ in range(size // len(TRAP)):
        yield b"%x\r\n%b\r\n" % (len(TRAP), TRAP) if chunks else TRAP


class Sending:
    """
    Sends in a thread until all is sent or the other end closes.

    :ivar sent: how many bytes the system has accepted so far.
    :ivar over: whether it has stopped sending.
    """

    def __init__(self, peer: Peer, data: Iterator[bytes]) -> None:
        self.sent = 0
        self.over = False
        self._peer = peer
        self._data = data
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Sending:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A thread that waits to send is woken by the end of its connection.
        with contextlib.suppress(OSError):
            self._peer._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(LIMIT_S)

    def join(self, limit_s: float = LIMIT_S) -> None:
        """Wait until it has stopped sending."""
        self._thread.join(limit_s)

    def _run(self) -> None:
        try:
            for piece in self._data:
                self._peer.send(piece)
                self.sent += len(piece)
        except OSError:
            pass  # the connection has ended, or was stalled until the end of the test
        finally:
            self.over = True


def finish(peer: Peer, message: Message) -> Message:
    """Read the body of a message whose head has been read; it ends by its length or with its last chunk."""
    if message.chunked:
        body = bytearray()
        while chunks_end(body) is None:
            body += peer.read_until(b"\r\n")
        message.raw_body = bytes(body)
    else:
        message.raw_body = peer.read_exactly(message.length or 0)
    return message


def reset_while_sending(peer: Peer) -> None:
    """Reset a connection (RST) on which a thread is sending; a close would wait for that thread."""
    sock = peer._sock
    # A connect to an unspecified address disconnects a socket at once, even if a thread uses it.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.connect(sock.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16)


def swallow(peer: Peer, count: int) -> None:
    """
    Read this many bytes without storing them; a peer stores what it receives.

    :raises EOFError: when the connection ends before.
    """
    while count > 0:
        data = peer.read_some()
        if not data:
            raise EOFError(f"the connection ended {count} bytes early")
        count -= len(data)
        peer.received.clear()
        peer._at = 0


def still(look: Callable[[], int], for_s: float = 0.5) -> int:
    """Wait until a number does not change for a while; return it."""
    end = time.monotonic() + LIMIT_S
    value, since = look(), time.monotonic()
    while time.monotonic() - since < for_s:
        assert time.monotonic() < end, f"still moving: {value}"
        time.sleep(0.02)
        now = look()
        if now != value:
            value, since = now, time.monotonic()
    return value


def narrow(port: int, buffer: int = 16384) -> Peer:
    """A connection to a port with small buffers, so that the other end is paused early."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    sock.settimeout(LIMIT_S)
    sock.connect(("127.0.0.1", port))
    return Peer(sock)


class FaultTestCase(RawTestCase):
    """Tests in which the test itself plays the upstream, and a fault occurs."""

    def narrow(self, buffer: int = 16384) -> Peer:
        """Return a client with small receive buffers."""
        client = narrow(self.daemon.port, buffer)
        self.addCleanup(client.close)
        return client

    def next_connection(self, *resting: Peer) -> Peer:
        """
        Return the connection of the next request: an idle one or a new one.

        Most tests do not depend on reuse, because a daemon keeps what it learned about an upstream's idle timeout.
        """
        alive = {peer._sock: peer for peer in resting if peer.ending is None}
        while True:
            ready = select.select([self.listener._sock, *alive], [], [], LIMIT_S)[0]
            self.assertTrue(ready, "no request came")
            for sock in ready:
                peer = alive.get(sock) or self.listener.accept()
                if peer.unread or peer._receive():
                    return peer
                alive.pop(sock, None)

    def assert_ends(self, peer: Peer, ending: Ending | None = None) -> bytes:
        """Check that the other end of a connection ends soon; return the bytes before that."""
        begun = time.monotonic()
        rest = peer.read_to_end()
        self.assertLess(time.monotonic() - begun, SOON_S)
        if ending is not None:
            self.assertIs(peer.ending, ending)
        return rest

    def assert_closed(self, client: Peer) -> None:
        """Check that the client gets a close: no further bytes, and no reset, which could lose the response."""
        self.assertEqual(self.assert_ends(client, Ending.FIN), b"")

    def assert_incomplete(self, received: bytes | bytearray, length: int | None) -> None:
        """Check that a request with this length, or in chunks, was never complete at the upstream."""
        body = bytes(received).partition(b"\r\n\r\n")[2]
        if length is None:
            self.assertFalse(body.endswith(b"0\r\n\r\n"), "the last chunk was sent")
        else:
            self.assertLess(len(body), length)

    def assert_nothing_forwarded(self) -> None:
        """Check that no connection to the upstream was made, and that no idle one was used."""
        self.catch_up()
        for peer in self.listener.peers:
            self.assertEqual(peer.unread, b"")
        self.assertIsNone(self.listener.accept_waiting())

    def assert_works(self) -> None:
        """Check that the daemon serves another request, with no request in flight."""
        self.assertEqual(self.daemon.stats()["in_flight"], 1)  # this very request
