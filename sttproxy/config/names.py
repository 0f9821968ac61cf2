"""
Names of form fields and of profiles.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

#: What a profile may be called: it stands in URLs, so nothing that anybody would escape.
PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")

#: The fields that MLX Omni Server takes as a list, under this spelling only.
LISTS = frozenset({"timestamp_granularities"})


def fold(name: str) -> str:
    """
    The form in which two spellings of a field's name are the same.

    Brackets come off (``x[]``, ``x[0]``, ``x[key]``, ``[x]`` all speak of ``x``), then width, case and outer white
    space, and what PHP makes an underscore of is one, so that no spelling which some upstream takes for the field
    passes for another one.
    """
    # Clients choose the names; long ones must not fill the memory.
    return _fold_often(name) if len(name) <= 64 else _fold(name)


def _fold(name: str) -> str:
    base = re.split(r"[\[\]]", unicodedata.normalize("NFKC", name).strip().lstrip("["))[0]
    return re.sub(r"[. ]", "_", unicodedata.normalize("NFKC", base.casefold()).strip())


_fold_often = functools.lru_cache(maxsize=1024)(_fold)


def names_of(profiles: Iterable[str]) -> str:
    """Which profiles there are, for a message."""
    names = ", ".join(profiles)
    return f"the profiles are: {names}" if names else "there are no profiles"


def fault_of_field(name: str) -> str:
    """What is wrong with the name of a configured field; empty where nothing is."""
    if not fold(name) and not name.startswith("$"):
        return "a field's name must not be empty"
    if fold(name) == "file":
        return "'file' is the recording itself and cannot be configured"
    return fault_of_spelling(name)


def fault_of_spelling(name: str) -> str:
    """Why some form parser would not read a name as itself; empty where every one does."""
    if name.startswith("$"):
        return f"{name!r}: names that begin with '$' are reserved"
    if not name:
        return "a name must not be empty"
    if name != name.strip() or any(char in '"\\%;=' or not char.isprintable() for char in name):
        return (
            f"the field name {name!r} must not hold quotes, backslashes, '%', ';', '=', control characters or outer "
            "white space"
        )
    return ""
