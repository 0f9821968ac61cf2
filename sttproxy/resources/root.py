"""
The root of the tree, which finds the Resource for a request.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from twisted.web.resource import IResource, Resource

from .. import loops
from ..config import Config, names_of
from ..errors import BadRequest, NotFound
from ..inbound.request import Request
from ..profiles import choose
from ..routes import HEALTH, Route, profile_prefix, split_profile, takes_detour
from .forwarding import Target
from .keys import check_key


class Root(Resource):
    """
    The root: own pages by their exact path, transcriptions by what the upstream would route, the rest passes.

    ``/profiles/NAME`` before a path chooses a profile and is taken off; own pages are not there.  What else chooses a
    profile is considered only for transcriptions.
    """

    def __init__(
        self,
        pages: dict[bytes, IResource],
        target: Target,
        transcriptions: IResource,
        pass_through: IResource,
        config: Callable[[], Config],
        requires_key: bool = False,
        profile: str = "",
    ) -> None:
        """
        :param config: gives the configuration in force.
        :param profile: the profile of requests for which nothing else chooses one; empty: none.
        """
        super().__init__()
        self._pages = pages
        self._target = target
        self._transcriptions = transcriptions
        self._pass_through = pass_through
        self._config = config
        self._requires_key = requires_key
        self._profile = profile

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        """
        The Resource for a request, whatever its path.

        :raises BadRequest: when servers would differ on whether it is a transcription.
        :raises InvalidKey: when a key is required, and it has none that is known.
        :raises NotFound: when it names a profile that does not exist.
        :raises LoopDetected: when it has been passed on before.
        """
        config = self._config()
        reach = config.reach
        # Monitoring asks for the page and has no key.
        if self._requires_key and request.path != HEALTH.encode():
            check_key(request.head, config.keys)
        page = self._pages.get(request.path)
        if page is not None:
            return page
        target = self._target
        loops.check(request.head, target.pseudonym)
        named, request.target = split_profile(request.target)
        if named is not None:
            request.profile = self._known(named)
            request.prefix = profile_prefix(request.profile)
        path = target.prefix + request.target.partition(b"?")[0]
        kind = reach.router.route(request.method, path, request.head.length != 0)
        if takes_detour(reach.router, request.head, request.target, target.prefix):
            raise BadRequest("Headers that override the method or the target must not be used for transcriptions.")
        if kind is Route.OTHER:
            return self._pass_through
        client = functools.partial(request.peer.client, request.head)
        chosen = choose(config, request.head, path, request.profile, self._profile, client)
        request.profile, request.chosen_by = chosen.profile, chosen.by
        if not config.rules(request.profile).translations:
            kind = reach.router_without_translations.route(request.method, path, request.head.length != 0)
        if kind is Route.ODD:
            raise BadRequest(
                "The path may lead by a detour to one that has rules; write it plainly, like /v1/audio/transcriptions."
            )
        return self._transcriptions if kind is Route.TRANSCRIPTION else self._pass_through

    def _known(self, profile: bytes) -> str:
        """The name of a profile that exists."""
        profiles = self._config().profiles
        name = profile.decode("utf-8", "replace")
        if name not in profiles:
            raise NotFound(f"There is no profile {name[:80]!r}; {names_of(profiles)}.")
        return name
