"""
Tests for :mod:`sttproxy.http2.connection`.
"""

from __future__ import annotations

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RemoteSettingsChanged
from jh2.errors import ErrorCodes
from jh2.exceptions import ProtocolError
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.http1.heads import MAX_HEAD
from sttproxy.http2.connection import new_connection
from sttproxy.http2.outbound import MAX_FRAME, MAX_STREAMS, PREFACE, STREAM_WINDOW

from ..support.frames import frame, head


class SettingsTests(SynchronousTestCase):
    """What both sides begin with."""

    def test_own(self) -> None:
        """The other side is told of all limits; only a client refuses pushes, and only a server limits streams."""
        for client, own in ((True, {2: 0}), (False, {2: 0, 3: MAX_STREAMS})):
            connection = new_connection(client)
            connection.initiate_connection()
            other = H2Connection(H2Configuration(client_side=not client))
            events = other.receive_data(connection.data_to_send())
            told = {
                setting.setting: setting.new_value
                for event in events
                if isinstance(event, RemoteSettingsChanged)
                for setting in event.changed_settings.values()
            }
            self.assertEqual(told, {1: 4096, 4: STREAM_WINDOW, 5: MAX_FRAME, 6: MAX_HEAD, **own})

    def test_other(self) -> None:
        """Until the other side has sent its settings, those of RFC 9113 §6.5.2 hold."""
        for client in (True, False):
            settings = new_connection(client).remote_settings
            self.assertEqual((settings.header_table_size, settings.initial_window_size), (4096, 65_535))
            self.assertEqual((settings.max_frame_size, settings.max_concurrent_streams > 1000), (16_384, True))


class CompressionTests(SynchronousTestCase):
    """Field blocks that cannot be decoded."""

    def error(self, block: bytes) -> ErrorCodes:
        """Return the error code of a field block."""
        connection = new_connection(False)
        connection.initiate_connection()
        with self.assertRaises(ProtocolError) as caught:
            connection.receive_data(PREFACE + frame(4, 0) + frame(1, 1, block, 5))
        code: ErrorCodes = caught.exception.error_code
        return code

    def test_malformed(self) -> None:
        """They end the connection with COMPRESSION_ERROR, wherever they are cut off."""
        good = head(1, [(b":method", b"GET"), (b"x", b"y")]).serialize()[9:]
        whole = good.index(b"GET") + 3
        for cut in range(1, len(good)):
            if cut != whole:
                self.assertEqual(self.error(good[:cut]), ErrorCodes.COMPRESSION_ERROR, cut)

    def test_large(self) -> None:
        """A list that is too large is not one of them."""
        entry = b"\x40\x01a\x7f\xa1\x1e" + bytes(4000)
        self.assertEqual(self.error(entry + b"\xbe" * 100), ErrorCodes.ENHANCE_YOUR_CALM)
