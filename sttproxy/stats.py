"""
The counters that ``/stats`` shows.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

_CLASSES = tuple(f"{first}xx" for first in range(10))


class Stats:
    """
    All counters, in one object without I/O.

    :ivar total_requests: requests with an accepted head.
    :ivar stt_requests: transcription requests among them, whose forms are rewritten.
    :ivar chosen: transcription requests and realtime sessions with a profile, by what has chosen it and the profile:
        ``"$choose[0]: webui"``.
    :ivar rules: forms in which rules did something, by what they did: ``"forced"``, ``"mapped"``.
    :ivar realtime: realtime ``sessions``, updates of clients that were ``changed``, updates that were ``added``, and
        sessions that were ``refused`` because of a message.
    :ivar forwarded_requests: requests among them that are forwarded unchanged.
    :ivar preflights: preflights of browsers that were answered.
    :ivar refused_requests: requests rejected because of their head.
    :ivar in_flight: requests without a complete response yet.
    :ivar connections: open client connections.
    :ivar clients_refused: client connections rejected because too many were open.
    :ivar answers: completed responses by status class, such as ``"2xx"``.
    :ivar upstream_errors: failures of the upstream, by error code.
    :ivar moved_on: requests that moved on to the next server, each time they did.
    :ivar clients_gone: requests whose client disconnected before the response was complete.
    :ivar broken_off: responses aborted because the upstream closed early.
    :ivar stopped: requests aborted at shutdown because they exceeded the drain time.
    """

    def __init__(self) -> None:
        self.total_requests = 0
        self.stt_requests = 0
        self.chosen: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.realtime: Counter[str] = Counter()
        self.forwarded_requests = 0
        self.preflights = 0
        self.refused_requests = 0
        self.in_flight = 0
        self.connections = 0
        self.clients_refused = 0
        self.answers: Counter[str] = Counter()
        self.upstream_errors: Counter[str] = Counter()
        self.moved_on = 0
        self.clients_gone = 0
        self.broken_off = 0
        self.stopped = 0

    def chose(self, profile: str, by: str) -> None:
        """
        Count the choice of a profile.

        :param by: what has chosen it; empty if there is no profile.
        """
        if by:
            self.chosen[f"{by}: {profile}"] += 1

    def answered(self, status: int) -> None:
        """Count a completed response."""
        self.answers[_CLASSES[status // 100]] += 1

    def snapshot(self) -> dict[str, Any]:
        """A copy of all counters, for JSON."""
        return {
            name: dict(sorted(value.items())) if isinstance(value, Counter) else value
            for name, value in vars(self).items()
        }
