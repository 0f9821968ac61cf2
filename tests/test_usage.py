"""
Tests for :mod:`sttproxy.usage`: unknown options, suggestions, help and shell completion.
"""

from __future__ import annotations

import io
import shlex
from typing import Any

from twisted.scripts.twistd import ServerOptions

from sttproxy import __version__, commands
from sttproxy.options import OPTIONS, Group
from sttproxy.tap import Options

from .test_settings import OptionsTestCase


class UsageTests(OptionsTestCase):
    """Command lines."""

    def test_unknown(self) -> None:
        """The error for an unknown option or argument is one line that names it or refers to --help."""
        self.assertIn("--help", self.refused("--nonsense"))
        self.assertIn("stray", self.refused("stray"))

    def test_suggestions(self) -> None:
        """The error suggests a similar option or command."""
        for wrong, meant in (
            (("--prot", "1"), "--port?"),
            (("--max_body", "1"), "--max-body?"),
            (("--pool-sise=3",), "--pool-size?"),
            (("--HOST=x",), "--host?"),
            (("chekc",), "check?"),
            (("explian", "-F", "a=b"), "explain?"),
        ):
            self.assertIn(f"; did you mean {meant}", self.refused(*wrong), wrong)
        for wrong in (("--zzzz",), ("zzzz",), ("--port", "x")):
            self.assertNotIn("did you mean", self.refused(*wrong), wrong)
        self.assertIn("--help", self.refused("--port"))

    def test_version(self) -> None:
        """--version prints the version and exits with 0."""
        printed: list[Any] = []
        self.patch(__import__("builtins"), "print", lambda *args, **settings: printed.extend(args))
        self.assertEqual(self.assertRaises(SystemExit, self.options, "--version").code, 0)
        self.assertEqual(printed, [f"sttproxy {__version__}"])

    def test_help(self) -> None:
        """The help shows each group and each option once, with default and variables."""
        help = str(Options())
        self.assertTrue(help.startswith("Usage: sttproxy "), help[:40])
        places = [help.index(f"\n{group.title}:\n") for group in Group]
        self.assertEqual(places, sorted(places))
        text = " ".join(help.split())
        for option in OPTIONS:
            self.assertEqual(help.count(f"  --{option.name}{'=' if option.placeholder else ' '}"), 1, option.name)
            default = f"default: {option.default}; " if option.default else ""
            self.assertIn(f"{option.plain_help} [{default}environment: {option.variable}", text)
        for name in ("STT_CONFIG_PATH", "TARGET_HOST", "TARGET_PORT", *commands.COMMANDS):
            self.assertIn(name, text)

    def test_width(self) -> None:
        """No line of the help is wider than the terminal."""
        for width in (60, 80, 132):
            self.assertLessEqual(max(map(len, Options().getUsage(width).splitlines())), width)

    def test_command_help(self) -> None:
        """The help of each command has an example that the command accepts."""
        for name, (options_of, _) in commands.COMMANDS.items():
            text = str(options_of())
            example = shlex.split(text[text.index("Example: ") :])
            self.assertEqual(example[1:3], ["sttproxy", name])
            options_of().parseOptions([word for word in example[3:] if word != ">" and "schema" not in word])

    def test_completion(self) -> None:
        """zsh completes the options, also below twistd, and gets which of them take files and which repeat."""
        for options, words in ((Options(), []), (ServerOptions(), ["sttproxy"])):
            options._shellCompFile = found = io.BytesIO()
            arguments = [*words, "--p", "--_shell-completion", f"zsh:{2 + len(words)}"]
            self.assertRaises(SystemExit, options.parseOptions, arguments)
            text = found.getvalue().decode()
            self.assertIn("'--port=[Port to listen on.]", text)
            self.assertIn("_files", next(line for line in text.splitlines() if "--config=" in line))
            self.assertIn("'*--listen=", text)
