"""
The daemon under twistd: helpers to start, query, configure and stop it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import sys
import sysconfig
import tempfile
from collections.abc import Mapping
from typing import Any

from .message import request
from .process import LIMIT_S, Process, read, until
from .raw import Peer, connect

#: How the log names a listener: a port, or the path of a socket.
_STARTING = r"Site (?:\([A-Z]+\) )*starting on '?([^'\s\"]+)"


def twistd() -> list[str]:
    """The twistd command of the Python that runs the tests."""
    for folder in (os.path.dirname(sys.executable), sysconfig.get_path("scripts")):
        if os.path.exists(os.path.join(folder, "twistd")):
            return [sys.executable, os.path.join(folder, "twistd")]
    return [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]


def foreground(*options: str) -> list[str]:
    """The command line of a daemon that stays in the foreground and writes no pidfile."""
    return [*twistd(), "-n", "--pidfile=", "sttproxy", *options]


def written(fields: Any) -> bytes:
    """A configuration file's bytes: an object is written as JSON; text and bytes are written unchanged."""
    if isinstance(fields, bytes):
        return fields
    return (fields if isinstance(fields, str) else json.dumps(fields, ensure_ascii=False)).encode()


class Daemon:
    """
    A daemon in the foreground, with its own folder as working directory and for temporary files.

    :ivar folder: the folder.
    :ivar path: the path of its configuration, by default the default path.
    :ivar addresses: its listeners in the given order, those for monitoring last: ports and paths of sockets.
    :ivar scheme: of its URLs.
    """

    def __init__(
        self,
        *options: str,
        config: Any = None,
        env: Mapping[str, str] | None = None,
        open_files: int | None = None,
    ) -> None:
        """
        Start it and wait until it responds.

        :param options: options of sttproxy; without a listener among them it listens on a free port of 127.0.0.1.
        :param config: the configuration, see `written`; None omits the file.
        :param open_files: the hard limit on them; None: that of the tests.
        """
        self.folder = tempfile.mkdtemp(prefix="stt-")
        self.path = os.path.join(self.folder, "stt_config.json")
        self.temporary = os.path.join(self.folder, "tmp")
        os.mkdir(self.temporary)
        self._config = b""
        self.scheme = "https" if "--tls-cert" in options else "http"
        if config is not None:
            self._replace(written(config))
        listen = () if {"--listen", "--port"}.intersection(options) else ("--host", "127.0.0.1", "--port", "0")
        command = foreground(*listen, *options)
        if open_files is not None:
            command = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', str(open_files), *command]
        try:
            self._process = Process(command, self.folder, "daemon", env={"TMPDIR": self.temporary, **(env or {})})
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        try:
            count = max(1, options.count("--listen")) + options.count("--monitor")
            self._process.wait_for(rf"(?:{_STARTING}[^$]*?){{{count}}}")
            self.addresses = listeners(self.log())
            # The log line comes before the ports are open; signal handlers are installed only when it responds.
            until(lambda: answers(self.addresses[-1]), f"a daemon on {self.addresses[-1]}")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def port(self) -> int:
        """The port of its first listener."""
        return int(self.addresses[0])

    def url(self, path: str = "") -> str:
        """The URL of a path on 127.0.0.1."""
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def log(self) -> str:
        """Its log so far."""
        return read(self._process.out)

    def errors(self) -> str:
        """Its standard error so far."""
        return read(self._process.err)

    def wait_for_log(self, pattern: str) -> None:
        """Wait until it has logged a line."""
        self._process.wait_for(pattern)

    def stats(self) -> Any:
        """The content of its /stats."""
        return get_json(self.port, "/stats", self.scheme)

    def edit(self, fields: Any) -> None:
        """Replace the configuration, and let the daemon notice it."""
        self._replace(written(fields))

    def configure(self, fields: Any) -> None:
        """Replace the configuration atomically, and wait until the new one is in force."""
        data = written(fields)
        if data == self._config:
            return
        generation = self.stats()["config"]["generation"]
        self._replace(data)
        self.signal(signal.SIGHUP)
        self.wait_for_generation(generation + 1)

    def wait_for_generation(self, number: int) -> None:
        """Wait until the configuration of this generation is in force."""
        until(lambda: self.stats()["config"]["generation"] >= number, f"generation {number} in force")

    def _replace(self, data: bytes) -> None:
        with open(self.path + ".new", "wb") as file:
            file.write(data)
        os.replace(self.path + ".new", self.path)
        self._config = data

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.signal(number)

    def wait(self) -> int:
        """Wait for its end; return its exit status."""
        return self._process.wait()

    def stop(self) -> int:
        """Stop it; return its exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def close(self) -> None:
        """Kill it if it still runs, and remove its folder."""
        self._process.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def listeners(log: str) -> list[str]:
    """The ports and sockets that a log names as listeners."""
    return re.findall(_STARTING, log)


def opens(address: str) -> bool:
    """Whether a port, on either loopback address, or a socket's path accepts connections."""
    peer = _reach(address)
    if peer is not None:
        peer.close()
    return peer is not None


def answers(address: str) -> bool:
    """Whether a daemon responds there."""
    peer = _reach(address)
    if peer is None:
        return False
    peer.send(request("GET", "/stats"))
    peer.read_message()
    peer.close()
    return True


def _reach(address: str) -> Peer | None:
    for host in ("127.0.0.1", "::1"):
        with contextlib.suppress(OSError):
            return connect(int(address) if address.isdigit() else address, host)
    return None


def get_json(port: int, path: str, scheme: str = "http") -> Any:
    """Return a JSON page of 127.0.0.1, whatever its status and its certificate."""
    connection: http.client.HTTPConnection
    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=LIMIT_S, context=context)
    else:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        connection.request("GET", path)
        return json.load(connection.getresponse())
    finally:
        connection.close()
