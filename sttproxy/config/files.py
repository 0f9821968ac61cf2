"""
The files of one configuration: they become text and JSON here, and findings get their file, line and column.

The caller gives a function that reads files, so this package does no I/O.
"""

from __future__ import annotations

import hashlib
import os.path
import re
from collections.abc import Callable

import attrs

from .. import jsontext
from ..errors import printable
from . import lint
from .findings import Findings
from .model import Finding

#: Largest size of a configuration and of an included file, in bytes.  A Kubernetes ConfigMap has the same limit.
MAX_BYTES = 1024 * 1024

#: Returns the bytes of a file, or a message that says why it cannot be read.
Reader = Callable[[str], "bytes | str"]

_COMMENT = "$comment"
#: The beginning of a text in UTF-16 or UTF-32: a byte order mark, or ASCII characters in one of these encodings.
_WIDE = re.compile(rb"\xff\xfe|\xfe\xff|[^\0]\0[^\0]\0|\0[^\0]\0[^\0]|[^\0]\0\0\0|\0\0\0?[^\0]", re.DOTALL)
_YAML = re.compile(r"(?:#.*\n\s*)*[\w.\-$]+[ \t]*:(?:[ \t\n]|$)")


class Files:
    """
    Reads the files of one configuration, one after the other, and collects findings about them.

    :ivar errors: mistakes that make the configuration unusable.
    :ivar warnings: what is legal and probably a mistake.
    :ivar digest: SHA-256 of the bytes of all files, in the order in which they are read.
    """

    def __init__(self, file: str, read: Reader) -> None:
        """
        :param file: the path of the first file; the caller has its bytes.
        :param read: reads the other files.
        """
        self.errors = Findings()
        self.warnings = Findings()
        self.digest = hashlib.sha256()
        self._file = file
        self._read = read
        self._json = ""
        self._places = jsontext.Places("")

    def following(self, file: str) -> bytes | None:
        """
        Read another file; findings are about this file from then on.

        :return: its bytes; None if it cannot be read, which is added to the errors.
        """
        data = self._read(file)
        self._file = file
        if isinstance(data, str):
            self.errors.add(Finding(data, file))
            return None
        self.digest.update(b"\0")
        return data

    def document(self, data: bytes, message: str = "") -> jsontext.Object | None:
        """
        Parse the current file.

        :param message: the error message for a file that is not JSON.  If it is empty, the message tells the mistake
            and may quote names from the file.
        :return: the JSON object in the file, without comments; None if there is no such object, which is added to the
            errors.
        """
        text = self._decoded(data)
        if text is None:
            return None
        self._json, self._places = text, jsontext.Places(text)
        if not message and (fault := _other_format(text)):
            self.error(fault, 0, "")
            return None
        try:
            root = jsontext.parse(text)
        except jsontext.JSONError as error:
            self.error(message or error.message, error.at, "")
            return None
        if not isinstance(root.data, jsontext.Object):
            self.error('the file must hold a JSON object, like {"language": "zh"}', root.start, "")
            return None
        return _without_comments(root.data)

    def source(self, value: jsontext.Value) -> str:
        """The source text of a value in the document that was parsed last."""
        return self._json[value.start : value.end]

    def included(self, path: str, at: int, where: str) -> str | None:
        """
        The text of an included file, without the line break that editors add at the end.

        :param path: absolute, or relative to the folder of the current file.
        :param at: the offset in the document of the value that includes it, for errors.
        :param where: the path of that value within the document.
        :return: None if the file cannot be used, which is added to the errors.
        """
        path = os.path.join(os.path.dirname(self._file), path)
        data = self._read(path)
        if isinstance(data, str):
            self.error(f"the file {printable(path)}: {data}", at, where)
            return None
        # A file that holds a NUL is refused, so a NUL separates the files in the digest.
        self.digest.update(b"\0")
        here, self._file = self._file, path
        text = self._decoded(data)
        self._file = here
        if text is None:
            return None
        if "\0" in text:
            self.error(f"the file {printable(path)} holds a NUL character", at, where)
            return None
        return text.removesuffix("\n").removesuffix("\r")

    def error(self, message: str, at: int, where: str) -> None:
        """
        Add an error.

        :param at: the offset in the document, in characters.
        :param where: the path within the document; empty for the file as a whole.
        """
        self._find(self.errors, message, at, where)

    def warn(self, message: lint.LintWarning, at: int, where: str) -> None:
        """Add a warning; the parameters are those of `error`."""
        self._find(self.warnings, message, at, where)

    def _find(self, findings: Findings, message: lint.LintWarning, at: int, where: str) -> None:
        if findings.full:
            findings.count()
        else:
            findings.add(Finding(str(message), self._file, *self._places.of(at), where))

    def _decoded(self, data: bytes) -> str | None:
        """The text of the current file; None if it is too large or not UTF-8, which is added to the errors."""
        self.digest.update(data)
        if len(data) > MAX_BYTES:
            self.errors.add(Finding(f"the file is larger than {MAX_BYTES} bytes", self._file))
            return None
        if _WIDE.match(data):
            self.errors.add(Finding("the file is UTF-16 or UTF-32; save it as UTF-8", self._file))
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode()
            place = jsontext.Places(before).of(len(before))
            self.errors.add(Finding("the file is not UTF-8; save it as UTF-8", self._file, *place))
            return None


def _other_format(text: str) -> str:
    """
    An error message for a file in a well-known format other than JSON: the format, and what to do.

    Empty where the file looks like none of these formats.
    """
    start = text.lstrip()
    if not start:
        return "the file is empty; a configuration without fields is {}"
    if start.startswith("{\\rtf"):
        return "this is RTF; save it as plain text"
    if start.startswith("---") or _YAML.match(start):
        return 'this is YAML; the file must hold a JSON object, like {"language": "zh"}'
    return ""


def _without_comments(object_: jsontext.Object) -> jsontext.Object:
    """The same object without the members that are named ``$comment``, at any depth."""
    members = [
        attrs.evolve(member, value=_uncommented(member.value)) for member in object_.members if member.key != _COMMENT
    ]
    return jsontext.Object(tuple(members))


def _uncommented(value: jsontext.Value) -> jsontext.Value:
    if isinstance(value.data, jsontext.Object):
        return attrs.evolve(value, data=_without_comments(value.data))
    if isinstance(value.data, tuple):
        return attrs.evolve(value, data=tuple(map(_uncommented, value.data)))
    return value
