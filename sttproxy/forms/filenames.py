"""
File names in multipart forms.

Clients encode file names in many ways, so all known encodings are accepted.  The name is written so that parsers cannot
mistake a part of it for something else: harmful characters are percent-escaped, as browsers escape quotes and line
breaks.  The extension is kept, because servers choose a decoder by it.
"""

from __future__ import annotations

import re
from email.errors import HeaderParseError
from email.header import decode_header
from urllib.parse import quote_from_bytes, unquote_to_bytes

from ..errors import MalformedForm

#: Accepts more characters than RFC 8187 §3.2: libsoup, for example, does not escape parentheses.
_EXTENDED = re.compile(rb"(utf-8|iso-8859-1)'[0-9A-Za-z\-]*'((?:[^%\x00-\x1f\x7f]|%[0-9A-Fa-f]{2})*)", re.IGNORECASE)
#: What mail software decodes as an encoded word (RFC 2047 §2).
_ENCODED_WORD = re.compile(rb"=\?[A-Za-z0-9\-]+\?[bq]\?[!->@-~]*\?=", re.IGNORECASE)
#: What would end the header or its value; what mail software would decode; and what cpp-httplib, which splits at
#: semicolons inside file names too, would read as another ``name`` parameter.
_HARMFUL = re.compile(
    rb'[\x00-\x1f"\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\\$|=(?=\?)|;(?=\s*name\s*\*?\s*=)', re.IGNORECASE
)
_CUT_ESCAPE = re.compile(rb"%[0-9A-Fa-f]?$")


def read(plain: bytes | None, extended: bytes | None) -> bytes | None:
    """
    Decode a file name and return it as it is written between quotes; UTF-8 unless the client wrote other bytes.

    If both parameters are present, the plain one is used if it is printable text: clients that add quotes themselves
    add them to the extended one too.

    :param plain: the value of ``filename`` without its quotes; None if the parameter is missing.
    :param extended: the value of ``filename*`` (RFC 8187) without its quotes; None if the parameter is missing.
    :return: the name; None for a text field, which has neither parameter.
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
    """
    Shorten the stem of a name that `read` returned; the extension stays.

    :param excess: the number of bytes to remove at least.
    :return: the shorter name; None if no stem would remain.
    """
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
    """The decoded text of an encoded word, or the word itself if it cannot be decoded."""
    try:
        decoded, charset = decode_header(word.decode("ascii"))[0]
        return decoded.decode(charset or "ascii").encode() if isinstance(decoded, bytes) else word
    except (LookupError, ValueError, HeaderParseError):
        return word


def _unquoted(name: bytes) -> bytes:
    """The name without quotes that the client added around it."""
    return name[1:-1] if len(name) > 1 and name[:1] == name[-1:] == b'"' else name


def _written(name: bytes) -> bytes:
    """The name with harmful characters percent-escaped."""
    return _HARMFUL.sub(lambda found: quote_from_bytes(found.group(), safe="").encode(), name)
