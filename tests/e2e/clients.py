"""
Common clients, set up so that the machine's environment does not influence them.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

import openai

from .certificates import trusting
from .daemon import Daemon
from .process import LIMIT_S, environment

T = TypeVar("T")

#: The command, if it is installed.
CURL = shutil.which("curl")


def openai_client(daemon: Daemon, version: int = 1) -> openai.OpenAI:
    """
    Return an OpenAI SDK client for a daemon, without retries.

    :param version: of HTTP.
    """
    client = openai.DefaultHttpxClient(trust_env=False, verify=trusting(), http1=version == 1, http2=version == 2)
    return openai.OpenAI(
        base_url=daemon.url("/v1"), api_key="sk-test", max_retries=0, timeout=LIMIT_S, http_client=client
    )


def curl(*arguments: str) -> str:
    """
    Return what curl prints.

    :raises AssertionError: when it fails, with its message.
    """
    assert CURL is not None
    # --disable must come first; it makes curl ignore ~/.curlrc.
    options = ["--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", f"{LIMIT_S:g}"]
    command = [CURL, *options, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=2 * LIMIT_S)
    if done.returncode:
        raise AssertionError(f"curl ended with {done.returncode}: {done.stderr}")
    return done.stdout


@contextlib.contextmanager
def asking(ask: Callable[[], T]) -> Iterator[list[T]]:
    """Let four clients ask without a pause; yields what they get."""
    answers: list[T] = []
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            answers.append(ask())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        over.set()
        for thread in threads:
            thread.join()
