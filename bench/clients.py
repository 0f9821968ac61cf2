"""
Clients for measurements that wrk does not support: large uploads, single requests, events, idle and slow connections.

They use blocking sockets, one operation at a time, so that the measured time has little overhead of our own.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable

from . import forms
from .server import Server

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_COUNT = re.compile(rb'"bytes": *(\d+)')
_EVENT = re.compile(rb"data: (\d+)\n")
GET = b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n"


class Wrong(Exception):
    """A response is wrong; the message says how."""


def answer(connection: socket.socket) -> bytes:
    """
    Read the next response, which must have a Content-Length; return its body.

    :raises Wrong: when the status is not 200, there is no length, or the response ends early.
    """
    data = connection.recv(65536)
    while (end := data.find(b"\r\n\r\n")) < 0:
        data += _more(connection, data)
    status, length = _STATUS.match(data), _LENGTH.search(data, 0, end)
    if not status or status[1] != b"200" or not length:
        raise Wrong(f"answered {data[:200]!r}")
    pieces, missing = [data[end + 4 :]], end + 4 + int(length[1]) - len(data)
    while missing > 0:
        pieces.append(_more(connection, data))
        missing -= len(pieces[-1])
    return b"".join(pieces)


def _more(connection: socket.socket, so_far: bytes) -> bytes:
    more = connection.recv(262144)
    if not more:
        raise Wrong(f"closed the connection after {so_far[:200]!r}")
    return more


def check_length(body: bytes, file_size: int, rewritten: bool) -> None:
    """
    Check the number of body bytes that the sink reports in its response.

    :raises Wrong: when the sink did not receive the whole form with a recording of `file_size` bytes.
    """
    count = _COUNT.search(body)
    if not count:
        raise Wrong(f"answered {body[:200]!r}, which has no count of bytes")
    if not forms.length_right(file_size, int(count[1]), rewritten):
        raise Wrong(f"sent the sink {int(count[1])} bytes for a recording of {file_size}")


def check(server: Server, rewritten: bool) -> None:
    """
    Send one form and one GET, and check the form that the sink received.

    :param rewritten: whether the form must contain the configured fields; if not, it must be unchanged.
    :raises Wrong: when the form or a response is wrong.
    """
    file = forms.recording(16_000)
    with server.connect() as connection:
        connection.sendall(forms.request(file, forms.PATH + "?keep=1"))
        received = answer(connection)
        if not forms.arrived_right(file, received, rewritten):
            raise Wrong(f"sent the sink {len(received)} bytes that are not what they should be")
        connection.sendall(GET)
        answer(connection)


def upload(server: Server, size: int, rewritten: bool) -> float:
    """
    Send one recording of `size` bytes as fast as possible; return the seconds until the complete response.

    :raises Wrong: when the sink did not receive the whole form.
    """
    block = forms.recording(1 << 20)
    with server.connect() as connection:
        began = time.perf_counter()
        connection.sendall(forms.head(size) + forms.BEFORE)
        left = size
        while left > 0:
            connection.sendall(block if left >= len(block) else block[:left])
            left -= len(block)
        connection.sendall(forms.AFTER)
        body = answer(connection)
        took_s = time.perf_counter() - began
    check_length(body, size, rewritten)
    return took_s


def latencies(server: Server, seconds: float, message: bytes) -> list[float]:
    """Send requests one after the other on one connection, for `seconds`; return the latencies in seconds, sorted."""
    taken: list[float] = []
    with server.connect() as connection:
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            connection.sendall(message)
            answer(connection)
            taken.append(time.perf_counter() - began)
    return sorted(taken)


def events(server: Server, count: int) -> list[float]:
    """
    Receive a stream of `count` events; return their delays from sink to client in seconds, sorted.

    :raises Wrong: when the stream ends early.
    """
    delays: list[float] = []
    seen = b""
    with server.connect() as connection:
        connection.sendall(b"GET /events?count=%d HTTP/1.1\r\nHost: bench.test\r\n\r\n" % count)
        while len(delays) < count:
            data = connection.recv(65536)
            now_ns = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            if not data:
                raise Wrong(f"passed on {len(delays)} events of {count}, then closed: {seen[:200]!r}")
            seen += data
            for event in _EVENT.finditer(seen):
                delays.append((now_ns - int(event[1])) / 1e9)
            seen = seen[seen.rfind(b"\n\n") + 1 :]
    return sorted(delays)


def idle(server: Server, count: int, measure: Callable[[], float]) -> float:
    """
    Connect `count` clients, each with one request, and keep them idle; return the result of `measure` meanwhile.

    :raises Wrong: when a second request on one of the connections fails afterwards.
    """
    waiting: list[socket.socket] = []

    def ask(client: socket.socket) -> None:
        client.sendall(GET)
        answer(client)

    try:
        for _ in range(count):
            waiting.append(server.connect())
            ask(waiting[-1])
        measured = measure()
        for client in waiting:
            ask(client)
        return measured
    finally:
        for client in waiting:
            client.close()


def slow(
    server: Server, count: int, pause_s: float, measure: Callable[[], float], rewritten: bool
) -> tuple[float, int]:
    """
    Let `count` clients upload concurrently: each sends 4 KiB in each turn, with a pause of `pause_s` between turns.

    :returns: the result of `measure` before the last turn, and the number of clients that got no correct response.
    """
    piece, turns = forms.recording(4096), 8
    clients: list[socket.socket] = []
    failed: set[socket.socket] = set()

    def each(deed: Callable[[socket.socket], object]) -> None:
        for client in clients:
            if client not in failed:
                try:
                    deed(client)
                except (OSError, Wrong):
                    failed.add(client)

    def finish(client: socket.socket) -> None:
        check_length(answer(client), turns * len(piece), rewritten)

    try:
        for _ in range(count):
            clients.append(server.connect())
            clients[-1].sendall(forms.head(turns * len(piece)) + forms.BEFORE)
        for _ in range(turns - 1):
            each(lambda client: client.sendall(piece))
            time.sleep(pause_s)
        measured = measure()
        each(lambda client: client.sendall(piece + forms.AFTER))
        each(finish)
        return measured, len(failed)
    finally:
        for client in clients:
            client.close()
