"""
Clients that people use, set up so that nothing of the machine's environment changes what they do.
"""

from __future__ import annotations

import shutil
import subprocess

import openai

from .daemon import Daemon
from .process import LIMIT_S, environment

#: The command, where there is one.
CURL = shutil.which("curl")


def openai_client(daemon: Daemon) -> openai.OpenAI:
    """The OpenAI SDK before a daemon; it does not try again by itself."""
    client = openai.DefaultHttpxClient(trust_env=False)
    return openai.OpenAI(
        base_url=daemon.url("/v1"), api_key="sk-test", max_retries=0, timeout=LIMIT_S, http_client=client
    )


def curl(*arguments: str) -> str:
    """
    What curl prints.

    :raises AssertionError: when it fails, with what it says.
    """
    assert CURL is not None
    # --disable has to come first: it is ~/.curlrc that is left alone.
    options = ["--disable", "--silent", "--show-error", "--noproxy", "*", "--max-time", f"{LIMIT_S:g}"]
    command = [CURL, *options, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=2 * LIMIT_S)
    if done.returncode:
        raise AssertionError(f"curl ended with {done.returncode}: {done.stderr}")
    return done.stdout
