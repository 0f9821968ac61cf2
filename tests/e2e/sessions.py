"""
A server of realtime sessions, and what it has received.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import attrs
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from .process import LIMIT_S, until

#: Events that answer messages, by their types; others are answered with the same type.
_ANSWERS = {"session.update": "session.updated", "input_audio_buffer.commit": "input_audio_buffer.committed"}


@attrs.define
class Served:
    """
    One session.

    :ivar path: the target of the request.
    :ivar extensions: what the request offers.
    :ivar messages: the messages of the client.
    :ivar ending: the code and the reason of its close; None while it goes on.
    """

    path: str
    extensions: str
    messages: list[str | bytes] = attrs.field(factory=list)
    ending: tuple[int, str] | None = None

    def updates(self) -> list[Any]:
        """The updates of the session."""
        found = [json.loads(message) for message in self.messages if isinstance(message, str)]
        return [each for each in found if each["type"].endswith("session.update")]

    def transcriptions(self) -> list[Any]:
        """The fields of the transcription in each update."""
        return [
            each["session"].get("input_audio_transcription") or each["session"]["audio"]["input"]["transcription"]
            for each in self.updates()
        ]


class SessionServer:
    """
    Answers like OpenAI's server: ``session.created``, and after each message an event that names its type.

    :ivar sessions: all sessions, in their order.
    """

    def __init__(self, stack: ExitStack) -> None:
        """
        :param stack: ends the server.
        """
        self.sessions: list[Served] = []
        server = serve(self._serve, "127.0.0.1", 0, max_size=None, select_subprotocol=_realtime)
        stack.enter_context(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.port: int = server.socket.getsockname()[1]

    def _serve(self, connection: ServerConnection) -> None:
        request = connection.request
        assert request is not None
        served = Served(request.path, request.headers.get("Sec-WebSocket-Extensions", ""))
        self.sessions.append(served)
        try:
            connection.send(json.dumps({"type": "session.created", "event_id": "1", "session": {"type": "realtime"}}))
            for message in connection:
                served.messages.append(message)
                answer = json.loads(message).get("type", "") if isinstance(message, str) else "bytes"
                names = {
                    "session.update": "session.updated",
                    "input_audio_buffer.commit": "input_audio_buffer.committed",
                }
                event = {"type": names.get(answer, answer), "event_id": "2", "session": {"type": "realtime"}}
                connection.send(json.dumps({**event, "item_id": "3"}))
        except ConnectionClosed:
            pass
        finally:
            served.ending = connection.close_code or 0, connection.close_reason or ""

    def ended(self, number: int = -1) -> Served:
        """Wait for the end of a session, and return it."""
        until(lambda: self.sessions[number].ending is not None, "the end of the session", LIMIT_S)
        return self.sessions[number]


def _realtime(connection: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The subprotocol that OpenAI's server selects if a browser offers it."""
    return Subprotocol("realtime") if "realtime" in offered else None
