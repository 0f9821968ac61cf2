"""
The response to a transcription on its way to the client: cleaned, and in the format that the client asked for.

What is done to the text is in `transcripts`; here it meets the reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from .config.rules import TranscriptRules
from .deadline import Deadline
from .errors import Header
from .forms.wishes import Wishes
from .headers import of_another_body
from .http1.responses import ResponseHead
from .inbound.request import Request
from .relay import Answer

if TYPE_CHECKING:
    from .transcripts.rendition import Rendition

log = Logger()

#: Calls a function in another thread, and fires with its result.
InThread = Callable[[Callable[[], bytes]], "Deferred[bytes]"]

#: The header that tells what was done to the text.
HEADER = b"x-sttproxy-transcript"
#: Most bytes that are processed in the reactor's thread; it takes less than 10 ms.
LIGHT = 32 * 1024
#: Most bytes of a response of known length that is sent when all of it is clean, so that its new length is known, too.
#: A longer one leaves while it comes.
SHORT = 64 * 1024
#: Most bytes that wait for another thread before the upstream is paused.
MAX_WAITING = 64 * 1024
#: Seconds after which a part of a sentence leaves.
PATIENCE_S = 2.0

#: What another format has in place of the upstream's.
_OF_FORMAT = frozenset({b"content-type", b"content-disposition"})
_NO_TRANSCRIPT = frozenset({204, 205, 206})


@attrs.frozen
class Renderer:
    """
    Renders responses.

    :ivar in_thread: runs what takes long.
    :ivar limit: most bytes of a response that are held.
    :ivar explains: whether responses tell what was done to their text.
    """

    in_thread: InThread
    limit: int
    explains: bool

    def answer(self, request: Request, rules: TranscriptRules, wishes: Wishes, head: ResponseHead) -> Answer:
        """What the response is written to: the request itself if it passes as it comes."""
        # The import is slow, and most configurations have no such rules.
        from .transcripts.document import NotATranscript
        from .transcripts.rendition import Rendition, Wanted

        if not 200 <= head.status < 300 or head.status in _NO_TRANSCRIPT or request.method == b"HEAD":
            return request
        try:
            if {value.lower() for value in head.values(b"content-encoding")} - {b"identity"}:
                raise NotATranscript("the response is encoded, though the server was asked not to")
            requested = wishes.requested if rules.as_asked else None
            rendition = Rendition(
                rules.cleaning,
                Wanted(wishes.response_format, requested, wishes.streams, wishes.words),
                b", ".join(head.values(b"content-type")) or None,
                self.limit,
                holds=head.length is not None and head.length <= SHORT,
            )
        except NotATranscript as failure:
            _passes(request, failure)
            return request
        return Rendering(request, rendition, self, slow=rules.cleaning.is_slow)


def _passes(request: Request, failure: Exception) -> None:
    """A response, or the rest of it, passes as it came."""
    from .transcripts.rendition import REASONS

    request.site.registry.passed[REASONS[type(failure)]] += 1
    log.warn("The response to id={id} passes as the server made it: {why}.", id=request.record.request_id, why=failure)


@implementer(IPushProducer)
class Rendering:
    """
    Stands between the relay and the request.

    The head leaves with the first bytes of the body, because the format of the response may depend on all of it; that
    of a stream leaves at once.
    """

    def __init__(self, request: Request, rendition: Rendition, renderer: Renderer, *, slow: bool) -> None:
        """
        :param slow: whether even a short text may take long.
        """
        self._request = request
        self._rendition = rendition
        self._renderer = renderer
        self._slow = slow
        self._head: tuple[int, bytes | None, list[Header], int | None] | None = None
        #: What has come and is not processed yet.
        self._waiting: list[bytes] = []
        self._waiting_size = self._size = 0
        self._flush_due = False
        #: How the body ends: processes what is left, and ends the response.
        self._last: tuple[Callable[[], bytes], Callable[[bytes], None]] | None = None
        #: Another thread processes a part.
        self._busy = False
        self._failed = False
        self._patience = Deadline(request.site.clock, self._impatient)
        #: The number of the sentence that the deadline is for.
        self._sentence: int | None = None
        self._producer: Any = None
        self._client_full = self._paused = False
        request.notifyFinish().addBoth(lambda _: self._patience.cancel())

    # The relay's side.

    def send_head(self, status: int, phrase: bytes | None, headers: list[Header], length: int | None) -> None:
        """Keep the head until the body begins; that of a stream leaves at once, as clients expect it."""
        self._head = status, phrase, headers, length
        if self._rendition.gathers and length is None:
            self._begin()

    def write(self, data: bytes) -> None:
        """Take bytes of the body."""
        self._waiting.append(data)
        self._waiting_size += len(data)
        self._size += len(data)
        self._process()

    def finish(self) -> None:
        """The body is complete."""
        self._last = self._rendition.finish, self._complete
        self._process()

    def refuse(self, failure: Failure) -> None:
        """The body is cut off.  What has been read of it leaves, if it has begun to; else the client gets an error."""
        if self._head is not None:
            self._request.refuse(failure)
            return
        self._last = self._rendition.abandon, partial(self._cut_off, failure)
        self._process()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer = producer
        self._request.registerProducer(self, streaming)

    def unregisterProducer(self) -> None:
        self._producer = None
        self._request.unregisterProducer()

    # Processing.

    def _process(self) -> None:
        """Process what there is, one part after the other."""
        while not (self._busy or self._failed or self._request.over):
            step: Callable[[], bytes]
            done: Callable[[bytes], None] = self._emit
            if self._waiting:
                data = b"".join(self._waiting)
                self._waiting.clear()
                self._waiting_size = 0
                step, size = partial(self._rendition.feed, data), len(data)
            elif self._last is not None:
                (step, done), self._last = self._last, None
                size = self._size
            elif self._flush_due:
                self._flush_due = False
                step, size = self._rendition.flush, 0
            else:
                break
            if self._slow or size > LIGHT:
                self._busy = True
                self._renderer.in_thread(step).addCallback(self._processed, done).addErrback(self._crashed)
            else:
                done(step())
        self._pace()

    def _processed(self, out: bytes, done: Callable[[bytes], None]) -> None:
        self._busy = False
        if not self._request.over:
            done(out)
            self._process()

    def _crashed(self, failure: Failure) -> None:
        """An unexpected exception: end both sides, so that neither waits for the other."""
        self._failed = True
        self.stopProducing()
        self._request.refuse(failure)

    def _impatient(self) -> None:
        self._flush_due = True
        try:
            self._process()
        except Exception:
            self._crashed(Failure())

    # The client's side.

    def _emit(self, out: bytes) -> None:
        """Send bytes while more are to come."""
        if out:
            self._begin()
            self._request.write(out)
        sentence = self._rendition.sentence
        if sentence != self._sentence:
            self._sentence = sentence
            self._patience.set(None if sentence is None else PATIENCE_S)

    def _begin(self) -> None:
        """Send the head, if it is not sent, before the body is complete."""
        if self._head is not None:
            (status, phrase, headers, length), self._head = self._head, None
            if not self._passes_whole():
                headers, length = of_another_body(headers), None
                if self._renderer.explains:
                    headers.append((b"Trailer", HEADER))
            self._request.send_head(status, phrase, headers, length)

    def _passes_whole(self) -> bool:
        """Whether all of the body leaves as it comes."""
        return self._rendition.failure is not None and self._rendition.unchanged

    def _complete(self, out: bytes) -> None:
        """Send the last bytes, and the head if it is not sent."""
        explanation = [(HEADER, self._rendition.summary.encode())] if self._explains() else []
        if self._head is None:
            trailers = self._request.trailers
            if not self._rendition.unchanged:
                trailers = of_another_body(trailers)
            self._request.trailers = [*trailers, *explanation]
        else:
            (status, phrase, headers, length), self._head = self._head, None
            if not self._rendition.unchanged:
                headers, length = self._rendered(headers), len(out)
                headers.append((b"Content-Length", b"%d" % length))
            self._request.send_head(status, phrase, headers + explanation, length)
        self._account()
        self._request.write(out)
        self._request.finish()

    def _explains(self) -> bool:
        return self._renderer.explains and bool(self._rendition.summary)

    def _rendered(self, headers: list[Header]) -> list[Header]:
        """The headers for the new body, without its length."""
        delivery = self._rendition.delivery
        if delivery is None:
            return of_another_body(headers)
        headers = [header for header in of_another_body(headers) if header[0].lower() not in _OF_FORMAT]
        headers.append((b"Content-Type", delivery.content_type))
        if delivery.disposition is not None:
            headers.append((b"Content-Disposition", delivery.disposition))
        return headers

    def _cut_off(self, failure: Failure, out: bytes) -> None:
        self._account()
        self._request.write(out)
        self._request.refuse(failure)

    def _account(self) -> None:
        """Count and log what was done."""
        rendition = self._rendition
        self._request.site.registry.cleaned(rendition.counts, rendered=rendition.delivery is not None)
        if rendition.failure is not None:
            _passes(self._request, rendition.failure)

    # Backpressure.

    def pauseProducing(self) -> None:
        """The client takes no more for now."""
        self._client_full = True
        self._pace()

    def resumeProducing(self) -> None:
        """The client takes more."""
        self._client_full = False
        self._pace()

    def stopProducing(self) -> None:
        """The client is gone."""
        if self._producer is not None:
            self._producer.stopProducing()

    def _pace(self) -> None:
        """Pause or resume the upstream."""
        full = self._client_full or (self._busy and self._waiting_size > MAX_WAITING)
        if self._producer is not None and full != self._paused:
            self._paused = full
            if full:
                self._producer.pauseProducing()
            else:
                self._producer.resumeProducing()
