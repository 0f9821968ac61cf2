"""
Configurations for tests: valid ones, and mutated ones.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

#: A JSON value as the standard library's reader returns it.
JSON = Any

#: The example in the README.
EXAMPLE: JSON = {
    "language": "zh",
    "prompt": "以下是普通话的会议记录。",
    "stream": None,
    "$default": {"model": "mlx-community/whisper-large-v3-turbo", "response_format": "json"},
    "$map": {"model": {"whisper-1": "mlx-community/whisper-large-v3-turbo"}},
    "$profiles": {
        "medical": {"prompt": {"$file": "prompts/medical.txt"}, "$default": {"temperature": 0}},
        "english": {"language": "en", "prompt": None},
        "open": {"$unset": ["language", "model"]},
    },
}

#: Allowed names of fields; a server reads them as different fields.
NAMES = (
    *("model", "language", "prompt", "response_format", "temperature", "timestamp_granularities[]"),
    *("stream", "v[k]", "[x]", "naïve", "名", "a b", "a,b:d'e", "vad.threshold", "filed", "my file", "file.name", "*"),
)
#: Names that a field must not have.
BAD_NAMES = (
    *("", "[]", "[", "]x", "[ ]", "file", "FILE", "File[]", "[file]", "[ file", "file [x]", "[[fIlE"),
    *("$x", "$", "$file", "$Default", "$defaults", " a", "a ", "\ta", "\u3000a", "a\n", "a\x00"),
    *('a"b', "a\\b", "a%b", "a;b", "a=b", "a\nb", "\x1fa", "a\x7f", "a\x85b"),
    *("a\u00a0b", "a\u00adb", "a\u200bb", "a\u2028b", "\ufeffa", "a\ue000"),
)
#: Members that are reserved at some places.
RESERVED = (
    *("$translations", "$paths", "$choose", "path", "query", "header", "address", "key", "profile"),
    *("$comment", "$schema", "$default", "$map", "$rename", "$profiles", "$unset", "$file", "value", "when_empty"),
    *("$prepend", "$append", "max_tokens"),
    *("$transcript", "drop", "also", "phrases", "no_speech_prob", "collapse_repeats", "replace", "trim"),
)
PROFILES = ("medical", "0", "A.b_c~d-e", "x" * 64)
BAD_PROFILES = ("", "-a", ".a", "_a", "~", "a b", "a/b", "名", "é", "a\n", "x" * 65)

_CHARS = st.sampled_from("$[] .filFILEaxk\"%\\;=\n\t\x00'名é")
_TEXT = st.sampled_from(("", "en", "0.2", "会", "a\nb", "a\n", "*", "$file")) | st.text("ab\n ", max_size=3)
_FILE = st.builds(lambda path: {"$file": path}, st.sampled_from(("prompts/medical.txt", "/a", " ")))
_SCALARS = _TEXT | st.booleans() | st.integers(-9, 9) | st.sampled_from((0.2, -1e-7)) | _FILE
_KEYS = st.sampled_from(("type", "file", "[]", "a b", "名", "k"))
_VALUES = _SCALARS | st.lists(_SCALARS, max_size=3) | st.dictionaries(_KEYS, _SCALARS, max_size=3)
_DEFAULTS = _VALUES | st.fixed_dictionaries({"value": _VALUES}, optional={"when_empty": st.booleans()})
_TABLES = st.dictionaries(
    st.sampled_from(("", "*", "whisper-1", "Whisper-*", "a\nb", "$x")), st.none() | _SCALARS, max_size=3
)
_PLAIN = st.sampled_from(("", "en", "a\nb")) | _FILE
_JOINED = st.fixed_dictionaries({"$prepend": _PLAIN}, optional={"$append": _PLAIN, "max_tokens": st.integers(1, 99)})
_RENAMES = st.dictionaries(st.sampled_from(("lang", "audio", "File", "a b")), st.sampled_from(("file", "名", "v[k]")))


def _fields(values: st.SearchStrategy[JSON]) -> st.SearchStrategy[dict[str, JSON]]:
    return st.dictionaries(st.sampled_from(NAMES), values, max_size=3)


_PATHS = st.sampled_from(("/asr", "/v1/asr", "/a.b/c_~-", "/health/x", "/v1/audio/translations"))
_LISTED = _PATHS | st.fixed_dictionaries({"path": _PATHS}, optional={"query": st.booleans()})
_PATTERNS = st.dictionaries(
    st.sampled_from(("User-Agent", "x_y", "!")), st.sampled_from(("*", "a b", "Open*é")), min_size=1
)
_CHOICES = st.fixed_dictionaries(
    {"header": _PATTERNS, "profile": st.sampled_from(("", "medical"))},
    optional={
        "address": st.sampled_from(("192.168.1.0/24", "fd00::1", "unix")),
        "path": st.sampled_from(("/v1/audio/translations", "/audio/transcriptions")),
        "key": st.just("sha256:" + "aB" * 32),
    },
)
_DROPPED = st.fixed_dictionaries(
    {"also": st.lists(st.sampled_from(("bye", "…", "谢谢")) | _FILE, max_size=2)},
    optional={"phrases": st.just("known"), "no_speech_prob": st.sampled_from((0, 0.8))},
)
_TRANSCRIPTS = st.fixed_dictionaries(
    {},
    optional={
        "drop": _DROPPED,
        "collapse_repeats": st.integers(2, 9),
        "replace": st.dictionaries(
            st.sampled_from(("open a i", "/um+/i", "名")), st.sampled_from(("", "X")), max_size=2
        ),
        "trim": st.booleans(),
    },
)
_SWITCH = {"$translations": st.booleans(), "$transcript": _TRANSCRIPTS}
_SECTIONS = {"$default": _fields(_DEFAULTS), "$map": _fields(_TABLES), "$rename": _RENAMES}
_UNSET = st.lists(st.sampled_from((*NAMES, "", "file")), max_size=2)


@st.composite
def _rules(draw: st.DrawFn, more: dict[str, st.SearchStrategy[JSON]]) -> JSON:
    sections = draw(st.fixed_dictionaries({}, optional={**_SECTIONS, **more}))
    joined = draw(st.dictionaries(st.sampled_from(("prompt", "naïve")), _JOINED, max_size=1))
    return {**draw(_fields(st.none() | _VALUES)), **joined, **sections}


#: Valid configurations.
GOOD = _rules(
    {
        "$schema": _TEXT,
        "$profiles": st.dictionaries(st.sampled_from(PROFILES), _rules({"$unset": _UNSET, **_SWITCH}), max_size=2),
        "$paths": st.lists(_LISTED, max_size=3),
        "$choose": st.lists(_CHOICES, max_size=2),
        **_SWITCH,
    }
)

_ANY_NAME = st.sampled_from((*NAMES, *BAD_NAMES, *RESERVED, *PROFILES, *BAD_PROFILES)) | st.text(_CHARS, max_size=6)
#: Any JSON values, made mostly of words that have a meaning in a configuration.
ANY = st.recursive(
    st.none() | st.sampled_from(("a\x00b", "")) | _SCALARS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_ANY_NAME, inner, max_size=2),
    max_leaves=5,
)


def places(value: JSON) -> Iterator[tuple[JSON, Any]]:
    """Every container within a value, with each index or name in it."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from places(inner)


@st.composite
def bent(draw: st.DrawFn) -> JSON:
    """A valid configuration with mutations: some values are replaced, some members are renamed or added."""
    root = [copy.deepcopy(draw(GOOD))]
    for _ in range(draw(st.integers(1, 2))):
        container, key = draw(st.sampled_from(list(places(root))))
        target = container[key]
        how = draw(st.sampled_from(("replace", "rename", "put")))
        if how == "rename" and isinstance(container, dict):
            container[draw(_ANY_NAME)] = container.pop(key)
        elif how == "put" and isinstance(target, dict):
            target[draw(_ANY_NAME)] = draw(ANY)
        elif how == "put" and isinstance(target, list):
            target.append(draw(ANY))
        else:
            container[key] = draw(ANY)
    return root[0]
