"""
Edits of the configuration while the daemon runs, in all common ways of editing files.
"""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

from .case import UNPOOLED, RawTestCase, StagedTestCase
from .daemon import Daemon
from .forms import File, content_type, form
from .message import counted, request
from .process import until
from .raw import connect
from .upstream import shared_echo

FORM = form([("file", File(b"audio")), ("language", "en")])


class ReloadTestCase(StagedTestCase):
    """
    Each test has its own daemon with the echo server.

    Its first configuration forces the language ``zh``.
    """

    def setUp(self) -> None:
        super().setUp()
        self.own = self.before_echo()

    def before_echo(self, *options: str, config: Any = '{"language": "zh"}') -> Daemon:
        """A daemon with the echo server."""
        target = ("--target-host", "127.0.0.1", "--target-port", str(shared_echo().port))
        return self.start_daemon(*target, *options, config=config)

    def language(self) -> str:
        """The language that is forced in a transcription now."""
        client = connect(self.own.port)
        try:
            client.send(request("POST", "/v1/audio/transcriptions", content_type(), counted(FORM)) + FORM)
            return str(dict(client.read_message().json()["form"])["language"])
        finally:
            client.close()

    def wait_for(self, language: str) -> None:
        """Wait until this language is forced in transcriptions."""
        until(lambda: self.language() == language, f"the language {language}")

    def write(self, text: str, path: str = "") -> None:
        """Write a file in place."""
        with open(path or self.own.path, "w", encoding="utf-8") as file:
            file.write(text)

    def wait_for_error(self, pattern: str) -> str:
        """Wait until /stats shows an error of the configuration; return the error."""

        def look() -> str:
            error: str = self.own.stats()["config"]["error"] or ""
            return error if re.search(pattern, error) else ""

        return until(look, f"the error {pattern}")


class Edits(ReloadTestCase):
    """Edits of a valid file into another valid one."""

    def test_in_place(self) -> None:
        """A file that is overwritten in place takes effect."""
        for language in ("de", "fr", "zh"):
            self.write(json.dumps({"language": language}))
            self.wait_for(language)
        self.assertEqual(self.own.stats()["config"]["generation"], 4)

    def test_renamed_over(self) -> None:
        """A file that is replaced by a rename takes effect, as editors and careful programs do it."""
        for language in ("de", "fr"):
            other = self.own.path + ".tmp"
            self.write(json.dumps({"language": language}), other)
            os.replace(other, self.own.path)
            self.wait_for(language)

    def test_same_size_and_time(self) -> None:
        """A change that keeps the file's size, time and inode takes effect."""
        before = os.stat(self.own.path)
        for language in ("de", "fr", "zh"):
            self.write(json.dumps({"language": language}))
            os.utime(self.own.path, ns=(before.st_atime_ns, before.st_mtime_ns))
            after = os.stat(self.own.path)
            self.assertEqual(
                (after.st_size, after.st_mtime_ns, after.st_ino), (before.st_size, before.st_mtime_ns, before.st_ino)
            )
            self.wait_for(language)

    def test_kubernetes(self) -> None:
        """A ConfigMap update takes effect: the link to a folder is swapped, and the file's own link stays."""
        folder = os.path.join(self.own.folder, "map")
        os.mkdir(folder)

        def publish(version: str, language: str) -> None:
            os.mkdir(os.path.join(folder, version))
            self.write(json.dumps({"language": language}), os.path.join(folder, version, "stt.json"))
            os.symlink(version, os.path.join(folder, "..data_tmp"))
            os.replace(os.path.join(folder, "..data_tmp"), os.path.join(folder, "..data"))

        publish("..2024_1", "de")
        os.symlink(os.path.join("..data", "stt.json"), os.path.join(folder, "stt.json"))
        self.own = self.before_echo("--config", os.path.join(folder, "stt.json"))
        self.assertEqual(self.language(), "de")
        publish("..2024_2", "fr")
        self.wait_for("fr")

    def test_put_back(self) -> None:
        """After a file is removed its configuration stays in force; a restored file takes effect again."""
        os.unlink(self.own.path)
        self.assertIn("cannot be read", self.wait_for_error("."))
        self.assertEqual(self.language(), "zh")
        self.write('{"language": "de"}')
        self.wait_for("de")
        self.assertIsNone(self.own.stats()["config"]["error"])
        os.unlink(self.own.path)
        self.wait_for_error(".")
        self.write('{"language": "de"}')
        until(lambda: self.own.stats()["config"]["error"] is None, "the end of the error")
        self.assertEqual((self.language(), self.own.stats()["config"]["generation"]), ("de", 2))

    def test_hangup(self) -> None:
        """SIGHUP makes the daemon read the file at once, and does not kill it."""
        for language in ("de", "fr"):
            self.write(json.dumps({"language": language}))
            self.own.signal(signal.SIGHUP)
            self.wait_for(language)
        self.own.wait_for_log("again")

    def test_fields_come_and_go(self) -> None:
        """A field that is removed from the file is not forced any more."""
        self.write("{}")
        self.wait_for("en")
        self.write('{"language": null, "model": "m"}')
        until(lambda: self.own.stats()["config"]["fields"] == ["language", "model"], "the new fields")

    def test_missing_at_first(self) -> None:
        """A file that was missing at the start, which is logged, takes effect when it is created."""
        self.own = self.before_echo(config=None)
        self.assertEqual(self.language(), "en")
        self.assertIn("no configuration", self.own.log())
        self.write('{"language": "de"}')
        self.wait_for("de")

    def test_log(self) -> None:
        """The log names the changed fields, and never their values."""
        self.write('{"language": "zh", "prompt": "geheim", "hotwords": ["secreto"]}')
        self.own.wait_for_log("changed: hotwords, prompt")
        self.write('{"language": "zh", "prompt": "noch geheimer", "hotwords": ["secreto"]}')
        self.own.wait_for_log("changed: prompt")
        self.wait_for("zh")
        self.write('{"language": "zh", "prompt": "am geheimsten" "hotwords": ["secreto"]}')
        self.wait_for_error(".")
        for word in ("geheim", "secreto"):
            self.assertNotIn(word, self.own.log() + self.own.errors() + json.dumps(self.own.stats()))


