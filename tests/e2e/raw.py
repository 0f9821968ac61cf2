"""
Connections controlled by a test, byte for byte, on either side of the proxy.

A `Peer` is one end of a connection.  A test that plays the client gets one from `connect`; one that plays the
upstream gets one from a `Listener`, by `accept`, and can play both in turn without any thread:

    client = connect(daemon.port)
    client.send(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    upstream = listener.accept()
    upstream.read_message()
    upstream.send(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
    client.read_message()

If the client is a library that blocks, `Listener.serve` runs a script for each connection in threads.
"""

from __future__ import annotations

import contextlib
import enum
import socket
import struct
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

from .message import HEAD_END, Message, chunks_end, parse_head
from .process import LIMIT_S


class Ending(enum.Enum):
    """How the other end has ended a connection."""

    FIN = "it sends no more"
    RESET = "it has broken off"


class Peer:
    """
    One end of a connection.

    :ivar received: all bytes received, in order, whether or not a test has read them.
    :ivar ending: how the other end has ended the connection; None until that is seen.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(LIMIT_S)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._at = 0
        self.received = bytearray()
        self.ending: Ending | None = None

    def fileno(self) -> int:
        """The socket's descriptor, for `select`."""
        return self._sock.fileno()

    # Sending.

    def send(self, *pieces: bytes) -> None:
        """Send bytes; each piece is a separate system call."""
        for piece in pieces:
            self._sock.sendall(piece)

    def send_while_taken(self, pieces: Iterable[bytes]) -> int:
        """Send until the other end closes or all is sent; return how many bytes the system accepted."""
        sent = 0
        for piece in pieces:
            try:
                self._sock.sendall(piece)
            except (BrokenPipeError, ConnectionResetError):
                break
            sent += len(piece)
        return sent

    def shut(self) -> None:
        """Half-close (FIN): send no more, but go on reading."""
        self._sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close; has no effect on a closed connection."""
        self._sock.close()

    def reset(self) -> None:
        """Reset (RST)."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    # Reading: each call continues where the previous one ended.

    @property
    def unread(self) -> bytes:
        """The received bytes that no call has returned yet."""
        return bytes(self.received[self._at :])

    def read_some(self) -> bytes:
        """
        Wait for bytes and return all that have arrived; empty at the end.

        :raises TimeoutError: when nothing comes within `LIMIT_S`.
        """
        if not self.unread:
            self._receive()
        return self._take(len(self.unread))

    def read_until(self, marker: bytes) -> bytes:
        """
        Read up to and including a marker.

        :raises EOFError: when the connection ends before.
        """
        start = self._at
        while (found := self.received.find(marker, start)) < 0:
            start = max(self._at, len(self.received) - len(marker) + 1)
            self._must_receive(f"before {marker!r}")
        return self._take(found + len(marker) - self._at)

    def read_exactly(self, count: int) -> bytes:
        """
        Read this many bytes.

        :raises EOFError: when the connection ends before.
        """
        while len(self.received) - self._at < count:
            self._must_receive(f"{count - len(self.unread)} bytes early")
        return self._take(count)

    def read_to_end(self) -> bytes:
        """Read until the other end closes; `ending` says how it did."""
        while self._receive():
            pass
        return self._take(len(self.unread))

    def read_head(self) -> Message:
        """Read a head; the message's body is empty."""
        return parse_head(self.read_until(HEAD_END))

    def read_message(self, bodiless: bool = False) -> Message:
        """
        Read a message, with the body that its head frames.

        :param bodiless: whether it is the response to a HEAD, which has no body.
        :raises EOFError: when the connection ends before the message does.
        """
        message = self.read_head()
        if bodiless or message.bodiless:
            return message
        if message.chunked:
            while (size := chunks_end(self.unread)) is None:
                self._must_receive("before the last chunk")
            message.raw_body = self._take(size)
        elif message.length is not None:
            message.raw_body = self.read_exactly(message.length)
        elif not message.is_request:
            message.raw_body = self.read_to_end()
            if self.ending is Ending.RESET:
                raise EOFError("a body that ends with its connection was broken off")
        return message

    def _take(self, count: int) -> bytes:
        taken = bytes(self.received[self._at : self._at + count])
        self._at += count
        return taken

    def _must_receive(self, where: str) -> None:
        if not self._receive():
            raise EOFError(f"the connection ended {where}; unread: {self.unread[-500:]!r}")

    def _receive(self) -> bool:
        """Wait for bytes; return False at the end of the connection."""
        if self.ending is not None:
            return False
        try:
            data = self._sock.recv(65536)
        except ConnectionResetError:
            self.ending = Ending.RESET
            return False
        if not data:
            self.ending = Ending.FIN
        self.received += data
        return bool(data)


def connect(address: int | str, host: str = "127.0.0.1") -> Peer:
    """A connection to a port, or to the path of a socket."""
    if isinstance(address, int):
        return Peer(socket.create_connection((host, address), LIMIT_S))
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(address)
    return Peer(sock)


class Listener:
    """
    An upstream controlled by the test.

    :ivar port: the port that it listens on.
    :ivar peers: the accepted connections, oldest first.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._sock.bind((host, port))
        self._sock.listen(128)
        self._sock.settimeout(LIMIT_S)
        self.port: int = self._sock.getsockname()[1]
        self.peers: list[Peer] = []
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._closing = False

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def accept(self) -> Peer:
        """
        Accept the next connection.

        :raises TimeoutError: when none comes within `LIMIT_S`.
        """
        peer = Peer(self._sock.accept()[0])
        self.peers.append(peer)
        return peer

    def accept_waiting(self) -> Peer | None:
        """Accept a pending connection; return None if no connection is pending."""
        self._sock.settimeout(0)
        try:
            return self.accept()
        except BlockingIOError:
            return None
        finally:
            self._sock.settimeout(LIMIT_S)

    def forget(self) -> None:
        """Close the accepted and the pending connections."""
        while self.accept_waiting():
            pass
        for peer in self.peers:
            peer.close()
        self.peers.clear()

    def serve(self, script: Callable[[Peer], None]) -> None:
        """
        From now on run a script for each connection, in its own thread, and close the connection afterwards.

        `check` raises what a script has raised; the end of the connection during a read is not an error.
        """
        thread = threading.Thread(target=self._accept_all, args=(script,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        """Stop listening and close the connections; then `check`."""
        self._closing = True
        # Closing a socket does not wake a thread that waits on it; connecting does.
        if self._threads:
            with contextlib.suppress(OSError):
                socket.create_connection(self._sock.getsockname()[:2], LIMIT_S).close()
        self._sock.close()
        for peer in self.peers:
            peer.close()
        for thread in self._threads:
            thread.join(LIMIT_S)
        self.check()

    def check(self) -> None:
        """Raise what a script has raised since the last call."""
        failures, self._failures = self._failures, []
        if failures:
            raise failures[0]

    def _accept_all(self, script: Callable[[Peer], None]) -> None:
        while not self._closing:
            try:
                peer = self.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if self._closing:
                # The connection from `close`, which only wakes this thread; at interpreter exit no new thread can
                # start for it.
                peer.close()
                return
            thread = threading.Thread(target=self._run, args=(script, peer), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, script: Callable[[Peer], None], peer: Peer) -> None:
        try:
            script(peer)
        except EOFError:
            pass
        except BaseException as error:
            if not self._closing:
                self._failures.append(error)
        finally:
            peer.close()
