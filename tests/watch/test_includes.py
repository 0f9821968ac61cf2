"""
Tests for :mod:`sttproxy.watch`: configurations of several files, and profiles.
"""

from __future__ import annotations

import hashlib
import json
import os

from twisted.logger import LogLevel, formatEvent

from sttproxy.errors import ConfigError
from sttproxy.watch import ConfigWatcher, Source
from sttproxy.watch.watcher import LOOK_AGAIN_S, LOOK_EVERY_S

from .test_watcher import EN, ZH, WatcherTestCase

INCLUDING = b'{"prompt": {"$file": "prompts/a.txt"}}'
OTHER = b'{"prompt": {"$file": "prompts/b.txt"}}'
PROFILES = b'{"language": "zh", "$profiles": {"p": {"language": "en"}, "q": {}}}'


def keyed(profile: str, key: str = "secret") -> bytes:
    """A key file with one key."""
    return json.dumps({"sha256:" + hashlib.sha256(key.encode()).hexdigest(): profile}).encode()


class FilesTestCase(WatcherTestCase):
    """Tests of a watcher with several files."""

    def setUp(self) -> None:
        super().setUp()
        os.mkdir(os.path.join(self.folder, "prompts"))
        self.a, self.b = (os.path.join(self.folder, "prompts", name) for name in ("a.txt", "b.txt"))
        self.keys = os.path.join(self.folder, "keys.json")
        self.write(b"one\n", self.a)
        self.write(b"two\n", self.b)

    def watch_keyed(self, data: bytes = PROFILES, keys: bytes = b"{}", profile: str = "") -> ConfigWatcher:
        """Start a watcher with a key file."""
        self.write(data)
        self.write(keys, self.keys)
        source = Source(self.path, self.keys, profile)
        watcher = self.watcher = ConfigWatcher(source, self.clock, wall=self.clock.seconds)
        watcher.load()
        watcher.startService()
        self.addCleanup(watcher.stopService)
        self.logs.clear()
        return watcher

    def prompt(self) -> str | None:
        """The forced prompt in force."""
        field = self.watcher.current.base.forced_by_name.get("prompt")
        return field.parts[0][1] if field else None

    def state(self) -> tuple[str | None, int, bool]:
        """The prompt and the generation in force, and whether the files are refused."""
        return self.prompt(), self.watcher.current.generation, bool(self.watcher.error)

    def one_by_one(self, *prompts: str | None) -> None:
        """For each prompt let the watcher look once, and check that the prompt is in force then."""
        for number, prompt in enumerate(prompts):
            self.looks(1)
            self.assertEqual(self.prompt(), prompt, number)


