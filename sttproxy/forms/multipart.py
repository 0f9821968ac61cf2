"""
Streaming rewriter for multipart/form-data (RFC 7578, RFC 2046 §5.1).

The rewritten form has a new boundary and new part heads; the bytes of files and of other fields are sent on without a
copy.  Forced fields come first; the client's fields of the same names are dropped.

A form that comes with a length is sent with a length, which is promised before its first byte: the original length
plus the most that the rules may add.  Spaces after the closing boundary, which receivers ignore, make up the
difference.  The form is not stored for this.

This module searches for the delimiter without a library, for two reasons: the promise needs the exact size of all bytes
that are removed, and the result must not depend on how the network cut the preamble and the epilogue.

If the decision about a field depends on its value, the part is buffered until it ends, or until the value is longer
than any value that a rule reads.  Defaults are written before the closing boundary, when all of the client's fields are
known.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..config import MAX_VALUE, Text, multipart_parts
from ..errors import MalformedForm
from . import partheads
from .boundary import MIN_BOUNDARY, new_boundary
from .evaluation import Evaluation
from .plans import DEPENDS, DROPPED, PASSES, Settled
from .reserve import Reserve

#: Most parts in one form; python-multipart under MLX Omni Server has the same limit for fields.
MAX_PARTS = 1000
#: Longest part head, in bytes, from the line break after the boundary on.
MAX_PART_HEAD = 4096
#: Most bytes that the proxy removes from one form.  They are sent as padding, and no usual text field is that long.
MAX_DROPPED = 1024 * 1024

_EMPTY_LINES = re.compile(rb"(?:\r?\n)+")
_SPACES = b" " * 65536
_BREAK = b"\r\n"
#: The least bytes that a client needs for a part in addition to the boundary: delimiter and shortest head.
_LEAST_PART = len(b"--\r\nContent-Disposition:form-data;name=a\r\n\r\n\r\n")


class MultipartRewriter:
    """
    Rewrites one form.

    :ivar content_type: the Content-Type of the rewritten form.
    :ivar length: the length of the rewritten form in bytes; None if the length of the original is unknown.
    """

    def __init__(
        self, evaluation: Evaluation, boundary: bytes, length: int | None, *, open_ended: bool = False
    ) -> None:
        """
        :param evaluation: applies the rules to this form.
        :param boundary: the client's boundary, unquoted.
        :param length: the length of the original form in bytes; None if unknown.
        :param open_ended: whether the client is one that omits the closing boundary.  Then the promise includes room
            for it.  Unused room becomes padding, which some receivers do not accept; so other clients get no such room.
        """
        self._evaluation = evaluation
        self._theirs = b"--" + boundary
        self._delimiter = b"\r\n" + self._theirs
        size = max(len(boundary), MIN_BOUNDARY)
        ours = new_boundary(size)
        self._ours = b"--" + ours
        rules = evaluation.rules
        self._forced = self._ours.join(rules.forced_form)
        self.content_type = b"multipart/form-data; boundary=" + ours
        self.length: int | None = None
        # The slack of the promise: bytes received, or promised in addition, for which nothing has been written yet.
        # What remains of it becomes the padding.  If the client's boundary is shorter than `MIN_BOUNDARY`, each part
        # needs more bytes than it brings; these are promised for as many parts as can come.  After the closing boundary
        # the slack may be below 0 until the epilogue has come.  Without a promise it has no meaning.
        self._room = 0
        # The share of the room that is reserved for what the rules may add, and for a closing boundary that the client
        # may omit.
        self._spare = len(self._delimiter + b"--") if open_ended else 0
        defaults = len(self._ours.join(rules.defaults_form))
        self._reserve = Reserve(defaults + self._spare, rules.growth(len(self._ours)), rules.name_growth)
        if length is not None:
            parts = min(MAX_PARTS, length // (_LEAST_PART + len(boundary))) + 1
            self._room = (size - len(boundary)) * parts + self._reserve.size
            self.length = length + len(self._forced) + self._room
        self._most_room = self._room + MAX_DROPPED
        self._step: _Step = MultipartRewriter._start
        self._held = b""
        self._parts = 0
        #: The line break after the closing boundary is still to be written.
        self._break_due = False
        self._undecided: tuple[partheads.PartHead, int] | None = None
        #: The part that passes is a file.
        self._in_file = False

    def feed(self, data: bytes) -> list[bytes]:
        """
        Take upload bytes; return those that are safe to send on.

        At most one delimiter, one part head and one value of `MAX_VALUE` bytes are buffered.

        :raises MalformedForm: when the form cannot be read in exactly one way, or exceeds the limits.
        """
        if self._held:
            data = self._held + data
        out: list[bytes] = []
        at = 0
        size = len(data)
        while at < size:
            done = self._step(self, data, at, out)
            if done == at:
                break  # it needs more bytes
            at = done
        self._held = data[at:]
        return out

    def finish(self) -> list[bytes]:
        """
        End the form; return the last bytes.

        :raises MalformedForm: when the closing boundary is missing and the end of the last part is not certain.
        """
        out = [] if self._step is MultipartRewriter._epilogue else self.feed(self._missing_end())
        return out if self.length is None else out + spaces(self._room)

    def _missing_end(self) -> bytes:
        """
        The closing boundary, or the part of it, that is missing at the end of a form.  Unity omits it.

        :raises MalformedForm: when the form does not end after a part: the rest may be half a boundary, or half a head.
        """
        missing = b"--"
        if self._step is MultipartRewriter._head and self._held == b"\r\n":
            self._take_off(len(self._held))
            self._held = b""
            self._parts -= 1
            self._step = MultipartRewriter._after_boundary
        elif self._step not in (MultipartRewriter._start, MultipartRewriter._after_boundary, MultipartRewriter._head):
            missing = self._delimiter + missing
        bodiless = self._step is not MultipartRewriter._buffered
        if not self._parts or len(self._held) > (0 if bodiless else self._safe_end(self._held, 0)):
            raise MalformedForm("The closing boundary is missing, and the form does not end after a part.")
        if self.length is not None:
            ours = max(0, len(self._ours) - len(self._theirs))
            if self._room - self._reserve.size + self._spare < len(missing) + ours:
                raise MalformedForm("The closing boundary is missing: add it, or send the form chunked.")
        self._room -= len(missing)
        return missing

    def _start(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Before the first boundary, which needs no line break in front; empty lines may precede it."""
        lines = _EMPTY_LINES.match(data, at)
        if lines is not None:
            self._take_off(lines.end() - at)
            return lines.end()
        if data.startswith(self._theirs, at):
            if self._forced:
                out.append(self._forced)
            self._step = MultipartRewriter._after_boundary
            return self._after_boundary(data, at + len(self._theirs), out)
        found = data[at:]
        if found == b"\r" or self._theirs.startswith(found):
            return at
        raise MalformedForm("The form does not begin with the boundary that its Content-Type names.")

    def _after_boundary(self, data: bytes, at: int, out: list[bytes]) -> int:
        """After two dashes and the boundary."""
        if data.startswith(b"\r\n", at):
            self._parts += 1
            if self._parts > MAX_PARTS:
                raise MalformedForm(f"The form has more than {MAX_PARTS} parts.")
            self._step = MultipartRewriter._head
            return self._head(data, at, out)
        found = data[at : at + 2]
        if found == b"--":
            self._close(len(data) - at - 2, out)
            return at + 2
        if found in (b"", b"\r", b"-"):
            return at
        raise MalformedForm(f"Boundary {self._parts + 1} of the form is followed by neither a line break nor '--'.")

    def _head(self, data: bytes, at: int, out: list[bytes]) -> int:
        """In the head of a part, from the line break after its boundary on."""
        end = data.find(b"\r\n\r\n", at, at + MAX_PART_HEAD)
        if end < 0:
            if len(data) - at >= MAX_PART_HEAD:
                raise self._malformed(f"its head is longer than {MAX_PART_HEAD} bytes")
            return at
        try:
            head = partheads.parse(data[at + 2 : end])
        except MalformedForm as error:
            raise self._malformed(error.message) from None
        taken = len(self._theirs) + end + 4 - at
        name = self._evaluation.sent_as(head.name)
        if name != head.name:
            self._reserve.release_name(self._evaluation.key(head.name))
            head = head.under(name)
        decision = self._evaluation.decide(name)
        if decision is DEPENDS:
            if head.filename is not None or head.content_type is not None:
                self._check_text(head)
            self._undecided = head, taken
            self._step = MultipartRewriter._buffered
        else:
            self._apply(decision, head, taken, out)
        return end + 4

    def _check_text(self, head: partheads.PartHead) -> None:
        """
        Check that servers read the same value as the rules.

        :raises MalformedForm: when the part names another charset than UTF-8, or is a file that must be a text.
        """
        if head.filename is not None and self._evaluation.joins(head.name):
            raise self._malformed("it is a file; send the field as text, without a file name")
        if not head.is_utf8:
            raise self._malformed("its Content-Type names another charset than UTF-8")

    def _apply(self, decision: Settled, head: partheads.PartHead, taken: int, out: list[bytes]) -> None:
        """
        Send a part on, drop it, or replace its value.

        :param taken: the size of the boundary and the head in the original form, and of a value that is replaced.
        """
        self._step = MultipartRewriter._dropped
        if decision is DROPPED:
            self._room += taken
            return
        if decision is PASSES:
            self._in_file = head.filename is not None
            out.append(self._opening(head, taken))
            self._take_off(0)  # a head that becomes shorter counts as dropped bytes too
            self._step = MultipartRewriter._kept
            return
        assert isinstance(decision, Text), "only a value can settle the others"
        self._reserve.release_value(self._evaluation.key(head.name))
        new = decision.text.encode() + b"\r\n"
        out += [self._opening(partheads.of_text(head.name), taken - len(new)), new]

    def _buffered(self, data: bytes, at: int, out: list[bytes]) -> int:
        """In the body of a part that the decision depends on: buffer it, then decide and call the next step."""
        end = data.find(self._delimiter, at)
        if end < 0 and len(data) - at < MAX_VALUE + len(self._delimiter):
            return at
        assert self._undecided is not None
        head, taken = self._undecided
        whole = 0 <= end <= at + MAX_VALUE
        value = data[at:end] if whole else data[at : at + MAX_VALUE]
        settled = self._evaluation.settle(head.name, value, whole)
        if settled is PASSES or settled is DROPPED:
            self._apply(settled, head, taken, out)
        else:
            # The old value will be dropped: its bytes are credited for the new one, and then taken back, since the next
            # step counts them again.
            credit = len(value) + (len(b"\r\n") if whole else 0)
            self._apply(settled, head, taken + credit, out)
            self._room -= credit
        return self._step(self, data, at, out)

    def _opening(self, head: partheads.PartHead, taken: int) -> bytes:
        """
        The boundary and the head of a part that passes, in a form that fits into the promised length.

        :raises MalformedForm: when even the shortest one does not fit.
        """
        opening = self._ours + head.usual
        if self.length is not None:
            # The closing boundary needs room too.
            most = self._room + taken - self._reserve.size - len(self._ours) + len(self._theirs)
            if len(opening) > most:
                opening = self._ours + head.tight
            if len(opening) > most:
                # Escapes make a file name longer than it was; servers need only its extension.
                shorter = head.shorter(len(opening) - most)
                opening = self._ours + shorter if shorter else opening
            if len(opening) > most:
                raise self._malformed(
                    "it leaves no room for what the proxy adds: put its name and its file name in double quotes, "
                    "repeat no field, or send the form chunked"
                )
        self._room += taken - len(opening)
        return opening

    def _kept(self, data: bytes, at: int, out: list[bytes]) -> int:
        """In the body of a part that passes."""
        end = data.find(self._delimiter, at)
        if end >= 0:
            self._step = MultipartRewriter._after_boundary
            if self._in_file:
                self._evaluation.file_bytes += end - at
            out.append(data[at : end + 2])
            return self._after_boundary(data, end + len(self._delimiter), out)
        end = self._safe_end(data, at)
        if end > at:
            if self._in_file:
                self._evaluation.file_bytes += end - at
            out.append(data[at:end])
        return end

    def _dropped(self, data: bytes, at: int, out: list[bytes]) -> int:
        """In the body of a part that is dropped."""
        end = data.find(self._delimiter, at)
        if end >= 0:
            self._step = MultipartRewriter._after_boundary
            self._take_off(end + 2 - at)
            return self._after_boundary(data, end + len(self._delimiter), out)
        end = self._safe_end(data, at)
        self._take_off(end - at)
        return end

    def _take_off(self, size: int) -> None:
        """
        Count bytes that are not sent on; they become room.

        :raises MalformedForm: when they exceed `MAX_DROPPED` in total.
        """
        self._room += size
        if self._room > self._most_room:
            raise MalformedForm(
                f"The proxy would have to drop more than {MAX_DROPPED} bytes from the form: leave out the fields that "
                "its configuration sets."
            )

    def _safe_end(self, data: bytes, at: int) -> int:
        """The offset from which on the data may be the beginning of a delimiter; the end of the data if none begins."""
        last = data.rfind(b"\r", max(at, len(data) - len(self._delimiter) + 1))
        return last if last >= 0 and self._delimiter.startswith(data[last:]) else len(data)

    def _close(self, behind: int, out: list[bytes]) -> None:
        """
        Write the defaults and the closing boundary, with a line break if the promise leaves room for one.

        :param behind: how many bytes after the closing boundary have arrived.
        """
        missing = self._evaluation.missing()
        if missing:
            defaults = self._ours.join(multipart_parts(missing))
            out.append(defaults)
            self._room -= len(defaults)
        self._room += len(self._theirs) - len(self._ours)
        out.append(self._ours + b"--")
        if self.length is None or self._room + behind >= len(_BREAK):
            out.append(_BREAK)
            self._room -= len(_BREAK)
        else:
            # Later, in place of bytes that are still to come: the upstream must not have a complete form, and respond
            # to it, before the client has sent all of its own.
            self._break_due = True
        self._step = MultipartRewriter._epilogue

    def _epilogue(self, data: bytes, at: int, out: list[bytes]) -> int:
        """After the closing boundary: receivers ignore these bytes, so spaces replace them."""
        if self.length is not None:
            self._room += len(data) - at
            if self._break_due and self._room >= len(_BREAK):
                self._break_due = False
                out.append(_BREAK)
                self._room -= len(_BREAK)
            if not self._break_due:
                out.extend(spaces(self._room))
                self._room = min(self._room, 0)
        return len(data)

    def _malformed(self, reason: str) -> MalformedForm:
        return MalformedForm(f"Part {self._parts} of the form cannot be accepted: {reason}.")


#: Processes data from an offset on and returns the offset up to which it did; the same offset if it needs more bytes.
_Step = Callable[[MultipartRewriter, bytes, int, "list[bytes]"], int]


def spaces(count: int) -> list[bytes]:
    """That number of spaces, in pieces that share memory; an empty list for a number below 1."""
    if count <= 0:
        return []
    whole, rest = divmod(count, len(_SPACES))
    return [_SPACES] * whole + [_SPACES[:rest]] * bool(rest)
