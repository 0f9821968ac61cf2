"""
Tests for :mod:`sttproxy.inbound.http2` and its streams, with h2 as the client, in memory.
"""

from __future__ import annotations

import random
from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    InformationalResponseReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from sttproxy.errors import Header
from sttproxy.http2.outbound import CONNECTION_WINDOW, MAX_STREAMS, PREFACE, STREAM_WINDOW
from sttproxy.inbound.http2 import RESET_DELAY_S
from sttproxy.inbound.interfaces import Timeouts

from ..support.fakes import Ending, Peer
from ..support.stage import FORM, PATH, ProxyTestCase, message, ok

FORM_TYPE = b"multipart/form-data; boundary=b"


class Client:
    """
    A client of one connection.

    :ivar responses: by stream: the status, the fields, the body, and whether it ended.
    :ivar resets: the error codes of resets by stream.
    :ivar goaway: the error code of the GOAWAY; None: none has come.
    """

    def __init__(self, peer: Peer, reactor: Any) -> None:
        self.peer = peer
        self._reactor = reactor
        self.h2 = H2Connection(H2Configuration(header_encoding=False, validate_outbound_headers=False))
        self.h2.initiate_connection()
        self.status: dict[int, int] = {}
        self.fields: dict[int, dict[bytes, bytes]] = {}
        self.bodies: dict[int, bytes] = {}
        self.trailers: dict[int, list[Header]] = {}
        self.interim: list[int] = []
        self.ended: set[int] = set()
        self.resets: dict[int, int] = {}
        self.goaway: int | None = None
        self.acknowledges = True
        self.exchange()

    def exchange(self) -> None:
        """Send what there is, and process what comes, until nothing comes any more."""
        for _ in range(50):
            self.peer.send(self.h2.data_to_send())
            self._reactor.settle()
            data = self.peer.news()
            if not data:
                return
            for event in self.h2.receive_data(data):
                self._process(event)

    def _process(self, event: Any) -> None:
        if isinstance(event, ResponseReceived):
            fields = {bytes(name): bytes(value) for name, value in event.headers}
            self.status[event.stream_id] = int(fields.pop(b":status"))
            self.fields[event.stream_id] = fields
        elif isinstance(event, InformationalResponseReceived):
            self.interim.append(int(dict(event.headers)[b":status"]))
        elif isinstance(event, DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            if self.acknowledges:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, TrailersReceived):
            self.trailers[event.stream_id] = [(bytes(name), bytes(value)) for name, value in event.headers]
        elif isinstance(event, StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, StreamReset):
            self.resets[event.stream_id] = event.error_code
        elif isinstance(event, ConnectionTerminated):
            self.goaway = event.error_code

    def ask(self, path: bytes = b"/x", *fields: tuple[bytes, bytes], method: bytes = b"GET", ends: bool = True) -> int:
        """Send a request's head; return its stream."""
        number = self.h2.get_next_available_stream_id()
        head = [(b":method", method), (b":scheme", b"http"), (b":authority", b"h"), (b":path", path), *fields]
        self.h2.send_headers(number, head, end_stream=ends)
        self.exchange()
        return number

    def trail(self, number: int, *trailers: Header) -> None:
        """Send the trailers that end a request."""
        self.h2.send_headers(number, trailers, end_stream=True)
        self.exchange()

    def send(self, number: int, data: bytes, ends: bool = False) -> None:
        """Send bytes of a body, as far as the windows allow."""
        while data:
            size = min(len(data), self.h2.local_flow_control_window(number), self.h2.max_outbound_frame_size)
            if not size:
                break
            self.h2.send_data(number, data[:size])
            data = data[size:]
            self.exchange()
        if ends:
            self.h2.end_stream(number)
            self.exchange()

    def raw(self, *frames: Frame | bytes) -> None:
        """Send frames that h2 would not."""
        self.peer.send(b"".join(frame if isinstance(frame, bytes) else frame.serialize() for frame in frames))
        self._reactor.settle()
        data = self.peer.news()
        for event in self.h2.receive_data(data) if data else []:
            self._process(event)


