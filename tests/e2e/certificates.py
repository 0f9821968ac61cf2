"""
Certificates in files, for servers on this machine and for those who verify them.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import ssl
import tempfile

from ..support.certificates import authority_pem, pem


@functools.cache
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="stt-certificates-")
    atexit.register(shutil.rmtree, folder)
    for name, data in (("ca.pem", authority_pem()), ("server.pem", pem("localhost", "127.0.0.1"))):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    return folder


def certificate(name: str) -> str:
    """
    The path of a file, which exists as long as the tests.

    :param name: ``ca.pem`` is the authority's, ``server.pem`` is for this machine and has its key.
    """
    return os.path.join(_folder(), name)


def trusting() -> ssl.SSLContext:
    """What a client needs to trust the authority."""
    return ssl.create_default_context(cafile=certificate("ca.pem"))
