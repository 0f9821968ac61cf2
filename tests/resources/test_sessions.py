"""
Tests for :mod:`sttproxy.resources.sessions`: realtime sessions from socket to socket.
"""

from __future__ import annotations

import json
from typing import Any

from websockets.frames import Close as CloseFrame
from websockets.frames import Opcode

from sttproxy.tunnel import REFUSED_GRACE_S
from sttproxy.websocket import Close, close_frame

from ..realtime.wire import APPEND, CONFIG, fragments, frame, frames_of, messages_of
from ..support.fakes import Ending, Peer
from ..support.stage import ProxyTestCase, error_of, get, message, ok, post

UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: k")
SWITCH = message(b"HTTP/1.1 101 Switching Protocols", b"Connection: Upgrade", b"Upgrade: websocket")
HELLO = b"\x81\x05hello"
UPDATE = '{"type":"session.update","session":{"audio":{"input":{"transcription":%s}}}}'
FIELDS: dict[str, Any] = {
    **CONFIG,
    "$realtime": True,
    "$paths": [{"path": "/ws", "realtime": True}],
    "$profiles": {"german": {"language": "de"}},
}


class SessionTestCase(ProxyTestCase):
    """Base class: a configuration with rules for sessions."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(fields=json.dumps(FIELDS).encode())

    def ask(self, target: bytes = b"/v1/realtime", *fields: bytes, upgrade: tuple[bytes, ...] = UPGRADE) -> Peer:
        """A client that asks for a session."""
        return self.client(get(target, *upgrade, *fields))

    def begin(self, target: bytes = b"/v1/realtime", *fields: bytes) -> tuple[Peer, Peer]:
        """The client and the server of a session that has begun."""
        near = self.ask(target, *fields)
        far = self.server
        far.send(SWITCH)
        near.news()
        far.news()
        return near, far

    def language(self, target: bytes, *fields: bytes) -> str:
        """The language in the update that is added."""
        near, far = self.begin(target, *fields)
        near.send(frame(APPEND))
        added, appended = messages_of(far.news())
        self.assertEqual(appended, APPEND)
        near.close()
        language = json.loads(added)["session"]["audio"]["input"]["transcription"]["language"]
        assert isinstance(language, str)
        return language


class BeginTests(SessionTestCase):
    """How a session begins."""

    def test_paths(self) -> None:
        """Spellings that servers route alike, listed paths, and the profile of the URL."""
        for path in (b"/v1/realtime", b"/realtime", b"/openai/v1/realtime?x", b"/v1/r%65altime/", b"/ws", b"/v1/ws"):
            self.assertEqual(self.language(path), "zh")
        self.assertEqual(self.language(b"/profiles/german/v1/realtime"), "de")
        self.assertEqual((self.stats.realtime["sessions"], self.stats.chosen), (7, {"url: german": 1}))
        self.assertEqual(self.stats.forwarded_requests, 0)

    def test_detours(self) -> None:
        """What only some servers route to a session is refused."""
        for path in (
            b"/v1/REALTIME",
            b"/v1//realtime;x",
            b"/v1/x/../realtime;",
            b"/v1/realtime%00",
            b"/v1/real%u0074ime",
        ):
            self.assertEqual(error_of(self.ask(path).received), (400, "bad_request"), path)
        client = self.ask(b"/x", b"X-Original-URL: /v1/realtime")
        self.assertEqual(error_of(client.received), (400, "bad_request"))

    def test_other_requests(self) -> None:
        """Requests for no WebSocket, and WebSockets at other paths, pass."""
        for data in (
            get(b"/v1/realtime"),
            post(2, target=b"/v1/realtime", body=b"{}"),
            get(b"/v1/realtime/x", *UPGRADE),
        ):
            client = self.client(data)
            self.server.send(ok())
            self.assertEqual(client.received, ok())
            client.close()
        self.assertEqual((self.stats.forwarded_requests, self.stats.realtime), (3, {}))

    def test_off(self) -> None:
        """Without ``$realtime``, WebSockets pass unread and with their extensions."""
        self.proxy(fields=json.dumps({**FIELDS, "$realtime": False}).encode())
        near = self.ask(b"/v1/realtime", b"Sec-WebSocket-Extensions: permessage-deflate")
        self.assertIn(b"Sec-WebSocket-Extensions: permessage-deflate", self.server.news())
        self.server.send(SWITCH)
        near.send(b"\xc1anything")
        self.assertEqual(self.server.news(), b"\xc1anything")
        self.assertEqual(self.stats.realtime, {})

    def test_extensions(self) -> None:
        """Extensions are not offered to the server, in any spelling; other headers are."""
        self.ask(
            b"/v1/realtime",
            b"sec-WebSocket-extensions: x",
            b"Sec_WebSocket_Extensions: y",
            b"Sec-WebSocket-Version: 13",
        )
        received = self.server.news().lower()
        self.assertNotIn(b"extensions", received)
        for field in (
            b"sec-websocket-version: 13",
            b"sec-websocket-key: k",
            b"connection: upgrade",
            b"upgrade: websocket",
        ):
            self.assertIn(b"\r\n" + field + b"\r\n", received)

    def test_server_extends(self) -> None:
        """A server that uses an extension or another protocol anyway gets no message, and the client gets 502."""
        for switch in (
            SWITCH.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
            SWITCH.replace(b"\r\n\r\n", b"\r\nSec_WebSocket_Extensions: x\r\n\r\n"),
            SWITCH.replace(b": websocket", b": other"),
            SWITCH.replace(b"\r\n\r\n", b"\r\nUpgrade: other\r\n\r\n"),
        ):
            client = self.ask()
            self.server.news()
            self.server.send(switch)
            self.assertEqual(error_of(client.received), (502, "bad_gateway"), switch)
            self.assertEqual((self.server.news(), self.server.ending), (b"", Ending.RESET))
            client.close()
        self.assertEqual(self.stats.realtime, {})

    def test_protocol(self) -> None:
        """A request that also offers another protocol is refused."""
        upgrade = (b"Connection: Upgrade", b"Upgrade: websocket, other")
        self.assertEqual(error_of(self.ask(upgrade=upgrade).received), (400, "bad_request"))

    def test_refused_by_server(self) -> None:
        """A server's refusal reaches the client."""
        client = self.ask()
        self.server.send(ok())
        self.assertEqual(client.news(), ok())
        self.assertEqual(self.stats.realtime, {})

    def test_early(self) -> None:
        """What the client sends before the server has accepted is a part of the session."""
        append = frame(APPEND)
        near = self.client(get(b"/v1/realtime", *UPGRADE) + frame(UPDATE % "{}"), append[:3])
        self.server.news()
        self.server.send(SWITCH + HELLO)
        near.send(append[3:])
        self.assertEqual(messages_of(self.server.news())[1:], [APPEND])
        self.assertTrue(near.received.endswith(HELLO))

    def test_configuration(self) -> None:
        """A session keeps the rules with which it has begun."""
        near, far = self.begin()
        self.config = type(self.config)()
        near.send(frame(UPDATE % '{"language":"en"}'))
        self.assertIn('"zh"', messages_of(far.news())[0])


