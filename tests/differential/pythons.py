"""
The parsers of this Python.
"""

from __future__ import annotations

import io
from email.parser import BytesParser
from email.policy import HTTP

from ..forms.rewriting import Rewritten, by_multipart, by_starlette
from .reading import Reader, Reading, named, reading_of


def multipart(left: Rewritten) -> Reading:
    """The multipart package (Bottle, Litestar)."""
    return reading_of(by_multipart(left))


def starlette(left: Rewritten) -> Reading:
    """Starlette with the python-multipart that is installed (FastAPI, and so MLX Omni Server)."""
    return reading_of(by_starlette(left))


def email(left: Rewritten) -> Reading:
    """The standard library's mail parser, the documented replacement for cgi."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + left.content_type + b"\r\n\r\n" + left.body)
    reading = Reading({}, {})
    for part in message.walk():
        if part.is_multipart():
            continue
        name = str(part.get_param("name", header="content-disposition"))
        filename = part.get_filename()
        data = part.get_payload(decode=True)
        value = data if isinstance(data, bytes) else b""
        if part.get_param("filename", header="content-disposition") is None:
            reading.fields.setdefault(name, []).append(value)
        else:
            reading.files.setdefault(name, []).append((named(filename or ""), value))
    return reading


def werkzeug(left: Rewritten) -> Reading:
    """Werkzeug (Flask)."""
    from werkzeug.formparser import MultiPartParser

    parser = MultiPartParser(max_form_memory_size=None, max_form_parts=None)
    fields, files = parser.parse(io.BytesIO(left.body), left.boundary, len(left.body))
    return Reading(
        {name: [value.encode() for value in values] for name, values in fields.lists()},
        {name: [(named(each.filename or ""), each.read()) for each in values] for name, values in files.lists()},
    )


def django(left: Rewritten) -> Reading:
    """Django."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(
            DATA_UPLOAD_MAX_MEMORY_SIZE=None, DATA_UPLOAD_MAX_NUMBER_FIELDS=None, DATA_UPLOAD_MAX_NUMBER_FILES=None
        )
    from django.core.files.uploadhandler import TemporaryFileUploadHandler
    from django.http.multipartparser import MultiPartParser

    meta = {"CONTENT_TYPE": left.content_type.decode(), "CONTENT_LENGTH": str(len(left.body))}
    parser = MultiPartParser(meta, io.BytesIO(left.body), [TemporaryFileUploadHandler()], "utf-8")
    fields, files = parser.parse()
    return Reading(
        {name: [value.encode() for value in values] for name, values in fields.lists()},
        {name: [(named(each.name), each.read()) for each in values] for name, values in files.lists()},
    )


#: By name; a parser is available if its package can be imported.
READERS: dict[str, tuple[str, Reader]] = {
    "starlette": ("starlette", starlette),
    "multipart": ("multipart", multipart),
    "email": ("email", email),
    "werkzeug": ("werkzeug", werkzeug),
    "django": ("django", django),
}
