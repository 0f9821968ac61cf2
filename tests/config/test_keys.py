"""
Tests for :mod:`sttproxy.config.keys`.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import parse
from sttproxy.config.files import Files
from sttproxy.config.keys import read_keys

A, B = "a" * 64, "b" * 64


class KeysTests(SynchronousTestCase):
    """API keys and their profiles."""

    def read(self, data: bytes | str) -> tuple[dict[str, str], list[str]]:
        """What is read from a file of keys, and the errors."""
        config = parse(b'{"$profiles": {"medical": {}, "english": {}}}')
        files = Files("/config.json", lambda _: data)
        found = read_keys(files, "/keys.json", config)
        return found, [str(finding) for finding in files.errors.sorted("errors")]

    def test_read(self) -> None:
        """Keys are hexadecimal in either case; the digits are folded."""
        members = {"sha256:" + A.upper(): "medical", "sha256:" + B: "", "$comment": "ours"}
        self.assertEqual(self.read(json.dumps(members).encode()), ({A: "medical", B: ""}, []))

    def test_errors(self) -> None:
        """Each member that cannot be used is an error with its place, and the others are read."""
        for members, error in (
            (f'"sha256:{B[1:]}": "medical"', "64 hexadecimal digits"),
            ('"sk-live-1234": "medical"', "64 hexadecimal digits"),
            (f'"sha256:{A.upper()}": "medical"', "the same key appears twice"),
            (f'"sha256:{B}": "unknown"', 'the name of a profile, or "" for none; '),
            (f'"sha256:{B}": 1', 'the name of a profile, or "" for none; '),
        ):
            found, (line,) = self.read(f'{{"sha256:{A}": "medical",\n {members}}}'.encode())
            self.assertEqual(found, {A: "medical"})
            self.assertTrue(line.startswith("/keys.json:2:"), line)
            self.assertIn(error, line)
            self.assertNotIn("sk-live", line)

    def test_unreadable(self) -> None:
        """A file that cannot be read, or is not a JSON object, gives no keys and one error without its contents."""
        for data in ("permission denied", b'{"sk-live": 1', b"[]"):
            found, errors = self.read(data)
            self.assertEqual((found, len(errors)), ({}, 1), data)
            self.assertNotIn("sk-live", errors[0])
