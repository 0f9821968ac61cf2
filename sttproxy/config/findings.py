"""
The errors or the warnings that one reading found: the first ones in full, the rest as a number.
"""

from __future__ import annotations

from .model import Finding

#: Largest number of errors, and of warnings, that are reported in full.
MAX_FINDINGS = 100


class Findings:
    """
    Keeps the first `MAX_FINDINGS` findings and counts the others.  A large file can have the same mistake everywhere,
    and the full list would only fill logs.
    """

    def __init__(self) -> None:
        self._found: dict[Finding, None] = {}
        self._more = 0

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def full(self) -> bool:
        """Whether the largest number is reached.  Count further findings then, do not add them."""
        return len(self._found) >= MAX_FINDINGS

    def add(self, finding: Finding) -> None:
        """Keep a finding.  A finding that is equal to an earlier one is kept once."""
        self._found[finding] = None

    def count(self) -> None:
        """Count a finding that is not kept."""
        self._more += 1

    def sorted(self, what: str) -> tuple[Finding, ...]:
        """
        The kept findings, ordered by file, line and column.  A last one says how many were only counted.

        :param what: the noun for that number, in the plural: ``errors``.
        """
        found = tuple(sorted(self._found, key=_place))
        return (*found, Finding(f"and {self._more} more {what}", found[0].file)) if self._more else found


def _place(finding: Finding) -> tuple[str, int, int]:
    return finding.file, finding.line, finding.column
