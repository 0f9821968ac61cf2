"""
Names of form fields and of profiles.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable

#: The allowed profile names.  They are part of URLs, so they have only characters that need no escape there.
PROFILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]{0,63}")

#: The fields that are lists for MLX Omni Server, in this spelling only.  The proxy sends them with ``[]``.
LISTS = frozenset({"timestamp_granularities"})

#: The fields that say what the response is to be.  They are read where there are rules for transcripts.
FORMAT, STREAM, GRANULARITIES = "response_format", "stream", "timestamp_granularities"

#: The folded names of fields that the proxy drops under any configuration: a parser that obeys this one (RFC 7578 §4.6)
#: would decode the proxy's fields with the client's charset.
ALWAYS_DROPPED = frozenset({"_charset_"})


def fold(name: str) -> str:
    """
    Fold a field's name.  Two spellings that a server may read as the same field fold to the same name.

    Folding removes brackets (``x[]``, ``x[0]``, ``x[key]`` and ``[x]`` become ``x``), differences in width and case,
    and outer white space.  Characters that PHP turns into an underscore become one.  So a spelling that any upstream
    reads as the field cannot pass for another field.
    """
    # Clients choose the names; the cache must not keep long ones, which would fill the memory.
    return _fold_often(name) if len(name) <= 64 else _fold(name)


def _fold(name: str) -> str:
    base = re.split(r"[\[\]]", unicodedata.normalize("NFKC", name).strip().lstrip("["))[0]
    return re.sub(r"[. ]", "_", unicodedata.normalize("NFKC", base.casefold()).strip())


_fold_often = functools.lru_cache(maxsize=1024)(_fold)


def names_of(profiles: Iterable[str]) -> str:
    """A list of the profiles, as part of a message."""
    names = ", ".join(profiles)
    return f"the profiles are: {names}" if names else "there are no profiles"


def fault_of_field(name: str) -> str:
    """Why a field cannot be configured under this name, as a message; empty if it can."""
    if fold(name) == "file":
        return "'file' is the recording itself and cannot be configured"
    return fault_of_name(name)


def fault_of_name(name: str) -> str:
    """Why a field, or the recording, cannot be sent under this name, as a message; empty if it can."""
    if not fold(name) and not name.startswith("$"):
        return "a field's name must not be empty"
    return fault_of_spelling(name)


def fault_of_spelling(name: str) -> str:
    """Why some form parsers read this name as another one, as a message; empty if all read it correctly."""
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
