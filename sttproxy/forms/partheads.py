"""
The heads of multipart/form-data parts: read strictly, written in one spelling (RFC 7578).

Parsers disagree on repeated headers and parameters, on missing quotes, on folding and on escapes.  A head on which they
could disagree is refused; every other one leaves as the same few canonical lines, so that no upstream reads another
field name than the one judged here.
"""

from __future__ import annotations

import functools
import re

import attrs

from ..errors import MalformedForm
from . import filenames

#: Most header fields in one part's head; RFC 7578 knows three.
MAX_FIELDS = 8

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*)")
_DISPOSITION = re.compile(rb"form-data[ \t]*(?=;|$)", re.IGNORECASE)
_PARAMETER = re.compile(
    rb";[ \t]*(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)="
    rb"(?:([^\x00-\x1f\x7f\";\\]*[^\x00-\x20\x7f\";\\])|\"((?:[^\"\\]|\\.)*)\")[ \t]*)?"
)
#: What stands without quotes in any parameter but those of the file's name.
_BARE = re.compile(rb"[^\x00-\x20\x7f\"(),/:;<=>?@\[\\\]]+")
#: What some parsers take for something else: quoted pairs, what browsers write for a quote and a line break, what
#: mail software reads as an encoded word (RFC 2047), and the semicolon at which cpp-httplib cuts, quoted or not.
_ESCAPES = re.compile(rb"[\\\t;]|%(?:22|0[aAdD])|=\?")
_FILE_NAMES = (b"filename", b"filename*")
#: A tab is one, but stands in values.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TRANSPARENT_ENCODINGS = frozenset({b"7bit", b"8bit", b"binary"})


@attrs.frozen(slots=False)
class PartHead:
    """
    What a part's head says.

    :ivar name: the field's name.
    :ivar filename: as `filenames.read` gives it; None for a text field.
    :ivar content_type: as the client wrote it, if it did.
    """

    name: str
    filename: bytes | None
    content_type: bytes | None

    @functools.cached_property
    def usual(self) -> bytes:
        """The canonical head, from the line break behind the boundary to the empty line."""
        return self._write(b" ")

    @functools.cached_property
    def tight(self) -> bytes:
        """The same without optional white space, for clients that did without it and promised a length."""
        return self._write(b"")

    def shorter(self, excess: int) -> bytes | None:
        """`tight` with at least so many bytes of the file's name cut out; None where it has not as many."""
        name = None if self.filename is None else filenames.shortened(self.filename, excess)
        return None if name is None else attrs.evolve(self, filename=name).tight

    def _write(self, gap: bytes) -> bytes:
        line = b'\r\nContent-Disposition:%bform-data;%bname="%b"' % (gap, gap, self.name.encode())
        if self.filename is not None:
            line += b';%bfilename="%b"' % (gap, self.filename)
        if self.content_type is not None:
            line += b"\r\nContent-Type:%b%b" % (gap, self.content_type)
        return line + b"\r\n\r\n"


@functools.lru_cache(maxsize=256)
def parse(head: bytes) -> PartHead:
    """
    Read a part's head; the last ones are remembered, since a client's requests have the same few.

    :param head: its lines, without the empty line that ends it.
    :raises MalformedForm: when parsers would read it differently, with the reason.
    """
    fields = _fields(head)
    disposition = fields.get(b"content-disposition")
    if disposition is None:
        raise MalformedForm("it has no Content-Disposition")
    parameters = _parameters(disposition)
    if b"name" not in parameters:
        raise MalformedForm("its Content-Disposition names no field")
    encoding = fields.get(b"content-transfer-encoding")
    if encoding is not None and encoding.lower() not in _TRANSPARENT_ENCODINGS:
        raise MalformedForm("its Content-Transfer-Encoding is not one that leaves the bytes as they are")
    content_type = fields.get(b"content-type")
    if content_type is not None and b"=?" in content_type:
        raise MalformedForm("its Content-Type holds '=?', which some read as an encoded word")
    if content_type is not None and content_type.lower().startswith((b"multipart/", b"message/")):
        raise MalformedForm(
            "it holds parts of its own (a multipart or a message); send each file as one part of the form"
        )
    filename = filenames.read(*map(parameters.get, _FILE_NAMES))
    return PartHead(_name(parameters[b"name"]), filename, content_type)


def _fields(head: bytes) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    lines = head.split(b"\r\n") if head else []
    if len(lines) > MAX_FIELDS:
        raise MalformedForm(f"its head has more than {MAX_FIELDS} header fields")
    for line in lines:
        field = _LINE.fullmatch(line)
        if field is None:
            if line[:1] in (b" ", b"\t"):
                raise MalformedForm("its head has a folded line")
            raise MalformedForm("its head has a line that is not a header field")
        name = field.group(1).lower()
        if name in fields:
            raise MalformedForm(f"its head repeats {name.decode()}")
        value = field.group(2).rstrip(b" \t")
        if name != b"content-disposition" and _CONTROL.search(value):
            raise MalformedForm(f"its {name.decode()} holds a control character")
        fields[name] = value
    return fields


def _parameters(disposition: bytes) -> dict[bytes, bytes]:
    """The raw parameter values of a Content-Disposition by lower-cased name."""
    kind = _DISPOSITION.match(disposition)
    if kind is None:
        raise MalformedForm("its Content-Disposition is not form-data")
    parameters: dict[bytes, bytes] = {}
    at, name = kind.end(), None
    while at < len(disposition):
        parameter = _PARAMETER.match(disposition, at)
        if parameter is None:
            if name == b"filename" and disposition[:at].rstrip(b" \t").endswith(b'"'):
                raise MalformedForm("the file name holds a quote; send it as %22")
            raise MalformedForm("its Content-Disposition has a parameter that is not well-formed")
        at = parameter.end()
        name, bare, quoted = parameter.groups()
        if name is None:
            continue  # a lone semicolon
        name = name.lower()
        if name not in _FILE_NAMES and (_CONTROL.search(quoted) if bare is None else not _BARE.fullmatch(bare)):
            raise MalformedForm("its Content-Disposition has a parameter that is not well-formed")
        if b"*" in name and name != b"filename*":
            raise MalformedForm(f"its Content-Disposition has the extended parameter {name.decode()}")
        if name in parameters:
            raise MalformedForm(f"its Content-Disposition repeats {name.decode()}")
        parameters[name] = quoted if bare is None else bare.strip(b" \t")
    return parameters


def _name(raw: bytes) -> str:
    """A field name that every parser reads as itself."""
    if _ESCAPES.search(raw):
        raise MalformedForm("its name holds a quote, a backslash, a tab, a line break, escaped or not, ';' or '=?'")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedForm("its name is not UTF-8") from None
