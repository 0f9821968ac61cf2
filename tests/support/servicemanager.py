"""
The side of a service manager: the socket that it names in ``NOTIFY_SOCKET``.
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import uuid


class ServiceManager:
    """
    A service manager that reads what it is told.

    :ivar address: for ``NOTIFY_SOCKET``.
    """

    def __init__(self, *, abstract: bool = False, path: str = "") -> None:
        """
        :param abstract: whether the socket is in Linux's abstract namespace.
        :param path: of the socket; empty: it is in a folder of its own.
        """
        self._folder = ""
        if abstract:
            self.address = f"@sttproxy-test-{uuid.uuid4()}"
        elif path:
            self.address = path
        else:
            self._folder = tempfile.mkdtemp(prefix="stt-notify-")
            self.address = os.path.join(self._folder, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind("\0" + self.address[1:] if abstract else self.address)

    def close(self) -> None:
        """Stop to read; a path that was given stays."""
        self._socket.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def texts(self) -> list[str]:
        """The messages that have arrived since the last call."""
        found = []
        while True:
            try:
                found.append(self._socket.recv(65536).decode())
            except BlockingIOError:
                return found

    def states(self) -> list[dict[str, str]]:
        """The same as dictionaries."""
        return [dict(line.split("=", 1) for line in text.splitlines()) for text in self.texts()]
