"""
What a form asks of the response: the format, a stream, the times of words.
"""

from __future__ import annotations

from ..config import Default, Rules, Text
from ..config.names import FORMAT, GRANULARITIES, STREAM
from .plans import PASSES, Settled

#: The format that servers send if none is asked for.
USUAL = "json"
_TRUE = frozenset({b"true", b"1", b"on", b"yes", b"y", b"t"})


class Wishes:
    """
    The fields about the response, as the client sent them, and as the server got them.

    :ivar requested: the client's ``response_format``; `USUAL` if it has none.
    :ivar streams: whether the client asks for a stream.
    :ivar words: whether the client asks for the times of words.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._passed: str | None = None
        self.requested = USUAL
        self.streams = False
        self.words = False

    def add(self, key: str, value: bytes | None, settled: Settled) -> None:
        """
        Take a field of the client.

        :param key: its folded name.
        :param value: the client's value; None for a list or an object in a JSON body.
        :param settled: what the rules made of it.
        """
        if key == STREAM:
            self.streams = value is not None and value.strip().lower() in _TRUE
        elif key == GRANULARITIES:
            # A list is not read further: more than was asked for does no harm.
            self.words = self.words or value is None or b"word" in value
        elif key == FORMAT and value is not None:
            asked = value.decode("utf-8", "replace").strip().lower()
            self.requested = asked or USUAL
            if isinstance(settled, Text):
                self._passed = settled.text
            elif settled is PASSES:
                self._passed = asked

    @property
    def response_format(self) -> str | None:
        """The ``response_format`` that the server gets; None if it gets none."""
        forced = self._rules.forced_by_name.get(FORMAT)
        if forced is not None:
            return forced.parts[0][1] if forced.parts else None
        if self._passed is not None:
            return self._passed
        for rule in (self._rules.joined_by_name.get(FORMAT), self._rules.defaults_by_name.get(FORMAT)):
            if rule is not None:
                field = rule.field if isinstance(rule, Default) else rule.alone
                return field.parts[0][1] if field.parts else None
        return None
