"""
Which profile a request gets: the one of its API key, of its URL, of ``$choose``, or the default one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import attrs

from .config import Asked, Config
from .errors import BadRequest, ForbiddenProfile
from .http1.requests import RequestHead
from .routes import canonical


@attrs.frozen
class Chosen:
    """
    A profile and the reason.

    :ivar profile: the profile; empty for none.
    :ivar by: what has chosen it: ``key``, ``url``, ``$choose[0]`` or ``--profile``; empty for no profile.
    """

    profile: str = ""
    by: str = ""


#: No profile.
NONE = Chosen()


def key_of(head: RequestHead) -> str:
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


def choose(
    config: Config, head: RequestHead, path: bytes, named: str, default: str, client: Callable[[], str]
) -> Chosen:
    """
    Choose the profile of a request.

    :param path: the target sent to the upstream, without its query.
    :param named: the profile in the URL; empty: none.
    :param default: the profile of requests for which nothing else chooses one; empty: none.
    :param client: returns the client as the log names it.
    :raises BadRequest: when it has several API keys, and a key can choose.
    :raises ForbiddenProfile: when key and URL name different profiles.
    """
    bound = _bound_profile(head, config.keys, named) if config.keys else ""
    if bound:
        return Chosen(bound, "key")
    if named:
        return Chosen(named, "url")
    if config.choices:
        asked = Asked(head.values, client, lambda: canonical(path), lambda: key_of(head))
        for number, choice in enumerate(config.choices):
            if choice.fits(asked):
                if choice.profile:
                    return Chosen(choice.profile, f"$choose[{number}]")
                break
    return Chosen(default, "--profile") if default else NONE


def _bound_profile(head: RequestHead, keys: Mapping[str, str], named: str) -> str:
    """The profile that a request's API key is bound to; empty if it is bound to none."""
    bound = keys.get(key_of(head), "")
    if bound and named not in ("", bound):
        raise ForbiddenProfile(
            f"This API key belongs to the profile {bound!r}; leave /profiles/{named} out of the URL."
        )
    return bound
