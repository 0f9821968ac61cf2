"""
Tests for :mod:`sttproxy.usage`: what is no option, and the help.
"""

from __future__ import annotations

import io
from typing import Any

from twisted.scripts.twistd import ServerOptions

from sttproxy import __version__, commands
from sttproxy.options import OPTIONS, Group
from sttproxy.tap import Options

from .test_settings import OptionsTestCase


class UsageTests(OptionsTestCase):
    """Command lines."""

    def test_unknown(self) -> None:
        """What is no option is refused in one line that says where to look."""
        self.assertIn("--help", self.refused("--nonsense"))
        self.assertIn("stray", self.refused("stray"))

    def test_suggestions(self) -> None:
        """What is nearly an option, or nearly a command, is named."""
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
        """The version is printed, and that is all."""
        printed: list[Any] = []
        self.patch(__import__("builtins"), "print", lambda *args, **settings: printed.extend(args))
        self.assertEqual(self.assertRaises(SystemExit, self.options, "--version").code, 0)
        self.assertEqual(printed, [f"sttproxy {__version__}"])

    def test_help(self) -> None:
        """The help has each group once, and in it each option with its default and its variables."""
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
        """No line is wider than the terminal says that it is."""
        for width in (60, 80, 132):
            self.assertLessEqual(max(map(len, Options().getUsage(width).splitlines())), width)

    def test_command_help(self) -> None:
        """The help of each command has an example that the command understands."""
        for name, (options_of, _) in commands.COMMANDS.items():
            text = str(options_of())
            example = text[text.index("Example: ") :].split()
            self.assertEqual(example[1:3], ["sttproxy", name])
            options_of().parseOptions([word for word in example[3:] if word != ">" and "schema" not in word])

    def test_completion(self) -> None:
        """zsh is told the options, also below twistd, which of them name files, and which may come again."""
        for options, words in ((Options(), []), (ServerOptions(), ["sttproxy"])):
            options._shellCompFile = found = io.BytesIO()
            arguments = [*words, "--p", "--_shell-completion", f"zsh:{2 + len(words)}"]
            self.assertRaises(SystemExit, options.parseOptions, arguments)
            text = found.getvalue().decode()
            self.assertIn("'--port=[Port to listen on.]", text)
            self.assertIn("_files", next(line for line in text.splitlines() if "--config=" in line))
            self.assertIn("'*--listen=", text)
