"""
Node and its packages, for clients and parsers in JavaScript.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import subprocess
import tempfile

from twisted.trial.unittest import SkipTest


def node(oldest: int = 0) -> str:
    """
    The command.

    :param oldest: the lowest major version.
    :raises SkipTest: when there is none, or only an older one.
    """
    command = shutil.which("node")
    if command is None:
        raise SkipTest("there is no node; apt-get install nodejs")
    version = subprocess.run([command, "--version"], capture_output=True, check=True, text=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < oldest:
        raise SkipTest(f"Node {version} is older than {oldest}")
    return command


@functools.cache
def modules(package: str) -> str:
    """
    The folder ``node_modules`` that has a package: one of NODE_PATH, or a temporary one into which npm fetches it.

    :raises SkipTest: when it is in no folder of NODE_PATH and npm cannot fetch it.
    """
    for path in os.environ.get("NODE_PATH", "").split(os.pathsep):
        if path and os.path.isdir(os.path.join(path, package)):
            return path
    npm = shutil.which("npm")
    if npm is None:
        raise SkipTest(f"there is no npm, and no {package} in NODE_PATH; npm install {package}")
    folder = tempfile.mkdtemp(prefix="stt-node-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    fetch = [npm, "install", "--silent", "--no-save", "--fetch-retries=0", "--fetch-timeout=5000"]
    try:
        subprocess.run([*fetch, "--prefix", folder, package], check=True, capture_output=True, timeout=120)
    except (OSError, subprocess.SubprocessError) as error:
        raise SkipTest(f"npm cannot install {package}: {error}") from None
    return os.path.join(folder, "node_modules")
