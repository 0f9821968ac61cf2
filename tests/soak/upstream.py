"""
The server behind the soaked daemon: each request's ``X-Do`` header says how it behaves.
"""

from __future__ import annotations

import select
import threading
import time
from collections.abc import Callable

from tests.e2e.message import CHUNKED, Message, chunked, counted, head
from tests.e2e.raw import Peer

OK = b"HTTP/1.1 200 OK"
BODY = b'{"text": "soaked"}'
LARGE = b"large answer " * 50_000

#: Seconds after which an upstream that reads nothing gives up; the daemon notices disconnected clients much earlier.
HOLD_S = 60.0

#: Handles a request whose head has been read; returns True if the connection persists.
Action = Callable[[Peer, Message], bool]


def _read(peer: Peer, message: Message) -> None:
    """Read the rest of a request."""
    if message.chunked:
        # The soak's clients send chunks without trailers.
        peer.read_until(b"\r\n0\r\n\r\n" if not peer.unread.startswith(b"0\r\n\r\n") else b"0\r\n\r\n")
    else:
        peer.read_exactly(message.length or 0)


def answering(answer: bytes, keep: bool = True, wait_s: float = 0.0) -> Action:
    """Read the request and respond."""

    def action(peer: Peer, message: Message) -> bool:
        _read(peer, message)
        if wait_s:
            time.sleep(wait_s)
        peer.send(answer)
        return keep

    return action


def early(answer: bytes, end: Callable[[Peer], None] | None) -> Action:
    """Respond before reading the request; then close the connection, or read on and serve the next one."""

    def action(peer: Peer, message: Message) -> bool:
        peer.send(answer)
        if end is None:
            _read(peer, message)
            return True
        end(peer)
        return False

    return action


def breaking(part: bytes, end: Callable[[Peer], None]) -> Action:
    """Read the request, send a part of a response, and close the connection."""

    def action(peer: Peer, message: Message) -> bool:
        _read(peer, message)
        peer.send(part)
        end(peer)
        return False

    return action


def linger(peer: Peer) -> None:
    """Read on to the end."""
    peer.read_to_end()


def echo(peer: Peer, message: Message) -> bool:
    """Accept an upgrade and echo all bytes."""
    peer.send(head(b"HTTP/1.1 101 Switching Protocols", [(b"Connection", b"Upgrade"), (b"Upgrade", b"echo")]))
    while data := peer.read_some():
        peer.send(data)
    return False


def hold(peer: Peer, message: Message) -> bool:
    """Neither read nor respond, until the other end has closed with unread bytes."""
    closed = select.poll()
    closed.register(peer, select.POLLRDHUP)
    closed.poll(HOLD_S * 1000)
    return False


def stall(peer: Peer, message: Message) -> bool:
    """Neither read nor respond."""
    threading.Event().wait(0.3)
    return False


WHOLE = head(OK, [counted(BODY)]) + BODY
REFUSAL = head(b"HTTP/1.1 413 Content Too Large", [counted(b"too large")]) + b"too large"

DEEDS: dict[bytes, Action] = {
    b"answer": answering(WHOLE),
    b"chunks": answering(head(OK, [CHUNKED]) + chunked([BODY[:5], BODY[5:]])),
    b"large": answering(head(OK, [counted(LARGE)]) + LARGE),
    b"wait": answering(WHOLE, wait_s=0.05),
    b"interim": answering(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + WHOLE),
    b"no content": answering(head(b"HTTP/1.1 204 No Content", [])),
    b"say close": answering(head(OK, [counted(BODY), (b"Connection", b"close")]) + BODY, keep=False),
    b"until close": answering(head(OK, [(b"Connection", b"close")]) + BODY, keep=False),
    b"extra": answering(WHOLE + b"extra", keep=False),
    b"error": answering(head(b"HTTP/1.1 500 Internal Server Error", [counted(b"no")]) + b"no"),
    b"early, close": early(REFUSAL, Peer.close),
    b"early, reset": early(REFUSAL, Peer.reset),
    b"early, read on": early(REFUSAL, None),
    b"nothing": breaking(b"", Peer.close),
    b"nothing, reset": breaking(b"", Peer.reset),
    b"garbage": breaking(b"\0\1\2 garbage\r\n\r\n", linger),
    b"long head": breaking(OK + b"\r\nA: " + b"b" * 70_000, linger),
    b"cut length": breaking(head(OK, [(b"Content-Length", b"100")]) + BODY, Peer.close),
    b"cut chunks": breaking(head(OK, [CHUNKED]) + b"5\r\n12345\r\n", Peer.reset),
    b"reset": breaking(head(OK, []) + BODY, Peer.reset),
    b"stall": stall,
    b"hold": hold,
    b"echo": echo,
}


def serve(peer: Peer) -> None:
    """Serve one connection."""
    try:
        while True:
            message = peer.read_head()
            (action,) = message.values(b"X-Do")
            if not DEEDS[action](peer, message):
                return
            # Received bytes are not needed any more.
            del peer.received[: peer._at]
            peer._at = 0
    except OSError:
        pass  # the daemon has aborted the connection, as it should when a client has disconnected
