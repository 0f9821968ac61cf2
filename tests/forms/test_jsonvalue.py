"""
Tests for :mod:`sttproxy.forms.jsonvalue`, compared with the standard library's decoder.
"""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.forms.jsonvalue import MAX_NAME, MAX_NAMES, MAX_NUMBER, MAX_VALUES, ValueScanner
from sttproxy.jsontext import MAX_DEPTH, JSONError

from ..test_jsontext_oracle import mutated, strict, texts


def scanned(text: bytes, step: int | None = None) -> int | str:
    """
    The end of the value at the beginning of a text, or the message of the error.

    :param step: the size of the pieces in bytes; None: one piece.
    """
    scanner = ValueScanner()
    step = step or len(text)
    done, held = 0, b""
    for at in range(0, len(text), step):
        data = held + text[at : at + step]
        try:
            end = scanner.scan(data, 0)
        except JSONError as error:
            return error.message
        done, held = done + end, data[end:]
        if scanner.done:
            return done
    return "it is not complete"


class ScannerTests(SynchronousTestCase):
    """Tests for `ValueScanner`."""

    @given(texts(), st.integers(1, 9))
    def test_values(self, text: str, step: int) -> None:
        """The scanner finds the end of every value, for all cuts."""
        data = text.encode("utf-8", "surrogatepass") + b" "
        for each in (None, 1, step):
            end = scanned(data, each)
            assert isinstance(end, int), end
            self.assertEqual(data[:end].lstrip(), data.strip())

    @settings(max_examples=500)
    @given(mutated(), st.integers(1, 9))
    def test_mutated(self, text: str, step: int) -> None:
        """A value is accepted if and only if the standard decoder, made strict, accepts it."""
        data = b"[" + text.encode("utf-8", "surrogatepass") + b"]"
        ends = {str(scanned(data, each)) for each in (None, 1, step)}
        self.assertEqual(len(ends), 1, ends)
        try:
            strict(data.decode("utf-8", "surrogatepass"))
        except UnicodeEncodeError:
            return  # half of a surrogate pair: the scanner does not check for it inside values
        except ValueError:
            end = ends.pop()
            self.assertFalse(end.isdecimal() and int(end) == len(data), end)
        else:
            self.assertEqual(ends, {str(len(data))})

    def test_several(self) -> None:
        """One scanner checks many values; the limits on time and memory apply to all of them together."""
        scanner = ValueScanner()
        for _ in range(MAX_VALUES):
            scanner.begin()
            self.assertEqual((scanner.scan(b"1 ", 0), scanner.done), (1, True))
        scanner.begin()
        self.assertRaises(JSONError, scanner.scan, b"1 ", 0)

    def test_names(self) -> None:
        """The names of the outermost object are reported, each with the offset after it."""
        text = b'{"a": {"b": 1}, "\\u0063" : [{"d": 1}]}'
        names: list[tuple[str, int]] = []
        scanner = ValueScanner(lambda name, end: names.append((name, end)))
        scanner.scan(text, 0)
        self.assertEqual(names, [("a", text.index(b'a"') + 2), ("c", text.index(b" :"))])

    def test_limits(self) -> None:
        """Each limit is exact: input at the limit is accepted, input beyond it is rejected."""
        names = [b'"%0*d":1' % (MAX_NAME - 2, number) for number in range(MAX_NAMES // MAX_NAME + 1)]
        for text, outcome in (
            (b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, ""),
            (b"[" * (MAX_DEPTH + 1), "deeper"),
            (b'{"a":' * (MAX_DEPTH + 1), "deeper"),
            (b"[%b{}]" % (b"{}," * (MAX_VALUES - 2)), ""),
            (b"[%b{}]" % (b"{}," * (MAX_VALUES - 1)), "more than"),
            (b"[%b0]" % (b"-0.5e-3, " * 100_000), ""),
            (b'["%b"]' % (b"\\n" * 100_000), ""),
            (b"[%b]" % (b"1" * MAX_NUMBER), ""),
            (b"[%b]" % (b"1" * (MAX_NUMBER + 1)), "longer than"),
            (b"{%b}" % names[0], ""),
            (b'{"x%b}' % names[0][1:], "name is longer than"),
            (b"{%b}" % b",".join(names[:-1]), ""),
            (b"{%b}" % b",".join(names), "names of members"),
        ):
            self.assertIn(outcome, str(scanned(text)), text[:20])
            self.assertEqual(scanned(text) == len(text), not outcome, text[:20])

    def test_repeated(self) -> None:
        """A member that appears twice in one object is rejected, in any spelling; two objects may both have it."""
        for text in (b'{"a":1,"a":2}', b'[[{"a":1,"\\u0061":2}]]', b'{"b":{"a":{}},"c":1,"b":1}'):
            self.assertIn("appears twice", str(scanned(text)))
        self.assertEqual(scanned(b'[{"a":{"a":1}},{"a":2}]'), 23)
        self.assertEqual(json.loads('{"a":1,"a":2}'), {"a": 2})