class EndTests(SessionTestCase):
    """Endings, and backpressure."""

    def test_closes(self) -> None:
        """The closing handshake passes, in both directions."""
        near, far = self.begin()
        near.send(close_frame(Close(4001, "enough"), masked=True))
        (closing,) = frames_of(far.news())
        self.assertEqual(CloseFrame.parse(closing.data), CloseFrame(4001, "enough"))
        far.send(close_frame(Close(4001, "enough"), masked=False))
        far.close()
        self.assertEqual(near.news(), close_frame(Close(4001, "enough"), masked=False))
        self.assertEqual({near.ending, far.ending}, {Ending.CLOSED})
        self.assertEqual((self.stats.in_flight, self.stats.answers), (0, {"1xx": 1}))

    def test_disconnects(self) -> None:
        """A disconnect of one side reaches the other one, also in the middle of a message that is kept."""
        for leaving in (0, 1):
            for end, ending in (("close", Ending.CLOSED), ("reset", Ending.RESET)):
                peers = self.begin()
                peers[0].send(fragments('{"type"', ":1}")[0])
                getattr(peers[leaving], end)()
                self.assertEqual(peers[1 - leaving].ending, ending)

    def test_backpressure(self) -> None:
        """A side that does not read stops the other one; memory use stays bounded, and no byte is lost."""
        text = f'{{"type":"input_audio_buffer.append","audio":"{"A" * 2_000_000}"}}'
        data = frame(text)
        near, far = self.begin()
        far.stall()
        for at in range(0, len(data), 50_000):
            near.send(data[at : at + 50_000])
        self.assertFalse(near.heard)
        self.assertLess(far.unsent, 200_000)
        far.send(HELLO)
        self.assertEqual(near.news(), HELLO)
        far.read()
        self.assertEqual(messages_of(far.news())[1], text)
        near.stall()
        for _ in range(50):
            far.send(b"\x82\x7e\xc3\x50" + bytes(50_000))
        self.assertFalse(far.heard)
        self.assertLess(near.unsent, 200_000)
        near.read()
        self.assertEqual(len(near.news()), 50 * 50_004)

    def test_stop(self) -> None:
        """When the daemon stops, both sides get a close frame between two frames of the other one."""
        near, far = self.begin()
        update = frame(UPDATE % "{}")
        near.send(update[:9])  # kept, so the server is between two frames
        far.send(HELLO[:3])
        drained = self.site.drain(30)
        self.reactor.settle()
        (closing,) = frames_of(far.news())
        self.assertEqual(CloseFrame.parse(closing.data).code, 1001)
        self.assertEqual(near.news(), HELLO[:3])
        far.send(HELLO[3:])
        self.assertEqual(near.news(), HELLO[3:] + close_frame(Close(1001), masked=False))
        near.send(update[9:], close_frame(Close(1001), masked=True))
        self.assertEqual((far.news(), near.ending, far.ending), (b"", Ending.CLOSED, Ending.CLOSED))
        self.successResultOf(drained)

    def test_stop_in_a_frame(self) -> None:
        """A frame in transit to the server is passed on completely before the close frame."""
        near, far = self.begin()
        data = frame(APPEND)
        near.send(data[:-4])
        drained = self.site.drain(30)
        self.assertEqual([each.opcode for each in frames_of(far.received.rpartition(b"\r\n\r\n")[2])], [Opcode.TEXT])
        near.send(data[-4:] + frame(APPEND))
        self.assertEqual([each.opcode for each in frames_of(far.news())], [Opcode.TEXT, Opcode.TEXT, Opcode.CLOSE])
        near.close()
        self.successResultOf(drained)


