"""
Helpers for the tests of forms: functions that run a rewriter, and independent readers of its output.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

import attrs
from multipart import PushMultipartParser
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from sttproxy import config
from sttproxy.config import Rules, fold
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.json import JSONRewriter
from sttproxy.forms.multipart import MultipartRewriter
from sttproxy.forms.plans import Decision
from sttproxy.headers import boundary_of, parse_content_type

#: A boundary like those of clients: longer than `MIN_BOUNDARY`.
BOUNDARY = b"------------------------d74496d66958873e"

#: Rules that neither write nor drop anything.
NOTHING = config.parse(b"{}").base


def rules_for(**fields: Any) -> Rules:
    """The rules of a configuration with these fields."""
    return config.parse(json.dumps(fields).encode()).base


def drops(rules: Rules, name: str) -> bool:
    """Whether the rules drop a client's field of this name."""
    return Evaluation(rules).decide(name) is Decision.DROPPED


def forced_parts(rules: Rules) -> tuple[tuple[bytes, bytes], ...]:
    """The names and values that rules write into a form, UTF-8."""
    return tuple(part for field in rules.forced for part in field.encoded())


def forced_json(rules: Rules) -> list[tuple[str, str]]:
    """The members that rules write into a JSON object."""
    return [(field.json_name, field.json) for field in rules.forced if field.json is not None]


def rewrite_json(rules: Rules, body: bytes, step: int | None = None, counted: bool = False) -> bytes:
    """
    Rewrite a JSON body.

    :param step: the size of the pieces in bytes; None: one piece.
    :param counted: whether the length of the body is known, so that the result must have the promised length.
    :raises MalformedForm: when the rewriter raises it.
    """
    rewriter = JSONRewriter(Evaluation(rules), len(body) if counted else None)
    step = step or max(len(body), 1)
    output = b"".join(out for at in range(0, len(body), step) for out in rewriter.feed(body[at : at + step]))
    output += b"".join(rewriter.finish())
    assert rewriter.length == (len(output) if counted else None), "the result does not have the promised length"
    return output


def stable_fields(rules: Rules, items: Iterable[Item]) -> list[str]:
    """
    The fields of a form that must not change when the same rules are applied again; sorted, since the order may change.

    An empty default for empty fields is dropped and added again, so it is left out here.
    """
    for_empty = {key for key, default in rules.defaults_by_name.items() if default.when_empty}
    return sorted(repr(item) for item in items if item.value or fold(item.name) not in for_empty)


_SAID = re.compile(
    rb'Content-Disposition: form-data; name="([^"]*)"(?:; filename="([^"]*)")?(?:\r\nContent-Type: (.*))?'
)


@attrs.frozen
class Item:
    """One field as a reader of the form returns it."""

    name: str
    filename: bytes | None
    content_type: bytes | None
    value: bytes


@attrs.frozen
class Rewritten:
    """
    The output of a rewriter.

    :ivar length: the promised length.
    """

    content_type: bytes
    length: int | None
    body: bytes

    @property
    def boundary(self) -> bytes:
        """The boundary that the rewriter chose."""
        return boundary_of(parse_content_type(self.content_type)[1])

    @property
    def comparable(self) -> bytes:
        """The body with its random boundary replaced by a constant one."""
        return self.body.replace(b"--" + self.boundary, b"--" + b"=" * len(self.boundary))


def rewrite(
    rules: Rules, boundary: bytes, pieces: Iterable[bytes], counted: bool, open_ended: bool = False
) -> Rewritten:
    """
    Rewrite a multipart body that comes in these pieces.

    :param counted: whether the length of the body is known.
    :param open_ended: whether the client is one that omits the closing boundary.
    :raises MalformedForm: when the rewriter raises it.
    """
    pieces = list(pieces)
    length = sum(map(len, pieces)) if counted else None
    rewriter = MultipartRewriter(Evaluation(rules), boundary, length, open_ended=open_ended)
    out = [written for piece in pieces for written in rewriter.feed(piece)]
    out += rewriter.finish()
    return Rewritten(rewriter.content_type, rewriter.length, b"".join(out))


