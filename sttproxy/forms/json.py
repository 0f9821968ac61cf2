"""
Streaming rewriter for a JSON object that carries the fields of a form (RFC 8259).

Hosted services accept a recording this way, in base64, so the body may be as long as one.  The client's members are
sent on byte for byte, including the digits of numbers; only white space between the members is removed.  Configured
members have the types that they have in the configuration.  Forced members come first, defaults last.

As with a multipart form, a body that comes with a length is sent with a length, which is promised before its first
byte; spaces after the closing brace make up the difference.  If the decision about a member depends on its value, the
member is buffered until the value ends, or until it is longer than any value that a rule reads.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable

from ..config import MAX_VALUE, Text, json_members
from ..errors import BodyTooLarge, MalformedForm, shown
from ..jsontext import JSONError
from .evaluation import Evaluation
from .jsonvalue import ValueScanner, read_name, skip_space
from .multipart import MAX_DROPPED, spaces
from .plans import DEPENDS, DROPPED, PASSES, Settled
from .reserve import Reserve

#: Most members of one object; the same limit as for the parts of a multipart form.
MAX_MEMBERS = 1000

#: Longest value in the JSON text, in bytes, that a rule reads as a whole: `MAX_VALUE` bytes, each escaped as
#: ``\uXXXX``, and the quotes.
_MAX_BUFFERED = 6 * MAX_VALUE + 2


class JSONRewriter:
    """
    Rewrites one object.

    :ivar content_type: the Content-Type of the rewritten body.
    :ivar length: the length of the rewritten body in bytes; None if the length of the original is unknown.
    """

    content_type = b"application/json"

    def __init__(self, evaluation: Evaluation, length: int | None, most: int | None = None) -> None:
        """
        :param evaluation: applies the rules to this object.
        :param length: the length of the original body in bytes; None if unknown.
        :param most: the most bytes to accept; None: no limit.
        :raises BodyTooLarge: when the length exceeds that.
        """
        self._evaluation = evaluation
        self._most = most
        rules = evaluation.rules
        self._forced = b",".join(json_members(rules.forced))
        # Bytes promised in addition to those that come.  Each group of members of ours may need one comma more.
        defaults = b",".join(json_members(rule.field for rule in rules.defaults_by_name.values()))
        self._reserve = Reserve(len(b"," + defaults), rules.json_growth, rules.json_name_growth)
        self._extra = len(self._forced + b",") + self._reserve.size
        self.length = None if length is None else length + self._extra
        self._taken = 0
        self._written = 0
        if length is not None:
            self._check_size(length)
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._scanner = ValueScanner()
        self._step: _Step = JSONRewriter._start
        self._buffer = b""
        self._names: set[str] = set()
        #: The separator to write before the next member: empty before the first.
        self._comma = b""
        #: The current member: its decoded name, and the name's source text with the colon.
        self._name = ""
        self._key = b""
        #: The pieces of its value while it is buffered.
        self._value: list[bytes] = []
        self._value_size = 0

    def feed(self, data: bytes) -> list[bytes]:
        """
        Take bytes; return those that are safe to send on.

        At most the name of a member, a number, or one value that a rule reads is buffered.

        :raises MalformedForm: when the body is not one JSON object in UTF-8, repeats a member, or exceeds the limits.
        :raises BodyTooLarge: when the body is longer than ``most``.
        """
        try:
            self._utf8.decode(data)
        except UnicodeDecodeError:
            raise MalformedForm("The JSON body is not UTF-8.") from None
        if self._buffer:
            data = self._buffer + data
        self._check_size(self._taken + len(data))
        out: list[bytes] = []
        at = 0
        try:
            while at < len(data):
                end = self._step(self, data, at, out)
                if end == at:
                    break  # it needs more bytes
                at = end
        except JSONError as error:
            raise MalformedForm(f"The JSON body, byte {self._taken + error.at + 1}: {error.message}.") from None
        self._taken += at
        self._buffer = data[at:]
        if self._room(0) - self._reserve.size > MAX_DROPPED:
            raise MalformedForm(
                f"The proxy would have to drop more than {MAX_DROPPED} bytes from the JSON body: leave out the members "
                "that its configuration sets, and white space."
            )
        return out

    def finish(self) -> list[bytes]:
        """
        End the body; return the last bytes.

        :raises MalformedForm: when the object is not complete.
        """
        if self._step is not JSONRewriter._epilogue:
            raise MalformedForm(f"The JSON body, byte {self._taken + 1}: the body ends before the object is complete.")
        if self.length is None:
            return []
        return spaces(self.length - self._written)

    def _check_size(self, size: int) -> None:
        if self._most is not None and size > self._most:
            raise BodyTooLarge(
                f"The JSON body is longer than {self._most} bytes (--max-json): send a multipart form instead."
            )

    def _room(self, at: int) -> int:
        """
        The number of bytes that may be written now so that the rest of the body still fits into the promised length.

        :param at: the number of bytes of the current data that are processed.
        """
        return self._taken + at + self._extra - self._written

    def _write(self, out: list[bytes], piece: bytes) -> None:
        out.append(piece)
        self._written += len(piece)

    def _start(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Before the object.  A byte order mark is skipped, as RFC 8259 §8.1 allows."""
        begins = self._taken + at == 0
        if begins and data.startswith(codecs.BOM_UTF8, at):
            return at + len(codecs.BOM_UTF8)
        if begins and codecs.BOM_UTF8.startswith(data[at:]):
            return at
        at = skip_space(data, at)
        if at == len(data):
            return at
        if data[at : at + 1] != b"{":
            raise JSONError("the text must be a JSON object", at)
        self._write(out, b"{" + self._forced)
        self._comma = b"," * bool(self._forced)
        self._step = JSONRewriter._first_member
        return at + 1

    def _first_member(self, data: bytes, at: int, out: list[bytes]) -> int:
        """After the opening brace."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        if data[at : at + 1] == b"}":
            return self._close(at, out)
        self._step = JSONRewriter._member
        return self._member(data, at, out)

    def _member(self, data: bytes, at: int, out: list[bytes]) -> int:
        """At a member's name, or at white space before it."""
        at = skip_space(data, at)
        if data[at : at + 1] == b"}":
            raise JSONError("there is a comma after the last member", at)
        found = read_name(data, at) if at < len(data) else None
        if found is None:
            return at
        self._name, end = found
        if self._name in self._names:
            raise JSONError(f"the member {shown(self._name)} appears twice", at)
        self._names.add(self._name)
        if len(self._names) > MAX_MEMBERS:
            raise JSONError(f"the object has more than {MAX_MEMBERS} members", at)
        self._key = data[at:end] + b":"
        self._rename()
        self._step = JSONRewriter._colon
        return end

    def _rename(self) -> None:
        """Give the current member its new name, if it has one."""
        name = self._evaluation.sent_as(self._name, lists=False)
        if name != self._name:
            self._reserve.release_name(self._evaluation.key(self._name))
            self._name = name.removesuffix("[]")
            self._key = json.dumps(self._name, ensure_ascii=False).encode() + b":"

    def _colon(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Between a member's name and its value."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        if data[at : at + 1] != b":":
            raise JSONError(f"a colon is missing after {shown(self._name)}", at)
        self._step = JSONRewriter._begin_value
        return at + 1

    def _begin_value(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Before a member's value: decide about the member if the name is enough for that."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        self._scanner.begin()
        decision: Settled = self._evaluation.decide(self._name)
        if decision is DEPENDS and data[at : at + 1] in (b"{", b"["):
            decision = self._evaluation.settle(self._name, None)
        if decision is DEPENDS:
            self._step = JSONRewriter._buffered
        else:
            self._apply(decision, at, out)
        return self._step(self, data, at, out)

    def _apply(self, decision: Settled, at: int, out: list[bytes]) -> None:
        """
        Carry out a decision: send the member on, drop it, or replace its value.

        :param at: the offset up to which the current data are processed.
        :raises MalformedForm: when a new value or a new name does not fit into the promised length.
        """
        self._step = JSONRewriter._kept if decision is PASSES else JSONRewriter._dropped
        if decision is DROPPED:
            return
        self._write(out, self._comma + self._key)
        self._comma = b","
        if isinstance(decision, Text):
            self._write(out, decision.json.encode())
            self._reserve.release_value(self._evaluation.key(self._name))
        if self.length is not None and self._room(at) < self._reserve.size:
            raise MalformedForm(
                f"The member {shown(self._name)} leaves no room for what the proxy adds: send each field under one "
                "name only, or the body chunked."
            )

    def _kept(self, data: bytes, at: int, out: list[bytes]) -> int:
        """In a value that passes."""
        end = self._scanner.scan(data, at)
        if end > at:
            self._write(out, data[at:end])
        return self._continue(end)

    def _dropped(self, data: bytes, at: int, out: list[bytes]) -> int:
        """In a value that is dropped."""
        return self._continue(self._scanner.scan(data, at))

    def _continue(self, end: int) -> int:
        """Choose the next step if the value is complete."""
        if self._scanner.done:
            self._step = JSONRewriter._next
        return end

    def _buffered(self, data: bytes, at: int, out: list[bytes]) -> int:
        """In a value that the decision depends on: buffer it."""
        end = self._scanner.scan(data, at)
        self._value.append(data[at:end])
        self._value_size += end - at
        if self._scanner.done or self._value_size > _MAX_BUFFERED:
            source = b"".join(self._value)
            self._value, self._value_size = [], 0
            # Only a string can be so long that its end has not come.
            value = _value(source if self._scanner.done else source.decode("utf-8", "ignore").encode() + b'"')
            whole = len(source) <= _MAX_BUFFERED
            settled = self._evaluation.settle(self._name, value if whole else value[:MAX_VALUE], whole)
            self._apply(settled, end, out)
            if settled is PASSES:
                self._write(out, source)
        return self._continue(end)

    def _next(self, data: bytes, at: int, out: list[bytes]) -> int:
        """After a member."""
        at = skip_space(data, at)
        if at == len(data):
            return at
        if data[at : at + 1] == b"}":
            return self._close(at, out)
        if data[at : at + 1] != b",":
            raise JSONError("a comma or the closing '}' is missing", at)
        self._step = JSONRewriter._member
        return at + 1

    def _close(self, at: int, out: list[bytes]) -> int:
        """At the closing brace: write the defaults, then the brace."""
        defaults = b",".join(json_members(self._evaluation.missing()))
        if defaults:
            self._write(out, self._comma + defaults)
        self._write(out, b"}")
        self._step = JSONRewriter._epilogue
        return at + 1

    def _epilogue(self, data: bytes, at: int, out: list[bytes]) -> int:
        """After the object."""
        at = skip_space(data, at)
        if at < len(data):
            raise JSONError("there is more text after the end of the JSON value", at)
        return at


#: Processes data from an offset on and returns the offset up to which it did; the same offset if it needs more bytes.
_Step = Callable[[JSONRewriter, bytes, int, "list[bytes]"], int]


def _value(source: bytes) -> bytes:
    """A scalar as a form would carry it: the text of a number, a string, true or false; empty for null."""
    if source.startswith(b'"'):
        string: str = json.loads(source)
        return string.encode("utf-8", "surrogatepass")
    return b"" if source == b"null" else source
