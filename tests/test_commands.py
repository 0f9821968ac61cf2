"""
Tests for :mod:`sttproxy.commands`: the output and the exit statuses.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import __version__, commands


class CommandTestCase(SynchronousTestCase):
    """
    Tests of commands in a folder of their own, which is the working directory.

    :ivar folder: its path.
    """

    def setUp(self) -> None:
        self.folder = os.path.abspath(self.mktemp())
        os.mkdir(self.folder)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        self.environment = {name: value for name, value in os.environ.items() if name != "STT_CONFIG_PATH"}
        self.patch(os, "environ", self.environment)

    def write(self, fields: Any, name: str = "stt_config.json") -> str:
        """Write a file; returns its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(fields if isinstance(fields, str) else json.dumps(fields, ensure_ascii=False))
        return path

    def run_command(self, name: str, *arguments: str) -> tuple[int, str, str]:
        """Run a command; returns the exit status, standard output and standard error."""
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", newline="\n"), io.StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        status = commands.run(name, list(arguments))
        out.seek(0)
        with out:
            return status, out.buffer.read().decode(), err.getvalue()


class CheckTests(CommandTestCase):
    """``sttproxy check``."""

    def test_good(self) -> None:
        """A valid configuration gives 0; the rules of the base and of each profile are shown as they are applied."""
        self.write(
            {
                "language": "zh",
                "prompt": None,
                "timestamp_granularities[]": ["word", "segment"],
                "response_format": "verbose_json",
                "$default": {"model": "m", "temperature": {"value": 0.20, "when_empty": True}, "language": "no effect"},
                "$map": {"model": {"whisper-1": "large", "": "m", "*": "other"}, "temperature": {"*": 1}},
                "$profiles": {"p": {"$unset": ["language", "timestamp_granularities"], "$map": {"model": {"a": "b"}}}},
            }
        )
        status, out, err = self.run_command("check")
        self.assertEqual((status, err), (commands.GOOD, ""))
        base = """
without a profile:
  language = 'zh'
  prompt: removed
  timestamp_granularities[] = 'word'
  timestamp_granularities[] = 'segment'
  response_format = 'verbose_json'
  model: 'whisper-1' becomes 'large'
  model: '' becomes 'm'
  model: any other value becomes 'other'
  temperature: any value becomes '1'
  model = 'm', if it is not sent
  temperature = '0.2', if it is not sent or empty
"""
        self.assertIn(base, out)
        profile = """
profile p:
  prompt: removed
  response_format = 'verbose_json'
  model: 'a' becomes 'b'
  temperature: any value becomes '1'
  model = 'm', if it is not sent
  temperature = '0.2', if it is not sent or empty
"""
        self.assertTrue(out.endswith(profile), out)

    def test_joined_and_renamed(self) -> None:
        """Joined texts, removed and folded values, and renames are shown as they are applied."""
        self.write(
            {
                "prompt": {"$prepend": "MLX. ", "$append": " 会", "max_tokens": 224},
                "hotwords": {"$append": ", MLX"},
                "$rename": {"audio": "file", "lang": "language"},
                "$map": {"language": {"auto": None, "zh-*": "zh"}, "model": {"*": None}},
                "$profiles": {
                    "p": {"$unset": ["prompt", "lang", "language"], "hotwords": "x", "$rename": {"audio": "f"}}
                },
            }
        )
        status, out, err = self.run_command("check")
        self.assertEqual((status, err), (commands.GOOD, ""))
        base = """
without a profile:
  prompt = 'MLX. ' + the client's value + ' 会', of at most 224 tokens (estimated)
  hotwords = the client's value + ', MLX'
  audio: renamed to file
  lang: renamed to language
  language: 'auto' is removed
  language: any value like 'zh-*' becomes 'zh'
  model: any value is removed
"""
        profile = """
profile p:
  hotwords = 'x'
  audio: renamed to f
  model: any value is removed
"""
        self.assertTrue(out.endswith(base + profile), out)

    def test_statuses(self) -> None:
        """The status is 0 for a usable configuration, 2 for errors, and with --strict 3 for warnings."""
        for fields, status, lines in (
            ({"language": "zh"}, 0, ["", "without a profile:", "  language = 'zh'"]),
            ({}, 0, ["", "without a profile:"]),
            ({"language": "Chinese"}, 3, ["stt_config.json:1:2: $.language: ", " (warning)"]),
            ('{\n "language": }', 2, ["stt_config.json:2:14: ", " (error)"]),
            ('{"$maps": {}, "$default": 1}', 2, ["stt_config.json:1:2: ", "stt_config.json:1:27: "]),
        ):
            self.write(fields)
            found, out, err = self.run_command("check", "--strict")
            self.assertEqual((found, err), (status, ""), out)
            self.assertEqual(self.run_command("check"), (status if status == 2 else 0, out, ""))
            for line in lines:
                self.assertIn(line, out)
            self.assertEqual("without a profile:" in out, status != 2, fields)

    def test_named(self) -> None:
        """The file is named by an argument or by the environment; if not, it is the default, which may be missing."""
        self.assertEqual(self.run_command("check"), (0, "\nwithout a profile:\n", ""))
        self.write({"language": "zh"})
        self.environment["STT_CONFIG_PATH"] = self.write({"language": "de"}, "b.json")
        named = self.write({"language": "fr"}, "c.json")
        self.assertIn("'fr'", self.run_command("check", named)[1])
        self.assertIn("'de'", self.run_command("check")[1])
        self.environment["STT_CONFIG_PATH"] = ""
        self.assertIn("'zh'", self.run_command("check")[1])
        os.chdir(os.path.dirname(self.folder))
        self.assertIn("'fr'", self.run_command("check", os.path.join(os.path.basename(self.folder), "c.json"))[1])

    def test_missing(self) -> None:
        """A named file that cannot be read is an error, and so is an included file."""
        status, out, _ = self.run_command("check", "nowhere.json")
        self.assertEqual(status, 2)
        self.assertIn("nowhere.json: it cannot be read", out)
        self.write({"prompt": {"$file": "nowhere.txt"}})
        status, out, _ = self.run_command("check")
        self.assertEqual(status, 2)
        self.assertIn("stt_config.json:1:12: $.prompt: ", out)
        self.assertIn("nowhere.txt", out)

    def test_included(self) -> None:
        """An included text is shown on one line, cut after 100 characters."""
        self.write("会" * 150, "long.txt")
        self.write("a\r\nb\n", "lines.txt")
        self.write({"language": {"$file": "long.txt"}, "model": {"$file": "lines.txt"}})
        out = self.run_command("check")[1]
        self.assertIn(f"  language = '{'会' * 100}'… (150 characters)\n", out)
        (line,) = [line for line in out.splitlines() if line.startswith("  model = ")]
        self.assertIn("a\\", line)

    def test_keys(self) -> None:
        """The key file is checked, too, and no key is shown."""
        self.write({"$profiles": {"p": {}}})
        good = self.write({f"sha256:{hashlib.sha256(b'key').hexdigest()}": "p"}, "good.json")
        self.assertEqual(self.run_command("check", "--profile-by-key", good)[0], 0)
        for fields in ({"sk-plain": "p"}, {f"sha256:{'0' * 64}": "q"}, "[]"):
            bad = self.write(fields, "bad.json")
            status, out, _ = self.run_command("check", "--profile-by-key", bad)
            self.assertEqual(status, 2, fields)
            self.assertIn("bad.json:1:", out)
            self.assertNotIn("sk-plain", out)
        self.assertEqual(self.run_command("check", "--profile-by-key", "nowhere.json")[0], 2)

    def test_usage(self) -> None:
        """A wrong command line gives 64, and one line on standard error."""
        for arguments in (("a", "b"), ("--nothing",), ("--profile-by-key",)):
            status, out, err = self.run_command("check", *arguments)
            self.assertEqual((status, out), (64, ""), arguments)
            self.assertTrue(err.startswith("sttproxy check: "), err)
            self.assertEqual(err.count("\n"), 1)

    def test_help_and_version(self) -> None:
        """--help and --version print and exit with 0."""
        for name in ("check", "explain"):
            for option, word in (("--help", f"sttproxy {name} [options]"), ("--version", f"sttproxy {__version__}\n")):
                out = io.StringIO()
                self.patch(sys, "stdout", out)
                ended = self.assertRaises(SystemExit, commands.run, name, [option])
                self.assertEqual(ended.code or 0, 0)
                self.assertIn(word, out.getvalue())


