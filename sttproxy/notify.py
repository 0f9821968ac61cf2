"""
What a service manager such as systemd is told, and how: sd_notify(3), over a datagram socket that the environment
names.

A service manager that does not read, or is not there, blocks nothing and fails nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress


class Notifier:
    """Sends states to the service manager."""

    def __init__(self, address: str) -> None:
        """
        :param address: the path of the service manager's socket; one that begins with ``@`` is in Linux's abstract
            namespace.
        """
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, **state: object) -> None:
        """
        Send one message.

        :param state: the variables of sd_notify(3) in it, such as ``READY=1``; a value has one line.
        """
        text = "\n".join(f"{name}={value}" for name, value in state.items())
        # Not connected: a service manager that starts anew has another socket at the same path.
        with suppress(OSError):
            self._socket.sendto(text.encode(), self._address)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()


def notifier_of(environment: Mapping[str, str]) -> Notifier | None:
    """The way to the service manager; None if it does not ask to be told, or not over a Unix socket."""
    address = environment.get("NOTIFY_SOCKET", "")
    return Notifier(address) if len(address) > 1 and address[0] in "/@" else None


def watchdog_s(environment: Mapping[str, str]) -> float | None:
    """Seconds within which the service manager wants each sign of life of this process; None if it wants none."""
    text = environment.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdigit() and int(text)):
        return None
    if environment.get("WATCHDOG_PID") not in (None, "", str(os.getpid())):
        return None
    return int(text) / 1_000_000