class RefusedTests(SessionTestCase):
    """Sessions that the proxy ends."""

    def assert_told(self, peer: Peer, status: int, reason: str) -> None:
        """Check the last frame that a side gets."""
        closing = frames_of_any(peer.news())[-1]
        self.assertEqual(CloseFrame.parse(closing).code, status)
        self.assertIn(reason, CloseFrame.parse(closing).reason)

    def test_told(self) -> None:
        """Both sides get the reason; the connections end when both have closed."""
        near, far = self.begin()
        near.send(frame('{"Type":"session.update"}'))
        for peer in (near, far):
            self.assert_told(peer, 1008, "spelled like 'type'")
        near.send(frame(APPEND) * 3)
        self.assertEqual((far.news(), near.ending), (b"", Ending.OPEN))
        far.send(close_frame(Close(1008), masked=False))
        far.close()
        self.assertEqual((far.ending, near.ending), (Ending.CLOSED, Ending.OPEN))
        near.send(close_frame(Close(1008), masked=True))
        self.assertEqual((near.ending, self.stats.realtime["refused"]), (Ending.CLOSED, 1))

    def test_silent(self) -> None:
        """A client that does not close is disconnected after a while, and the server with it."""
        near, far = self.begin()
        near.send(frame("x"))
        self.reactor.pass_time(REFUSED_GRACE_S - 0.5)
        self.assertEqual({near.ending, far.ending}, {Ending.OPEN})
        self.reactor.pass_time(1)
        self.assertEqual({near.ending, far.ending}, {Ending.RESET})

    def test_gone(self) -> None:
        """A client may also disconnect."""
        near, far = self.begin()
        near.send(frame("x"))
        near.close()
        self.assertEqual({near.ending, far.ending}, {Ending.CLOSED})

    def test_in_a_message(self) -> None:
        """A server that has a part of the message is disconnected, so that it cannot take it for the whole."""
        near, far = self.begin()
        data = frame('{"type":"a","x":1,"type":"session.update"}')
        near.send(data[:20], data[20:])
        self.assertEqual((far.ending, near.ending), (Ending.RESET, Ending.OPEN))
        self.assert_told(near, 1007, "'type' appears twice")
        near.send(close_frame(Close(1007), masked=True))
        self.assertEqual(near.ending, Ending.CLOSED)

    def test_stalled_server(self) -> None:
        """The client's close frame is read, although the server takes nothing."""
        near, far = self.begin()
        far.stall()
        near.send(frame(bytes(60_000)), frame(bytes(20_000)) + frame("x"), close_frame(Close(1007), masked=True))
        self.assertEqual(near.ending, Ending.CLOSED)
        far.read()

    def test_in_a_frame_of_the_server(self) -> None:
        """The client gets the reason after the frame in transit."""
        near, far = self.begin()
        far.send(HELLO[:3])
        near.send(frame("x"))
        self.assertEqual(near.news(), HELLO[:3])
        far.send(HELLO[3:] + HELLO)
        told = near.news()
        self.assertEqual(told[:4], HELLO[3:])
        self.assertEqual(CloseFrame.parse(told[6:]).code, 1007)
        near.close()


def frames_of_any(data: bytes) -> list[bytes]:
    """The payloads of short frames, masked or not."""
    found: list[bytes] = []
    while data:
        size, masked = data[1] & 0x7F, data[1] >> 7
        mask = data[2:6] if masked else bytes(4)
        payload = data[2 + 4 * masked : 2 + 4 * masked + size]
        found.append(bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload)))
        data = data[2 + 4 * masked + size :]
    return found
