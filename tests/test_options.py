"""
Tests for :mod:`sttproxy.tap`: the command line.
"""

from __future__ import annotations

import os
from ipaddress import ip_network
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import __version__
from sttproxy.daemon import StartError
from sttproxy.tap import DEFAULT_CONFIG, Destination, Options


class OptionsTestCase(SynchronousTestCase):
    """Tests of command lines."""

    def setUp(self) -> None:
        self.environment: dict[str, str] = {}
        self.patch(os, "environ", self.environment)

    def options(self, *arguments: str) -> Options:
        """What a command line says."""
        options = Options()
        options.parseOptions(arguments)
        return options

    def refused(self, *arguments: str) -> str:
        """Why a command line is wrong: one line."""
        message = str(self.assertRaises(StartError, self.options, *arguments))
        self.assertTrue(message.startswith("sttproxy: "), message)
        self.assertEqual(len(message.splitlines()), 1)
        return message


class DefaultTests(OptionsTestCase):
    """What holds unless told otherwise, and what beats what."""

    def test_defaults(self) -> None:
        """Without a word."""
        options = self.options()
        self.assertEqual((options["host"], options["port"], options["listen"]), ("0.0.0.0", 10241, []))
        self.assertEqual(options["destination"], Destination("localhost", 10240, ""))
        self.assertEqual((options["source"].path, options["source"].required), (os.path.abspath(DEFAULT_CONFIG), False))
        self.assertEqual(os.path.basename(options["source"].path), "stt_config.json")
        expected = {
            "pool-size": 32,
            "pool-idle": 4.0,
            "max-connections": 0,
            "pool-wait": 30.0,
            "max-transcriptions": 0,
            "max-body": 0,
            "connect-timeout": 5.0,
            "answer-timeout": None,
            "head-timeout": 10.0,
            "body-timeout": 30.0,
            "idle-timeout": 75.0,
            "drain-timeout": 30.0,
            "grace": 30.0,
        }
        self.assertEqual({name: options[name] for name in expected}, expected)

    def test_environment(self) -> None:
        """The environment beats the defaults."""
        self.environment.update(TARGET_HOST="h", TARGET_PORT="1", STT_CONFIG_PATH="c.json")
        options = self.options()
        self.assertEqual(options["destination"], Destination("h", 1))
        self.assertEqual((options["source"].path, options["source"].required), (os.path.abspath("c.json"), True))

    def test_options(self) -> None:
        """Options beat the environment, each for itself."""
        self.environment.update(TARGET_HOST="h", TARGET_PORT="1", STT_CONFIG_PATH="c.json")
        self.assertEqual(self.options("--target-host", "o")["destination"], Destination("o", 1))
        self.assertEqual(self.options("--target-port", "2")["destination"], Destination("h", 2))
        self.assertEqual(self.options("--target", "http://o")["destination"], Destination("o", 80))
        options = self.options("--config", "o.json")
        self.assertEqual((options["source"].path, options["source"].required), (os.path.abspath("o.json"), True))

    def test_empty_environment(self) -> None:
        """A variable that is empty says nothing."""
        self.environment.update(TARGET_HOST="", TARGET_PORT="", STT_CONFIG_PATH="")
        options = self.options()
        self.assertEqual((options["destination"], options["source"].required), (Destination("localhost", 10240), False))

    def test_wrong_environment(self) -> None:
        """One that is wrong is named; where it is not needed it is not even read."""
        self.environment.update(TARGET_PORT="x")
        self.assertIn("TARGET_PORT", self.refused())
        self.assertEqual(self.options("--target-port", "2")["destination"].port, 2)
        self.assertEqual(self.options("--target", "http://o:3")["destination"].port, 3)


