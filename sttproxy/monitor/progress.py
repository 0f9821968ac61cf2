"""
Requests in flight, in words: one line about all of them, and those that run for another minute.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from ..http1.requests import shown_path
from .record import PHASES, TRANSCRIPTION, WAITING, Record

#: Seconds between two log lines about the same transcription.
MINUTE_S = 60


def status(records: Collection[Record], now: float) -> str:
    """
    A line about all requests in flight; empty: there is none.

    :param records: oldest first.
    :param now: in the clock's seconds.
    """
    if not records:
        return ""
    oldest = next(iter(records))
    waiting = sum([record.phase == WAITING for record in records])
    sent = sum([record.sent_bytes for record in records])
    received = sum([record.response_bytes for record in records])
    waits = f" ({waiting} waiting)" if waiting else ""
    return (
        f"{len(records)} in flight{waits}, {size(sent)} sent, {size(received)} received; oldest "
        f"{duration(now - oldest.began)} {PHASES[oldest.phase]}: {oldest.method.decode()} {shown_path(oldest.target)}"
    )


class Minutes:
    """Finds the transcriptions that run for another whole minute."""

    def __init__(self, now: float) -> None:
        """
        :param now: in the clock's seconds.
        """
        self._seen = now

    def passed(self, records: Iterable[Record], now: float) -> list[str]:
        """
        A sentence about each transcription for which a minute has passed since the last call.

        :param records: in flight, oldest first.
        :param now: in the clock's seconds.
        """
        seen, self._seen = self._seen, now
        sentences = []
        for record in records:
            minutes = (now - record.began) // MINUTE_S
            if minutes < 1:
                break
            if record.route == TRANSCRIPTION and (seen - record.began) // MINUTE_S < minutes:
                sentences.append(_long(record, now))
        return sentences


def _long(record: Record, now: float) -> str:
    profile = f", profile {record.profile}" if record.profile else ""
    return (
        f"A transcription has been running for {duration(now - record.began)}: {PHASES[record.phase]} for "
        f"{duration(now - record.since)}, {size(record.sent_bytes)} sent; client {record.client}, "
        f"{shown_path(record.target)}{profile}, id={record.request_id}"
    )


def size(number: int) -> str:
    """A number of bytes for people, with three digits."""
    if number < 1000:
        return f"{number} B"
    amount = float(number)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
    return f"{amount / 1000:.0f} TB"


def duration(seconds: float) -> str:
    """A duration for people: minutes and seconds, and hours if there are any."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
