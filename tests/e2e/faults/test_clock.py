"""
The wall clock is set while the daemon runs.
"""

from __future__ import annotations

import re
import tempfile
from contextlib import ExitStack
from typing import ClassVar

from ...e2e.message import CHUNKED, counted, head, request
from ...e2e.process import until
from ...e2e.raw import Listener
from ...e2e.wallclock import MISSING, STEPS, WallClock
from .tools import SOON_S, FaultTestCase, finish

STREAMED = head(b"HTTP/1.1 200 OK", [CHUNKED, (b"Content-Type", b"text/event-stream")])


class ClockSteps(FaultTestCase):
    """The clock steps back and forward, between the parts of requests."""

    config = '{"language": "zh"}'
    skip = MISSING
    clock: ClassVar[WallClock]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.clock = WallClock(stack.enter_context(tempfile.TemporaryDirectory()))
        cls.listener = stack.enter_context(Listener())
        cls.start(stack, cls.listener.port, env=cls.clock.env)

    def tearDown(self) -> None:
        self.clock.set(0)
        super().tearDown()

    def test_set(self) -> None:
        """The daemon sees the changed date; the other tests depend on this."""
        self.clock.set(-86400 * 365)
        self.daemon.configure({"language": "en"})
        before, *_, after = re.findall(r"^(\d{4}-\d\d-\d\d)T", self.daemon.log(), re.MULTILINE)
        self.assertLess(after, before)
        self.assertEqual(self.daemon.stats()["config"]["since"][:10], after)

    def test_transfers(self) -> None:
        """Counted, chunked and streamed responses pass, also when the upstream closes the pooled connection."""
        client = self.connect()
        for step in STEPS:
            upstream = None
            for answer in (
                [head(b"HTTP/1.1 200 OK", [counted(b"hello")]), b"he", b"llo"],
                [head(b"HTTP/1.1 200 OK", [CHUNKED]), b"5\r\nhe", b"llo\r\n0\r\n\r\n"],
                [STREAMED, b"2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n"],
            ):
                client.send(request("GET", "/v1/models"))
                upstream = self.next_connection(*filter(None, [upstream]))
                upstream.read_message()
                upstream.send(answer[0])
                received = client.read_head()
                self.clock.set(step)
                upstream.send(answer[1])
                self.catch_up()
                self.clock.set(0)
                upstream.send(answer[2])
                self.assertEqual(finish(client, received).body, b"hello", step)
            self.clock.set(step)
            upstream.close()
            self.catch_up()

    def test_numbers(self) -> None:
        """Ages and durations are not affected."""
        for step in STEPS:
            client = self.connect()
            client.send(request("GET", f"/step{step}"))
            upstream = self.next_connection()
            upstream.read_message()
            self.clock.set(step)
            upstream.send(head(b"HTTP/1.1 204 No Content", []))
            self.assertEqual(client.read_message().status, 204)
            self.assertTrue(0 <= self.logged_seconds(f"/step{step}") < SOON_S * 10)
            stats = self.daemon.stats()
            self.assertTrue(0 <= stats["uptime_s"] < 1000, stats["uptime_s"])
            self.assertTrue(0 <= stats["config"]["age_s"] <= stats["uptime_s"] + 1, stats["config"]["age_s"])
            self.clock.set(0)
            self.forget()

    def logged_seconds(self, path: str) -> float:
        """The duration of a request in the log."""
        return float(until(lambda: re.search(rf"{path} HTTP/1.1 204 0 B (\S+) s", self.daemon.log()), "its line")[1])

    def test_edits(self) -> None:
        """An edit takes effect, whatever the clock shows."""
        for number, step in enumerate(STEPS):
            self.clock.set(step)
            generation = self.daemon.stats()["config"]["generation"]
            self.daemon.edit({"prompt": str(number)})
            self.daemon.wait_for_generation(generation + 1)
