"""
The findings of one reading: the first ones in full, the rest counted.
"""

from __future__ import annotations

from .model import Finding

#: Largest number of errors, and of warnings, that are told in full.
MAX_FINDINGS = 100


class Findings:
    """
    What was found, the first `MAX_FINDINGS` of it in full; of a large file with the same fault everywhere, more would
    only fill logs.
    """

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def full(self) -> bool:
        """Whether further ones are only counted."""
        return len(self._found) == MAX_FINDINGS

    def add(self, finding: Finding) -> None:
        """Keep one; the same one is kept once."""
        self._found[finding] = None

    def count(self) -> None:
        """One more than are kept."""
        self._more += 1

    def sorted(self, what: str) -> tuple[Finding, ...]:
        """
        Those that were kept, in the order of their places, and how many more there are.

        :param what: their plural, for that.
        """
        found = tuple(sorted(self._found, key=_place))
        return (*found, Finding(f"and {self._more} more {what}", found[0].file)) if self._more else found


def _place(finding: Finding) -> tuple[str, int, int]:
    return finding.file, finding.line, finding.column
