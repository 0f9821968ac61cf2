"""
Which requests the rules are for.
"""

from __future__ import annotations

import attrs

from ..routes import TRANSCRIPTIONS, TRANSLATIONS, Router

#: The paths of OpenAI's API that have rules without being listed.
BUILT_IN = (TRANSCRIPTIONS, TRANSLATIONS)


@attrs.frozen
class ListedPath:
    """
    A path of ``$paths``.

    :ivar path: the end of the paths of requests, without the version.
    :ivar in_query: whether the server reads the fields from the query; then they are put there, too.
    """

    path: str
    in_query: bool = False


@attrs.frozen
class Reach:
    """
    Finds the requests that the rules are for.

    :ivar listed: the paths that have rules besides those in `BUILT_IN`.
    :ivar router: finds the requests.
    :ivar router_without_translations: does it for rules that are not for translations.
    :ivar queried: the ends of the paths whose fields are in the query.
    """

    listed: tuple[ListedPath, ...] = ()
    router: Router = attrs.field(init=False, eq=False)
    router_without_translations: Router = attrs.field(init=False, eq=False)
    queried: tuple[bytes, ...] = attrs.field(init=False, eq=False)

    @router.default
    def _whole(self) -> Router:
        return Router((*BUILT_IN, *(listed.path for listed in self.listed)))

    @router_without_translations.default
    def _partial(self) -> Router:
        return Router((TRANSCRIPTIONS, *(listed.path for listed in self.listed)))

    @queried.default
    def _in_query(self) -> tuple[bytes, ...]:
        return tuple(listed.path.encode() for listed in self.listed if listed.in_query)