class HTTP2TestCase(ProxyTestCase):
    """Tests of HTTP/2 connections before an upstream."""

    def connected(self) -> Client:
        """A new client."""
        return Client(self.client(b""), self.reactor)


class RequestTests(HTTP2TestCase):
    """Requests and their responses."""

    def test_get(self) -> None:
        """A request reaches the upstream as HTTP/1.1, and the response comes back; the connection goes on."""
        client = self.connected()
        for _ in range(3):
            number = client.ask(b"/v1/models", (b"x-a", b"1"))
            self.assertTrue(self.server.news().startswith(b"GET /v1/models HTTP/1.1\r\nhost: h\r\nx-a: 1\r\n"))
            self.server.send(ok(b"hello", b"X-B: 2", b"Connection: keep-alive"))
            client.exchange()
            self.assertEqual((client.status[number], client.bodies[number]), (200, b"hello"))
            self.assertEqual(client.fields[number], {b"content-length": b"5", b"x-b": b"2"})
            self.assertIn(number, client.ended)
        self.assertEqual((client.goaway, client.resets), (None, {}))

    def test_transcription(self) -> None:
        """A form is rewritten, with and without a length."""
        self.proxy(fields=b'{"language": "zh"}')
        client = self.connected()
        for fields in ([(b"content-length", b"%d" % len(FORM))], []):
            number = client.ask(PATH, (b"content-type", FORM_TYPE), *fields, method=b"POST", ends=False)
            client.send(number, FORM, ends=True)
            received = self.server.news()
            self.assertIn(b'name="language"\r\n\r\nzh\r\n', received)
            self.assertNotIn(b"\r\n\r\nen\r\n", received)
            self.server.send(ok())
            client.exchange()
            self.assertEqual(client.status[number], 200)

    def test_streams(self) -> None:
        """Several requests are in flight at once, and are answered in any order."""
        client = self.connected()
        first, second = client.ask(b"/1"), client.ask(b"/2")
        one, two = self.upstream.peers[-2:]
        two.send(ok(b"second"))
        client.exchange()
        self.assertEqual((client.bodies.get(first), client.bodies[second]), (None, b"second"))
        one.send(ok(b"first"))
        client.exchange()
        self.assertEqual(client.bodies[first], b"first")

    def test_bodiless(self) -> None:
        """HEAD, 204 and 304 have no body, and end."""
        client = self.connected()
        for method, response in (
            (b"HEAD", message(b"HTTP/1.1 200 OK", b"Content-Length: 5")),
            (b"GET", message(b"HTTP/1.1 204 No Content")),
            (b"GET", message(b"HTTP/1.1 304 Not Modified")),
        ):
            number = client.ask(method=method)
            self.server.send(response)
            client.exchange()
            self.assertIn(number, client.ended)
            self.assertEqual(client.bodies.get(number, b""), b"")

    def test_interim(self) -> None:
        """100 is sent to a client that expects it, and 103 is forwarded."""
        client = self.connected()
        fields = [(b"content-length", b"2"), (b"expect", b"100-continue")]
        number = client.ask(b"/x", *fields, method=b"POST", ends=False)
        self.assertEqual(client.interim, [100])
        client.send(number, b"ab", ends=True)
        self.server.send(message(b"HTTP/1.1 103 Early Hints", b"Link: a") + ok())
        client.exchange()
        self.assertEqual((client.interim, client.status[number]), ([100, 103], 200))

    def test_own_pages(self) -> None:
        """The proxy's own pages and errors work as over HTTP/1.1."""
        client = self.connected()
        stats, missing = client.ask(b"/stats"), client.ask(b"/profiles/none/x")
        self.assertEqual((client.status[stats], client.status[missing]), (200, 404))
        self.assertIn(b"total_requests", client.bodies[stats])

    def test_rejected(self) -> None:
        """A malformed head gets 400 and a log line, and costs no other stream anything."""
        client = self.connected()
        good = client.ask(b"/good")
        bad = client.ask(b"/a b")
        self.assertEqual(client.status[bad], 400)
        self.assertIn(b"percent-encode", client.bodies[bad])
        self.assertEqual(self.stats.refused_requests, 1)
        self.server.send(ok(b"good"))
        client.exchange()
        self.assertEqual(client.bodies[good], b"good")

    def test_prior_version(self) -> None:
        """A client that begins like the preface and goes on differently gets an error over HTTP/1.1."""
        for data in (b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI /x HTTP/1.1\r\nHost: h\r\n\r\n"):
            client = self.client(data)
            self.assertTrue(client.received.startswith(b"HTTP/1.1 ") or self.server.received, data)

    def test_cut(self) -> None:
        """The preface may come in any pieces."""
        for cut in range(1, len(PREFACE)):
            peer = self.client(PREFACE[:cut])
            peer.send(PREFACE[cut:] + SettingsFrame(0).serialize())
            self.assertTrue(peer.received.startswith(b"\0\0"), cut)


class UploadTests(HTTP2TestCase):
    """Bodies of requests: windows, early responses, resets."""

    def test_large(self) -> None:
        """An upload larger than all windows arrives whole."""
        client = self.connected()
        number = client.ask(b"/x", method=b"POST", ends=False)
        data = bytes(range(256)) * 8192  # 2 MiB
        for at in range(0, len(data), 65536):
            client.send(number, data[at : at + 65536])
        client.send(number, b"", ends=True)
        self.assertEqual(len(self.server.received.split(b"\r\n\r\n", 1)[1]) > len(data), True)
        self.server.send(ok())
        client.exchange()
        self.assertEqual(client.status[number], 200)

    def test_paused(self) -> None:
        """A paused upload takes one window, and another one on the same connection goes on."""
        client = self.connected()
        paused = client.ask(b"/1", method=b"POST", ends=False)
        self.server.stall()
        first = self.server
        client.send(paused, bytes(4 * STREAM_WINDOW))
        self.assertEqual(client.h2.local_flow_control_window(paused), 0)
        other = client.ask(b"/2", method=b"POST", ends=False)
        client.send(other, bytes(4 * STREAM_WINDOW), ends=True)
        self.server.send(ok())
        client.exchange()
        self.assertEqual(client.status[other], 200)
        first.read()
        client.exchange()
        self.assertGreater(client.h2.local_flow_control_window(paused), 0)

    def test_early(self) -> None:
        """An early response ends, and a reset without an error follows it; other streams go on."""
        client = self.connected()
        number = client.ask(b"/x", (b"content-length", b"1000"), method=b"POST", ends=False)
        client.send(number, b"ab")
        self.server.send(message(b"HTTP/1.1 413 Too Large", b"Content-Length: 2", body=b"no"))
        client.exchange()
        self.assertEqual((client.status[number], client.bodies[number], client.resets), (413, b"no", {}))
        self.reactor.pass_time(RESET_DELAY_S)
        client.exchange()
        self.assertEqual(client.resets, {number: ErrorCodes.NO_ERROR})
        other = client.ask(b"/2")
        self.server.send(ok())
        client.exchange()
        self.assertEqual(client.status[other], 200)

    def test_reset(self) -> None:
        """A client that resets a stream ends the request at the upstream, and nothing else."""
        client = self.connected()
        number = client.ask(b"/x", method=b"POST", ends=False)
        client.send(number, b"ab")
        upstream = self.server
        client.h2.reset_stream(number, ErrorCodes.CANCEL)
        client.exchange()
        self.assertEqual(upstream.ending, Ending.RESET)
        self.assertEqual(self.stats.clients_gone, 1)
        self.assertIsNone(client.goaway)

    def test_slow(self) -> None:
        """An upload that is too slow gets 408."""
        client = self.connected()
        number = client.ask(b"/x", (b"content-length", b"1000"), method=b"POST", ends=False)
        self.reactor.pass_time(31, 1)
        client.exchange()
        self.assertEqual(client.status[number], 408)

    def test_too_large(self) -> None:
        """A body over the limit gets 413, by its length or by its bytes."""
        self.proxy(body=10)
        client = self.connected()
        announced = client.ask(b"/x", (b"content-length", b"11"), method=b"POST", ends=False)
        self.assertEqual(client.status[announced], 413)
        unknown = client.ask(b"/x", method=b"POST", ends=False)
        client.send(unknown, b"x" * 11)
        self.assertEqual(client.status[unknown], 413)

    def test_length(self) -> None:
        """A body of another length than announced ends its stream only, and is never complete for the upstream."""
        client = self.connected()
        good = client.ask(b"/good")
        good_upstream = self.server
        resets = {}
        for frames in (
            [DataFrame(1, b"abc", flags=["END_STREAM"])],
            [DataFrame(1, b"abc"), DataFrame(1, b"abc")],
            [DataFrame(1, b"abc"), DataFrame(1, b"", flags=["END_STREAM"])],
            [DataFrame(1, b"abc", flags=["PADDED", "END_STREAM"], pad_length=2)],
            [
                DataFrame(1, b"abc"),
                HeadersFrame(1, b"\0\1x\1y", flags=["END_HEADERS", "END_STREAM"]),
            ],
        ):
            number = client.ask(b"/x", (b"content-length", b"5"), method=b"POST", ends=False)
            for frame in frames:
                frame.stream_id = number
            client.raw(*frames)
            resets[number] = ErrorCodes.PROTOCOL_ERROR
            self.assertEqual(client.resets, resets, frames)
            self.assertEqual(self.server.ending, Ending.RESET)
        good_upstream.send(ok(b"good"))
        client.exchange()
        self.assertEqual((client.bodies[good], client.goaway), (b"good", None))

    def test_length_without_body(self) -> None:
        """A Content-Length on a request that ends with its head gets 400: the upstream would wait for the body."""
        client = self.connected()
        number = client.ask(b"/x", (b"content-length", b"5"), method=b"POST")
        self.assertEqual(client.status[number], 400)
        self.assertEqual(self.upstream.peers, [])

    def test_length_after_response(self) -> None:
        """The length counts for an upload whose response has come early, too."""
        client = self.connected()
        number = client.ask(b"/x", (b"content-length", b"5"), method=b"POST", ends=False)
        self.server.send(message(b"HTTP/1.1 413 Too Large", b"Content-Length: 2", body=b"no"))
        client.exchange()
        client.raw(DataFrame(number, bytes(100)))
        self.assertEqual((client.resets, client.goaway), ({number: ErrorCodes.PROTOCOL_ERROR}, None))
        other = client.ask(b"/stats")
        self.reactor.pass_time(RESET_DELAY_S)
        client.exchange()
        self.assertEqual((client.status[other], client.goaway), (200, None))


class DownloadTests(HTTP2TestCase):
    """Bodies of responses: windows, premature closes."""

    def test_window(self) -> None:
        """A client that gives no window back pauses the upstream; then all arrives."""
        client = self.connected()
        client.acknowledges = False
        number = client.ask()
        size = 1_000_000
        self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: %d" % size))
        for _ in range(20):
            self.server.send(bytes(size // 20))
        client.exchange()
        got = len(client.bodies[number])
        self.assertLess(got, 100_000)
        client.acknowledges = True
        client.h2.acknowledge_received_data(got, number)
        client.exchange()
        self.assertEqual((len(client.bodies[number]), number in client.ended), (size, True))

    def test_premature(self) -> None:
        """A response that the upstream does not complete resets the stream with an error."""
        client = self.connected()
        number = client.ask()
        self.server.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 10", body=b"part"))
        self.server.close()
        client.exchange()
        self.assertEqual(client.resets, {number: ErrorCodes.INTERNAL_ERROR})
        self.assertNotIn(number, client.ended)

    def test_failed(self) -> None:
        """An upstream that closes without a response is a 502."""
        client = self.connected()
        number = client.ask(method=b"POST")
        self.server.close()
        client.exchange()
        self.assertEqual(client.status[number], 502)

    def test_shares(self) -> None:
        """Responses share the connection's window evenly."""
        client = self.connected()
        client.acknowledges = False
        numbers = [client.ask(b"/%d" % each) for each in range(4)]
        peers = self.upstream.peers[-4:]
        for peer in peers:
            peer.send(message(b"HTTP/1.1 200 OK", b"Content-Length: 200000", body=bytes(200_000)))
        client.exchange()
        client.h2.increment_flow_control_window(100_000)
        for number in numbers:
            client.h2.increment_flow_control_window(200_000, number)
        client.exchange()
        self.assertEqual(sum(map(len, client.bodies.values())), 65535 + 100_000)
        client.acknowledges = True
        client.h2.increment_flow_control_window(1_000_000)
        client.exchange()
        self.assertEqual([len(client.bodies[number]) for number in numbers], [200_000] * 4)


class EndingTests(HTTP2TestCase):
    """Ends of connections."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(timeouts=Timeouts(idle=75))

    def test_idle(self) -> None:
        """An idle connection is closed with a GOAWAY; one with a request in flight is not."""
        client = self.connected()
        number = client.ask()
        self.reactor.pass_time(200, 1)
        self.server.send(ok())
        client.exchange()
        self.assertEqual((client.status[number], client.goaway), (200, None))
        self.reactor.pass_time(76, 1)
        self.assertEqual(client.peer.ending, Ending.CLOSED)
        client.exchange()
        self.assertEqual(client.goaway, 0)

    def test_drained(self) -> None:
        """When the daemon stops, requests in flight finish, and new ones are refused as not processed."""
        client = self.connected()
        number = client.ask()
        upstream = self.server
        drained = self.site.drain(30)
        self.reactor.settle()
        refused = client.ask(b"/2")
        self.assertEqual((client.resets, client.goaway), ({refused: ErrorCodes.REFUSED_STREAM}, None))
        self.assertNoResult(drained)
        upstream.send(ok(b"done"))
        client.exchange()
        self.assertEqual((client.bodies[number], client.goaway), (b"done", 0))
        self.successResultOf(drained)

    def test_goaway(self) -> None:
        """After a client's GOAWAY its requests in flight finish, new ones are refused, and the connection closes."""
        for code in (ErrorCodes.NO_ERROR, ErrorCodes.CANCEL):
            client = self.connected()
            number = client.ask(b"/1", method=b"POST", ends=False)
            upstream = self.server
            client.raw(GoAwayFrame(0, error_code=code, additional_data=b"bye"))
            client.send(number, b"more", ends=True)
            refused = client.ask(b"/2")
            self.assertEqual(client.resets, {refused: ErrorCodes.REFUSED_STREAM})
            upstream.send(ok(b"done"))
            self.assertEqual(client.peer.ending, Ending.CLOSED)
            client.exchange()
            self.assertEqual((client.bodies[number], client.goaway), (b"done", 0))

    def test_goaway_idle(self) -> None:
        """A GOAWAY closes a connection without requests."""
        client = self.connected()
        client.raw(GoAwayFrame(0))
        self.assertEqual((client.goaway, client.peer.ending), (0, Ending.CLOSED))

    def test_stopped(self) -> None:
        """After the grace period a request without a response gets 503."""
        client = self.connected()
        number = client.ask()
        self.site.drain(5)
        self.reactor.pass_time(6, 1)
        client.exchange()
        self.assertEqual((client.status[number], client.goaway), (503, 0))
        self.server.close()

    def test_disconnected(self) -> None:
        """A client that disconnects ends all its requests."""
        client = self.connected()
        client.ask(b"/1"), client.ask(b"/2")
        peers = self.upstream.peers[-2:]
        client.peer.reset()
        self.reactor.settle()
        self.assertEqual([peer.ending for peer in peers], [Ending.RESET] * 2)
        self.assertEqual(self.stats.clients_gone, 2)


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
            [b"\x00\x00\x08\x07\x00\x00\x00\x00\x01" + bytes(8)],  # a GOAWAY on a stream
            [b"\x00\x00\x07\x07\x00\x00\x00\x00\x00" + bytes(7)],  # a GOAWAY of 7 bytes
            [HeadersFrame(1, b"\x82"), GoAwayFrame(0)],  # a GOAWAY in the middle of a head
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
