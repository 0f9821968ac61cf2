"""
The connection between the supervisor and a worker: messages over a socket pair.

A message is a tuple: its name, and its arguments.  Both ends are processes of one program and one user, and the pair
has no name by which another process could reach it, so ``pickle`` is safe here.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

log = Logger()

#: Seconds that a worker waits for the first message, which the supervisor sends as it starts the worker.
FIRST_S = 30.0


class Channel(Int32StringReceiver):
    """One end."""

    MAX_LENGTH = 1 << 30
    transport: Any

    def __init__(self, handlers: Mapping[str, Callable[..., None]], lost: Callable[[], None]) -> None:
        """
        :param handlers: called with the arguments of a message, by its name.
        :param lost: called when the other process has ended.
        """
        self._handlers = handlers
        self._lost = lost

    def send(self, name: str, *arguments: Any) -> None:
        """Send a message.  Does nothing if the other process has ended."""
        if self.connected:
            self.sendString(pickle.dumps((name, *arguments), pickle.HIGHEST_PROTOCOL))

    def stringReceived(self, string: bytes) -> None:
        name, *arguments = pickle.loads(string)
        try:
            self._handlers[name](*arguments)
        except Exception:
            log.failure("A message between processes could not be processed: {name}", name=name)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.connected = 0
        self._lost()


def read_first(descriptor: int) -> Any:
    """
    The first message, before the reactor runs; its only argument.

    :raises OSError: when the other process has ended, or sends nothing.
    """
    with socket.socket(fileno=descriptor) as pair:
        pair.settimeout(FIRST_S)
        (size,) = struct.unpack("!I", _read(pair, 4))
        _, argument = pickle.loads(_read(pair, size))
        pair.setblocking(False)
        pair.detach()
    return argument


def _read(pair: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = pair.recv(size - len(data))
        if not more:
            raise ConnectionError("the supervisor has ended")
        data += more
    return data
