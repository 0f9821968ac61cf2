"""
Replay the fuzzer's corpus without the fuzzer.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from .inputs import check_form, check_head, chosen

_CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")


class CorpusTests(SynchronousTestCase):
    """The corpus, replayed."""

    def replayed(self, folder: str, check: Callable[[bytes], None]) -> None:
        """Check the invariants of every input in a folder, which has at least one."""
        names = sorted(os.listdir(os.path.join(_CORPUS, folder)))
        self.assertTrue(names)
        for name in names:
            with open(os.path.join(_CORPUS, folder, name), "rb") as file:
                data = file.read()
            try:
                check(data)
            except Exception as error:
                raise AssertionError(f"{folder}/{name}: {error!r}: {data!r}") from error

    def test_forms(self) -> None:
        """Forms are refused or rewritten so that the invariants hold."""
        self.replayed("forms", check_form)

    def test_kinds(self) -> None:
        """The corpus has every kind of body for all rules that are not empty."""
        folder = os.path.join(_CORPUS, "forms")
        found = set()
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                number, kind = chosen(file.read(1)[0])
            found.add((number, max(kind, 1)))
        expected = {(number, kind) for number in (0, 2, 3) for kind in (1, 2, 3)}
        self.assertEqual(expected - found, set())

    def test_heads(self) -> None:
        """Heads are refused, or read as h11 reads them."""
        self.replayed("heads", check_head)
