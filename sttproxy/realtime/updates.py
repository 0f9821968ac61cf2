"""
Updates of a session: the rules are applied to the fields of its transcription.

OpenAI's API has had two schemas.  In the beta schema these fields are in ``session.input_audio_transcription``, in the
current one in ``session.audio.input.transcription``.  All other text of an update stays as the client wrote it.
"""

from __future__ import annotations

import functools
import json
from urllib.parse import parse_qsl

import attrs

from ..config import Field, Rules, fold
from ..errors import BadRequest
from ..forms.evaluation import Evaluation
from ..forms.json import JSONRewriter
from ..http1.heads import Head
from ..jsontext import JSONError, Number, Object, Value, parse
from .messages import SESSION_UPDATE, TRANSCRIPTION_UPDATE
from .refusal import INVALID_DATA, POLICY_VIOLATION, Refusal

_BETA = ("input_audio_transcription",)
_CURRENT = ("audio", "input", "transcription")

#: Members that only a session in the beta schema has.
_BETA_ONLY = frozenset({*_BETA, "input_audio_format", "modalities", "output_audio_format", "turn_detection", "voice"})
_BETA_PROTOCOL = b"openai-beta.realtime-v1"


@attrs.frozen
class Dialect:
    """
    What the head of a request shows about the messages of the session.

    :ivar beta: whether they have the beta schema.
    :ivar transcribes: whether the session only transcribes, and has no conversation.
    """

    beta: bool = False
    transcribes: bool = False


def dialect_of(head: Head, query: bytes) -> Dialect:
    """
    The dialect of a session.

    Browsers cannot set headers, so OpenAI's API takes the header ``OpenAI-Beta: realtime=v1`` as a subprotocol, too.

    :param query: the query of the request.
    """
    beta = any(b"realtime=v1" in value.replace(b" ", b"").lower() for value in head.values(b"openai-beta"))
    offered = b",".join(head.values(b"sec-websocket-protocol")).lower()
    intents = [value for name, value in parse_qsl(query.decode("utf-8", "replace")) if name == "intent"]
    return Dialect(beta or _BETA_PROTOCOL in offered, "transcription" in intents)


#: An edit: what replaces the text of a span.
_Edit = tuple[int, int, str]


class Updates:
    """
    Applies rules to the updates of one session.

    A forced field is in each update.  A default is in each update until the client has sent the field once, because a
    later update changes only what it contains; the same is true for texts without a value of the client to join.
    """

    def __init__(self, rules: Rules, dialect: Dialect) -> None:
        """
        :param rules: only those for the fields of sessions are applied.
        """
        self._rules = rules.of_sessions
        self._dialect = dialect
        self._sent: set[str] = set()

    def first(self) -> str:
        """The update to send to a server before a client's other messages; empty if it would have no field."""
        made = self._made()
        if not made:
            return ""
        path = _BETA if self._dialect.beta else _CURRENT
        type_ = TRANSCRIPTION_UPDATE if self._dialect.beta and self._dialect.transcribes else SESSION_UPDATE
        return f'{{"type":"{type_}","session":{self._session(path, made)}}}'

    def edited(self, text: str) -> str:
        """
        Apply the rules to a client's update.

        :return: the same text if it has the right values already.
        :raises Refusal: when it is not JSON, or when servers would read it differently.
        """
        try:
            root = parse(text)
        except JSONError as error:
            raise Refusal(INVALID_DATA, f"A message must be one JSON object: {error.message}.") from None
        session = _member(root, "session")
        in_root, in_session = self._edits(text, root), self._edits(text, session)
        missing = [path for path in self._wanted(root, session) if path not in in_session]
        made = self._made() if missing else ""
        added = [self._insertion(root, session, path, made) for path in missing] if made else []
        for start, end, new in sorted([*in_root.values(), *in_session.values(), *added], reverse=True):
            text = text[:start] + new + text[end:]
        return text

    def _edits(self, text: str, holder: Value | None) -> dict[tuple[str, ...], _Edit]:
        """The edits that apply the rules to the transcriptions in an object, by their paths."""
        places = {path: _place(holder, path) for path in (_BETA, _CURRENT)}
        return {path: (at.start, at.end, self._applied(text, at)) for path, at in places.items() if at is not None}

    def _applied(self, text: str, place: Value) -> str:
        """The fields of a transcription with the rules applied."""
        source = text[place.start : place.end]
        if place.data is None:
            # The client switches the transcription off.  That would drop the forced fields and the texts.
            forced = any(field.parts for field in self._rules.forced)
            self._sent -= self._rules.joined_by_name.keys()
            return self._made() if forced or self._rules.joined else source
        new = self._rewritten(source)
        return source if _plain(new) == _plain(source) else new

    def _wanted(self, root: Value, session: Value | None) -> list[tuple[str, ...]]:
        """
        Where a server may look for the transcription in an update, by the schema that the update and the head of the
        request show.

        An update that shows both schemas is wrong, and a server that does not refuse it may look in either place.
        """
        type_ = _member(root, "type")
        members = session.data.members if session is not None and isinstance(session.data, Object) else ()
        names = {member.key for member in members}
        current = bool(names & {"type", "audio"})
        beta = self._dialect.beta or (type_ is not None and type_.data == TRANSCRIPTION_UPDATE)
        if not current and names & _BETA_ONLY:
            beta = True
        return [path for path, shown in ((_BETA, beta), (_CURRENT, current or not beta)) if shown]

    def _insertion(self, root: Value, session: Value | None, path: tuple[str, ...], made: str) -> _Edit:
        """The edit that adds a transcription."""
        if session is None or session.data is None:
            return _put(root, ("session",), self._session(path, made))
        return _put(session, path, made)

    def _session(self, path: tuple[str, ...], made: str) -> str:
        """A session that has only a transcription."""
        if path == _BETA:
            return _nested(_BETA, made)
        type_ = "transcription" if self._dialect.transcribes else "realtime"
        return f'{{"type":"{type_}",{_nested(_CURRENT, made)[1:]}'

    def _made(self) -> str:
        """A transcription of which the client says nothing; empty if it has no field."""
        made = self._rewritten("{}")
        return "" if made == "{}" else made

    def _rewritten(self, source: str) -> str:
        """
        Apply the rules to the text of an object.

        :raises Refusal: when servers would read it differently.
        """
        rewriter = JSONRewriter(_OfSession(self._rules, self._sent), None)
        try:
            return b"".join([*rewriter.feed(source.encode()), *rewriter.finish()]).decode()
        except BadRequest as error:
            raise Refusal(POLICY_VIOLATION, error.message) from None