def bytewise(data: bytes) -> list[bytes]:
    """The bytes, each as a piece of its own."""
    return [data[at : at + 1] for at in range(len(data))]


def form(*parts: bytes, boundary: bytes = BOUNDARY, end: bytes = b"\r\n") -> bytes:
    """A form of parts, each a head, an empty line and a value."""
    return b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--" % boundary + end


def field(name: str, value: bytes) -> bytes:
    """A text field as most clients write it."""
    return b'Content-Disposition: form-data; name="%b"\r\n\r\n%b' % (name.encode(), value)


def upload(name: str, filename: bytes, content_type: bytes, value: bytes) -> bytes:
    """A file as most clients write it."""
    return b'Content-Disposition: form-data; name="%b"; filename="%b"\r\nContent-Type: %b\r\n\r\n%b' % (
        name.encode(),
        filename,
        content_type,
        value,
    )


def items_of(*parts: bytes) -> list[Item]:
    """The fields in parts that `field` and `upload` made."""
    items = []
    for part in parts:
        head, _, value = part.partition(b"\r\n\r\n")
        found = _SAID.fullmatch(head)
        assert found is not None, head
        name, filename, content_type = found.groups()
        items.append(Item(name.decode(), filename, content_type, value))
    return items


def by_multipart(rewritten: Rewritten, strict: bool = False) -> list[Item]:
    """
    The fields that the multipart package reads.

    :param strict: whether padding after the closing boundary is an error too.
    """
    items: list[Item] = []
    with PushMultipartParser(rewritten.boundary, header_charset="latin-1", strict=strict) as parser:
        for event in parser.parse(rewritten.body):
            if event is None:
                continue
            if isinstance(event, bytes | bytearray):
                items[-1] = attrs.evolve(items[-1], value=items[-1].value + bytes(event))
                continue
            filename = None if event.filename is None else event.filename.encode("latin-1")
            written = event.header("Content-Type")
            content_type = None if written is None else written.encode("latin-1")
            items.append(Item(event.name.encode("latin-1").decode(), filename, content_type, b""))
    return items


def as_starlette(items: list[Item]) -> list[Item]:
    """The same fields as Starlette returns them."""
    return [each if each.filename is not None else Item(each.name, None, None, _shown(each.value)) for each in items]


def _shown(text: bytes) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1").encode()
    return text


def by_starlette(rewritten: Rewritten) -> list[Item]:
    """The fields that Starlette reads with python-multipart, as upstreams do; text fields have no content type."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield rewritten.body

    headers = Headers(raw=[(b"content-type", rewritten.content_type)])
    reading = MultiPartParser(headers, stream(), max_files=10_000, max_fields=10_000, max_part_size=1 << 24).parse()
    try:
        reading.send(None)
    except StopIteration as finished:
        found = finished.value.multi_items()
    else:
        raise AssertionError("the reader waits for more after the only piece")
    items = []
    for name, value in found:
        if isinstance(value, UploadFile):
            content_type = value.headers.get("content-type")
            encoded = None if content_type is None else content_type.encode("latin-1")
            items.append(Item(name, (value.filename or "").encode(), encoded, value.file.read()))
        else:
            items.append(Item(name, None, None, value.encode()))
    return items


def by_email(rewritten: Rewritten) -> list[Item]:
    """The fields that the standard library's mail parser reads; it does not keep line breaks in text."""
    message = BytesParser(policy=HTTP).parsebytes(
        b"Content-Type: " + rewritten.content_type + b"\r\n\r\n" + rewritten.body
    )
    items = []
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        filename = part.get_filename()
        content_type = part.get_content_type().encode() if "content-type" in part else None
        encoded = None if filename is None else filename.encode("utf-8", "surrogateescape")
        items.append(Item(str(name), encoded, content_type, part.get_payload(decode=True) or b""))
    return items
