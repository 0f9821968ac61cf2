"""
What the configuration asks of a form, in bytes and ready to be applied.
"""

from __future__ import annotations

import functools
import unicodedata

import attrs

from ..config import Config, fold
from ..errors import MalformedForm


@attrs.frozen
class Rules:
    """
    :ivar ruled: folded names of the fields whose client copies are dropped.
    :ivar forced: names and values to write into a form, UTF-8, in the order of the file.
    :ivar forced_json: names and JSON texts to write into a JSON object.
    """

    ruled: frozenset[str]
    forced: tuple[tuple[bytes, bytes], ...]
    forced_json: tuple[tuple[str, str], ...]

    def rules(self, name: str) -> bool:
        """
        Whether a client's field of this name, in any spelling, is dropped.

        ``_charset_`` always is: a parser that obeys it (RFC 7578 §4.6) would decode our fields by it.

        :raises MalformedForm: when the name holds a control character, at which some parsers would cut it off.
        """
        if not name.isprintable() and any(unicodedata.category(char) == "Cc" for char in name):
            raise MalformedForm("The name of a field holds a control character.")
        folded = fold(name)
        if folded in self.ruled or folded == "_charset_":
            return True
        # PHP makes an underscore of a bracket that is never closed.
        return "[" in name and "]" not in name and fold(name.replace("[", "_")) in self.ruled


@functools.lru_cache(maxsize=8)
def rules_of(config: Config) -> Rules:
    """The rules of a configuration; computed once for each that is in force."""
    return Rules(
        ruled=frozenset(config.fields),
        forced=tuple(
            (name.encode(), value.encode()) for field in config.fields.values() for name, value in field.parts
        ),
        forced_json=tuple(
            (field.name.removesuffix("[]"), field.json) for field in config.fields.values() if field.json is not None
        ),
    )