class Mistakes(ReloadTestCase):
    """Edits that make the file invalid: the last valid configuration stays in force."""

    def test_each(self) -> None:
        """Each mistake is shown in /stats with line and column, is logged once, and changes nothing."""
        errors = []
        for text, pattern in (
            ('{"language": "de"\n "prompt": 1}', r":2:2: "),
            ('{\n  "language": "de",\n  "language": "fr"\n}', r":3:3: .*language.*twice"),
            ('["language", "de"]', r":1:1: .*object"),
            ('{"language": "de"', r":1:18: "),
            ("", r":1:1: "),
            ('{"prompt": "会议", language: "de"}', r":1:18: "),
            ('{"language": {"a": {"b": 1}}}', r":1:20: .*language"),
            ('{"language": "de", "language[]": "fr"}', r":1:20: .*same field"),
        ):
            self.write(text)
            errors.append(self.wait_for_error(pattern))
            self.assertEqual(self.language(), "zh", text)
            self.assertEqual(self.own.stats()["config"]["generation"], 1)
        self.write('{"language": "fr"}')
        self.wait_for("fr")
        self.assertIsNone(self.own.stats()["config"]["error"])
        # The daemon checks each file several times before the next edit.
        for error in errors:
            self.assertEqual(self.own.log().count(error), 1, error)

    def test_not_text(self) -> None:
        """Bytes that are not UTF-8 are such a mistake, too."""
        with open(self.own.path, "wb") as file:
            file.write(b'{"language":\n "\xff"}')
        self.wait_for_error(r":2:3: .*UTF-8")
        self.assertEqual(self.language(), "zh")

    def test_not_a_file(self) -> None:
        """A folder or a pipe in the file's place is a mistake, too; the daemon does not block on the pipe."""
        os.unlink(self.own.path)
        os.mkdir(self.own.path)
        self.wait_for_error("regular file|directory")
        os.rmdir(self.own.path)
        os.mkfifo(self.own.path)
        self.wait_for_error("regular file")
        self.assertEqual(self.language(), "zh")

    def test_hangup(self) -> None:
        """SIGHUP reports a mistake, too."""
        self.write("{")
        self.own.signal(signal.SIGHUP)
        self.wait_for_error(":1:")
        self.assertEqual(self.language(), "zh")

    def test_good_again(self) -> None:
        """After a mistake is undone it is visible only in the log."""
        self.write("{")
        self.wait_for_error(":1:")
        self.write('{"language": "zh"}')
        until(lambda: self.own.stats()["config"]["error"] is None, "the end of the error")
        self.assertEqual(self.own.stats()["config"]["generation"], 1)


class RequestsUnderWay(RawTestCase):
    """A request and an edit at the same time."""

    config = '{"language": "zh"}'
    options = UNPOOLED

    def test_keeps_what_it_began_with(self) -> None:
        """A request keeps the configuration that it began with, however late its body arrives."""
        self.daemon.configure('{"language": "zh"}')
        begun = self.connect()
        begun.send(request("POST", "/v1/audio/transcriptions", content_type(), counted(FORM)))
        upstream = self.listener.accept()
        upstream.read_head()
        self.daemon.configure('{"prompt": "new"}')
        begun.send(FORM)
        body = upstream.read_until(b"--\r\n")
        self.assertIn(b'name="language"\r\n\r\nzh\r\n', body)
        self.assertNotIn(b"\r\nnew\r\n", body)
        self.assertNotIn(b"\r\nen\r\n", body)
        upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertEqual(begun.read_message().status, 204)
        after, _ = self.exchange(
            request("POST", "/v1/audio/transcriptions", content_type(), counted(FORM)) + FORM,
            b"HTTP/1.1 204 No Content\r\n\r\n",
        )
        self.assertIn(b'name="prompt"\r\n\r\nnew\r\n', after.body)
        self.assertIn(b'name="language"\r\n\r\nen\r\n', after.body)

    def test_on_a_kept_connection(self) -> None:
        """The next request on a client's connection uses the configuration that is then in force."""
        client = self.connect()
        for prompt in (b"one", b"two", b"three"):
            self.daemon.configure(json.dumps({"prompt": prompt.decode()}))
            client.send(request("POST", "/v1/audio/transcriptions", content_type(), counted(FORM)) + FORM)
            upstream = self.listener.accept()
            self.assertIn(b"\r\n\r\n" + prompt + b"\r\n", upstream.read_message().body)
            upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
            self.assertEqual(client.read_message().status, 204)
