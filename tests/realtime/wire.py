"""
What a client sends in a session, and what a server gets; the library `websockets` writes and reads the frames.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from sttproxy import config
from sttproxy.realtime.session import Session
from sttproxy.realtime.updates import Dialect

#: The rules of most tests.
CONFIG = {
    "language": "zh",
    "response_format": "json",
    "$default": {"model": "small"},
    "$map": {"model": {"whisper-1": "large"}},
}
FIELDS = {"language": "zh", "model": "small"}
APPEND = '{"type":"input_audio_buffer.append","audio":"AAAA"}'


def frame(data: str | bytes, opcode: Opcode | None = None, fin: bool = True) -> bytes:
    """A frame of a client; of text or of bytes, unless it has another opcode."""
    usual = Opcode.TEXT if isinstance(data, str) else Opcode.BINARY
    return Frame(usual if opcode is None else opcode, data.encode() if isinstance(data, str) else data, fin).serialize(
        mask=True
    )


def fragments(*pieces: str | bytes) -> list[bytes]:
    """The frames of one message."""
    last = len(pieces) - 1
    return [frame(piece, Opcode.CONT if number else None, number == last) for number, piece in enumerate(pieces)]


def session_of(fields: Any = CONFIG, dialect: Dialect | None = None) -> tuple[Session, Counter[str]]:
    """A session with the rules of a configuration, and its counters."""
    counts: Counter[str] = Counter()
    return Session(config.parse(json.dumps(fields).encode()).base, dialect or Dialect(), counts), counts


def frames_of(data: bytes) -> list[Frame]:
    """The complete frames that a server reads."""
    server = ServerProtocol(state=State.OPEN, max_size=None)
    server.receive_data(data)
    return [event for event in server.events_received() if isinstance(event, Frame)]


def messages_of(data: bytes) -> list[str | bytes]:
    """The complete messages that a server reads."""
    found: list[str | bytes] = []
    pieces: list[bytes] = []
    is_text = False
    for each in frames_of(data):
        if each.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            is_text = each.opcode is Opcode.TEXT if each.opcode is not Opcode.CONT else is_text
            pieces.append(bytes(each.data))
            if each.fin:
                message = b"".join(pieces)
                found.append(message.decode() if is_text else message)
                pieces = []
    return found


def fed(session: Session, data: Iterable[bytes]) -> bytes:
    """Everything that a session returns for pieces of data."""
    return b"".join(session.feed(piece) for piece in data)


def bytewise(data: bytes) -> list[bytes]:
    """Single bytes."""
    return [data[at : at + 1] for at in range(len(data))]
