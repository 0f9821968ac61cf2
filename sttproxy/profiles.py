"""
Whether the rules are for a request, and which profile it gets: the one of its API key, of its URL, of ``$choose``, or
the default one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import NamedTuple

from .config import Asked, Config, names_of
from .errors import BadRequest, ForbiddenProfile, NotFound
from .headers import upgrade_asked
from .http1.heads import Head
from .http1.requests import RequestHead
from .routes import Route, canonical, profile_prefix, split_profile, takes_detour


class Chosen(NamedTuple):
    """
    A profile and the reason.

    :ivar profile: the profile; empty for none.
    :ivar by: what has chosen it: ``key``, ``url``, ``$choose[0]`` or ``--profile``; empty for no profile.
    """

    profile: str = ""
    by: str = ""


#: No profile.
NONE = Chosen()


class Selection(NamedTuple):
    """
    What the proxy does with a request.  Each request makes one; a tuple takes a third of the time of a class.

    :ivar target: the target for the server, without its prefix of all paths.
    :ivar prefix: what was removed from the beginning of the client's target.
    :ivar has_rules: whether the rules are for the form of the request.
    :ivar chosen: the profile.  Without rules it is the one in the URL.
    :ivar is_session: whether the request asks for a realtime session that the rules are for.  A request without rules
        that asks for no such session passes unchanged.
    """

    target: bytes
    prefix: bytes
    has_rules: bool
    chosen: Chosen
    is_session: bool = False

    @property
    def is_ruled(self) -> bool:
        """Whether there are rules for the request: for its form, or for its session."""
        return self.has_rules or self.is_session


def select(config: Config, head: RequestHead, inside: bytes, default: str, client: Callable[[Head], str]) -> Selection:
    """
    Find out whether the rules are for a request, and choose its profile.

    :param inside: precedes all paths at the server.
    :param default: the profile of requests for which nothing else chooses one; empty: none.
    :param client: returns the client of a request as the log names it.
    :raises BadRequest: when servers would differ on whether it has rules, or when it has several API keys and a key can
        choose.
    :raises ForbiddenProfile: when key and URL name different profiles.
    :raises NotFound: when it names a profile that does not exist.
    """
    name, target = split_profile(head.target)
    named, prefix = "", b""
    if name is not None:
        named = _known(name, config)
        prefix = profile_prefix(named)
    path = inside + target.partition(b"?")[0]
    reach = config.reach
    if reach.realtime_router is not None and upgrade_asked(head) is not None:
        kind = reach.realtime_router.route(head.method, path)
        if kind is Route.ODD or takes_detour(reach.realtime_router, head, target, inside):
            raise BadRequest(
                "The path or a header may lead by a detour to a realtime session; write /v1/realtime plainly."
            )
        if kind is not Route.OTHER:
            return Selection(target, prefix, False, _choose(config, head, path, named, default, client), True)
    kind = reach.router.route(head.method, path, head.length != 0)
    if takes_detour(reach.router, head, target, inside):
        raise BadRequest("Headers that override the method or the target must not be used for transcriptions.")
    if kind is Route.OTHER:
        return Selection(target, prefix, False, Chosen(named, "url") if named else NONE)
    chosen = NONE
    if named or default or config.choices or config.keys:
        chosen = _choose(config, head, path, named, default, client)
    if not (config.rules(chosen.profile) if chosen.profile else config.base).translations:
        kind = reach.router_without_translations.route(head.method, path, head.length != 0)
    if kind is Route.ODD:
        raise BadRequest(
            "The path may lead by a detour to one that has rules; write it plainly, like /v1/audio/transcriptions."
        )
    return Selection(target, prefix, kind is Route.TRANSCRIPTION, chosen)


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


def _choose(
    config: Config, head: RequestHead, path: bytes, named: str, default: str, client: Callable[[Head], str]
) -> Chosen:
    """Choose the profile; the parameters are those of `select`, but ``named`` is the profile in the URL."""
    bound = _bound_profile(head, config.keys, named) if config.keys else ""
    if bound:
        return Chosen(bound, "key")
    if named:
        return Chosen(named, "url")
    if config.choices:
        asked = Asked(head.values, lambda: client(head), lambda: canonical(path), lambda: key_of(head))
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


def _known(name: bytes, config: Config) -> str:
    """The name of a profile that exists."""
    text = name.decode("utf-8", "replace")
    if text not in config.profiles:
        raise NotFound(f"There is no profile {text[:80]!r}; {names_of(config.profiles)}.")
    return text
