"""
The guarantee of forced fields in realtime sessions: whatever a client sends, no server reads another value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from websockets.frames import Opcode

from sttproxy.config import fold

from .wire import fed, frame, messages_of, session_of

BETA = ("session", "input_audio_transcription", "language")
CURRENT = ("session", "audio", "input", "transcription", "language")


class Members(list[tuple[str, Any]]):
    """The members of an object."""


def objects(names: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with these names, sometimes repeated and in spellings that some servers accept."""
    usual = st.lists(st.tuples(st.sampled_from(names.split()), values), max_size=3, unique_by=lambda member: member[0])
    spellings = [change(name) for name in names.split() for change in (str, str.upper, str.title, escaped)]
    unusual = st.lists(st.tuples(st.sampled_from(spellings), values), max_size=3)
    return st.one_of(usual, usual, unusual).map(Members)


def escaped(name: str) -> str:
    """A name with an escape."""
    return f"\\u{ord(name[0]):04x}{name[1:]}"


LEAVES: st.SearchStrategy[Any] = st.sampled_from([None, Members(), Members(), "x", []])
FIELDS = objects("language model prompt", st.just("client"))
INPUTS = objects("transcription turn_detection", st.one_of(FIELDS, FIELDS, LEAVES))
AUDIO = objects("input output", st.one_of(INPUTS, INPUTS, LEAVES))
SESSIONS = objects("type audio input_audio_transcription voice", st.one_of(AUDIO, FIELDS, LEAVES))
ROOTS = objects("session session audio input_audio_transcription", st.one_of(SESSIONS, SESSIONS, AUDIO, FIELDS, LEAVES))
TYPES = st.sampled_from(["session.update", "transcription_session.update"])
UPDATES = st.tuples(TYPES, ROOTS).map(lambda drawn: Members([("type", drawn[0]), *drawn[1]]))


def written(value: Any) -> str:
    """JSON with repeated names."""
    if not isinstance(value, Members):
        return json.dumps(value)
    return "{" + ",".join(f'"{name}":{written(inner)}' for name, inner in value) + "}"


def found(value: Any, path: tuple[str, ...]) -> Iterator[Any]:
    """All values that a server may read at a path: with repeated names, and names that it compares in any way."""
    if not path:
        yield value
    elif isinstance(value, Members):
        for name, inner in value:
            if fold(name) == path[0]:
                yield from found(inner, path[1:])


class GuaranteeTests(SynchronousTestCase):
    """Whatever a client sends, no server reads another value."""

    @settings(max_examples=300)
    @given(st.lists(UPDATES, min_size=1, max_size=3), st.integers(1, 40), st.booleans())
    def test_forced(self, roots: list[Any], size: int, binary: bool) -> None:
        """No server reads the client's language, wherever it looks and however it compares names."""
        session, _ = session_of()
        texts = [written(root) for root in roots]
        sent = b"".join(frame(text.encode() if binary else text) for text in texts)
        out = fed(session, [sent[at : at + size] for at in range(0, len(sent), size)])
        for message in messages_of(out):
            root = json.loads(message, object_pairs_hook=Members)
            self.assertTrue([*found(root, BETA), *found(root, CURRENT)], message)
            for holder in ((), ("session",)):
                for path in (("input_audio_transcription",), ("audio", "input", "transcription")):
                    for language in found(root, (*holder, *path, "language")):
                        self.assertEqual(language, "zh", texts)

    @given(st.lists(st.binary(max_size=20), max_size=5), st.integers(1, 7))
    def test_any_bytes(self, noise: list[bytes], size: int) -> None:
        """Arbitrary bytes and payloads pass or are refused; nothing is returned after a refusal."""
        for data in (b"".join(noise), b"".join(frame(each, Opcode.TEXT) for each in noise)):
            session, counts = session_of()
            fed(session, [data[at : at + size] for at in range(0, len(data), size)])
            self.assertEqual(session.refused is not None, bool(counts["refused"]))
            if session.refused is not None:
                self.assertEqual(session.feed(data), b"")
