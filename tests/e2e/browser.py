"""
Headless Chromium, driven by selenium.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions, ChromeService

from .process import LIMIT_S

_CHROMIUM, _DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
#: Why there is no browser; empty if there is one.
MISSING = "" if _CHROMIUM and _DRIVER else "chromium and chromedriver are not installed"

#: Without these, Chromium looks for its maker's servers.
_QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
)


@contextmanager
def browser(*arguments: str) -> Iterator[Any]:
    """
    A browser with a profile of its own.

    :param arguments: further arguments of Chromium.
    """
    folder = tempfile.mkdtemp(prefix="stt-chromium-")
    options = ChromeOptions()
    options.binary_location = _CHROMIUM
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", *_QUIET, *arguments):
        options.add_argument(argument)
    try:
        driver = Chrome(options, ChromeService(_DRIVER))
        try:
            driver.set_script_timeout(LIMIT_S)
            yield driver
        finally:
            driver.quit()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>page</title>")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def page() -> Iterator[str]:
    """Serve an empty page; returns its origin."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Blank)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
