"""
What the client gets of a response: clean, and in the format that it asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .cleaning import Cleaner, Cleaning, Counts
from .delivery import Delivery, deliver, is_as_requested
from .document import MAX_TRANSCRIPT, CannotRender, NotATranscript
from .model import Segment
from .sniff import Kind, Sniffed

#: Why a response is passed on as it came, for statistics: it is not surely a transcript, it is larger than the limit,
#: or it lacks what the requested format needs.
UNKNOWN, TOO_LONG, LACKING = "unknown", "too_long", "lacking"


class Rendition:
    """
    One response.  Bytes go in as the network brings them, and come out as the client gets them.

    A response in the format that was asked for leaves as far as the rules do not need what follows; another one is held
    to its end.  If it turns out not to be a transcript, all that is held leaves as it came, and so does the rest.

    :ivar failure: why the rest passes as it came; None while it is read.
    :ivar reason: the kind of that failure: `UNKNOWN`, `TOO_LONG` or `LACKING`; empty without one.
    :ivar delivery: the response in another format than the server's; None: it keeps its format.
    """

    def __init__(
        self,
        cleaning: Cleaning,
        sent: str,
        requested: str | None,
        content_type: bytes | None,
        limit: int = MAX_TRANSCRIPT,
        *,
        holds: bool = False,
    ) -> None:
        """
        :param sent: the ``response_format`` that the server got; empty if it got none.
        :param requested: the ``response_format`` that the client gets; None: whatever the server sends.
        :param content_type: the header of the response.
        :param limit: most bytes that are held.
        :param holds: whether nothing leaves before the end.
        :raises NotATranscript: when the head says that it is none.
        """
        self.failure: NotATranscript | None = None
        self.reason = ""
        self.delivery: Delivery | None = None
        self._document = Sniffed(sent or None, content_type, limit)
        self._cleaner = Cleaner(cleaning)
        self._requested = requested
        self._limit = limit
        self._holds = holds
        self._size = 0
        self._came, self._left = _digest(), _digest()
        self._segments: list[Segment] = []
        self._out: list[bytes] = []

    @property
    def kind(self) -> Kind | None:
        """What the response is; None until that is known."""
        return self._document.kind

    @property
    def gathers(self) -> bool:
        """Whether parts of sentences are held, which `flush` returns."""
        return self.kind is Kind.EVENTS and self.failure is None

    @property
    def counts(self) -> Counts:
        """What the rules did so far; see `cleaning.Counts`."""
        return self._cleaner.counts

    @property
    def unchanged(self) -> bool:
        """Whether all that has left is what has come."""
        return self._came.digest() == self._left.digest()

    @property
    def summary(self) -> str:
        """What was done so far, for a header: ``dropped=2; chinese=t2s; delivered=json``."""
        delivered = f"delivered={self._requested}" if self.delivery else ""
        return "; ".join(filter(None, (self._cleaner.summary(), delivered)))

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the response; return those that leave."""
        self._came.update(data)
        if self.failure is not None:
            return self._leave(data)
        self._size += len(data)
        segments = self._cleaner.feed(self._document.feed(data))
        if self._document.failure is None and self._is_rendered() and self._size > self._limit:
            return self._give_up(TOO_LONG, f"the response is longer than {self._limit} bytes", segments)
        return self._proceed(segments)

    def flush(self) -> bytes:
        """Return what has arrived of a sentence, so that it need not wait for its end."""
        if self.failure is not None:
            return b""
        return self._proceed(self._cleaner.feed(self._document.flush()))

    def finish(self) -> bytes:
        """The response is complete; return the rest.  It sets `delivery`."""
        self._holds = False
        if self.failure is not None:
            return self._leave(b"")
        segments = self._cleaner.feed(self._document.finish())
        if self._document.failure is not None:
            return self._proceed(segments)
        segments += self._cleaner.finish()
        kind = self.kind
        if self._requested is not None and kind is not None and self._is_rendered():
            try:
                self.delivery = deliver(self._document, kind, self._segments + segments, self._requested)
            except CannotRender as error:
                return self._give_up(LACKING, str(error), segments)
            return self._leave(self.delivery.body)
        return self._leave(self._write(segments) + self._document.end())

    def abandon(self) -> bytes:
        """The response is cut off; return what is held, as far as it has been read."""
        self._holds = False
        if self.failure is not None:
            return self._leave(b"")
        segments = self._cleaner.feed(self._document.flush()) + self._cleaner.finish()
        return self._leave(self._write(segments) + self._document.end())

    def _is_rendered(self) -> bool:
        """Whether the response is delivered in another format than it has, or it is not known yet."""
        if self._requested is None:
            return False
        return self.kind is None or not is_as_requested(self.kind, self._requested)

    def _proceed(self, segments: list[Segment]) -> bytes:
        """Write clean segments, or keep them until all are there."""
        failure = self._document.failure
        if failure is not None:
            too_long = self._size > self._limit
            return self._give_up(TOO_LONG if too_long else UNKNOWN, str(failure), segments)
        if self._is_rendered():
            self._segments += segments
            return b""
        return self._leave(self._write(segments))

    def _give_up(self, reason: str, message: str, segments: list[Segment]) -> bytes:
        """The rest passes as it came; return all that is held."""
        self.reason, self.failure = reason, NotATranscript(message)
        self._holds = False
        return self._leave(self._write(segments + self._cleaner.finish()) + self._document.end())

    def _write(self, segments: Sequence[Segment]) -> bytes:
        kept, self._segments = self._segments, []
        return self._document.write([*kept, *segments])

    def _leave(self, data: bytes) -> bytes:
        self._left.update(data)
        self._out.append(data)
        if self._holds:
            return b""
        out, self._out = self._out, []
        return b"".join(out)


def _digest() -> hashlib.blake2b:
    """Tells whether two sequences of bytes are the same, in constant memory."""
    return hashlib.blake2b(digest_size=16)
