"""
The record of one request: what is known of it, what happened to it, and how long each phase took.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol

from ..errors import ProxyError
from .audio import Sample
from .server import Server

#: Who answers a request.  The proxy itself (`OWN`) answers for its pages, for preflights, and for requests that it
#: refuses before it knows where they lead.
Route = Literal["transcription", "realtime", "pass_through", "own"]
TRANSCRIPTION: Route = "transcription"
REALTIME: Route = "realtime"
PASS_THROUGH: Route = "pass_through"
OWN: Route = "own"
ROUTES = (TRANSCRIPTION, REALTIME, PASS_THROUGH, OWN)

#: How a request ended.  `DONE`: the response is complete, whatever the server's status.  `REFUSED`: the proxy answered
#: with an error because of the client or of a limit.  `UPSTREAM_FAILED`: the server sent no response, or only a part of
#: one.  `STOPPED`: the daemon stopped.  `FAILED`: the proxy has a bug.
Ending = Literal["done", "refused", "upstream failed", "client gone", "stopped", "failed"]
DONE: Ending = "done"
REFUSED: Ending = "refused"
UPSTREAM_FAILED: Ending = "upstream failed"
CLIENT_GONE: Ending = "client gone"
STOPPED: Ending = "stopped"
FAILED: Ending = "failed"

#: What was done to fields of a form: pairs of an action and the names of fields.
Fields = tuple[tuple[str, tuple[str, ...]], ...]

#: The phases, as indexes of `Record.times`; `TOTAL` is behind them.
RECEIVING, WAITING, SENDING, WORKING, ANSWERING = range(5)
TOTAL = 5
#: Their names, and that of the total, in the order of the indexes.
PHASES = ("receiving", "waiting", "sending", "working", "answering", "total")


class Form(Protocol):
    """
    What a record asks of a form whose rules are applied.

    :ivar file_bytes: of the recording in it, as far as it was read.
    """

    file_bytes: int

    def fields(self) -> Fields:
        """What was done to its fields so far."""


class Record:
    """
    One request.  It is made when the head is complete.

    At each moment a request is in exactly one phase, so its phases add up to its total, also if receiving, sending and
    answering overlap.  The phase is what the request waits for at this moment:

    - *receiving*: the client must send more of the body.
    - *waiting*: a turn in the queue of transcriptions, or a connection to the server.  Begins with the head.
    - *sending*: the server must take what was sent; its connection is full, and the client is paused.
    - *working*: the body is sent, and the head of the response is awaited.
    - *answering*: the head of the response is there; its body is passed on.  Responses of the proxy's own are, too.

    A body is sent as soon as it is handed to the connection; what the buffers of the connection hold counts as working.

    :ivar route: who answers.
    :ivar profile: the profile whose rules apply; empty: none.
    :ivar method, target: as they were received, without the query.
    :ivar version: of HTTP, at the client's side: ``b"HTTP/1.1"``.
    :ivar client: the client's address, as the log names it.
    :ivar request_id: identifies the request in logs and headers; empty: it has no identifier.
    :ivar server_request_id: by which the server's response identifies it; empty: by none.
    :ivar began: when the head was complete, in the clock's seconds.
    :ivar times: seconds of each phase, indexed by phase; the total behind them, once it has ended.
    :ivar phase: the phase that it is in.
    :ivar since: when that phase began, in the clock's seconds.
    :ivar server: the server that it was sent to last; None: none.
    :ivar reused: whether its connection to the server had carried a request before; None: it had no connection.
    :ivar status: of the response; 0: no response has begun.
    :ivar received_bytes: of the request's body, from the client.
    :ivar sent_bytes: of the request's body, to the server.
    :ivar response_bytes: of the response's body, to the client.
    :ivar recording_bytes: of the recording in a transcription's form.
    :ivar audio_seconds: duration of the recording, where the response tells it; None: unknown.
    :ivar fields: the names of the fields that rules have changed, and what was done to them; no values.
    :ivar form: the form of a transcription in flight; it is read when the request ends.
    :ivar sample: what was seen of a transcription's response in flight; it is read when the request ends.
    :ivar complete: whether the response is complete.
    :ivar ending: None while it is in flight.
    :ivar error, error_type: code and type of the proxy's error; empty: none.
    :ivar why: the reason in its log line; empty: none.
    """

    __slots__ = (
        "audio_seconds",
        "began",
        "client",
        "complete",
        "ending",
        "error",
        "error_type",
        "fields",
        "form",
        "method",
        "phase",
        "profile",
        "received_bytes",
        "recording_bytes",
        "request_id",
        "response_bytes",
        "reused",
        "route",
        "sample",
        "sent_bytes",
        "server",
        "server_request_id",
        "since",
        "status",
        "target",
        "times",
        "version",
        "why",
    )

    def __init__(self, now: float, method: bytes, target: bytes, version: bytes, client: str) -> None:
        """
        :param now: in the clock's seconds.
        :param target: without its query.
        """
        self.began = self.since = now
        self.method = method
        self.target = target
        self.version = version
        self.client = client
        self.phase = WAITING
        self.times = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        self.route: Route = OWN
        self.profile = self.request_id = self.server_request_id = self.error = self.error_type = self.why = ""
        self.server: Server | None = None
        self.reused: bool | None = None
        self.status = self.received_bytes = self.sent_bytes = self.response_bytes = self.recording_bytes = 0
        self.audio_seconds: float | None = None
        self.fields: Fields = ()
        self.form: Form | None = None
        self.sample: Sample | None = None
        self.complete = False
        self.ending: Ending | None = None

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        """For other processes: all but what is only read in this one."""
        state = {name: getattr(self, name) for name in self.__slots__}
        return None, {**state, "form": None, "sample": None}

    def enter(self, phase: int, now: float) -> None:
        """
        A phase begins, and the one before ends.  None begins after *answering*.

        :param now: in the clock's seconds.
        """
        if self.phase == ANSWERING:
            return
        self.times[self.phase] += now - self.since
        self.phase = phase
        self.since = now

    def blame(self, error: ProxyError) -> None:
        """The proxy ends the request with an error."""
        self.error, self.error_type, self.why = error.code, error.type, error.message

    def end(self, ending: Ending, now: float) -> None:
        """The last phase ends, and the request."""
        self.times[self.phase] += now - self.since
        self.times[TOTAL] = now - self.began
        self.since = now
        self.ending = ending
        form, self.form = self.form, None
        if form is not None:
            self.fields, self.recording_bytes = form.fields(), form.file_bytes
        sample, self.sample = self.sample, None
        if sample is not None:
            self.audio_seconds = sample.seconds()

    @property
    def outcome(self) -> int | str:
        """What the client got, for people: the status of a complete response, or why there was none."""
        if self.complete:
            return self.status
        return self.ending if self.ending in (CLIENT_GONE, STOPPED) else "broken off"

    @property
    def ended(self) -> float:
        """When it ended, in the clock's seconds."""
        return self.began + self.times[TOTAL]
