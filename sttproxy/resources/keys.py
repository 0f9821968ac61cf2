"""
The API keys of clients: which profile a key is bound to, and whether it may enter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ..errors import BadRequest, ForbiddenProfile, InvalidKey
from ..http1.requests import RequestHead


def _digest(head: RequestHead) -> str:
    """
    The SHA-256 of a request's API key, in hexadecimal digits; empty if it has none.

    A look-up by it takes no time that depends on how much of a key is right.

    :raises BadRequest: when there are several keys, since servers may use any of them.
    """
    credentials = head.values(b"authorization")
    if len(credentials) > 1:
        raise BadRequest("A request must not have more than one Authorization.")
    key = b"".join(credentials[0].split(None, 1)[-1:]).strip() if credentials else b""
    return hashlib.sha256(key).hexdigest() if key else ""


def check_key(head: RequestHead, keys: Mapping[str, str]) -> None:
    """
    Check that a request has a known API key.

    :param keys: the names of profiles by the SHA-256 of their keys.
    :raises InvalidKey: when it has none, or an unknown one.
    """
    digest = _digest(head)
    if digest not in keys:
        problem = (
            "The API key is not known here." if digest else "An API key is needed: send 'Authorization: Bearer KEY'."
        )
        raise InvalidKey(problem, headers=((b"WWW-Authenticate", b'Bearer realm="sttproxy"'),))


def bound_profile(head: RequestHead, keys: Mapping[str, str], named: str) -> str:
    """
    The profile that a request's API key is bound to, otherwise the one that its URL names.

    :param keys: as for `check_key`.
    :param named: the profile in the URL; empty: none.
    :raises ForbiddenProfile: when key and URL name different profiles.
    """
    if not keys:
        return named
    bound = keys.get(_digest(head), "")
    if bound and named not in ("", bound):
        raise ForbiddenProfile(
            f"This API key belongs to the profile {bound!r}; leave /profiles/{named} out of the URL."
        )
    return bound or named
