"""
The root of the tree, which finds the Resource for a request.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.resource import IResource, Resource

from .. import loops
from ..config import Config, names_of
from ..errors import BadRequest, NotFound
from ..inbound.request import Request
from ..routes import Route, route, split_profile, takes_detour
from .forwarding import Target
from .keys import check_key

#: The page that monitoring asks for; it never requires a key.
HEALTH = b"/health"


class Root(Resource):
    """
    The root: own pages by their exact path, transcriptions by what the upstream would route, the rest passes.

    ``/profiles/NAME`` before a path chooses a profile and is taken off; own pages are not there.
    """

    def __init__(
        self,
        pages: dict[bytes, IResource],
        target: Target,
        transcriptions: IResource,
        pass_through: IResource,
        config: Callable[[], Config],
        requires_key: bool = False,
    ) -> None:
        """
        :param config: gives the configuration in force.
        """
        super().__init__()
        self._pages = pages
        self._target = target
        self._transcriptions = transcriptions
        self._pass_through = pass_through
        self._config = config
        self._requires_key = requires_key

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        """
        The Resource for a request, whatever its path.

        :raises BadRequest: when servers would differ on whether it is a transcription.
        :raises InvalidKey: when a key is required, and it has none that is known.
        :raises NotFound: when it names a profile that does not exist.
        :raises LoopDetected: when it has been passed on before.
        """
        if self._requires_key and request.path != HEALTH:
            check_key(request.head, self._config().keys)
        page = self._pages.get(request.path)
        if page is not None:
            return page
        target = self._target
        loops.check(request.head, target.pseudonym)
        profile, request.target = split_profile(request.target)
        if profile is not None:
            request.profile = self._known(profile)
        kind = route(request.method, target.prefix + request.target.partition(b"?")[0])
        if takes_detour(request.head, request.target, target.prefix):
            raise BadRequest("Headers that override the method or the target must not be used for transcriptions.")
        if kind is Route.ODD:
            raise BadRequest(
                "The path may lead to the transcriptions by a detour; write it as /v1/audio/transcriptions."
            )
        return self._transcriptions if kind is Route.TRANSCRIPTION else self._pass_through

    def _known(self, profile: bytes) -> str:
        """The name of a profile that exists."""
        profiles = self._config().profiles
        name = profile.decode("utf-8", "replace")
        if name not in profiles:
            raise NotFound(f"There is no profile {name[:80]!r}; {names_of(profiles)}.")
        return name
