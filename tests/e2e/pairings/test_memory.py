"""
The daemon's memory does not grow with bodies, and a paused transfer holds up no other one.
"""

from __future__ import annotations

from contextlib import ExitStack

from ..faults.test_memory import resident
from ..faults.tools import still
from ..message import CHUNKED
from ..system import LINUX, peak_memory
from .case import TRANSCRIPTIONS, PairingTestCase, answer, asked, launch, length_of, of_each_kind
from .connection import Connection
from .exchange import Exchange, Sending
from .forms import CLOSING, OPENING, PIECE, pieces

MEGABYTE = 1 << 20
#: The size of a body that passes, and how much memory it may cost.
LARGE, MOST = 32 * MEGABYTE, 8 * MEGABYTE
#: The most that all buffers on the way of one paused transfer take, those of the system and of the test included.
MOST_AHEAD = 24 * MEGABYTE
#: Paused transfers at a time in each direction, and the memory that each may cost.
PAUSED, EACH = 8, MEGABYTE
#: What the daemon may read ahead from clients of HTTP/1.1, to notice their disconnects; see `transport.ReadAhead`.
READ_AHEAD = {1: 64 * MEGABYTE, 2: 0}


class MemoryTests(PairingTestCase):
    """Uploads and responses that are larger than the daemon may become."""

    if not LINUX:
        skip = "only Linux tells a process's memory"

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        super().stage(stack)
        # Daemons that no other test has made large.
        cls.daemons = of_each_kind(launch)
        for daemon in cls.daemons.values():
            stack.callback(daemon.close)

    def warm_up(self) -> None:
        """Let the daemon import what a transfer needs, and allocate its buffers."""
        for _ in range(2):
            client = self.upload(None, TRANSCRIPTIONS)
            client.sending([OPENING, *pieces(MEGABYTE), CLOSING])
            upstream, _ = self.accept()
            upstream.swallow()
            upstream.send_head(answer(200, CHUNKED))
            sending = upstream.sending(pieces(MEGABYTE))
            client.read_head()
            client.swallow()
            sending.wait()

    def test_passing(self) -> None:
        """A large form and a large response pass in constant memory."""
        self.warm_up()
        before = peak_memory(self.daemon.pid)
        client = self.upload(None, TRANSCRIPTIONS)
        uploading = client.sending([OPENING, *pieces(LARGE), CLOSING])
        upstream, _ = self.accept()
        self.assertGreater(upstream.swallow(), LARGE)
        upstream.send_head(answer(200, length_of(LARGE)))
        downloading = upstream.sending(pieces(LARGE))
        self.assertEqual(client.read_head().status, 200)
        self.assertEqual(client.swallow(), LARGE)
        self.assertTrue(uploading.wait() and downloading.wait())
        self.assertLess(peak_memory(self.daemon.pid) - before, MOST)

    def test_paused(self) -> None:
        """
        Transfers whose receiver does not read are paused, in both directions, and cost little; meanwhile another one
        passes on the same connections; each goes on when its receiver reads.
        """
        self.warm_up()
        before = resident(self.daemon.pid)
        shared = self.connect()
        connections = [shared if self.pairing.client == 2 else self.connect() for _ in range(2 * PAUSED + 1)]
        transfers: list[tuple[Sending, Exchange]] = []
        for connection in connections[:PAUSED]:
            client = self.upload(None, connection=connection)
            upstream, _ = self.accept()
            transfers.append((client.sending(pieces(LARGE)), upstream))
        for connection in connections[PAUSED : 2 * PAUSED]:
            client = self.ask(asked("GET", "/v1/large"), connection=connection)
            upstream, _ = self.accept()
            upstream.send_head(answer(200, CHUNKED))
            transfers.append((upstream.sending(pieces(LARGE)), client))
        still(lambda: sum(sending.sent for sending, _ in transfers), 0.3)
        for sending, _ in transfers:
            self.assertFalse(sending.over, "nothing was paused")
            self.assertLess(sending.sent, MOST_AHEAD)
        most = 2 * PAUSED * EACH + READ_AHEAD[self.pairing.client]
        self.assertLess(resident(self.daemon.pid) - before, most)
        self.assert_passes(connections[-1])
        for sending, receiver in (transfers[0], transfers[-1]):
            had = sending.sent
            receiver.read_exactly(had + len(PIECE))
            self.assertGreater(sending.sent, had)

    def assert_passes(self, connection: Connection) -> None:
        """Check that an upload passes, with its response."""
        client = self.upload(None, connection=connection)
        sending = client.sending(pieces(2 * MEGABYTE))
        upstream, _ = self.accept()
        self.assertEqual(upstream.swallow(), 2 * MEGABYTE)
        self.assertTrue(sending.wait())
        upstream.send_head(answer(200, CHUNKED))
        responding = upstream.sending(pieces(2 * MEGABYTE))
        self.assertEqual(client.read_head().status, 200)
        self.assertEqual(client.swallow(), 2 * MEGABYTE)
        self.assertTrue(responding.wait())
