"""
Tests for :mod:`sttproxy.config.files`.
"""

from __future__ import annotations

import hashlib

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config.files import MAX_BYTES, Files
from sttproxy.jsontext import Object

FILE = "/etc/stt/config.json"


class FilesTestCase(SynchronousTestCase):
    """Tests of the files of one configuration, in memory."""

    def setUp(self) -> None:
        self.contents: dict[str, bytes | str] = {}
        self.files = Files(FILE, lambda path: self.contents.get(path, "no such file"))

    def errors(self) -> list[str]:
        """The errors so far, a line each."""
        return [str(finding) for finding in self.files.errors.sorted("errors")]


class DocumentTests(FilesTestCase):
    """One file becomes one JSON object."""

    def test_comments(self) -> None:
        """Members named ``$comment`` are removed, at any depth."""
        found = self.files.document(b'{"$comment": 1, "a": [{"$comment": "x", "b": {"$comment": null}}]}')
        assert found is not None
        self.assertEqual([member.key for member in found.members], ["a"])
        (inner,) = found.members[0].value.data  # type: ignore[misc]  # a list of one
        self.assertEqual([member.key for member in inner.data.members], ["b"])
        self.assertEqual(inner.data.members[0].value.data, Object(()))

    def test_byte_order_mark(self) -> None:
        """The byte order mark of UTF-8 is ignored."""
        self.assertIsNotNone(self.files.document(b"\xef\xbb\xbf{}"))
        self.assertEqual(self.errors(), [])

    def test_unusable(self) -> None:
        """Each error names the file, the place and what to do."""
        for data, error in (
            (b"", "the file is empty; a configuration without fields is {}"),
            (b"language: zh\n", "this is YAML"),
            (b"{\\rtf1", "this is RTF"),
            (b"[1]", "must hold a JSON object"),
            (b'{"a": 1, "a": 2}', ":1:10: the member 'a'"),
            (b'{"a":\n "\xff"}', "config.json:2:3: the file is not UTF-8"),
            ('{"a": 1}'.encode("utf-16"), "UTF-16 or UTF-32"),
            ('{"a": 1}'.encode("utf-32-be"), "UTF-16 or UTF-32"),
            (b" " * (MAX_BYTES + 1), "larger than 1048576 bytes"),
        ):
            self.setUp()
            self.assertIsNone(self.files.document(data), data[:20])
            (line,) = self.errors()
            self.assertTrue(line.startswith(FILE), line)
            self.assertIn(error, line)

    def test_secret(self) -> None:
        """With a message of the caller's, the error quotes nothing from the file."""
        self.assertIsNone(self.files.document(b'{"sk-secret": 1, "sk-secret": 2}', "this is not JSON"))
        (line,) = self.errors()
        self.assertNotIn("sk-secret", line)


class OtherFilesTests(FilesTestCase):
    """Further files and included texts."""

    def test_following(self) -> None:
        """Findings are about the file that was read last; one that cannot be read is an error."""
        self.contents["/keys.json"] = b"[]"
        self.assertEqual(self.files.following("/keys.json"), b"[]")
        self.files.error("wrong", 0, "")
        self.assertIsNone(self.files.following("/absent"))
        self.assertEqual(self.errors(), ["/absent: no such file", "/keys.json:1:1: wrong"])

    def test_included(self) -> None:
        """A path is relative to the file that includes it; one line break at the end is removed."""
        for text, expected in ((b"a\nb\n", "a\nb"), (b"a\r\n", "a"), (b"a\n\n", "a\n"), (b"", "")):
            self.contents["/etc/stt/prompts/a.txt"] = text
            self.assertEqual(self.files.included("prompts/a.txt", 0, "$.prompt"), expected)
        self.contents["/b"] = b"absolute"
        self.assertEqual(self.files.included("/b", 0, "$.prompt"), "absolute")
        self.assertEqual(self.errors(), [])

    def test_not_included(self) -> None:
        """A file that cannot be included is an error; its encoding is an error of that file."""
        self.contents.update({"/nul": b"a\0b", "/latin": b"caf\xe9"})
        for path, error in (
            ("/absent", "the file /absent: no such file"),
            ("/nul", "the file /nul holds a NUL character"),
            ("/latin", "/latin:1:4: the file is not UTF-8"),
        ):
            self.assertIsNone(self.files.included(path, 0, "$.prompt"))
            self.assertIn(error, self.errors()[-1])

    def test_digest(self) -> None:
        """The digest differs for each content of each file, and for each division of the same bytes into files."""
        digests = set()
        for first, second in ((b"{}", b"ab"), (b"{}", b"ac"), (b"{} ", b"ab"), (b"{}a", b"b")):
            self.setUp()
            self.contents["/b"] = second
            self.files.document(first)
            self.files.included("/b", 0, "$")
            digests.add(self.files.digest.hexdigest())
        self.assertEqual(len(digests), 4)
        self.setUp()
        self.files.document(b"{}")
        self.assertEqual(self.files.digest.hexdigest(), hashlib.sha256(b"{}").hexdigest())
