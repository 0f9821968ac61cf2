"""
Counters: what ``/stats`` tells.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

_CLASSES = tuple(f"{first}xx" for first in range(10))


class Stats:
    """
    Everything that is counted, in one object without I/O.

    :ivar total_requests: requests whose head was read and accepted.
    :ivar stt_requests: those of them that were transcriptions, whose form is rewritten.
    :ivar forwarded_requests: those that pass untouched.
    :ivar refused_requests: heads that were refused before they became a request.
    :ivar in_flight: requests not yet answered in full.
    :ivar connections: client connections open now.
    :ivar clients_refused: connections that were turned away, for there were too many.
    :ivar answers: finished answers by class, ``"2xx"`` and so on.
    :ivar upstream_errors: failures of the upstream by their error code.
    :ivar clients_gone: requests whose client left before the answer was complete.
    :ivar broken_off: answers that broke off in the middle, since the upstream's did.
    :ivar stopped: requests that the daemon ended when it stopped, for they took longer than it waits.
    """

    def __init__(self) -> None:
        self.total_requests = 0
        self.stt_requests = 0
        self.forwarded_requests = 0
        self.refused_requests = 0
        self.in_flight = 0
        self.connections = 0
        self.clients_refused = 0
        self.answers: Counter[str] = Counter()
        self.upstream_errors: Counter[str] = Counter()
        self.clients_gone = 0
        self.broken_off = 0
        self.stopped = 0

    def answered(self, status: int) -> None:
        """Count a finished answer."""
        self.answers[_CLASSES[status // 100]] += 1

    def snapshot(self) -> dict[str, Any]:
        """All counters, ready for JSON."""
        return {
            name: dict(sorted(value.items())) if isinstance(value, Counter) else value
            for name, value in vars(self).items()
        }
