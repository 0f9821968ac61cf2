"""
What the client gets of a response: clean, and in the format that it asked for.
"""

from __future__ import annotations

import hashlib

import attrs

from .cleaning import Cleaner, Cleaning, Counts
from .delivery import Delivery, deliver, is_as_requested
from .document import MAX_TRANSCRIPT, CannotRender, NotATranscript, TooLong
from .model import Segment
from .sniff import Kind, Sniffed

#: Why a response passes as it came, in statistics.
REASONS: dict[type[Exception], str] = {NotATranscript: "unknown", TooLong: "too_long", CannotRender: "lacking"}

_STREAMS = frozenset({Kind.EVENTS, Kind.NDJSON})


@attrs.frozen
class Wanted:
    """
    What was asked for.

    :ivar of_server: the ``response_format`` that the server got; None if it got none.
    :ivar requested: the ``response_format`` that the client gets; None: whatever the server sends.
    :ivar streams: whether the client asked for a stream.
    :ivar words: whether the client asked for the times of words.
    """

    of_server: str | None = None
    requested: str | None = None
    streams: bool = False
    words: bool = False


class Rendition:
    """
    One response.  Bytes go in as the network brings them, and come out as the client gets them.

    A response in the format that was asked for leaves as far as the rules do not need what follows; another one is held
    to its end.  If it turns out not to be a transcript, what is held leaves as it came, and so does the rest.

    :ivar failure: why the rest, or all of it, passes as it came; None while it is read.
    :ivar delivery: the response in another format than the server's; None: it keeps its format.
    """

    def __init__(
        self,
        cleaning: Cleaning,
        wanted: Wanted,
        content_type: bytes | None,
        limit: int = MAX_TRANSCRIPT,
        *,
        holds: bool = False,
    ) -> None:
        """
        :param content_type: the header of the response.
        :param limit: most bytes that are held.
        :param holds: whether nothing leaves before the end in any case.
        :raises NotATranscript: when the head says that it is none.
        """
        self.failure: NotATranscript | CannotRender | None = None
        self.delivery: Delivery | None = None
        self._document = Sniffed(wanted.of_server, content_type, limit)
        self._cleaner = Cleaner(cleaning)
        self._wanted = wanted
        self._limit = limit
        self._holds = holds
        self._size = 0
        self._came, self._left = _digest(), _digest()
        #: Those of a response that is held, as they came.
        self._segments: list[Segment] = []

    @property
    def kind(self) -> Kind | None:
        """What the response is; None until that is known."""
        return self._document.kind

    @property
    def gathers(self) -> bool:
        """Whether sentences are gathered, and leave while the response comes."""
        return self.kind is Kind.EVENTS and self.failure is None and not self._collects()

    @property
    def sentence(self) -> int | None:
        """The number of a sentence that is not complete and that `flush` returns; None if there is none."""
        return self._document.sentence if self.gathers else None

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
        delivered = f"delivered={self._wanted.requested}" if self.delivery else ""
        return "; ".join(filter(None, (self._cleaner.summary(), delivered)))

    def feed(self, data: bytes) -> bytes:
        """Take bytes of the response; return those that leave."""
        self._came.update(data)
        if self.failure is not None:
            return self._leave(data)
        self._size += len(data)
        segments = self._document.feed(data)
        if self._document.failure is not None:
            return self._give_up(self._document.failure, segments)
        if self._collects() and self._size > self._limit:
            return self._give_up(TooLong(f"the response is longer than {self._limit} bytes"), segments)
        return self._proceed(segments)

    def flush(self) -> bytes:
        """Return what has arrived of a sentence, so that it need not wait for its end."""
        return self._proceed(self._document.flush()) if self.gathers else b""

    def finish(self) -> bytes:
        """The response is complete; return the rest.  It sets `delivery`."""
        if self.failure is not None:
            return b""
        segments = self._document.finish()
        if self._document.failure is not None:
            return self._give_up(self._document.failure, segments)
        clean = self._cleaned(segments)
        kind, wanted = self.kind, self._wanted
        if wanted.requested is not None and kind is not None and self._is_rendered():
            try:
                self.delivery = deliver(self._document, kind, clean, wanted.requested, words=wanted.words)
            except CannotRender as failure:
                self.failure = failure
            else:
                return self._leave(self.delivery.body)
        return self._leave(self._document.write(clean) + self._document.end())

    def abandon(self) -> bytes:
        """The response is cut off; return what is held, as far as it has been read."""
        if self.failure is not None:
            return b""
        clean = self._cleaned(self._document.flush())
        return self._leave(self._document.write(clean) + self._document.end())

    def _is_rendered(self) -> bool:
        """Whether the response is delivered in another format than it has, or it is not known yet."""
        kind, wanted = self.kind, self._wanted
        if wanted.requested is None:
            return False
        if kind is None:
            return True
        if kind in _STREAMS:
            return not wanted.streams
        return not is_as_requested(kind, wanted.requested)

    def _collects(self) -> bool:
        """Whether nothing leaves before the end."""
        return self._holds or self._is_rendered()

    def _proceed(self, segments: list[Segment]) -> bytes:
        """Write segments, or keep them until all are there."""
        self._segments += segments
        if self._collects():
            return b""
        kept, self._segments = self._segments, []
        return self._leave(self._document.write(self._cleaner.feed(kept)))

    def _cleaned(self, segments: list[Segment]) -> list[Segment]:
        """The last segments, and those that were held, clean."""
        kept, self._segments = self._segments, []
        return self._cleaner.feed([*kept, *segments]) + self._cleaner.finish()

    def _give_up(self, failure: NotATranscript, segments: list[Segment]) -> bytes:
        """The rest passes as it came, and so does what is held."""
        collects = self._collects()
        self.failure = failure
        last = [*self._segments, *segments] if collects else self._cleaned(segments)
        return self._leave(self._document.write(last) + self._document.end())

    def _leave(self, data: bytes) -> bytes:
        self._left.update(data)
        return data


def _digest() -> hashlib.blake2b:
    """Tells whether two sequences of bytes are the same, in constant memory."""
    return hashlib.blake2b(digest_size=16)