class ProfileTests(OptionsTestCase):
    """Profiles, and who has them."""

    def test_defaults(self) -> None:
        """Unless told, requests have no profile, no key is bound to one, and responses tell nothing."""
        options = self.options()
        self.assertFalse(options["source"].profile or options["source"].keys or options["explain-header"])

    def test_given(self) -> None:
        """A profile is taken as it stands, the keys' file by its absolute path, for the daemon changes its folder."""
        options = self.options("--profile", "medical", "--profile-by-key", "keys.json", "--explain-header")
        self.assertEqual(options["source"].profile, "medical")
        self.assertEqual(options["source"].keys, os.path.abspath("keys.json"))
        self.assertTrue(options["explain-header"])

    def test_independent(self) -> None:
        """Neither makes the configuration one that has to be there; naming it does."""
        self.assertFalse(self.options("--profile", "p", "--profile-by-key", "k")["source"].required)
        self.assertTrue(self.options("--profile", "p", "--config", "c")["source"].required)


class TargetTests(OptionsTestCase):
    """Where the upstream is."""

    def test_urls(self) -> None:
        """A URL gives host, port and prefix."""
        for url, expected in {
            "http://h": ("h", 80, ""),
            "http://h/": ("h", 80, ""),
            "http://h:1/": ("h", 1, ""),
            "HTTP://H:1/a/b/": ("h", 1, "/a/b"),
            "http://h/a%20b": ("h", 80, "/a%20b"),
            "http://[::1]:1/x": ("::1", 1, "/x"),
            "http://127.0.0.1": ("127.0.0.1", 80, ""),
        }.items():
            self.assertEqual(self.options("--target", url)["destination"], Destination(*expected), url)

    def test_wrong_urls(self) -> None:
        """One that cannot be used is refused and quoted."""
        for url in (
            "h:1",
            "https://h",
            "http://",
            "http:///x",
            "http://h:x",
            "http://h:70000",
            "http://u:p@h",
            "http://h?q",
            "http://h#f",
            "http://h/a b",
            "http://h/\u00e4",
            "http://h h/",
            "http://[::1",
            "http://" + "x" * 64,
        ):
            self.assertIn("--target", self.refused("--target", url), url)

    def test_nearly_right_urls(self) -> None:
        """What people write for the server's address is refused with what would be right."""
        for url, hint in (
            ("localhost:10240", "http://localhost:10240?"),
            ("10.0.0.1", "http://10.0.0.1?"),
            ("h:1/v1", "http://h:1/v1?"),
            ("https://h:1", "http:// address"),
            ("http://h:1/v1/audio/transcriptions", "before: http://h:1 "),
            ("http://h/audio/transcriptions/", "before: http://h "),
            ("http://h/stt/v1/audio/translations", "before: http://h/stt "),
            ("http://h/v1/chat/completions", "before: http://h "),
            ("http://h/v1/models", "before: http://h "),
        ):
            self.assertIn(hint, self.refused("--target", url) + " ", url)
        for url, prefix in (
            ("http://h/v1", "/v1"),
            ("http://h/models/a", "/models/a"),
            ("http://h/mymodels", "/mymodels"),
        ):
            self.assertEqual(self.options("--target", url)["destination"].prefix, prefix)

    def test_hosts(self) -> None:
        """A host is a name or an address, IPv6 with or without brackets."""
        for host, name in {"::1": "[::1]:1", "[::1]": "[::1]:1", "h": "h:1", "1.2.3.4": "1.2.3.4:1"}.items():
            destination = self.options("--target-host", host, "--target-port", "1")["destination"]
            self.assertEqual(destination.name, name)
        for host in ("a b", "a/b", "a\nb", "x" * 64, "a..b"):
            self.refused("--target-host", host)

    def test_exclusive(self) -> None:
        """A URL excludes the two others, and the embedded engine all of them."""
        for other in (("--target-host", "h"), ("--target-port", "1")):
            self.assertIn("--target", self.refused("--target", "http://h", *other))
            self.assertIn("--embedded", self.refused("--embedded", *other))
        self.assertIn("--embedded", self.refused("--embedded", "--target", "http://h"))
        self.assertIn("--embedded", self.refused("--embedded-model", "tiny.en"))
        self.assertTrue(self.options("--embedded", "--embedded-model", "x")["embedded"])


