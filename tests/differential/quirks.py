"""
Known differences in how parsers present a form.  None of them concerns a configured field.
"""

from __future__ import annotations

import re

from .cases import Case
from .reading import Reading, named, reading_of

#: Readers that take a file without a name for a text field, or drop it.
_NEED_FILENAMES = frozenset({"busboy", "httplib", "django", "undici"})
_BYTES = b"application/octet-stream"
#: If more bytes than this follow the closing boundary, Django looks for a part's head in them, and fails.
_DJANGO_HEAD = 1024


def same(reader: str, case: Case, reading: Reading) -> bool:
    """Whether a parser has read a case as expected, apart from its known differences."""
    return _agreed(reader, case, reading_of(case.expected)) == _agreed(reader, case, reading)


def plain(reader: str, name: str) -> bool:
    """Whether a parser reads a name unchanged: newer cpp-httplib cuts at these characters, quoted or not."""
    return reader != "httplib" or not re.search("[;=]", name)


def _agreed(reader: str, case: Case, reading: Reading) -> Reading:
    """A reading without the parts on which parsers may differ."""
    expected = reading_of(case.expected)
    if not all(plain(reader, item.name + named(item.filename or b"")) for item in case.expected):
        return Reading({}, {})
    unnamed = {name for name, files in expected.files.items() if any(not filename for filename, _ in files)}
    vague = unnamed if reader in _NEED_FILENAMES else set()
    # To busboy bytes are a file, with or without a file name.
    vague |= {item.name for item in case.expected if item.content_type == _BYTES} if reader == "busboy" else set()
    # A mail parser finds one part without a name in a form without parts.
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
    """Each parser decodes text that is not UTF-8 in its own way."""
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
    """A backslash in a file name is a folder separator, an escape or a letter."""
    if len(files) != len(expected):
        return files
    return [
        ("?" if "\\" in meant else filename, data) for (filename, data), (meant, _) in zip(files, expected, strict=True)
    ]


def may_refuse(reader: str, case: Case) -> bool:
    """Whether a parser is known to refuse a case, which is safe."""
    behind = case.behind
    if not case.expected and reader in ("old starlette", "httplib"):
        return True  # they require at least one part
    if reader == "undici":
        # It accepts no epilogue, and no head without the optional white space.
        return behind not in (b"", b"\r\n") or b"\r\nContent-Disposition:form-data;" in case.output.body
    if reader == "django":
        return len(behind) > _DJANGO_HEAD
    return reader == "httplib" and not behind.startswith(b"\r\n")  # it requires a line break there