class _OfSession(Evaluation):
    """The rules applied to one update of a session."""

    def __init__(self, rules: Rules, sent: set[str]) -> None:
        """
        :param sent: the folded names of the fields that the client has sent in the session; grows.
        """
        super().__init__(rules)
        self._sent_before = sent

    def missing(self) -> list[Field]:
        self._sent_before.update(self._sent)
        return [field for field in super().missing() if self.key(field.name) not in self._sent_before]


def _member(value: Value, name: str) -> Value | None:
    """
    The value of a member of an object; None if the object does not have it.

    :raises Refusal: when the value is no object, or the name is spelled in another way, which some servers accept.
    """
    if not isinstance(value.data, Object):
        raise Refusal(POLICY_VIOLATION, f"The value around {name!r} must be an object.")
    found = None
    for member in value.data.members:
        if member.key == name:
            found = member.value
        elif fold(member.key) == name:
            raise Refusal(POLICY_VIOLATION, f"A member must not be spelled like {name!r} in another way.")
    return found


def _place(holder: Value | None, path: tuple[str, ...]) -> Value | None:
    """
    The transcription at the end of a path: an object or null; None if the path does not lead to it.

    :raises Refusal: as `_member` does, and when the transcription is neither an object nor null.
    """
    found = holder
    for name in path:
        if found is None or found.data is None:
            return None
        found = _member(found, name)
    if found is not None and not isinstance(found.data, Object | None):
        raise Refusal(POLICY_VIOLATION, f"The value of {path[-1]!r} must be an object.")
    return found


def _nested(path: tuple[str, ...], text: str) -> str:
    """An object in which a path leads to a value."""
    for name in reversed(path):
        text = f'{{"{name}":{text}}}'
    return text


def _put(holder: Value, path: tuple[str, ...], text: str) -> _Edit:
    """The edit that adds a value at the end of a path, below what exists of the path."""
    name, rest = path[0], path[1:]
    assert isinstance(holder.data, Object), "the path was read before"
    found = _member(holder, name)
    if found is not None and found.data is not None:
        return _put(found, rest, text)
    if found is not None:
        return found.start, found.end, _nested(rest, text)
    at = holder.start + 1
    return at, at, f'"{name}":{_nested(rest, text)}{"," if holder.data.members else ""}'


#: Decodes JSON, with numbers as written.
_plain = functools.partial(json.loads, parse_int=Number, parse_float=Number)
