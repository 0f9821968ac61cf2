"""
Tests for :mod:`sttproxy.monitor.record`.
"""

from __future__ import annotations

import itertools

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.errors import ProxyError
from sttproxy.monitor.audio import Sample
from sttproxy.monitor.record import (
    ANSWERING,
    CLIENT_GONE,
    DONE,
    FAILED,
    PHASES,
    RECEIVING,
    REFUSED,
    SENDING,
    STOPPED,
    TOTAL,
    UPSTREAM_FAILED,
    WAITING,
    WORKING,
    Ending,
    Fields,
)

from ..support.requests import record


class PhaseTests(SynchronousTestCase):
    """Phases of a request."""

    def test_names(self) -> None:
        """Each phase has a time, and so has the total behind them."""
        self.assertEqual(PHASES[TOTAL], "total")
        self.assertEqual(len(record().times), len(PHASES))

    def test_one_after_another(self) -> None:
        """A request waits first; each phase ends when the next one begins, and a phase may return."""
        made = record(100.0)
        for phase, now in ((RECEIVING, 101), (SENDING, 103), (RECEIVING, 107), (WORKING, 115), (ANSWERING, 131)):
            made.enter(phase, now)
        made.end(DONE, 163.0)
        self.assertEqual(
            dict(zip(PHASES, made.times, strict=True)),
            {
                "waiting": 1,
                "receiving": 10,
                "sending": 4,
                "working": 16,
                "answering": 32,
                "total": 63,
            },
        )
        self.assertEqual(made.ended, 163.0)

    def test_sum(self) -> None:
        """In any order, the phases add up to the total, also if one is entered again while it lasts."""
        for phases in itertools.product((RECEIVING, WAITING, SENDING, WORKING, ANSWERING), repeat=4):
            made = record(1000.0)
            for step, phase in enumerate(phases):
                made.enter(phase, 1000.0 + 2**step)
            made.end(DONE, 1032.0)
            self.assertEqual(made.times[TOTAL], 32.0)
            self.assertEqual(sum(made.times[:TOTAL]), 32.0, phases)

    def test_last(self) -> None:
        """No phase begins after answering: a response may begin while the upload is in progress."""
        made = record()
        made.enter(ANSWERING, 1.0)
        made.enter(SENDING, 2.0)
        self.assertEqual(made.phase, ANSWERING)
        made.end(DONE, 3.0)
        self.assertEqual((made.times[ANSWERING], made.times[SENDING]), (2.0, 0.0))


class _Form:
    """A form whose numbers change until it is read."""

    def __init__(self) -> None:
        self.file_bytes = 0
        self.names: tuple[str, ...] = ()

    def fields(self) -> Fields:
        return (("forced", self.names),)


class EndTests(SynchronousTestCase):
    """The end of a request."""

    def test_form(self) -> None:
        """A form is read at the end, and then let go."""
        made, form = record(), _Form()
        made.form = form
        form.file_bytes, form.names = 44, ("language",)
        made.end(CLIENT_GONE, 1.0)
        self.assertEqual((made.recording_bytes, made.fields, made.form), (44, (("forced", ("language",)),), None))

    def test_sample(self) -> None:
        """So is the sample of a response."""
        made, sample = record(), Sample()
        made.sample = sample
        sample.add(b'{"duration": 2.5, "text": ""}')
        self.assertIsNone(made.audio_seconds)
        made.end(DONE, 1.0)
        self.assertEqual((made.audio_seconds, made.sample), (2.5, None))

    def test_outcome(self) -> None:
        """A complete response has its status; a part of one has the reason, for people."""
        outcomes: dict[Ending, str] = {
            DONE: "broken off",
            REFUSED: "broken off",
            UPSTREAM_FAILED: "broken off",
            FAILED: "broken off",
            CLIENT_GONE: "client gone",
            STOPPED: "stopped",
        }
        for ending, outcome in outcomes.items():
            made = record()
            made.status = 200
            made.end(ending, 1.0)
            self.assertEqual(made.outcome, outcome)
            made.complete = True
            self.assertEqual(made.outcome, 200)

    def test_blame(self) -> None:
        """An error of the proxy leaves its code, its type and its message."""
        made = record()
        error = ProxyError("The queue is full.")
        made.blame(error)
        self.assertEqual((made.error, made.error_type, made.why), (error.code, error.type, "The queue is full."))