class ExplainTests(CommandTestCase):
    """``sttproxy explain``."""

    RULES: ClassVar[Any] = {
        "language": "zh",
        "stream": None,
        "tags": ["a", "b"],
        "$default": {"model": "m", "prompt": {"value": "p", "when_empty": True}},
        "$map": {"model": {"whisper-1": "large", "@talk": "never"}, "format": {"*": "json"}},
        "$profiles": {"english": {"language": "en"}},
    }

    def explained(self, *fields: str, options: tuple[str, ...] = ()) -> list[tuple[str, str]]:
        """The name and the rest of each line that is printed for a form."""
        self.write(self.RULES)
        status, out, err = self.run_command("explain", *options, *(word for field in fields for word in ("-F", field)))
        self.assertEqual((status, err), (0, ""))
        return [(line.split("  ")[0].rstrip(), line[len(line.split("  ")[0]) :].strip()) for line in out.splitlines()]

    FORCED = (("language", "'zh'  (forced)"), ("tags[]", "'a'  (forced)"), ("tags[]", "'b'  (forced)"))

    def test_nothing_sent(self) -> None:
        """A form without fields gets the forced fields and the defaults."""
        expected = [*self.FORCED, ("model", "'m'  (default)"), ("prompt", "'p'  (default)")]
        self.assertEqual(self.explained(), expected)

    def test_each(self) -> None:
        """Each field is printed with its new value and the reason, in the order in which the proxy sends them."""
        fields = ("file=@talk.wav", "Model=whisper-1", "prompt=", "LANGUAGE=en", "stream=true", "x=1=2", "format=srt")
        self.assertEqual(
            self.explained(*fields),
            [
                *self.FORCED,
                ("file", "'@talk.wav'  (as sent)"),
                ("Model", "'large'  (mapped from 'whisper-1')"),
                ("prompt", "-  (dropped: it is empty, and the default replaces it)"),
                ("LANGUAGE", "-  (dropped: the forced field replaces it)"),
                ("stream", "-  (removed)"),
                ("x", "'1=2'  (as sent)"),
                ("format", "'json'  (mapped from 'srt')"),
                ("prompt", "'p'  (default)"),
            ],
        )

    def test_aligned(self) -> None:
        """The values are aligned in one column."""
        self.write({"a": 1, "a_long_name": 2})
        self.assertEqual(self.run_command("explain")[1], "a            '1'  (forced)\na_long_name  '2'  (forced)\n")

    def test_files(self) -> None:
        """The content of a file is not known: only a table's ``*`` applies to it."""
        lines = self.explained("model=@talk", "prompt=@", "format=@x")[3:]
        self.assertEqual(
            lines,
            [
                ("model", "'@talk'  (as sent)"),
                ("prompt", "'@'  (as sent)"),
                ("format", "'json'  (mapped from '@x')"),
            ],
        )

    def test_joined_and_renamed(self) -> None:
        """Each joined, removed, folded and renamed field is shown with its reason, and what would be refused."""
        self.write(
            {
                "prompt": {"$prepend": "MLX. ", "max_tokens": 4},
                "$rename": {"audio": "file", "lang": "language"},
                "$map": {"language": {"auto": None, "zh-*": "zh"}},
                "$default": {"language": "en"},
            }
        )
        for fields, lines in (
            (
                ("lang=ZH-cn", "audio=@a.wav", "prompt=two words"),
                (
                    "language  'zh'  (mapped from 'ZH-cn', renamed from 'lang')",
                    "file      '@a.wav'  (as sent, renamed from 'audio')",
                    "prompt    'MLX. two words'  (joined to 'two words')",
                ),
            ),
            (
                ("language=AUTO", "prompt=one two three four"),
                (
                    "language  -  (removed: the table has null for 'AUTO')",
                    "prompt    'MLX. three four'  (joined to the end of 'one two three four')",
                    "language  'en'  (default)",
                ),
            ),
            (
                ("lang=@x",),
                (
                    "language  '@x'  (as sent, renamed from 'lang')",
                    "prompt    'MLX. '  (alone: there is no value to join it to)",
                ),
            ),
        ):
            arguments = [word for field in fields for word in ("-F", field)]
            self.assertEqual(self.run_command("explain", *arguments), (0, "\n".join((*lines, "")), ""))
        for fields, message in (
            (("lang=a", "Language=b"), "The fields 'lang' and 'Language' would both be sent as 'Language': send one"),
            (("audio=@a", "file=@b"), "'audio' and 'file' would both be sent as 'file'"),
            (("prompt=a", "prompt=b"), "The field 'prompt' is sent twice"),
            (("prompt=@a",), "'prompt' is a file"),
            (("prompt=a\0",), "contains a NUL character"),
        ):
            status, out, _ = self.run_command("explain", *(word for field in fields for word in ("-F", field)))
            self.assertEqual(status, 2)
            self.assertTrue(out.startswith("The proxy would respond with 400: "), out)
            self.assertIn(message, out)

    def test_profile(self) -> None:
        """A profile's rules are applied; a missing profile gives 2 and a list of the profiles."""
        self.assertIn(("language", "'en'  (forced)"), self.explained(options=("--profile=english",)))
        status, out, _ = self.run_command("explain", "--profile", "English")
        self.assertEqual((status, out), (2, "There is no profile 'English'; the profiles are: english.\n"))

    def test_config(self) -> None:
        """The configuration is the named one; one with errors gives 2."""
        path = self.write({"language": "fr"}, "other.json")
        self.assertIn("'fr'", self.run_command("explain", "--config", path)[1])
        self.environment["STT_CONFIG_PATH"] = path
        self.assertIn("'fr'", self.run_command("explain")[1])
        self.write("{", "other.json")
        status, out, _ = self.run_command("explain")
        self.assertEqual(status, 2)
        self.assertIn("other.json:1:2: ", out)
        self.assertEqual(self.run_command("explain", "--config", "nowhere.json")[0], 2)

    def test_refused(self) -> None:
        """A field that the proxy would refuse gives 2, with the proxy's message."""
        self.write({"language": "zh"})
        status, out, _ = self.run_command("explain", "-F", "lang\0uage=en")
        self.assertEqual(status, 2)
        self.assertTrue(out.startswith("The proxy would respond with 400: "), out)
        self.assertNotIn("forced", out)

    def test_usage(self) -> None:
        """A wrong command line gives 64, and one line on standard error."""
        for arguments in (("-F", "language"), ("-F",), ("stray",), ("--form", "a=\udcff"), ("--form", "\udcff=a")):
            status, out, err = self.run_command("explain", *arguments)
            self.assertEqual((status, out), (64, ""), arguments)
            self.assertTrue(err.startswith("sttproxy explain: "), err)
            self.assertEqual(err.count("\n"), 1)

    def test_long_values(self) -> None:
        """A long value is cut, and its length is shown."""
        self.write({})
        out = self.run_command("explain", "-F", "a=" + "x" * 101)[1]
        self.assertEqual(out, f"a  '{'x' * 100}'… (101 characters)  (as sent)\n")
        out = self.run_command("explain", "-F", "a=" + "x" * 100)[1]
        self.assertEqual(out, f"a  '{'x' * 100}'  (as sent)\n")

    def test_long_names(self) -> None:
        """The long spelling of -F is --form."""
        self.assertEqual(
            self.explained(options=("--form", "x=1", "--form=y=2"))[3:5],
            [("x", "'1'  (as sent)"), ("y", "'2'  (as sent)")],
        )
