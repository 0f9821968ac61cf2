"""
Messages of a client while they arrive: whether one is an update of the session.

A message is read to its end, also after its type is known, because a server may use the last of several types.  It is
not kept here.
"""

from __future__ import annotations

import enum
import json
import re

from ..config import fold
from ..forms.jsonvalue import ValueScanner, skip_space
from ..jsontext import JSONError
from .refusal import INVALID_DATA, POLICY_VIOLATION, UNSUPPORTED_DATA, Refusal

#: The types of messages that describe a session.
SESSION_UPDATE, TRANSCRIPTION_UPDATE = "session.update", "transcription_session.update"

#: Longest type of a message in its JSON text, in bytes, with the white space around it.
MAX_TYPE = 512
#: Longest beginning of a binary message that is kept to find out whether it is JSON, in bytes.
MAX_BEGINNING = 4096

_TYPE = re.compile(rb'[ \t\n\r]*:[ \t\n\r]*(?:("(?:[^"\\]|\\.)*")|[^ \t\n\r"])')

#: What parsers skip before an object in a binary message: white space, for some all control characters, and byte order
#: marks.
_BLANK = bytes(range(0x21)) + b"\xef\xbb\xbf\xfe\xff"
#: The ends of comments by their beginnings.
_CLOSINGS = {b"/*": re.compile(rb"\*/"), b"//": re.compile(rb"[\r\n]")}
#: The beginning of an object, after its brace: a member or a comment.
_MEMBER = re.compile(rb'[\x00- ]*(?:"(?:[^"\\]|\\.)*"[\x00- ]*[:/]|/[/*])', re.DOTALL)
_HALF_MEMBER = re.compile(rb'[\x00- ]*(?:"(?:[^"\\]|\\.)*(?:\\|"[\x00- ]*)?|/)?', re.DOTALL)


class Kind(enum.Enum):
    """What a message is."""

    UNKNOWN = "its type has not arrived yet"
    UPDATE = "it describes the session"
    OTHER = "anything else"


class TextMessage:
    """
    A text message, which must be one JSON object.

    :ivar kind: what it is, as far as that is known.
    """

    def __init__(self) -> None:
        self.kind = Kind.UNKNOWN
        self._scanner = ValueScanner(self._named)
        self._begun = False
        #: What the scanner has not checked: an incomplete name, number or escape.
        self._rest = b""
        #: The offset after the name of the type in the current data, and the text that was checked from there on.
        self._type_at: int | None = None
        self._type = b""

    def feed(self, payload: bytes) -> None:
        """
        Read bytes of the message, which are UTF-8.

        :raises Refusal: when it is not a JSON object, repeats a member, spells ``type`` in another way, or has a type
            that is not a string.
        """
        data = self._rest + payload if self._rest else payload
        at = 0
        try:
            if not self._begun:
                at = skip_space(data, 0)
                if at == len(data):
                    return
                if data[at : at + 1] != b"{":
                    raise JSONError("it is not an object", at)
                self._begun = True
            end = self._scanner.scan(data, at)
            if self._scanner.done and skip_space(data, end) < len(data):
                raise JSONError("there is more text after the end of the JSON value", end)
        except JSONError as error:
            raise Refusal(INVALID_DATA, f"A message must be one JSON object: {error.message}.") from None
        if self._type_at is not None and self.kind is Kind.UNKNOWN:
            self._read_type(data[self._type_at : end])
            self._type_at = 0
        self._rest = b"" if self._scanner.done else data[end:]

    def end(self) -> None:
        """
        The message is complete.

        :raises Refusal: when the object is not.
        """
        if not self._scanner.done:
            raise Refusal(INVALID_DATA, "A message must be one JSON object: it ends before the object is complete.")
        if self.kind is Kind.UNKNOWN:
            self.kind = Kind.OTHER

    def _named(self, name: str, end: int) -> None:
        """A member of the message has been named."""
        if fold(name) == "type":
            if name != "type":
                raise Refusal(POLICY_VIOLATION, "A member of a message must not be spelled like 'type' in another way.")
            self._type_at = end

    def _read_type(self, data: bytes) -> None:
        """Read the type from what follows its name."""
        self._type += data[: MAX_TYPE + 1]
        found = _TYPE.match(self._type)
        if found is None and len(self._type) > MAX_TYPE:
            raise Refusal(POLICY_VIOLATION, f"The type of a message must not be longer than {MAX_TYPE} bytes.")
        if found is None:
            return
        if found.group(1) is None:
            raise Refusal(POLICY_VIOLATION, "The type of a message must be a string.")
        type_: str = json.loads(found.group(1))
        is_update = type_.strip().casefold() in (SESSION_UPDATE, TRANSCRIPTION_UPDATE)
        self.kind = Kind.UPDATE if is_update else Kind.OTHER


class BinaryMessage:
    """
    A binary message, which must not be a JSON object: some servers read it like a text message.

    A parser may accept what is not JSON, such as comments, and detect UTF-16 and UTF-32.  So the message is refused if
    it only begins like an object.  Audio does not begin like that, except by chance in one message of many millions.

    :ivar kind: always the same.
    """

    kind = Kind.OTHER

    def __init__(self) -> None:
        self._beginning = b""
        self._decided = False

    def feed(self, payload: bytes) -> None:
        """
        Read bytes of the message.

        :raises Refusal: when it begins like a JSON object.
        """
        at = 0
        while at < len(payload) and not self._decided:
            self._beginning += payload[at : at + MAX_BEGINNING].replace(b"\0", b"")
            at += MAX_BEGINNING
            found = self._begins_object()
            if found or (found is None and len(self._beginning) >= MAX_BEGINNING):
                raise Refusal(UNSUPPORTED_DATA, "JSON must be sent in text messages.")
            self._decided = found is False

    def end(self) -> None:
        """The message is complete."""

    def _begins_object(self) -> bool | None:
        """Whether the beginning is that of an object; None if this is not known yet.  Removes what precedes it."""
        self._beginning = self._beginning.lstrip(_BLANK)
        while self._beginning.startswith((b"/*", b"//")):
            opening = self._beginning[:2]
            closing = _CLOSINGS[opening].search(self._beginning, 2)
            if closing is None:
                # A star at the end may be the first half of the closing.
                self._beginning = opening + self._beginning[2:][-1:]
                return None
            self._beginning = self._beginning[closing.end() :].lstrip(_BLANK)
        if self._beginning in (b"", b"/"):
            return None
        if not self._beginning.startswith(b"{"):
            return False
        if _MEMBER.match(self._beginning, 1):
            return True
        return None if _HALF_MEMBER.fullmatch(self._beginning, 1) else False
