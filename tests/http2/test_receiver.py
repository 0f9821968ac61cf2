"""
Tests for :mod:`sttproxy.http2.receiver`.
"""

from __future__ import annotations

from typing import Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from hyperframe.frame import DataFrame, Frame, RstStreamFrame, WindowUpdateFrame
from jh2.config import H2Configuration as Configuration
from jh2.connection import H2Connection as Connection
from jh2.errors import ErrorCodes
from jh2.events import RequestReceived
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http2.frames import Data
from sttproxy.http2.outbound import CONNECTION_WINDOW, MAX_FRAME, STREAM_WINDOW
from sttproxy.http2.receiver import ControlFrame, Malformed, Receiver, StreamError


class ReceiverTests(SynchronousTestCase):
    """Bodies, at the server's end."""

    def setUp(self) -> None:
        self.h2 = Connection(Configuration(client_side=False, header_encoding=False))
        self.h2.max_inbound_frame_size = MAX_FRAME
        self.h2.initiate_connection()
        self.h2.increment_flow_control_window(CONNECTION_WINDOW - 65535)
        self.receiver = Receiver(self.h2, client=False)
        self.client = H2Connection(H2Configuration())
        self.client.initiate_connection()
        self.feed(self.client.data_to_send())
        self.h2.data_to_send()

    def feed(self, data: bytes) -> list[Any]:
        """Return the events of bytes."""
        return list(self.receiver.receive(data))

    def begin(self, number: int) -> None:
        """Begin a request with a body."""
        head = [(":method", "POST"), (":scheme", "http"), (":authority", "h"), (":path", "/")]
        self.client.send_headers(number, head)
        self.assertIsInstance(self.feed(self.client.data_to_send())[0], RequestReceived)

    def data(self, number: int, data: bytes, ends: bool = False) -> list[Any]:
        """Return the events of one DATA frame."""
        return self.feed(DataFrame(number, data, flags=["END_STREAM"] if ends else []).serialize())

    def sent(self) -> list[Frame]:
        """Return the frames that jh2 has ready."""
        data, frames = self.h2.data_to_send(), []
        while data:
            frame, length = Frame.parse_frame_header(memoryview(data[:9]))
            frame.parse_body(memoryview(data[9 : 9 + length]))
            frames.append(frame)
            data = data[9 + length :]
        return frames

    def test_body(self) -> None:
        """A body arrives, and ends, with its length and without; jh2 may respond then."""
        for number, length in ((1, None), (3, 4)):
            self.begin(number)
            self.receiver.expect(number, length)
            self.assertEqual(self.data(number, b"ab"), [Data(number, b"ab", 2, False)])
            self.assertEqual(self.data(number, b"cd", ends=True), [Data(number, b"cd", 2, True)])
            self.h2.send_headers(number, [(b":status", b"200")], end_stream=True)

    def test_wrong_length(self) -> None:
        """A body of another length resets its stream, and what follows on it is dropped."""
        for number, pieces in ((1, [(b"abcdef", False)]), (3, [(b"abc", True)]), (5, [(b"abc", False), (b"", True)])):
            self.begin(number)
            self.receiver.expect(number, 5)
            for data, ends in pieces:
                events = self.data(number, data, ends)
            self.assertEqual([(type(event), event.stream_id) for event in events], [(StreamError, number)])
            (reset,) = self.sent()
            self.assertIsInstance(reset, RstStreamFrame)
            self.assertEqual((reset.stream_id, reset.error_code), (number, ErrorCodes.PROTOCOL_ERROR))
            self.assertEqual(self.data(number, bytes(100)), [ControlFrame()])
            self.sent()

    def test_window(self) -> None:
        """A body that exceeds its window ends the connection; one that keeps to it does not."""
        self.begin(1)
        for _ in range(STREAM_WINDOW // MAX_FRAME):
            self.data(1, bytes(MAX_FRAME))
        frame = WindowUpdateFrame(1, window_increment=10).serialize()
        self.assertEqual(self.receiver.allow(1, 10), frame)
        self.assertEqual(self.data(1, bytes(10)), [Data(1, bytes(10), 10, False)])
        self.assertIsInstance(self.data(1, b"x")[0], Malformed)
        self.assertEqual(self.sent()[-1].error_code, ErrorCodes.FLOW_CONTROL_ERROR)

    def test_connection_window(self) -> None:
        """The connection's window is given back by the quarter, also for a body of a wrong length."""
        self.assertEqual(self.receiver.allow_connection(), b"")
        quarter, received, number = CONNECTION_WINDOW // 4, 0, -1
        while received < quarter:
            number += 2
            self.begin(number)
            self.receiver.expect(number, 0)
            self.data(number, bytes(MAX_FRAME))
            received += MAX_FRAME
        frame = WindowUpdateFrame(0, window_increment=received).serialize()
        self.assertEqual(self.receiver.allow_connection(), frame)
        self.assertEqual(self.receiver.allow_connection(), b"")

    def test_ended(self) -> None:
        """A body that has ended gets no window, and DATA behind its end resets the stream."""
        self.begin(1)
        self.data(1, b"a", ends=True)
        self.assertEqual(self.receiver.allow(1, 10), b"")
        (_, reset) = self.data(1, b"b")
        self.assertEqual(reset.error_code, ErrorCodes.STREAM_CLOSED)

    def test_never_begun(self) -> None:
        """DATA on a stream that was not begun ends the connection."""
        self.assertIsInstance(self.data(1, b"b")[-1], Malformed)

    def test_strays(self) -> None:
        """What still comes of a stream that was reset may be longer than a frame in one read."""
        self.begin(1)
        self.h2.reset_stream(1)
        self.receiver.forget(1)
        frames = DataFrame(1, bytes(MAX_FRAME)).serialize() + DataFrame(1, b"end", flags=["END_STREAM"]).serialize()
        self.assertEqual(self.feed(frames), [ControlFrame()])
