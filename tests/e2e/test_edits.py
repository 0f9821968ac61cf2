"""
A thousand edits of the configuration, of every kind, under load: each request uses one complete configuration.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import threading
from collections import Counter
from typing import Any

from .case import StagedTestCase
from .daemon import Daemon
from .forms import BOUNDARY, File, form
from .process import LIMIT_S, until
from .upstream import shared_echo

EDITS = 1000
#: Edits that must take effect before the next one is made.
ROUND = 20
CLIENTS = 3
FORM = form(
    [("language", "client"), ("mapped", "client"), ("file", File(b"audio" * 1000)), ("prompt", "client"), ("empty", "")]
)
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY}"


class Editor:
    """
    Edits a file and its included file, in a folder behind a symbolic link.

    The file has the same number in a forced field, a default, a table, a profile and a list, and the name of the
    folder that it was written for; so does the included text.

    :ivar number: of the last edit that left a complete file.
    :ivar done: the number of edits by kind.
    """

    def __init__(self, folder: str, seed: int) -> None:
        self._folder = folder
        self._link = os.path.join(folder, "current")
        self._random = random.Random(seed)
        self.path = os.path.join(self._link, "stt.json")
        self.number = 0
        self.done: Counter[str] = Counter()
        self._version = 0
        self._kinds = {
            "in place": self._in_place,
            "renamed": self._renamed,
            "link": self._swapped,
            "truncated": self._truncated,
            "deleted": self._deleted,
            "rights": self._without_rights,
            "half": self._half_written,
            "folder": self._made_a_folder,
            "included": self._included,
        }
        self._swapped()

    def edit(self, kind: str = "") -> None:
        """Make an edit, of a random kind if none is given."""
        kind = kind or self._random.choice(list(self._kinds))
        self._undo()
        self._kinds[kind]()
        self.done[kind] += 1

    def _text(self) -> bytes:
        """The next complete file."""
        self.number += 1
        number = f"{self.number:06d}"
        fields = {
            "language": number,
            "prompt": "x" * self._random.choice((0, 10, 5000)) + number,
            "numbers": [number, number],
            "folder": str(self._version),
            "included": {"$file": "included.txt"},
            "$default": {"default": number, "empty": {"value": number, "when_empty": True}},
            "$map": {"mapped": {"client": number, "*": "wrong"}},
            "$profiles": {"p": {"model": number}},
        }
        members = list(fields.items())
        self._random.shuffle(members)
        return json.dumps(dict(members), indent=self._random.choice((None, 1))).encode()

    def _undo(self) -> None:
        """Undo what would prevent the next edit."""
        if os.path.isdir(self.path):
            os.rmdir(self.path)
        if os.path.exists(self.path):
            os.chmod(self.path, 0o600)

    def _write(self, path: str, data: bytes, flags: int = os.O_TRUNC) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | flags, 0o600)
        try:
            os.write(fd, data)
        finally:
            os.close(fd)

    def _in_place(self) -> None:
        """Overwrite the file and truncate it; a mix of the new beginning and the old end is not valid."""
        data = self._text()
        self._write(self.path, b"!", 0)
        self._write(self.path, data, 0)
        os.truncate(self.path, len(data))

    def _renamed(self) -> None:
        self._write(self.path + ".new", self._text())
        os.replace(self.path + ".new", self.path)

    def _swapped(self) -> None:
        """Replace the old folder by a new one with both files."""
        self._version += 1
        folder = os.path.join(self._folder, str(self._version))
        os.mkdir(folder)
        self._write(os.path.join(folder, "included.txt"), b"%d 0" % self._version)
        self._write(os.path.join(folder, "stt.json"), self._text())
        os.symlink(str(self._version), self._link + ".new")
        os.replace(self._link + ".new", self._link)
        shutil.rmtree(os.path.join(self._folder, str(self._version - 1)), ignore_errors=True)

    def _truncated(self) -> None:
        """Empty the file, then write it in pieces."""
        data = self._text()
        self._write(self.path, b"")
        for start in range(0, len(data), 100):
            self._write(self.path, data[start : start + 100], os.O_APPEND)

    def _half_written(self) -> None:
        """Empty the file and write only a part of it."""
        data = self._text()
        self._write(self.path, data[: self._random.randrange(len(data))])

    def _deleted(self) -> None:
        if os.path.exists(self.path):
            os.unlink(self.path)

    def _without_rights(self) -> None:
        """Write a complete file that only root can read."""
        self._renamed()
        os.chmod(self.path, 0)

    def _made_a_folder(self) -> None:
        self._deleted()
        os.mkdir(self.path)

    def _included(self) -> None:
        """Write only the included text, for the same folder."""
        path = os.path.join(self._link, "included.txt")
        self._write(path + ".new", b"%d %d" % (self._version, self.number))
        os.replace(path + ".new", path)


class Load(threading.Thread):
    """
    A client that sends one transcription after the other.

    :ivar seen: the numbers that its requests carried, in order.
    :ivar wrong: responses that do not show one complete configuration.
    """

    def __init__(self, port: int, profile: bool) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._profile = profile
        self._over = threading.Event()
        self.seen: list[int] = []
        self.wrong: list[Any] = []

    def end(self) -> None:
        self._over.set()
        self.join(LIMIT_S)

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=LIMIT_S)
        try:
            while not self._over.is_set() and not self.wrong:
                self._once(connection)
        except Exception as error:
            self.wrong.append(error)
        finally:
            connection.close()

    def _once(self, connection: http.client.HTTPConnection) -> None:
        path = "/profiles/p" * self._profile + "/v1/audio/transcriptions"
        connection.request("POST", path, FORM, {"Content-Type": CONTENT_TYPE})
        answer = json.load(connection.getresponse())
        read = [(name, value) for name, value in answer.get("form", ()) if name != "file"]
        number = number_of(read, self._profile)
        if number is None or (self.seen and number < self.seen[-1]):
            self.wrong.append((answer.get("error") or read, self.seen[-1:]))
        else:
            self.seen.append(number)


def number_of(read: list[tuple[str, str]], profile: bool) -> int | None:
    """
    Return the number of the one configuration that a form was made from; None if it was made from several or none.
    """
    fields = dict(read)
    number = fields.get("language", "")
    if not (len(number) == 6 and number.isdigit()):
        return None
    expected = ["language", "prompt", "numbers[]", "numbers[]", "folder", "included", "mapped", "default", "empty"]
    if sorted(name for name, _ in read) != sorted([*expected, *["model"] * profile]):
        return None
    same = {value.lstrip("x") for name, value in read if name not in ("folder", "included")}
    whole = same == {number} and fields["included"].split()[0] == fields["folder"]
    return int(number) if whole else None


class EditsTests(StagedTestCase):
    """Edits under load."""

    def test_result(self) -> None:
        """A form made from two configurations, or from none, is detected."""
        fields = [("language", "000001"), ("prompt", "xx000001"), ("numbers[]", "000001"), ("numbers[]", "000001")]
        fields += [("folder", "3"), ("included", "3 7"), ("mapped", "000001"), ("default", "000001")]
        fields += [("empty", "000001")]
        self.assertEqual(number_of(fields, False), 1)
        self.assertEqual(number_of([*fields, ("model", "000001")], True), 1)
        self.assertIsNone(number_of(fields, True))
        for at, (name, _) in enumerate(fields):
            for other in ([(name, "000002")], []):
                self.assertIsNone(number_of([*fields[:at], *other, *fields[at + 1 :]], False), name)

    def test_thousand(self) -> None:
        """
        During any edits each request uses one complete configuration, and never an older one than the request before;
        in the end the last one is in force.
        """
        folder = self.mktemp()
        os.mkdir(folder)
        editor = Editor(os.path.abspath(folder), seed=7)
        target = ("--target-host", "127.0.0.1", "--target-port", str(shared_echo().port))
        daemon = self.start_daemon(*target, "--config", editor.path)
        clients = [Load(daemon.port, bool(number % 2)) for number in range(CLIENTS)]
        for client in clients:
            client.start()
            self.addCleanup(client.end)
        chance = random.Random(7)
        for number in range(1, EDITS + 1):
            last = number % ROUND == 0
            editor.edit(chance.choice(("in place", "renamed", "link", "truncated")) if last else "")
            if last:
                if chance.random() < 0.7:
                    daemon.signal(signal.SIGHUP)
                self._wait_for(editor.number, daemon, clients)
            elif chance.random() < 0.1:
                daemon.signal(signal.SIGHUP)  # during the edit
        for client in clients:
            client.end()
        self.assertEqual([client.wrong for client in clients], [[]] * CLIENTS)
        self.assertEqual([client.seen[-1] for client in clients], [editor.number] * CLIENTS)
        self.assertEqual(len(editor.done), 9, "each kind of edit was made")
        self.assertGreaterEqual(len({seen for client in clients for seen in client.seen}), EDITS // ROUND)
        self.assertIsNone(daemon.stats()["config"]["error"])

    def _wait_for(self, number: int, daemon: Daemon, clients: list[Load]) -> None:
        """Wait until all clients use an edit, or one has seen an error."""

        def there() -> bool:
            return any(client.wrong for client in clients) or all(
                client.seen and client.seen[-1] == number for client in clients
            )

        until(there, f"edit {number} in force; {daemon.stats()['config']}")
        self.assertEqual([client.wrong for client in clients], [[]] * CLIENTS)
