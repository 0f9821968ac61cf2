"""
The root of the tree, which finds the Resource for a request.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.web.resource import IResource, Resource

from .. import loops
from ..config import Config
from ..cors import is_preflight
from ..inbound.request import Request
from ..profiles import select
from .forwarding import Targets
from .keys import check_key
from .monitor import Pages


class Root(Resource):
    """
    The root: own pages by their exact path, transcriptions by what the upstream would route, the rest passes.

    ``/profiles/NAME`` before a path chooses a profile and is taken off; own pages are not there.  What else chooses a
    profile is considered only for transcriptions and realtime sessions.
    """

    def __init__(
        self,
        pages: Pages,
        targets: Targets,
        transcriptions: IResource,
        sessions: IResource,
        pass_through: IResource,
        config: Callable[[], Config],
        requires_key: bool = False,
        profile: str = "",
        preflight: IResource | None = None,
    ) -> None:
        """
        :param config: gives the configuration in force.
        :param profile: the profile of requests for which nothing else chooses one; empty: none.
        :param preflight: answers preflights; None: they are forwarded.
        """
        super().__init__()
        self._pages = pages
        self._targets = targets
        self._transcriptions = transcriptions
        self._sessions = sessions
        self._pass_through = pass_through
        self._config = config
        self._requires_key = requires_key
        self._profile = profile
        self._preflight = preflight

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        """
        The Resource for a request, whatever its path.

        :raises BadRequest, ForbiddenProfile, NotFound: when `select` raises them.
        :raises ForbiddenClient: when it is for a page that its client may not see.
        :raises InvalidKey: when a key is required, and it has none that is known.
        :raises LoopDetected: when it has been passed on before.
        """
        if self._preflight is not None and is_preflight(request.head):
            return self._preflight  # browsers send no key with it
        config = self._config()
        page = self._pages.find(request)
        if self._requires_key and (page is None or page.needs_key(request.head)):
            check_key(request.head, config.keys)
        if page is not None:
            return page
        loops.check(request.head, self._targets.pseudonym)
        first, *others = self._targets.prefixes
        selection = select(config, request.head, first, self._profile, request.peer.client)
        for prefix in others:
            found = select(config, request.head, prefix, self._profile, request.peer.client)
            # A request that has rules at one of the servers has them at all.
            if not selection.is_ruled and found.is_ruled:
                selection = found
        request.target, request.prefix, has_rules, (request.profile, request.chosen_by), is_session = selection
        if is_session:
            return self._sessions
        return self._transcriptions if has_rules else self._pass_through
