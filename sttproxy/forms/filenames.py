"""
The names of files in multipart forms.

A file's name is the client's own and mostly honest, and clients spell it in many ways.  So it is read in whichever way
it can be, and written so that no parser takes a part of it for anything else: what would do harm is percent-escaped, as
browsers escape quotes and line breaks.  The extension stays, since servers choose a decoder by it.
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ..errors import MalformedForm

#: RFC 8187 §3.2 allows fewer characters; libsoup, for one, leaves parentheses as they are.
_EXTENDED = re.compile(rb"(utf-8|iso-8859-1)'[0-9A-Za-z\-]*'((?:[^%\x00-\x1f\x7f]|%[0-9A-Fa-f]{2})*)", re.IGNORECASE)
#: What mail software reads as an encoded word (RFC 2047 §2).
_ENCODED_WORD = re.compile(rb"=\?[A-Za-z0-9\-]+\?[bq]\?[!->@-~]*\?=", re.IGNORECASE)
#: What would end the header or its value, what mail software decodes, and, to cpp-httplib, which cuts file names at
#: semicolons too, another name of the field.
_HARMFUL = re.compile(
    rb'[\x00-\x1f"\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\\$|=(?=\?)|;(?=\s*name\s*\*?\s*=)', re.IGNORECASE
)
_CUT_ESCAPE = re.compile(rb"%[0-9A-Fa-f]?$")


def read(plain: bytes | None, extended: bytes | None) -> bytes | None:
    """
    A file's name as it goes between quotes; UTF-8 unless the client wrote it otherwise.

    Where both parameters are there, the plain one counts if a person could read it: clients that quote by hand put
    their quotes into the other one too.

    :param plain: the value of ``filename``, without its quotes; None where there is none.
    :param extended: the value of ``filename*`` (RFC 8187), likewise.
    :return: None for a text field.
    :raises MalformedForm: when an extended name cannot be decoded.
    """
    if extended is not None and not (plain and _is_legible(plain)):
        return _written(_unquoted(_decoded(extended)))
    if plain is None:
        return None
    if _ENCODED_WORD.fullmatch(plain):
        return _written(_decoded_word(plain))
    return _written(plain.replace(b'\\"', b'"'))


def shortened(name: bytes, excess: int) -> bytes | None:
    """A written name that is at least so many bytes shorter, its extension kept; None where that takes all of it."""
    stem, dot, extension = name.rpartition(b".")
    if not dot:
        stem, extension = extension, b""
    if excess >= len(stem):
        return None
    cut = stem[: len(stem) - excess].decode("utf-8", "ignore").encode()
    return _CUT_ESCAPE.sub(b"", cut) + dot + extension


def _is_legible(name: bytes) -> bool:
    try:
        return name.decode().isprintable() and not _ENCODED_WORD.search(name)
    except UnicodeDecodeError:
        return False


def _decoded(extended: bytes) -> bytes:
    encoded = _EXTENDED.fullmatch(extended)
    if encoded is None:
        raise MalformedForm("its filename* is not UTF-8''… or ISO-8859-1''… with percent escapes")
    try:
        text = unquote_to_bytes(encoded.group(2)).decode("latin-1" if encoded.group(1)[:1] in b"iI" else "utf-8")
    except UnicodeDecodeError:
        raise MalformedForm("its filename* is not UTF-8") from None
    return text.encode()


def _decoded_word(word: bytes) -> bytes:
    """What an encoded word says, or the word itself where it says nothing."""
    try:
        decoded, charset = decode_header(word.decode("ascii"))[0]
        return decoded.decode(charset or "ascii").encode() if isinstance(decoded, bytes) else word
    except (LookupError, ValueError, HeaderParseError):
        return word


def _unquoted(name: bytes) -> bytes:
    """A name without the quotes that a client has put around it."""
    return name[1:-1] if len(name) > 1 and name[:1] == name[-1:] == b'"' else name


def _written(name: bytes) -> bytes:
    """A name with what would do harm percent-escaped."""
    return _HARMFUL.sub(lambda found: quote_from_bytes(found.group(), safe="").encode(), name)
