"""
Tests for :mod:`sttproxy.inbound.http2` and its streams: bodies in both directions.
"""

from __future__ import annotations

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, HeadersFrame

from sttproxy.http2.outbound import CONNECTION_WINDOW, STREAM_WINDOW
from sttproxy.inbound.http2 import RESET_DELAY_S

from ..support.fakes import Ending
from ..support.http2 import HTTP2TestCase
from ..support.stage import message, ok


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
        """A paused upload takes the memory of one window, and another one on the same connection goes on."""
        client = self.connected()
        paused = client.ask(b"/1", method=b"POST", ends=False)
        self.server.stall()
        first = self.server
        client.send(paused, bytes(4 * STREAM_WINDOW))
        self.assertEqual(client.h2.local_flow_control_window(paused), 0)
        self.assertLess(first.unsent, STREAM_WINDOW + 10_000)
        other = client.ask(b"/2", method=b"POST", ends=False)
        client.send(other, bytes(4 * STREAM_WINDOW), ends=True)
        self.server.send(ok())
        client.exchange()
        self.assertEqual(client.status[other], 200)
        first.read()
        client.exchange()
        self.assertGreater(client.h2.local_flow_control_window(paused), 0)

    def test_windows(self) -> None:
        """The connection's window holds many streams' windows."""
        self.assertGreaterEqual(CONNECTION_WINDOW, 32 * STREAM_WINDOW)

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
