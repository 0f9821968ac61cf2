"""
Which requests the rules are for.
"""

from __future__ import annotations

import attrs

from ..routes import TRANSCRIPTIONS, TRANSLATIONS, Router, canonical

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
    """

    listed: tuple[ListedPath, ...] = ()
    router: Router = attrs.field(init=False, eq=False)
    router_without_translations: Router = attrs.field(init=False, eq=False)
    _queried: tuple[bytes, ...] = attrs.field(init=False, eq=False)

    def __attrs_post_init__(self) -> None:
        paths = [listed.path for listed in self.listed]
        queried = tuple(listed.path.encode() for listed in self.listed if listed.in_query)
        object.__setattr__(self, "router", Router((*BUILT_IN, *paths)))
        object.__setattr__(self, "router_without_translations", Router((TRANSCRIPTIONS, *paths)))
        object.__setattr__(self, "_queried", queried)

    def is_in_query(self, path: bytes) -> bool:
        """
        Whether the server reads the fields of a request from its query.

        :param path: the target sent to the upstream, without its query.
        """
        return bool(self._queried) and canonical(path).endswith(self._queried)
