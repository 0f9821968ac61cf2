"""
Which requests the rules are for.
"""

from __future__ import annotations

import attrs

from ..routes import REALTIME, TRANSCRIPTIONS, TRANSLATIONS, Router

#: The paths of OpenAI's API that have rules without being listed.
BUILT_IN = (TRANSCRIPTIONS, TRANSLATIONS)


@attrs.frozen
class ListedPath:
    """
    A path of ``$paths``.

    :ivar path: the end of the paths of requests, without the version.
    :ivar in_query: whether the server reads the fields from the query; then they are put there, too.
    :ivar realtime: whether it is a path of realtime sessions, and not of forms.
    """

    path: str
    in_query: bool = False
    realtime: bool = False


@attrs.frozen
class Reach:
    """
    Finds the requests that the rules are for.

    :ivar listed: the paths that have rules besides those in `BUILT_IN` and `REALTIME`.
    :ivar realtime: whether the rules are for realtime sessions, too.
    :ivar router: finds the requests with forms.
    :ivar router_without_translations: does it for rules that are not for translations.
    :ivar realtime_router: finds the requests for realtime sessions; None if the rules are not for them.
    :ivar queried: the ends of the paths whose fields are in the query.
    """

    listed: tuple[ListedPath, ...] = ()
    realtime: bool = False
    router: Router = attrs.field(init=False, eq=False)
    router_without_translations: Router = attrs.field(init=False, eq=False)
    realtime_router: Router | None = attrs.field(init=False, eq=False)
    queried: tuple[bytes, ...] = attrs.field(init=False, eq=False)

    @router.default
    def _whole(self) -> Router:
        return Router((*BUILT_IN, *self.form_paths))

    @router_without_translations.default
    def _partial(self) -> Router:
        return Router((TRANSCRIPTIONS, *self.form_paths))

    @realtime_router.default
    def _sessions(self) -> Router | None:
        return Router(self.session_paths, any_request=True) if self.realtime else None

    @queried.default
    def _in_query(self) -> tuple[bytes, ...]:
        return tuple(listed.path.encode() for listed in self.listed if listed.in_query)

    @property
    def form_paths(self) -> tuple[str, ...]:
        """The listed paths of forms."""
        return tuple(listed.path for listed in self.listed if not listed.realtime)

    @property
    def session_paths(self) -> tuple[str, ...]:
        """The paths of realtime sessions; empty if the rules are not for them."""
        if not self.realtime:
            return ()
        return (REALTIME, *(listed.path for listed in self.listed if listed.realtime))

    @property
    def paths(self) -> tuple[str, ...]:
        """All paths that have rules."""
        return (*BUILT_IN, *self.form_paths, *self.session_paths)
