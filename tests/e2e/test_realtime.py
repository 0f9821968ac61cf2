"""
Realtime sessions of the OpenAI SDK and of plain WebSocket clients, through the real daemon.
"""

from __future__ import annotations

import base64
import json
import signal
from contextlib import ExitStack
from typing import Any, ClassVar

from websockets.exceptions import ConnectionClosed, ConnectionClosedError
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from .case import DaemonTestCase
from .clients import openai_client
from .daemon import Daemon
from .forms import noise
from .process import LIMIT_S, until
from .sessions import SessionServer

CONFIG: dict[str, Any] = {
    "language": "zh",
    "prompt": "Katharine, MLX.",
    "response_format": "json",
    "$default": {"model": "small"},
    "$map": {"model": {"whisper-1": "large"}},
    "$realtime": True,
    "$paths": [{"path": "/ws", "realtime": True}],
    "$profiles": {"german": {"language": "de", "$unset": ["prompt"]}},
    "$choose": [{"header": {"User-Agent": "OpenWebUI*"}, "profile": "german"}],
}
FIELDS = {"language": "zh", "prompt": "Katharine, MLX.", "model": "small"}
APPEND = json.dumps({"type": "input_audio_buffer.append", "audio": "AAAA"})


def websocket(daemon: Daemon, path: str = "/v1/realtime", **options: Any) -> ClientConnection:
    """A WebSocket through a daemon, whose session has begun."""
    url = f"ws://127.0.0.1:{daemon.port}{path}"
    client = connect_websocket(url, max_size=None, open_timeout=LIMIT_S, proxy=None, **options)
    assert json.loads(client.recv(LIMIT_S))["type"] == "session.created"
    return client


class SessionTestCase(DaemonTestCase):
    """One daemon before a server of sessions."""

    config = CONFIG
    sessions: ClassVar[SessionServer]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.sessions = SessionServer(stack)
        cls.start(stack, cls.sessions.port)

    def open(self, path: str = "/v1/realtime", **options: Any) -> ClientConnection:
        """A WebSocket through the daemon, which is closed after the test."""
        client = websocket(self.daemon, path, **options)
        self.addCleanup(client.socket.close)
        return client


