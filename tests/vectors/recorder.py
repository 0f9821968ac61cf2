"""
A strict upstream: it records the requests that it reads, and everything that violates HTTP.
"""

from __future__ import annotations

import re
import threading

from ..e2e.message import Message, chunks_end, split_chunks
from ..e2e.raw import Peer

_LINE = re.compile(rb"[A-Za-z]+ (?:/[\x21-\x7e\x80-\xff]*|\*) HTTP/1\.1")
_FIELD = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+: ?[\t\x20-\x7e\x80-\xff]*")


class Recorder:
    """
    Responds to each complete request with 200 and its target.

    :ivar seen: method, target and body of each complete request, in order.
    :ivar doubts: violations of HTTP.
    """

    def __init__(self) -> None:
        self.seen: list[tuple[bytes, bytes, bytes]] = []
        self.doubts: list[str] = []
        self._lock = threading.Lock()

    def take(self) -> tuple[list[tuple[bytes, bytes, bytes]], list[str]]:
        """Return the requests and violations since the last call."""
        with self._lock:
            taken = self.seen, self.doubts
            self.seen, self.doubts = [], []
        return taken

    def serve(self, peer: Peer) -> None:
        """Read the requests of one connection; the end of the connection is never an error."""
        while True:
            message = self._head(peer)
            if message is None:
                return
            body = self._body(peer, message)
            method, target, _ = message.start.split(b" ")
            with self._lock:
                self.seen.append((method, target, body))
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(target)
            peer.send(answer if method == b"HEAD" else answer + target)

    def _doubt(self, what: str) -> None:
        with self._lock:
            self.doubts.append(what)

    def _head(self, peer: Peer) -> Message | None:
        data = peer.read_until(b"\r\n\r\n")
        line, *fields = data[:-4].split(b"\r\n")
        if not _LINE.fullmatch(line) or not all(map(_FIELD.fullmatch, fields)):
            self._doubt(f"no head: {data!r}")
            return None
        message = Message(line, [(name, value.strip()) for name, _, value in (each.partition(b":") for each in fields)])
        lengths, codings = message.values(b"Content-Length"), message.values(b"Transfer-Encoding")
        if len(message.values(b"Host")) != 1 or len(lengths) + len(codings) > 1:
            self._doubt(f"hosts or framings: {data!r}")
        if not all(length.isdigit() for length in lengths) or not all(coding == b"chunked" for coding in codings):
            self._doubt(f"an odd framing: {data!r}")
        return message

    def _body(self, peer: Peer, message: Message) -> bytes:
        if not message.chunked:
            return peer.read_exactly(message.length or 0)
        data = b""
        while (size := chunks_end(data)) is None:
            data += peer.read_exactly(1)
        return b"".join(split_chunks(data[:size]))
