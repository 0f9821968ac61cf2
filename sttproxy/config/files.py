"""
The files of one configuration: what they hold as text and as JSON, and where in them a finding stands.

They are read through a function, so that this room does no I/O.
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

#: Largest configuration and largest included file, in bytes; what a Kubernetes ConfigMap can hold.
MAX_BYTES = 1024 * 1024

#: Gives the bytes of a file, or why there are none.
Reader = Callable[[str], "bytes | str"]

_COMMENT = "$comment"
#: The beginning of a text in UTF-16 or UTF-32: a byte order mark, or ASCII in it.
_WIDE = re.compile(rb"\xff\xfe|\xfe\xff|[^\0]\0[^\0]\0|\0[^\0]\0[^\0]|[^\0]\0\0\0|\0\0\0?[^\0]", re.DOTALL)
_YAML = re.compile(r"(?:#.*\n\s*)*[\w.\-$]+[ \t]*:(?:[ \t\n]|$)")


class Files:
    """
    The files of one configuration while they are read, one after the other.

    :ivar errors: what is wrong.
    :ivar warnings: what is legal and probably wrong.
    :ivar digest: of all that was read.
    """

    def __init__(self, file: str, read: Reader) -> None:
        """
        :param file: the path of the file that is read first.
        :param read: gives the bytes of the others.
        """
        self.errors = Findings()
        self.warnings = Findings()
        self.digest = hashlib.sha256()
        self._file = file
        self._read = read
        self._json = ""
        self._places = jsontext.Places("")

    def following(self, file: str) -> bytes | None:
        """The bytes of the next file, in which the findings are from then on; None where it cannot be read."""
        data = self._read(file)
        self._file = file
        if isinstance(data, str):
            self.errors.add(Finding(data, file))
            return None
        self.digest.update(b"\0")
        return data

    def document(self, data: bytes, message: str = "") -> jsontext.Object | None:
        """
        The object that a file holds.

        :param message: what to say of a file that is not JSON; empty: what is wrong, with names out of it.
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
        """A value as it is written in the document that was read last."""
        return self._json[value.start : value.end]

    def included(self, path: str, at: int, where: str) -> str | None:
        """
        The text of an included file, without the line break at its end that editors put there.

        :param path: relative to the folder of the file that is read.
        :param at: where it is included, for errors.
        """
        path = os.path.join(os.path.dirname(self._file), path)
        data = self._read(path)
        if isinstance(data, str):
            self.error(f"the file {printable(path)}: {data}", at, where)
            return None
        # No file that can be used holds a NUL, so it parts them.
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
        """Something at an offset of the document is wrong."""
        self._find(self.errors, message, at, where)

    def warn(self, message: lint.LintWarning, at: int, where: str) -> None:
        """Something at an offset of the document is legal and probably wrong."""
        self._find(self.warnings, message, at, where)

    def _find(self, findings: Findings, message: lint.LintWarning, at: int, where: str) -> None:
        if findings.full:
            findings.count()
        else:
            findings.add(Finding(str(message), self._file, *self._places.of(at), where))

    def _decoded(self, data: bytes) -> str | None:
        """The text of the file that is read now."""
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
    """Which other format than JSON a file is in, and what to do; empty where that cannot be seen."""
    start = text.lstrip()
    if not start:
        return "the file is empty; a configuration without fields is {}"
    if start.startswith("{\\rtf"):
        return "this is RTF; save it as plain text"
    if start.startswith("---") or _YAML.match(start):
        return 'this is YAML; the file must hold a JSON object, like {"language": "zh"}'
    return ""


def _without_comments(object_: jsontext.Object) -> jsontext.Object:
    """An object without the members named ``$comment``, at any depth."""
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