class SDKTests(SessionTestCase):
    """The OpenAI SDK."""

    def test_updates(self) -> None:
        """The updates of both schemas have the rules applied, and keep the rest; audio passes to the byte."""
        audio = base64.b64encode(noise(1_000_000)).decode()
        session: dict[str, Any] = {"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}}
        with openai_client(self.daemon) as client, client.realtime.connect(model="gpt-realtime") as connection:
            self.assertEqual(connection.recv().type, "session.created")
            connection.session.update(session={**session, "instructions": "Be brief."})  # type: ignore[typeddict-item]
            self.assertEqual(connection.recv().type, "session.updated")
            connection.input_audio_buffer.append(audio=audio)
            connection.recv_bytes()
            connection.input_audio_buffer.commit()
            self.assertEqual(connection.recv().type, "input_audio_buffer.committed")
        served = self.sessions.ended()
        self.assertEqual(served.transcriptions(), [{"language": "zh", "prompt": "Katharine, MLX.", "model": "large"}])
        self.assertEqual(served.updates()[0]["session"]["instructions"], "Be brief.")
        self.assertEqual(json.loads(served.messages[1]), {"type": "input_audio_buffer.append", "audio": audio})
        self.assertEqual((served.path, served.ending), ("/v1/realtime?model=gpt-realtime", (1000, "")))

    def test_added(self) -> None:
        """A client that describes no session gets the fields of the configuration."""
        query = {"intent": "transcription"}
        with (
            openai_client(self.daemon) as client,
            client.realtime.connect(model="m", extra_query=query) as connection,
        ):
            connection.input_audio_buffer.append(audio="AAAA")
            self.assertEqual([connection.recv().type for _ in range(2)], ["session.created", "session.updated"])
        served = self.sessions.ended()
        self.assertEqual((served.transcriptions(), served.updates()[0]["session"]["type"]), ([FIELDS], "transcription"))


class SessionTests(SessionTestCase):
    """Plain clients."""

    def first(self, path: str, **options: Any) -> Any:
        """The update that is sent before the audio of a client."""
        with self.open(path, **options) as client:
            client.send(APPEND)
            client.recv(LIMIT_S)
        served = self.sessions.ended()
        self.assertEqual((len(served.messages), served.messages[1]), (2, APPEND))
        return served.updates()[0]

    def test_schemas(self) -> None:
        """The update that is added has the schema and the type for which the request asks."""
        beta = {"additional_headers": {"OpenAI-Beta": "realtime=v1"}}
        browser: Any = {"subprotocols": ["realtime", "openai-beta.realtime-v1"]}
        nested = {"audio": {"input": {"transcription": FIELDS}}}
        flat = {"session": {"input_audio_transcription": FIELDS}}
        asked = "/v1/realtime?intent=transcription"
        update, transcription = {"type": "session.update"}, {"type": "transcription_session.update"}
        self.assertEqual(self.first("/v1/realtime"), {**update, "session": {"type": "realtime", **nested}})
        self.assertEqual(self.first(asked), {**update, "session": {"type": "transcription", **nested}})
        self.assertEqual(self.first("/realtime", **beta), {**update, **flat})
        self.assertEqual(self.first(asked, **beta), {**transcription, **flat})
        self.assertEqual(self.first("/v1/realtime", **browser), {**update, **flat})

    def test_paths(self) -> None:
        """Spellings that lead to a session, listed paths and profiles have the rules; a detour is refused."""
        for path in ("/realtime/", "/v1%2Frealtime", "/v1/re%61ltime", "/ws", "/v1/ws"):
            with self.naming(path):
                self.assertEqual(self.first(path)["session"]["audio"]["input"]["transcription"], FIELDS)
        german = {"language": "de", "model": "small"}
        agent = {"user_agent_header": "OpenWebUI/1"}
        for path, options in (("/profiles/german/v1/realtime", {}), ("/v1/realtime", agent)):
            self.assertEqual(self.first(path, **options)["session"]["audio"]["input"]["transcription"], german)
        self.assertIn("$choose[0]: german", self.daemon.stats()["chosen"])

    def test_untouched(self) -> None:
        """Messages that describe no session pass as they are, with their fragments and the pings between them."""
        sent: list[Any] = [b"", b"\0\1{", '{"x":  1.50}', APPEND, ["{", '"type": "a\\u0062"', "}"], [b"ab", b"", b"c"]]
        with self.open() as client:
            self.assertNotIn("permessage-deflate", self.sessions.sessions[-1].extensions)
            for message in sent:
                client.send(message)
                client.ping().wait(LIMIT_S)
        joined = [type(message[0])().join(message) if isinstance(message, list) else message for message in sent]
        self.assertEqual(self.sessions.ended().messages[1:], joined)

    def test_long(self) -> None:
        """Megabytes in one message pass, whether its type comes first or last."""
        audio = base64.b64encode(noise(20_000_000)).decode()
        with self.open() as client:
            for names in (("type", "audio"), ("audio", "type")):
                members = {"audio": audio, "type": "input_audio_buffer.append"}
                message = json.dumps({name: members[name] for name in names})
                client.send(message)
                while json.loads(client.recv(LIMIT_S))["type"] != members["type"]:
                    pass
                self.assertTrue(self.sessions.sessions[-1].messages[-1] == message, names)

    def test_refused(self) -> None:
        """What servers would read differently ends the session; both sides and the log get the reason."""
        long = "A" * 1_000_000
        update = '"type":"session.update"'
        for message, code, reason in (
            ('{"type":"a","type":"session.update"}', 1007, "'type' appears twice"),
            ('{"Type":"session.update"}', 1008, "spelled like 'type'"),
            ('{"type":"session.update","Session":{}}', 1008, "spelled like 'session'"),
            ('{"type":"session.update","session":[]}', 1008, "'input_audio_transcription' must be an object"),
            ('{"type":"session.update"', 1007, "ends before"),
            ("hello", 1007, "must be one JSON object"),
            (b'{"type":"session.update"}', 1003, "text messages"),
            ('{"type":"session.update"}'.encode("utf-16"), 1003, "text messages"),
            (f'{{{update},"x":"{long}"}}', 1009, "longer than 262144"),
            (f'{{"x":"{long}",{update}}}', 1009, "within its first 262144"),
        ):
            with self.naming(message[:30]):
                client = self.open()
                client.send(message)
                with self.assertRaises(ConnectionClosedError) as caught:
                    while True:
                        client.recv(LIMIT_S)
                close = caught.exception.rcvd
                assert close is not None
                self.assertEqual(close.code, code)
                self.assertIn(reason, close.reason)
                served = self.sessions.ended()
                self.assertNotIn(
                    "session.update", str([each for each in served.messages if "transcription" not in each])
                )
                self.daemon.wait_for_log(f"The realtime session of 127.0.0.1 was ended with {code}: .*{reason}")
        self.assertGreaterEqual(self.daemon.stats()["realtime"]["refused"], 10)


class OwnDaemonTests(SessionTestCase):
    """Daemons of one test."""

    def before_sessions(self, config: Any) -> Daemon:
        """A daemon with the server of sessions."""
        return self.start_daemon("--target", f"http://127.0.0.1:{self.sessions.port}", config=config)

    def test_edited(self) -> None:
        """An edit holds for the next session, and not for one that goes on."""
        daemon = self.before_sessions(CONFIG)
        with websocket(daemon) as before:
            daemon.configure({**CONFIG, "language": "fr"})
            before.send(APPEND)
            before.recv(LIMIT_S)
        self.assertEqual(self.sessions.ended().transcriptions()[0]["language"], "zh")
        with websocket(daemon) as after:
            after.send(APPEND)
            after.recv(LIMIT_S)
        self.assertEqual(self.sessions.ended().transcriptions()[0]["language"], "fr")
        daemon.configure({**CONFIG, "$realtime": False})
        self.assertIn("$realtime", daemon.log())
        with websocket(daemon) as off:
            off.send(APPEND)
            off.recv(LIMIT_S)
        served = self.sessions.ended()
        self.assertEqual(served.messages, [APPEND])
        self.assertIn("permessage-deflate", served.extensions)
        self.assertEqual(daemon.stats()["realtime"], {"added": 2, "sessions": 2})

    def test_stop(self) -> None:
        """On SIGTERM both sides are told between two frames, and the daemon ends."""
        daemon = self.before_sessions(CONFIG)
        client = websocket(daemon)
        self.addCleanup(client.socket.close)
        client.send(APPEND)
        until(lambda: APPEND in self.sessions.sessions[-1].messages, "the message at the server", LIMIT_S)
        daemon.signal(signal.SIGTERM)
        with self.assertRaises(ConnectionClosed) as caught:
            while True:
                client.recv(LIMIT_S)
        assert caught.exception.rcvd is not None
        self.assertEqual((caught.exception.rcvd.code, self.sessions.ended().ending), (1001, (1001, "")))
        self.assertEqual(daemon.wait(), 0)
