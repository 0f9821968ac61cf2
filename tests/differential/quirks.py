"""
Where parsers are known to show a form in their own way.  None of it concerns a configured field.
"""

from __future__ import annotations

import re

from .cases import Case
from .reading import Reading, named, reading_of

#: Readers that take a file without a name for a text field, or for nothing.
_NEED_FILENAMES = frozenset({"busboy", "httplib", "django", "undici"})
_BYTES = b"application/octet-stream"
#: Bytes behind the closing boundary past which Django looks for a part's head in them, and gives up.
_DJANGO_HEAD = 1024


def same(reader: str, case: Case, reading: Reading) -> bool:
    """Whether a parser has read a case as it is meant, but for what is its own affair."""
    return _agreed(reader, case, reading_of(case.expected)) == _agreed(reader, case, reading)


def plain(reader: str, name: str) -> bool:
    """Whether a parser reads a name as it is: newer releases of cpp-httplib cut at these, in quotes or not."""
    return reader != "httplib" or not re.search("[;=]", name)


def _agreed(reader: str, case: Case, reading: Reading) -> Reading:
    """A reading without that on which parsers need not agree."""
    expected = reading_of(case.expected)
    if not all(plain(reader, item.name + named(item.filename or b"")) for item in case.expected):
        return Reading({}, {})
    unnamed = {name for name, files in expected.files.items() if any(not filename for filename, _ in files)}
    vague = unnamed if reader in _NEED_FILENAMES else set()
    # Bytes are a file to busboy, with or without a file name.
    vague |= {item.name for item in case.expected if item.content_type == _BYTES} if reader == "busboy" else set()
    # A reader of mail finds one part without a name in a form without any.
    vague |= {"None"} if reader == "email" and not expected.fields and not expected.files else set()
    return Reading(
        {
            name: _texts(values, expected.fields.get(name, []))
            for name, values in reading.fields.items()
            if name not in vague
        },
        {
            name: _files(files, expected.files.get(name, []))
            for name, files in reading.files.items()
            if name not in vague
        },
    )


def _texts(values: list[bytes], expected: list[bytes]) -> list[bytes]:
    """Text that is no UTF-8 is decoded by each in another way."""
    if len(values) != len(expected):
        return values
    return [value if _is_text(meant) else b"?" for value, meant in zip(values, expected, strict=True)]


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _files(files: list[tuple[str, bytes]], expected: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """A backslash in a file name divides folders, or escapes something, or is a letter."""
    if len(files) != len(expected):
        return files
    return [
        ("?" if "\\" in meant else filename, data) for (filename, data), (meant, _) in zip(files, expected, strict=True)
    ]


def may_refuse(reader: str, case: Case) -> bool:
    """Whether a parser is known to refuse a case; nothing gets past the rules that way."""
    behind = case.behind
    if not case.expected and reader in ("old starlette", "httplib"):
        return True  # they want at least one part
    if reader == "undici":
        # It takes no epilogue, and no head without the blanks that are optional.
        return behind not in (b"", b"\r\n") or b"\r\nContent-Disposition:form-data;" in case.left.body
    if reader == "django":
        return len(behind) > _DJANGO_HEAD
    return reader == "httplib" and not behind.startswith(b"\r\n")  # it wants a line break there
