"""
Readers for ``$paths`` and for single paths.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from .. import jsontext
from ..routes import HEALTH, PROFILES, REALTIME, STATS, without_version
from .files import Files
from .reach import BUILT_IN, ListedPath

_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)+")
_FLAGS = frozenset({"query", "realtime"})


def read_paths(files: Files, value: jsontext.Value, realtime: bool) -> tuple[ListedPath, ...]:
    """
    Read ``$paths``: paths, or objects with ``path`` and either ``query`` or ``realtime``.

    :param realtime: whether the rules are for realtime sessions.
    :return: the paths that can be used and have an effect.
    """
    if not isinstance(value.data, tuple):
        files.error('this must be a list of paths, like ["/inference"]', value.start, "$.paths")
        return ()
    found: list[ListedPath] = []
    for number, item in enumerate(value.data):
        where = f"$.paths[{number}]"
        listed = _listed(files, item, where)
        if listed is None:
            continue
        others = (REALTIME,) if listed.realtime else BUILT_IN
        others = (*others, *(each.path for each in found if each.realtime == listed.realtime))
        before = ending(listed.path, others)
        if listed.realtime and not realtime:
            files.warn('this has no effect without "$realtime": true', item.start, where)
        elif before:
            message = f"this has no effect, because the rules hold for all paths that end in {before}"
            files.warn(message, item.start, where)
        else:
            found.append(listed)
    return tuple(found)


def read_path(files: Files, value: jsontext.Value, where: str) -> str:
    """
    Read one path.

    :param where: its path within the file.
    :return: the path without the version; empty if it cannot be used.
    """
    path = value.data
    if not isinstance(path, str):
        files.error('this must be a path, like "/inference"', value.start, where)
        return ""
    if not _PATH.fullmatch(path):
        meant = "/" + _path_of(path).strip("/")
        hint = f"; did you mean {meant}?" if _PATH.fullmatch(meant) else ""
        files.error(
            "a path begins with '/', does not end with '/', and consists of letters, digits and '-', '_', '~', '.', "
            f"without a host or a query{hint}",
            value.start,
            where,
        )
        return ""
    path = without_version(path)
    chooses = f"{path}/".startswith(PROFILES)
    if chooses or path in (HEALTH, STATS):
        use = "chooses a profile" if chooses else "is a page of the proxy's own"
        files.error(f"{path} {use}, so a request for it does not reach the server", value.start, where)
        return ""
    return path


def ending(path: str, endings: Iterable[str]) -> str:
    """The first of some paths in which a path ends; empty if it ends in none of them."""
    return next((each for each in endings if path.endswith(each)), "")


def _listed(files: Files, item: jsontext.Value, where: str) -> ListedPath | None:
    flags: dict[str, bool] = {}
    if isinstance(item.data, jsontext.Object):
        inner = {each.key: each.value for each in item.data.members}
        flags = {name: value.data for name, value in inner.items() if isinstance(value.data, bool)}
        if inner.keys() - flags.keys() != {"path"} or flags.keys() - _FLAGS or list(flags.values()).count(True) > 1:
            message = 'the long form is {"path": "/asr", "query": true} or {"path": "/ws", "realtime": true}'
            files.error(message, item.start, where)
            return None
        item, where = inner["path"], f"{where}.path"
    path = read_path(files, item, where)
    return ListedPath(path, flags.get("query", False), flags.get("realtime", False)) if path else None


def _path_of(text: str) -> str:
    """The path in a URL, or in a path with a query."""
    try:
        return urlsplit(text).path
    except ValueError:
        return ""
