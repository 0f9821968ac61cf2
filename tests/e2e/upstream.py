"""
The echo server as tests start it.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import sys
import tempfile

from .certificates import certificate
from .process import Process

_APP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "echo.py")


class Echo:
    """
    `echo` in its own process.

    :ivar port: the port that it serves on.
    """

    def __init__(self, host: str = "127.0.0.1", version: int = 1, secure: bool = False) -> None:
        """
        :param version: of HTTP, the only one that it speaks.
        :param secure: whether it uses TLS.
        """
        self._folder = tempfile.mkdtemp(prefix="stt-echo-")
        self._process: Process | None = None
        try:
            command = [sys.executable, _APP, host, str(version), certificate("server.pem") if secure else ""]
            self._process = Process(command, self._folder, "echo", env={"TMPDIR": self._folder})
            self.port = int(self._process.wait_for(r"^port (\d+)$").group(1))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.end()
        shutil.rmtree(self._folder, ignore_errors=True)


@functools.cache
def shared_echo() -> Echo:
    """The instance that all tests share."""
    echo = Echo()
    atexit.register(echo.close)
    return echo
