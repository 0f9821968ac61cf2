"""
What the configuration asks of a form, in bytes and ready to be applied.
"""

from __future__ import annotations

import functools

import attrs

from ..config import Config, fold


@attrs.frozen
class Rules:
    """
    :ivar ruled: folded names of the fields whose client copies are dropped.
    :ivar forced: names and values to write, UTF-8, in the order of the file.
    """

    ruled: frozenset[str]
    forced: tuple[tuple[bytes, bytes], ...]

    def rules(self, name: str) -> bool:
        """Whether a client's field of this name, in any spelling, is dropped."""
        return fold(name) in self.ruled


@functools.lru_cache(maxsize=8)
def rules_of(config: Config) -> Rules:
    """The rules of a configuration; computed once for each that is in force."""
    return Rules(
        ruled=frozenset(config.fields),
        forced=tuple(
            (name.encode(), value.encode()) for field in config.fields.values() for name, value in field.parts
        ),
    )
