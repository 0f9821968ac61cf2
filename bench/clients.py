"""
Clients for what wrk cannot do: large uploads, one request at a time, events, and connections that are idle or slow.

They speak over plain blocking sockets: with one thing at a time, nothing of ours stands in the time that is taken.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable

from . import forms

#: Seconds after which a peer that says nothing is given up.
SILENCE_S = 60.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
_COUNT = re.compile(rb'"bytes": *(\d+)')
_EVENT = re.compile(rb"data: (\d+)\n")
GET = b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n"


class Wrong(Exception):
    """An answer is not what it should be; the message says how."""


def connect(port: int) -> socket.socket:
    """A connection over loopback that sends at once what it is given."""
    connection = socket.create_connection(("127.0.0.1", port), SILENCE_S)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def answer(connection: socket.socket) -> bytes:
    """
    The body of the next answer, which has a length.

    :raises Wrong: when its status is not 200, or when it ends early.
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


def _count(body: bytes) -> int:
    """The bytes of body that the sink says it got."""
    count = _COUNT.search(body)
    if not count:
        raise Wrong(f"answered {body[:200]!r}, which has no count of bytes")
    return int(count[1])


def check(port: int, rewritten: bool) -> None:
    """
    Send one form; see what the sink got.

    :param rewritten: whether the configuration must be in it; else it must be unchanged.
    :raises Wrong: when anything else came there.
    """
    file = forms.recording(16_000)
    with connect(port) as connection:
        connection.sendall(forms.request(file, forms.PATH + "?keep=1"))
        received = answer(connection)
        if not forms.arrived_right(file, received, rewritten):
            raise Wrong(f"sent the sink {len(received)} bytes that are not what they should be")
        connection.sendall(GET)
        answer(connection)


def upload(port: int, size: int, rewritten: bool) -> float:
    """
    Send one recording of `size` bytes as fast as it is taken; return the seconds until the answer.

    :raises Wrong: when the sink did not get all of it.
    """
    block = forms.recording(1 << 20)
    with connect(port) as connection:
        began = time.perf_counter()
        connection.sendall(forms.head(size) + forms.BEFORE)
        left = size
        while left > 0:
            connection.sendall(block if left >= len(block) else block[:left])
            left -= len(block)
        connection.sendall(forms.AFTER)
        count = _count(answer(connection))
        took = time.perf_counter() - began
    if not forms.length_right(size, count, rewritten):
        raise Wrong(f"sent the sink {count} bytes for a recording of {size}")
    return took


def latencies(port: int, seconds: float, message: bytes) -> list[float]:
    """Send one request after the other on one connection, for so long; the seconds that each took, sorted."""
    taken: list[float] = []
    with connect(port) as connection:
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            connection.sendall(message)
            answer(connection)
            taken.append(time.perf_counter() - began)
    return sorted(taken)


def events(port: int, count: int) -> list[float]:
    """
    Take a stream of so many events; the seconds from the sending of each until it was here, sorted.

    :raises Wrong: when not all of them come.
    """
    delays: list[float] = []
    seen = b""
    with connect(port) as connection:
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


def idle(port: int, count: int, measure: Callable[[], float]) -> float:
    """
    Have so many clients ask once and stay; return what `measure` says while they are there.

    :raises Wrong: when one of them cannot ask again afterwards, on the same connection.
    """
    waiting: list[socket.socket] = []

    def ask(client: socket.socket) -> None:
        client.sendall(GET)
        answer(client)

    try:
        for _ in range(count):
            waiting.append(connect(port))
            ask(waiting[-1])
        measured = measure()
        for client in waiting:
            ask(client)
        return measured
    finally:
        for client in waiting:
            client.close()


def slow(port: int, count: int, pause_s: float, measure: Callable[[], float], rewritten: bool) -> tuple[float, int]:
    """
    Have so many clients upload at once, 4 KiB in turn, with a pause between turns.

    :returns: what `measure` says before the last turn, and how many clients were not answered rightly.
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
        got = _count(answer(client))
        if not forms.length_right(turns * len(piece), got, rewritten):
            raise Wrong(f"sent the sink {got} bytes")

    try:
        for _ in range(count):
            clients.append(connect(port))
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