class ValueTests(OptionsTestCase):
    """Values of other options."""

    def test_ports(self) -> None:
        """A port is a number from 0 to 65535."""
        for text in ("0", "1", "65535"):
            self.assertEqual(self.options("--port", text)["port"], int(text))
        for text in ("", "-1", "65536", "x", "1.5", " 1", "1_0", "\u0661", "9" * 5000):
            self.assertIn("--port", self.refused("--port", text))

    def test_counts(self) -> None:
        """A count is a whole number, 0 or more."""
        for name in ("pool-size", "max-connections", "max-transcriptions", "max-queue", "max-body"):
            self.assertEqual(self.options(f"--{name}", "7")[name], 7)
            self.assertEqual(self.options(f"--{name}", "0")[name], 0)
            for text in ("-1", "x", "1.5", "", "9" * 5000):
                self.assertIn(f"--{name}", self.refused(f"--{name}", text))

    def test_times(self) -> None:
        """A time is a positive number of seconds."""
        for name in ("pool-idle", "connect-timeout", "head-timeout", "idle-timeout", "drain-timeout"):
            self.assertEqual(self.options(f"--{name}", "0.5")[name], 0.5)
            for text in ("0", "-1", "x", "nan", "inf", ""):
                self.assertIn(f"--{name}", self.refused(f"--{name}", text))

    def test_unlimited(self) -> None:
        """Where there need not be a limit, 0 says so."""
        for name in ("pool-wait", "send-timeout", "answer-timeout", "body-timeout", "grace"):
            self.assertIsNone(self.options(f"--{name}", "0")[name])
            self.assertEqual(self.options(f"--{name}", "2")[name], 2.0)
            self.assertIn(f"--{name}", self.refused(f"--{name}", "-1"))

    def test_networks(self) -> None:
        """Trusted peers are addresses or networks, any number of them."""
        options = self.options("--trust-forwarded", "10.0.0.1", "--trust-forwarded", "fd00::/8")
        self.assertEqual(options["trust-forwarded"], [ip_network("10.0.0.1"), ip_network("fd00::/8")])
        self.assertEqual(self.options("--trust-forwarded", "unix")["trust-forwarded"], ["unix"])
        for text in ("x", "10.0.0.1/8", "", "Unix", "unix:", "unix:/run/x"):
            message = self.refused("--trust-forwarded", text)
            self.assertIn("--trust-forwarded", message)
            self.assertIn("the word 'unix'", message)

    def test_modes(self) -> None:
        """A mode is three octal digits, with the zero in front that C and Python write, or without."""
        self.assertEqual(self.options()["socket-mode"], 0o660)
        for text, mode in (("600", 0o600), ("0666", 0o666), ("000", 0)):
            self.assertEqual(self.options("--socket-mode", text)["socket-mode"], mode)
        for text in ("", "66", "680", "1777", "0o660", "rw", "-660", "660\n", "\u0666\u0666\u0660"):
            self.assertIn("--socket-mode", self.refused("--socket-mode", text))

    def test_listen(self) -> None:
        """Endpoints can be given any number of times."""
        self.assertEqual(self.options("--listen", "tcp:1", "--listen", "unix:/x")["listen"], ["tcp:1", "unix:/x"])
        self.assertEqual(self.options()["listen"], [])

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
        """The help is the manual: it names each option and what the environment can say."""
        text = str(Options())
        for name in ("host", "port", "target", "config", "listen", "embedded", "trust-forwarded", "grace", "max-body"):
            self.assertIn(f"--{name}", text)
        for name in ("STT_CONFIG_PATH", "TARGET_HOST", "TARGET_PORT"):
            self.assertIn(name, text)
