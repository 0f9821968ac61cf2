"""
Tables of forms and their results, held for every cut.
"""

from __future__ import annotations

from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from .rewriting import BOUNDARY, bytewise, form, rewrite, rules_for


@attrs.frozen
class Row:
    """A configuration, the parts that a client sends, and the expected parts."""

    fields: dict[str, Any]
    sent: tuple[bytes, ...]
    leaves: tuple[bytes, ...]


def ways(body: bytes) -> list[list[bytes]]:
    """The pieces of a body, for several cuts."""
    return [[body], bytewise(body), *([body[:cut], body[cut:]] for cut in range(1, len(body)))]


class RowsTestCase(SynchronousTestCase):
    """Tests of tables."""

    def hold(self, rows: dict[str, Row]) -> None:
        """
        Check that the result of each row has exactly the expected parts and then padding, in the promised length, for
        every cut.
        """
        for name, row in rows.items():
            rules = rules_for(**row.fields)
            leaves = form(*row.leaves, boundary=b"=" * len(BOUNDARY), end=b"")
            for body in (form(*row.sent), form(*row.sent, end=b""), b"\r\n" + form(*row.sent, end=b"\r\nepilogue")):
                for counted in (True, False):
                    whole = rewrite(rules, BOUNDARY, [body], counted).comparable
                    self.assertTrue(whole.startswith(leaves), f"{name}, {counted=}: {whole!r}")
                    tail = whole.removeprefix(leaves)
                    self.assertEqual(tail.removeprefix(b"\r\n").strip(b" "), b"", name)
                    if not counted:
                        self.assertEqual(tail, b"\r\n", name)
                    for pieces in ways(body):
                        output = rewrite(rules, BOUNDARY, pieces, counted)
                        self.assertEqual(output.length, len(output.body) if counted else None, (name, body))
                        self.assertEqual(output.comparable, whole, (name, [len(piece) for piece in pieces[:2]]))
