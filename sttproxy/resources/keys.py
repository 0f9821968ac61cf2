"""
The API keys of clients: whether a key may enter.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import InvalidKey
from ..http1.requests import RequestHead
from ..profiles import key_of


def check_key(head: RequestHead, keys: Mapping[str, str]) -> None:
    """
    Check that a request has a known API key.

    :param keys: the names of profiles by the SHA-256 of their keys.
    :raises InvalidKey: when it has none, or an unknown one.
    """
    digest = key_of(head)
    if digest not in keys:
        problem = (
            "The API key is not known here." if digest else "An API key is needed: send 'Authorization: Bearer KEY'."
        )
        raise InvalidKey(problem, headers=((b"WWW-Authenticate", b'Bearer realm="sttproxy"'),))
