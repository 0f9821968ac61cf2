"""
The proxy's memory is bounded, however large the bodies and however slow the peers.
"""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import time
from itertools import cycle, islice

from ...e2e.message import head, request
from ...e2e.process import LIMIT_S, until
from ...e2e.system import LINUX
from .tools import SOON_S, TRAP, FaultTestCase, pieces, upload_head

#: The number of stalled uploads, and of slow readers.
EACH = 200
#: The most that each may cost, in bytes.
MOST = 1 << 20
GIGABYTE = 1 << 30


def resident(pid: int) -> int:
    """A process's current memory, in bytes."""
    with open(f"/proc/{pid}/status") as file:
        found = re.search(r"^VmRSS:\s*(\d+) kB", file.read(), re.MULTILINE)
    assert found is not None
    return int(found.group(1)) * 1024


class Crowd:
    """
    Both ends of many connections in one thread; hundreds of threads would use more memory than the limit.

    :ivar moved: the bytes sent and read so far, on all connections.
    """

    def __init__(self, port: int, upstream: socket.socket) -> None:
        self._port = port
        self._upstream = upstream
        self._selector = selectors.DefaultSelector()
        self._selector.register(upstream, selectors.EVENT_READ, self._accept)
        self._sockets: list[socket.socket] = []
        self.moved = 0
        self.downloads = 0
        self.uploads = 0

    def connect(self, opening: bytes, chunks: bool | None) -> None:
        """
        Connect a client that sends an opening and then as much as it can.

        :param chunks: whether in chunks; None: it sends only the opening, and reads the beginning of the response.
        """
        sock = socket.socket()
        # Socket buffers are system memory; small ones put more load on the proxy.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sock.connect(("127.0.0.1", self._port))
        sock.sendall(opening)
        self._sockets.append(sock)
        if chunks is None:
            self._watch(sock, selectors.EVENT_READ, self._read_a_little)
        else:
            (piece,) = pieces(len(TRAP), chunks)
            self._send_all(sock, piece)

    def _accept(self, listening: socket.socket) -> None:
        sock = listening.accept()[0]
        self._sockets.append(sock)
        self._watch(sock, selectors.EVENT_READ, self._read_start)

    def _watch(self, sock: socket.socket, events: int, do: object) -> None:
        sock.setblocking(False)
        self._selector.register(sock, events, do)

    def _read_start(self, sock: socket.socket) -> None:
        """
        The upstream reads only the beginning of a request: no more of an upload, enough of a request without a body.
        """
        start = sock.recv(3)
        self._selector.unregister(sock)
        if start != b"GET":
            self.uploads += 1
            return
        self.downloads += 1
        sock.send(head(b"HTTP/1.1 200 OK", [(b"Content-Length", b"%d" % GIGABYTE)]))
        self._send_all(sock, TRAP)

    def _read_a_little(self, sock: socket.socket) -> None:
        self.moved += len(sock.recv(4096))
        self._selector.unregister(sock)

    def _send_all(self, sock: socket.socket, piece: bytes) -> None:
        """Send a piece repeatedly, whenever there is room; pieces are cut anywhere."""
        rest = bytearray(piece)

        def send(_: socket.socket) -> None:
            sent = sock.send(rest)
            self.moved += sent
            del rest[:sent]
            if not rest:
                rest.extend(piece)

        self._watch(sock, selectors.EVENT_WRITE, send)

    def _turn(self) -> None:
        for key, _ in self._selector.select(0.1):
            with contextlib.suppress(BlockingIOError):
                key.data(key.fileobj)

    def gather(self, count: int) -> None:
        """Go on until this many requests have reached the upstream; a system limits the backlog."""
        end = time.monotonic() + LIMIT_S
        while self.uploads + self.downloads < count:
            assert time.monotonic() < end, f"only {self.uploads} uploads and {self.downloads} downloads came"
            self._turn()

    def settle(self) -> None:
        """Go on until no bytes have moved for a while."""
        end = time.monotonic() + LIMIT_S
        since, moved = time.monotonic(), -1
        while time.monotonic() - since < 1:
            assert time.monotonic() < end, f"still moving after {self.moved} bytes"
            self._turn()
            if moved != self.moved:
                since, moved = time.monotonic(), self.moved

    def close(self) -> None:
        """Reset all connections."""
        self._selector.close()
        for sock in self._sockets:
            sock.close()


class Memory(FaultTestCase):
    """All connections at once to one daemon."""

    config = '{"language": "zh"}'

    def test_crowd(self) -> None:
        """
        Stalled uploads and slow readers of a gigabyte cost at most a mebibyte each, and their memory is freed at the
        end.
        """
        self.catch_up()
        before = resident(self.daemon.pid)
        crowd = Crowd(self.daemon.port, self.listener._sock)
        try:
            kinds = [
                (length, path) for length in (GIGABYTE, None) for path in ("/v1/audio/transcriptions", "/v1/files")
            ]
            for number, (length, path) in enumerate(islice(cycle(kinds), EACH), 1):
                crowd.connect(upload_head(length, path), length is None)
                crowd.connect(request("GET", "/v1/large"), None)
                crowd.gather(2 * number)
            crowd.settle()
            self.assertEqual((crowd.uploads, crowd.downloads), (EACH, EACH))
            after = resident(self.daemon.pid)
            self.assertEqual(self.daemon.stats()["in_flight"], 2 * EACH + 1)
            self.assertGreater(crowd.moved, 2 * EACH * 65536, "the crowd hardly pressed")
            self.assertLess(after - before, 2 * EACH * MOST)
        finally:
            crowd.close()
        until(lambda: self.daemon.stats()["in_flight"] == 1, "the end of the crowd", 2 * SOON_S)

    if not LINUX:
        test_crowd.skip = "only Linux tells a process's memory"  # type: ignore[attr-defined]
