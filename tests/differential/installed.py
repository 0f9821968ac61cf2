"""
Parsers outside this Python: found, fetched or built once; a skip message says why one is not available.
"""

from __future__ import annotations

import atexit
import functools
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence

from twisted.trial.unittest import SkipTest

from ..e2e.node import modules, node
from ..e2e.process import LIMIT_S, Process
from ..forms.rewriting import Rewritten
from .process import Refused, ask
from .reading import Reading, named

_FOLDER = os.path.dirname(os.path.abspath(__file__))
#: The first Starlette and python-multipart that MLX Omni Server ran on, of early 2024.
OLD = ("starlette==0.37.2", "python-multipart==0.0.9")


@functools.cache
def folder() -> str:
    """A folder for fetched and built files; it is removed after the tests."""
    path = tempfile.mkdtemp(prefix="stt-parsers-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _run(argv: Sequence[str], what: str) -> None:
    """
    Run a command.

    :raises SkipTest: when it fails.
    """
    try:
        subprocess.run(argv, check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        output = getattr(error, "stderr", None) or b""
        raise SkipTest(f"{what}: {error} {output.decode(errors='replace')[-300:]}") from None


@functools.cache
def old_starlette() -> str:
    """
    The folder of an old Starlette with an old python-multipart.

    :raises SkipTest: when the package index cannot be reached.
    """
    path = os.path.join(folder(), "old")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--timeout", "5", "--retries", "0"]
    _run([*pip, "install", "--quiet", "--no-deps", "--target", path, *OLD], f"pip cannot install {' '.join(OLD)}")
    return path


def by_old_starlette(forms: Sequence[Rewritten]) -> list[Reading | Refused]:
    """The readings of the old Starlette."""
    env = {"PYTHONPATH": old_starlette()}
    return ask([sys.executable, os.path.join(_FOLDER, "old_starlette.py")], forms, env)


def by_undici(forms: Sequence[Rewritten]) -> list[Reading | Refused]:
    """
    The readings of Node's own fetch (Hono, Next.js, Remix).

    :raises SkipTest: without Node, or with one older than 20.
    """
    return ask([node(20), os.path.join(_FOLDER, "node.mjs"), "undici"], forms)


def by_busboy(forms: Sequence[Rewritten]) -> list[Reading | Refused]:
    """
    The readings of busboy (Express with multer, Fastify, Nest).

    :raises SkipTest: when it is in no folder of NODE_PATH and npm cannot fetch it.
    """
    return ask([node(), os.path.join(_FOLDER, "node.mjs"), "busboy", modules("busboy")], forms)


@functools.cache
def _httplib() -> Process:
    """
    Start the server on cpp-httplib.

    :raises SkipTest: without a compiler or the header.
    """
    compiler = shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise SkipTest("there is no C++ compiler; apt-get install g++ libcpp-httplib-dev")
    include = os.environ.get("STTPROXY_HTTPLIB", "")
    program = os.path.join(folder(), "httplib")
    source = os.path.join(_FOLDER, "httplib.cpp")
    flags = ["-std=c++17", "-O0", "-pthread", *(["-I" + include] if include else []), "-o", program, source]
    libraries: tuple[tuple[str, ...], ...] = ((),) if include else (("-lcpp-httplib",), ())
    for number, library in enumerate(libraries, 1):
        try:
            _run([compiler, *flags, *library], "cpp-httplib cannot be built; apt-get install libcpp-httplib-dev")
            break
        except SkipTest:
            if number == len(libraries):
                raise
    server = Process([program], folder(), "httplib")
    atexit.register(server.end)
    return server


def by_httplib(forms: Sequence[Rewritten]) -> list[Reading | Refused]:
    """The readings of cpp-httplib (whisper.cpp)."""
    server = _httplib()
    connection = http.client.HTTPConnection(
        "127.0.0.1", int(server.wait_for(r"^port (\d+)$").group(1)), timeout=LIMIT_S
    )
    return [_by_httplib(connection, left) for left in forms]


def _by_httplib(connection: http.client.HTTPConnection, left: Rewritten) -> Reading | Refused:
    connection.request("POST", "/", left.body, {"Content-Type": left.content_type.decode()})
    answer = connection.getresponse()
    said = answer.read().decode()
    if answer.status != 200:
        return Refused(f"{answer.status} {said}")
    reading = Reading({}, {})
    for line in said.splitlines():
        name, filename, content = (None if word == "-" else bytes.fromhex(word[1:]) for word in line.split(" "))
        assert name is not None and content is not None
        if filename is None:
            reading.fields.setdefault(name.decode(), []).append(content)
        else:
            reading.files.setdefault(name.decode(), []).append((named(filename), content))
    return reading