class IncludedTests(FilesTestCase):
    """Included texts are watched like the configuration file."""

    def test_loaded(self) -> None:
        """The first reading includes them, and the digest does too."""
        self.watch(INCLUDING)
        self.assertEqual(self.state(), ("one", 1, False))
        self.assertEqual(self.watcher.current.digest, hashlib.sha256(INCLUDING + b"\0" + b"one\n").hexdigest()[:16])

    def test_in_place(self) -> None:
        """A text written in place, with the same size and time stamps, is in force at the second look."""
        self.watch(INCLUDING)
        before, digest = os.stat(self.a), self.watcher.current.digest
        self.clock.advance(0.1)
        self.write(b"six\n", self.a)
        os.utime(self.a, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.one_by_one("one", "six")
        self.assertEqual((self.watcher.current.generation, self.watcher.since), (2, self.clock.seconds()))
        self.assertNotEqual(self.watcher.current.digest, digest)
        (line,) = self.logged(LogLevel.info)
        self.assertIn("changed: prompt.", line)

    def test_phrases(self) -> None:
        """Phrases that a transcript's rules include are watched, too."""
        self.watch(b'{"$transcript": {"drop": {"also": [{"$file": "prompts/a.txt"}]}}}')
        self.write(b"three", self.a)
        self.looks()
        self.assertEqual(self.watcher.current.generation, 2)
        (line,) = self.logged(LogLevel.info)
        self.assertIn("changed: $transcript.", line)

    def test_half_written(self) -> None:
        """A text that grows between looks comes into force when it stops growing."""
        self.watch(INCLUDING)
        for size in range(1, 6):
            self.write(b"2" * size, self.a)
            self.one_by_one("one")
        self.one_by_one("22222")
        self.assertEqual(self.watcher.current.generation, 2)

    def test_renamed_over(self) -> None:
        """Another file is renamed over it."""
        self.watch(INCLUDING)
        os.replace(self.b, self.a)
        self.one_by_one("one", "two")

    def test_back(self) -> None:
        """A change that is undone before it comes into force has no effect."""
        self.watch(INCLUDING)
        self.write(b"x", self.a)
        self.looks(1)
        self.write(b"one\n", self.a)
        self.looks(5)
        self.assertEqual((self.state(), list(self.logs)), (("one", 1, False), []))

    def test_last_line_break(self) -> None:
        """A line break at the end changes only the digest."""
        self.watch(INCLUDING)
        since = self.watcher.since
        self.write(b"one", self.a)
        self.looks()
        self.assertEqual((self.state(), self.watcher.since, list(self.logs)), (("one", 1, False), since, []))
        self.assertEqual(self.watcher.snapshot()["hash"], hashlib.sha256(INCLUDING + b"\0" + b"one").hexdigest()[:16])

    def test_newly_named(self) -> None:
        """A newly included text must be seen twice, too, and is not checked while it is written."""
        self.watch(INCLUDING)
        self.write(OTHER)
        self.one_by_one("one", "one")
        self.write(b"tw", self.b)
        self.one_by_one("one")
        self.write(b"two", self.b)
        self.one_by_one("one", "two")
        self.assertEqual((self.state(), self.logged(LogLevel.error)), (("two", 2, False), []))

    def test_newly_named_at_rest(self) -> None:
        """A newly included text comes into force one look later than a change of the file alone, within a second."""
        self.watch(INCLUDING)
        self.write(OTHER)
        for pause in (LOOK_EVERY_S, LOOK_AGAIN_S, LOOK_AGAIN_S):
            self.assertEqual(self.prompt(), "one")
            self.clock.advance(pause)
        self.assertEqual(self.prompt(), "two")
        self.assertLessEqual(LOOK_EVERY_S + 2 * LOOK_AGAIN_S, 1)

    def test_pauses(self) -> None:
        """Looks are more frequent only while a change is not checked yet."""
        self.watch(INCLUDING)
        self.write(OTHER)
        pauses = []
        for _ in range(5):
            (call,) = self.clock.getDelayedCalls()
            pauses.append(call.getTime() - self.clock.seconds())
            self.clock.advance(pauses[-1])
        self.assertEqual(pauses, [LOOK_EVERY_S, LOOK_AGAIN_S, LOOK_AGAIN_S, LOOK_EVERY_S, LOOK_EVERY_S])

    def test_no_longer_named(self) -> None:
        """A text is not watched after the configuration stops including it."""
        self.watch(INCLUDING)
        self.write(OTHER)
        self.looks(4)
        self.logs.clear()
        self.write(b"x", self.a)
        os.unlink(self.a)
        self.looks(5)
        self.assertEqual((self.state(), list(self.logs)), (("two", 2, False), []))
        self.write(b"three", self.b)
        self.one_by_one("two", "three")

    def test_link_swapped(self) -> None:
        """After a swap of the link to the folder of both files, rules of one never come with text of the other."""
        for name, data, text in (
            ("1", INCLUDING, b"one"),
            ("2", b'{"prompt": {"$file": "prompts/a.txt"}, "seed": 1}', b"1"),
        ):
            os.makedirs(os.path.join(self.folder, name, "prompts"))
            self.write(data, os.path.join(self.folder, name, "stt.json"))
            self.write(text, os.path.join(self.folder, name, "prompts", "a.txt"))
        link = os.path.join(self.folder, "..data")
        os.symlink("1", link)
        self.path = os.path.join(link, "stt.json")
        self.watch(None)
        self.assertEqual(self.prompt(), "one")
        os.symlink("2", link + "_tmp")
        os.replace(link + "_tmp", link)
        self.one_by_one("one", "1")
        self.assertEqual(self.watcher.current.base.spellings(), ["prompt", "seed"])
        self.assertEqual(self.watcher.current.generation, 2)

    def test_missing_at_first(self) -> None:
        """A configuration with a missing text cannot be loaded; the error names the place."""
        os.unlink(self.a)
        self.write(INCLUDING)
        watcher = ConfigWatcher(Source(self.path), self.clock)
        error = self.assertRaises(ConfigError, watcher.load)
        self.assertIn(f"{self.path}:1:12: $.prompt: the file {self.a}: it cannot be read: No such file", str(error))

    def test_appears(self) -> None:
        """If a missing text appears, the error is gone."""
        self.watch(INCLUDING)
        os.unlink(self.b)
        self.write(OTHER)
        self.looks(5)
        self.assertEqual(self.state(), ("one", 1, True))
        self.assertIn(f"the file {self.b}: it cannot be read: No such file", self.watcher.error)
        self.assertEqual(len(self.logged(LogLevel.error)), 1)
        self.write(b"late", self.b)
        self.one_by_one("one", "late")
        self.assertEqual(self.state(), ("late", 2, False))

    def test_gone(self) -> None:
        """If a text is deleted, the last good configuration stays in force; the same text again is no change."""
        self.watch(INCLUDING)
        current = self.watcher.current
        os.unlink(self.a)
        self.looks(5)
        self.assertIs(self.watcher.current, current)
        self.assertIn(self.a, self.watcher.error)
        self.write(b"one\n", self.a)
        self.looks()
        self.assertIs(self.watcher.current, current)
        self.assertEqual(self.watcher.error, "")
        self.assertIn("valid again", self.logged(LogLevel.info)[-1])

    def test_unusable(self) -> None:
        """An error in a text is reported with the text's path, and logged once."""
        self.watch(INCLUDING)
        for number, (data, reason) in enumerate(((b"\xff", f"{self.a}:1:1: "), (b"\0", "NUL")), 1):
            self.write(data, self.a)
            self.looks(5)
            self.assertEqual(self.state(), ("one", 1, True))
            self.assertIn(reason, self.watcher.error)
            self.assertEqual(len(self.logged(LogLevel.error)), number)

    def test_reload(self) -> None:
        """A reload uses newly included texts at once."""
        self.watch(ZH)
        self.write(INCLUDING)
        self.watcher.reload()
        self.assertEqual(self.state(), ("one", 2, False))
        self.write(b"now", self.a)
        self.watcher.reload()
        self.assertEqual(self.state(), ("now", 3, False))
        self.looks(5)
        self.assertEqual(self.state(), ("now", 3, False))
        self.write(b"then", self.a)
        self.one_by_one("now", "then")

    def test_reload_unusable(self) -> None:
        """A reload with a missing text is refused at once, and the text is watched from then on."""
        self.watch(ZH)
        os.unlink(self.a)
        self.write(INCLUDING)
        self.watcher.reload()
        self.assertEqual(self.state(), (None, 1, True))
        self.write(b"one", self.a)
        self.looks()
        self.assertEqual(self.state(), ("one", 2, False))

    def test_pipe(self) -> None:
        """A pipe in a text's place is an error, and does not block the reader."""
        self.watch(INCLUDING)
        os.unlink(self.a)
        os.mkfifo(self.a)
        self.looks(3)
        self.assertIn("not a regular file", self.watcher.error)


class RefusalTests(FilesTestCase):
    """What the watcher keeps of a refused configuration."""

    def test_told(self) -> None:
        """The errors and the time are kept, also after the error is gone."""
        self.watch(ZH)
        self.assertEqual((self.watcher.refusal, self.watcher.snapshot()["last_refusal"]), (None, None))
        self.clock.advance(5)
        self.write(b'{"file": 1,\n "a": [null]}')
        self.looks()
        at = self.clock.seconds()
        refusal = self.watcher.refusal
        assert refusal is not None
        self.assertEqual((refusal.at, len(refusal.findings)), (at, 2))
        self.assertEqual(self.watcher.error, "; ".join(refusal.findings))
        self.assertTrue(refusal.findings[0].startswith(f"{self.path}:1:2: $.file: "))
        self.assertTrue(refusal.findings[1].startswith(f"{self.path}:2:8: $.a[0]: "))
        self.assertEqual(self.watcher.snapshot()["error"], self.watcher.error)
        self.write(EN)
        self.looks()
        self.assertEqual((self.watcher.error, self.watcher.refusal), ("", refusal))
        self.assertIsNone(self.watcher.snapshot()["error"])
        self.assertEqual(self.watcher.snapshot()["last_refusal"]["errors"], list(refusal.findings))

    def test_snapshot(self) -> None:
        """The snapshot has names, the digest and warnings, and no values."""
        self.watch(
            b'{"language": "secret1", "$default": {"model": "secret2"}, "$map": {"model": {"secret3": "secret4"}},'
            b' "$profiles": {"p": {"prompt": {"$file": "prompts/a.txt"}, "$unset": ["language"]}}}'
        )
        self.write(b"secret5", self.a)
        self.looks()
        state = self.watcher.snapshot()
        self.assertEqual((state["fields"], state["profiles"]), (["language", "model"], {"p": ["prompt", "model"]}))
        self.assertEqual((state["hash"], state["generation"]), (self.watcher.current.digest, 2))
        self.assertEqual(len(state["warnings"]), 1)
        self.assertNotIn("secret", json.dumps(state))

    def test_warnings_logged(self) -> None:
        """A warning is logged when it is new, not with each change."""
        self.watch(ZH)
        for data, logged in ((b'{"top_p": 1}', 1), (b'{"top_p": 2}', 0), (b'{"top_k": 2}', 1), (EN, 0)):
            self.logs.clear()
            self.write(data)
            self.looks()
            self.assertEqual(len(self.logged(LogLevel.warn)), logged, data)


class KeysTests(FilesTestCase):
    """The key file is watched like the configuration."""

    def profiles(self) -> list[str]:
        """The profiles of the keys in force."""
        return sorted(self.watcher.current.keys.values())

    def test_edited(self) -> None:
        """A new key is in force at the second look, as a new generation; the log shows no key."""
        self.watch_keyed(keys=keyed("p"))
        self.assertEqual((self.profiles(), self.watcher.current.generation), (["p"], 1))
        self.write(keyed("q"), self.keys)
        self.looks(1)
        self.assertEqual(self.profiles(), ["p"])
        self.looks(1)
        self.assertEqual((self.profiles(), self.watcher.current.generation), (["q"], 2))
        (line,) = self.logged(LogLevel.info)
        self.assertIn("changed: keys.", line)

    def test_refused(self) -> None:
        """If the key file is unusable, the last good keys stay in force; the error names the file and shows no key."""
        self.watch_keyed(keys=keyed("p"))
        for data in (b"{", b"[]", b'{"sk-secret": "p"}', keyed("r"), b'{"sk-secret": "p", "sk-secret": "q"}'):
            self.write(data, self.keys)
            self.looks(5)
            self.assertEqual((self.profiles(), self.watcher.current.generation), (["p"], 1))
            self.assertTrue(self.watcher.error.startswith(self.keys + ":1:"), self.watcher.error)
        for event in self.logs:
            self.assertNotIn("secret", formatEvent(event))
        self.write(keyed("q"), self.keys)
        self.looks()
        self.assertEqual((self.profiles(), self.watcher.current.generation, self.watcher.error), (["q"], 2, ""))

    def test_gone(self) -> None:
        """If the key file is deleted, the last good keys stay in force; when it is back, it is used again."""
        self.watch_keyed(keys=keyed("p"))
        os.unlink(self.keys)
        self.looks(5)
        self.assertEqual(self.profiles(), ["p"])
        self.assertIn(f"{self.keys}: it cannot be read: No such file", self.watcher.error)
        self.write(keyed("q"), self.keys)
        self.looks()
        self.assertEqual((self.profiles(), self.watcher.error), (["q"], ""))

    def test_missing_at_first(self) -> None:
        """A missing key file is an error at the first reading, also if the configuration file is not required."""
        for required in (True, False):
            watcher = ConfigWatcher(Source(self.path, self.keys, required=required), self.clock)
            self.write(PROFILES)
            error = self.assertRaises(ConfigError, watcher.load)
            self.assertIn(self.keys, str(error))

    def test_profile_goes(self) -> None:
        """A profile that a key has can be removed only together with the key."""
        self.watch_keyed(keys=keyed("q"))
        self.write(b'{"$profiles": {"p": {}}}')
        self.looks(5)
        self.assertEqual((list(self.watcher.current.profiles), self.profiles()), (["p", "q"], ["q"]))
        self.assertIn("the profiles are: p", self.watcher.error)
        self.write(keyed("p"), self.keys)
        self.looks()
        self.assertEqual((list(self.watcher.current.profiles), self.profiles()), (["p"], ["p"]))
        self.assertEqual((self.watcher.current.generation, self.watcher.error), (2, ""))

    def test_together(self) -> None:
        """Two files that change one after the other, each between two looks, come into force together."""
        self.watch_keyed(keys=keyed("q"))
        self.write(b'{"$profiles": {"r": {}}}')
        self.looks(1)
        self.write(keyed("r"), self.keys)
        self.looks(2)
        self.assertEqual((self.profiles(), self.watcher.current.generation), (["r"], 2))
        self.assertEqual(self.logged(LogLevel.error), [])

    def test_both_wrong(self) -> None:
        """Errors in both files are reported, and each file is watched until it is correct."""
        self.watch_keyed(keys=keyed("p"))
        self.write(b"{")
        self.write(b"[", self.keys)
        self.looks(5)
        self.assertIn(f"{self.path}:1:2: ", self.watcher.error)
        self.assertIn(f"{self.keys}:1:2: ", self.watcher.error)
        self.write(PROFILES)
        self.looks(5)
        self.assertNotIn(self.path, self.watcher.error)
        self.write(keyed("q"), self.keys)
        self.looks(5)
        self.assertEqual((self.profiles(), self.watcher.error), (["q"], ""))

    def test_reload(self) -> None:
        """A reload uses new keys at once."""
        self.watch_keyed(keys=keyed("p"))
        self.write(keyed("q"), self.keys)
        self.watcher.reload()
        self.assertEqual((self.profiles(), self.watcher.current.generation), (["q"], 2))


class ProfileTests(FilesTestCase):
    """Profiles while the daemon runs."""

    def test_edited(self) -> None:
        """A change in a profile is a new generation; the snapshot lists the fields of each profile."""
        self.watch(PROFILES)
        self.write(PROFILES.replace(b'"en"', b'"de"').replace(b'"q"', b'"r"'))
        self.looks()
        self.assertEqual(self.watcher.current.generation, 2)
        self.assertEqual(self.watcher.current.rules("p").forced[0].parts, (("language", "de"),))
        (line,) = self.logged(LogLevel.info)
        self.assertIn("changed: p: language, profile q, profile r.", line)

    def test_asked_for(self) -> None:
        """The profile of requests that name no profile cannot be removed."""
        self.watch_keyed(profile="q")
        self.write(b'{"$profiles": {"p": {}}}')
        self.looks(5)
        self.assertEqual(list(self.watcher.current.profiles), ["p", "q"])
        self.assertIn("--profile asks for 'q'; the profiles are: p", self.watcher.error)
        watcher = ConfigWatcher(Source(self.path, profile="q"), self.clock)
        self.assertIn("--profile", str(self.assertRaises(ConfigError, watcher.load)))


class NeverThereTests(FilesTestCase):
    """A configuration file that is not required."""

    def test_there(self) -> None:
        """If the file exists, there is no warning about a missing file."""
        self.write(ZH)
        ConfigWatcher(Source(self.path, required=False), self.clock).load()
        self.assertEqual(self.logged(LogLevel.warn), [])

    def test_reload(self) -> None:
        """A reload of a file that never existed is not an error; after the file existed once, it is."""
        self.watch(None, required=False)
        self.watcher.reload()
        self.assertEqual((self.watcher.error, self.watcher.current.generation), ("", 1))
        self.write(ZH)
        self.looks()
        self.assertEqual((self.language(), self.watcher.current.generation), ("zh", 2))
        os.unlink(self.path)
        self.watcher.reload()
        self.assertEqual(self.language(), "zh")
        self.assertIn("No such file", self.watcher.error)
