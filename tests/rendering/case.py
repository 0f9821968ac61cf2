"""
What the tests of rendered responses share.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from ..support.fakes import Peer
from ..support.stage import FORM, FORM_TYPE, ProxyTestCase, message, transcription

SRT = (
    b"1\n00:00:00,000 --> 00:00:01,000\nHello um there\n\n2\n00:00:01,000 --> 00:00:02,000\nThank you for watching!\n\n"
)
#: As the rules of `RULES` leave it.
CLEAN_SRT = b"1\n00:00:00,000 --> 00:00:01,000\nHello there\n\n"
RULES = {"drop": {"phrases": "known"}, "replace": {"um": ""}}

#: The second part of `FORM` is the recording.
_PART = b'--b\r\nContent-Disposition: form-data; name="response_format"\r\n\r\n%b\r\n'


def form(response_format: str | None = None) -> bytes:
    """A form that asks for a format of the response."""
    return (_PART % response_format.encode() if response_format else b"") + FORM


class RenderingTestCase(ProxyTestCase):
    """
    Base class: the whole proxy, with rules for transcripts.

    :ivar works: the work that another thread has to do; None: it is done at once.
    """

    works: list[tuple[Callable[[], bytes], Deferred[bytes]]] | None = None

    def in_thread(self, work: Callable[[], bytes]) -> Deferred[bytes]:
        if self.works is None:
            return super().in_thread(work)
        done: Deferred[bytes] = Deferred()
        self.works.append((work, done))
        return done

    def work(self) -> None:
        """Let the other thread do its work."""
        assert self.works is not None
        work, done = self.works.pop(0)
        done.callback(work())
        self.reactor.settle()

    def rules(self, transcript: dict[str, Any] | None = None, *, fields: Any = None, **proxy: Any) -> None:
        """Create the proxy with these rules, `RULES` by default."""
        rules = RULES if transcript is None else transcript
        self.proxy(fields=json.dumps({"$transcript": rules, **(fields or {})}).encode(), **proxy)

    def asked(self, response_format: str | None = None, *fields: bytes) -> Peer:
        """A client that has sent its form."""
        return self.client(transcription(form(response_format), FORM_TYPE, *fields))

    def answer(
        self, client: Peer, body: bytes, *fields: bytes, status: bytes = b"200 OK", length: bool = True
    ) -> bytes:
        """Let the server respond; return what the client gets."""
        framing = b"Content-Length: %d" % len(body) if length else b"Connection: close"
        self.server.send(message(b"HTTP/1.1 " + status, *fields, framing, body=body))
        if not length:
            self.server.close()
        return client.received
