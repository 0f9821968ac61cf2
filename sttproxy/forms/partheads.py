"""
The heads of multipart/form-data parts: parsed strictly, written in one canonical form (RFC 7578).

Parsers disagree on repeated headers and parameters, on missing quotes, on folding and on escapes.  A head on which they
could disagree is refused.  Every other head is written in the canonical form, so that every upstream reads the field
name to which the rules were applied.
"""

from __future__ import annotations

import functools
import re

import attrs

from ..errors import MalformedForm
from . import filenames

#: Most header fields in the head of one part; RFC 7578 defines three.
MAX_FIELDS = 8

_LINE = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n]*)")
_DISPOSITION = re.compile(rb"form-data[ \t]*(?=;|$)", re.IGNORECASE)
_PARAMETER = re.compile(
    rb";[ \t]*(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]+)="
    rb"(?:([^\x00-\x1f\x7f\";\\]*[^\x00-\x20\x7f\";\\])|\"((?:[^\"\\]|\\.)*)\")[ \t]*)?"
)
#: An unquoted value of any parameter except ``filename`` and ``filename*``.
_BARE = re.compile(rb"[^\x00-\x20\x7f\"(),/:;<=>?@\[\\\]]+")
#: What some parsers decode or split: quoted pairs, the escapes that browsers write for a quote and a line break,
#: encoded words, which mail software decodes (RFC 2047), and the semicolon, at which cpp-httplib splits even inside
#: quotes.
_ESCAPES = re.compile(rb"[\\\t;]|%(?:22|0[aAdD])|=\?")
_FILE_NAMES = (b"filename", b"filename*")
#: The ASCII control characters except the tab, which header values may contain.
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
#: A Content-Type that names no other charset than UTF-8 to any parser.
_UTF8_TYPE = re.compile(
    rb"(?:(?!charset).)*|[\w/+.\-]+[ \t]*;[ \t]*charset=(utf-?8|us-ascii|\"utf-?8\"|\"us-ascii\")", re.I | re.S
)
_TRANSPARENT_ENCODINGS = frozenset({b"7bit", b"8bit", b"binary"})


@attrs.frozen(slots=False)
class PartHead:
    """
    The parsed head of a part.

    :ivar name: the name of the field.
    :ivar filename: as `filenames.read` returns it; None for a text field.
    :ivar content_type: the Content-Type as the client wrote it; None if it is missing.
    """

    name: str
    filename: bytes | None
    content_type: bytes | None

    @functools.cached_property
    def usual(self) -> bytes:
        """The canonical head, from the line break after the boundary to the empty line."""
        return self._write(b" ")

    @functools.cached_property
    def tight(self) -> bytes:
        """The canonical head without optional white space, for forms with a length whose heads have none either."""
        return self._write(b"")

    @functools.cached_property
    def is_utf8(self) -> bool:
        """Whether parsers that obey the part's charset read a text as UTF-8."""
        return self.content_type is None or _UTF8_TYPE.fullmatch(self.content_type) is not None

    def under(self, name: str) -> PartHead:
        """The same head with another name."""
        other = self._others.get(name)
        if other is None:
            other = self._others[name] = attrs.evolve(self, name=name)
        return other

    @functools.cached_property
    def _others(self) -> dict[str, PartHead]:
        """The results of `under`.  They are few: a configuration gives a head one other name."""
        return {}

    def shorter(self, excess: int) -> bytes | None:
        """
        `tight` with a shorter file name.

        :param excess: the number of bytes to remove at least.
        :return: None if there is no file name, or if its part before the extension is not longer than that.
        """
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
def of_text(name: str) -> PartHead:
    """The head of a text field, cached like the results of `parse`."""
    return PartHead(name, None, None)


@functools.lru_cache(maxsize=256)
def parse(head: bytes) -> PartHead:
    """
    Parse the head of a part.  Results are cached, because the requests of a client repeat the same few heads.

    :param head: its lines, without the empty line that ends the head.
    :raises MalformedForm: when parsers would read the head differently; the message is the reason, without the part.
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
        raise MalformedForm("its Content-Type contains '=?', which some parsers decode as an encoded word")
    if content_type is not None and content_type.lower().startswith((b"multipart/", b"message/")):
        raise MalformedForm("its Content-Type is a multipart or message type; send each file as one part of the form")
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
            raise MalformedForm(f"its {name.decode()} contains a control character")
        fields[name] = value
    return fields


def _parameters(disposition: bytes) -> dict[bytes, bytes]:
    """The raw parameter values of a Content-Disposition, by lower-case name."""
    kind = _DISPOSITION.match(disposition)
    if kind is None:
        raise MalformedForm("its Content-Disposition is not form-data")
    parameters: dict[bytes, bytes] = {}
    at, name = kind.end(), None
    while at < len(disposition):
        parameter = _PARAMETER.match(disposition, at)
        if parameter is None:
            if name == b"filename" and disposition[:at].rstrip(b" \t").endswith(b'"'):
                raise MalformedForm("its file name contains a quote; send it as %22")
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
    """
    Decode a field name.

    :raises MalformedForm: when some parsers would read another name.
    """
    if _ESCAPES.search(raw):
        raise MalformedForm("its name contains a quote, a backslash, a tab, a line break, escaped or not, ';' or '=?'")
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise MalformedForm("its name is not UTF-8") from None
