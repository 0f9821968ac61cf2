"""
Sums of finished requests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from .histogram import Histogram
from .record import CLIENT_GONE, PHASES, STOPPED, TOTAL, Ending, Record

#: The distributions of a tally: one for each phase and the total, indexed as `Record.times`, and the real-time factor.
REAL_TIME_FACTOR = len(PHASES)
_TIMES = range(len(PHASES))

#: The status of a response whose duration says nothing: a tunnel is open as long as both sides like.
_SWITCHING = 101


class Tally:
    """
    Sums of some requests.

    :ivar requests: how many.
    :ivar answers: complete responses, by the first digit of their status.
    :ivar endings: how they ended.
    :ivar broken_off: responses of which the client got only a part, because of the server or the proxy.
    :ivar request_bytes, sent_bytes, response_bytes: sums of the records' sizes.
    :ivar recordings: those whose recording's size is known, and the sum of these sizes (`recording_bytes`).
    :ivar timed: those whose duration of audio is known, the sum of it (`audio_seconds`), and the sum of the time that
        they took (`transcribing_seconds`).
    :ivar seconds: sums of phases and totals, indexed as `Record.times`.  Tunnels are left out.
    :ivar durations: the distributions.  Tunnels are left out.
    """

    __slots__ = (
        "answers",
        "audio_seconds",
        "broken_off",
        "durations",
        "endings",
        "recording_bytes",
        "recordings",
        "request_bytes",
        "requests",
        "response_bytes",
        "seconds",
        "sent_bytes",
        "timed",
        "transcribing_seconds",
    )

    def __init__(self) -> None:
        self.requests = self.broken_off = self.request_bytes = self.sent_bytes = self.response_bytes = 0
        self.recordings = self.recording_bytes = self.timed = 0
        self.audio_seconds = self.transcribing_seconds = 0.0
        self.answers: Counter[int] = Counter()
        self.endings: Counter[Ending | None] = Counter()
        self.seconds = [0.0 for _ in _TIMES]
        self.durations = Histogram()

    def take(self, records: Sequence[Record]) -> None:
        """Add finished requests."""
        self.requests += len(records)
        complete = [record.status // 100 for record in records if record.complete]
        self.answers.update(complete)
        self.endings.update([record.ending for record in records])
        if len(complete) < len(records):
            cut = [record.ending for record in records if not record.complete]
            self.broken_off += len(cut) - cut.count(CLIENT_GONE) - cut.count(STOPPED)
        self.request_bytes += sum([record.received_bytes for record in records])
        self.sent_bytes += sum([record.sent_bytes for record in records])
        self.response_bytes += sum([record.response_bytes for record in records])
        times: list[float] = []
        for record in records:
            if record.status != _SWITCHING:
                times += record.times
        for index in _TIMES:
            self.seconds[index] += sum(times[index :: len(_TIMES)])
        self.durations.count(times, _TIMES)
        recordings = [record.recording_bytes for record in records if record.recording_bytes]
        if recordings:
            self.recordings += len(recordings)
            self.recording_bytes += sum(recordings)
        timed = [(record.audio_seconds, record.times[TOTAL]) for record in records if record.audio_seconds]
        if timed:
            self.timed += len(timed)
            self.audio_seconds += sum([audio for audio, _ in timed])
            self.transcribing_seconds += sum([taken for _, taken in timed])
            factors = [audio / taken for audio, taken in timed if taken > 0]
            self.durations.count(factors, (REAL_TIME_FACTOR,))

    @property
    def failures(self) -> int:
        """Responses with a status above 499, and those that were broken off."""
        return self.answers[5] + self.broken_off

    def add(self, other: Tally) -> None:
        """Add the sums of other requests."""
        self.requests += other.requests
        self.broken_off += other.broken_off
        self.answers.update(other.answers)
        self.endings.update(other.endings)
        self.request_bytes += other.request_bytes
        self.sent_bytes += other.sent_bytes
        self.response_bytes += other.response_bytes
        self.recordings += other.recordings
        self.recording_bytes += other.recording_bytes
        self.timed += other.timed
        self.audio_seconds += other.audio_seconds
        self.transcribing_seconds += other.transcribing_seconds
        self.seconds = [mine + theirs for mine, theirs in zip(self.seconds, other.seconds, strict=True)]
        self.durations.add(other.durations)
