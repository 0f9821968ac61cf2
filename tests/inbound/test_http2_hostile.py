"""
Tests for :mod:`sttproxy.inbound.http2`: clients that break RFC 9113 or attack the proxy.
"""

from __future__ import annotations

import random
from typing import Any

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, Frame, HeadersFrame, PingFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from sttproxy.http2.outbound import CONNECTION_WINDOW, MAX_STREAMS, PREFACE, STREAM_WINDOW
from sttproxy.inbound.http2 import RESET_DELAY_S

from ..support.fakes import Ending
from ..support.http2 import Client, HTTP2TestCase
from ..support.stage import PATH, ok


class AbuseTests(HTTP2TestCase):
    """Published attacks, and frames that RFC 9113 forbids: the connection ends, and the site goes on."""

    def abused(self, *frames: Any) -> Client:
        """A client that has sent frames."""
        client = self.connected()
        client.raw(*frames)
        return client

    def assert_ended(self, client: Client, *codes: int) -> None:
        """The connection has ended, with one of these codes, and others work."""
        self.assertIn(client.goaway, codes)
        self.assertIn(client.peer.ending, (Ending.CLOSED, Ending.HALF))
        other = self.connected()
        number = other.ask(b"/stats")
        self.assertEqual(other.status[number], 200)

    def test_rapid_reset(self) -> None:
        """Requests that are reset at once, thousands of them (CVE-2023-44487)."""
        client = self.connected()
        encode = client.h2.encoder.encode
        head = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/x")]
        for number in range(1, 401, 2):
            try:
                client.raw(
                    HeadersFrame(number, encode(head), flags=["END_HEADERS", "END_STREAM"]),
                    RstStreamFrame(number, ErrorCodes.CANCEL),
                )
            except Exception:
                break
            if client.goaway is not None:
                break
        self.assert_ended(client, ErrorCodes.ENHANCE_YOUR_CALM)
        self.assertLess(number, 200)

    def test_floods(self) -> None:
        """Pings, settings and empty data by the thousand (CVE-2019-9512, 9515, 9518)."""
        for flood in (
            [PingFrame(0, b"12345678")] * 1500,
            [SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: 1000})] * 1500,
        ):
            self.assert_ended(self.abused(*flood), ErrorCodes.ENHANCE_YOUR_CALM)
        client = self.connected()
        number = client.ask(b"/x", method=b"POST", ends=False)
        client.raw(*[DataFrame(number, b"")] * 1500)
        self.assert_ended(client, ErrorCodes.ENHANCE_YOUR_CALM)

    def test_many_streams(self) -> None:
        """More requests at a time than were allowed."""
        client = self.connected()
        encode = client.h2.encoder.encode
        head = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/x")]
        frames = [
            HeadersFrame(number, encode(head), flags=["END_HEADERS", "END_STREAM"])
            for number in range(1, 2 * MAX_STREAMS + 3, 2)
        ]
        client.raw(*frames)
        self.assertIsNotNone(client.goaway)

    def test_large_head(self) -> None:
        """A head of more than 64 KiB, in one frame or in CONTINUATION frames without an end (CVE-2024-27316)."""
        client = self.connected()
        block = client.h2.encoder.encode([(b"x%d" % each, b"y" * 4000) for each in range(40)])
        frames = [HeadersFrame(1, block[:16000])]
        continued = [b"\x00\x10\x00\x09\x00\x00\x00\x00\x01" + bytes(4096)] * 100
        client.raw(*frames, *continued)
        self.assertIsNotNone(client.goaway)

    def test_forbidden(self) -> None:
        """Frames on the wrong stream, of the wrong size, or in the wrong order."""
        for frames in (
            [b"\x00\x00\x04\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"],  # a window update of 0
            [b"\x00\x00\x00\x00\x00\x00\x00\x00\x00"],  # DATA on stream 0
            [b"\x00\x00\x00\x01\x04\x00\x00\x00\x02"],  # HEADERS on an even stream
            [b"\x00\x00\x05\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"],  # SETTINGS of 5 bytes
            [b"\x00\x00\x07\x06\x00\x00\x00\x00\x00" + bytes(7)],  # a ping of 7 bytes
            [b"\x00\x00\x04\x03\x00\x00\x00\x00\x00" + bytes(4)],  # a reset of stream 0
            [b"\x00\x00\x04\x03\x00\x00\x00\x00\x05" + bytes(4)],  # a reset of an idle stream
            [b"\x02\x00\x00\x00\x00\x00\x00\x00\x01"],  # a frame that is too large
            [b"\x00\x00\x04\x09\x04\x00\x00\x00\x01" + bytes(4)],  # CONTINUATION without HEADERS
            [b"\x00\x00\x04\x05\x04\x00\x00\x00\x01" + bytes(4)],  # a push from a client
            [b"\x00\x00\x02\x01\x05\x00\x00\x00\x01\xff\xff"],  # a block that is not HPACK
        ):
            client = self.abused(*frames)
            self.assertIsNotNone(client.goaway, frames)
            self.assertNotEqual(client.peer.ending, Ending.OPEN, frames)

    def test_window_overflow(self) -> None:
        """Data beyond the window."""
        client = self.connected()
        number = client.ask(b"/x", method=b"POST", ends=False)
        self.server.stall()
        client.raw(*[DataFrame(number, bytes(16384))] * (STREAM_WINDOW // 16384 + 8))
        self.assertEqual(client.goaway, ErrorCodes.FLOW_CONTROL_ERROR)

    def test_windows(self) -> None:
        """The connection's window holds many streams' windows."""
        self.assertGreaterEqual(CONNECTION_WINDOW, 32 * STREAM_WINDOW)

    def test_random(self) -> None:
        """Any bytes after the preface end the connection, or wait for more, and raise nothing."""
        source = random.Random(1)
        for _ in range(300):
            peer = self.client(PREFACE + source.randbytes(source.randrange(200)))
            peer.reset()
            self.reactor.settle()

    def test_random_frames(self) -> None:
        """Frames in any order, with resets in the middle, raise nothing and leave no request behind."""
        source = random.Random(2)
        for _ in range(500):
            client = self.connected()
            client.peer.send(b"".join(self.random_frames(source, client)))
            for peer in self.upstream.peers:
                if peer.ending is Ending.OPEN and peer.news():
                    peer.send(ok(bytes(source.randrange(100_000))) if source.random() < 0.7 else b"no head\r\n\r\n")
            if source.random() < 0.2:
                self.reactor.pass_time(1, RESET_DELAY_S)
            if client.peer.ending is Ending.OPEN:
                client.peer.reset()
            for peer in self.upstream.peers:
                if peer.ending is Ending.OPEN:
                    peer.close()
            self.reactor.settle()
            self.assertEqual((self.flushLoggedErrors(), self.stats.in_flight, self.stats.connections), ([], 0, 0))
        self.assertGreater(self.stats.answers["2xx"], 50)

    @staticmethod
    def random_frames(source: random.Random, client: Client) -> list[bytes]:
        """A few frames, most of them valid."""
        frames: list[Frame] = []
        number = -1
        for _ in range(source.randrange(1, 12)):
            kind = source.choice("hhhhdddrwsp")
            some = max(1, number - source.choice([0, 0, 0, 2]))
            ends = ["END_STREAM"] if source.random() < 0.6 else []
            if kind == "h":
                number += 2
                path = source.choice([b"/x", b"/stats", PATH, b"/a b"])
                head = [(b":method", source.choice([b"GET", b"POST"])), (b":scheme", b"http"), (b":authority", b"h")]
                block = client.h2.encoder.encode([*head, (b":path", path)])
                frames.append(HeadersFrame(number, block, flags=[*ends, "END_HEADERS"]))
            elif kind == "d":
                frames.append(DataFrame(some, source.randbytes(source.randrange(20)), flags=ends))
            elif kind == "r":
                frames.append(RstStreamFrame(some, source.randrange(14)))
            elif kind == "w":
                frames.append(WindowUpdateFrame(source.choice([0, some]), source.choice([1, 5000, 2**31 - 1])))
            elif kind == "s":
                frames.append(SettingsFrame(0, {SettingsFrame.INITIAL_WINDOW_SIZE: source.choice([0, 1, 65535])}))
            else:
                frames.append(PingFrame(0, bytes(8)))
        return [frame.serialize() for frame in frames]
