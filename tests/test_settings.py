"""
Tests for :mod:`sttproxy.settings` and :mod:`sttproxy.values`: what the command line and the environment say.
"""

from __future__ import annotations

import os
from ipaddress import ip_network
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy import values
from sttproxy.daemon import StartError
from sttproxy.options import DEFAULT_CONFIG, OPTIONS
from sttproxy.settings import Settings, unknown_variables
from sttproxy.tap import Options
from sttproxy.values import Destination


class OptionsTestCase(SynchronousTestCase):
    """Tests of command lines."""

    def setUp(self) -> None:
        self.environment: dict[str, str] = {}
        self.patch(os, "environ", self.environment)

    def options(self, *arguments: str) -> Options:
        """A command line, parsed."""
        options = Options()
        options.parseOptions(arguments)
        return options

    def settings(self, *arguments: str) -> Settings:
        """What a command line says."""
        return self.options(*arguments).settings

    def value(self, name: str, text: str) -> Any:
        """The value of one option on the command line."""
        return getattr(self.settings(f"--{name}", text), name.replace("-", "_"))

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
        settings = self.settings()
        self.assertEqual((settings.host, settings.port, settings.listen), ("0.0.0.0", 10241, ()))
        self.assertEqual(settings.destination, Destination("localhost", 10240, ""))
        self.assertEqual((settings.source.path, settings.source.required), (os.path.abspath(DEFAULT_CONFIG), False))
        self.assertEqual(os.path.basename(settings.source.path), "stt_config.json")
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
        self.assertEqual({name: getattr(settings, name.replace("-", "_")) for name in expected}, expected)

    def test_environment(self) -> None:
        """The environment beats the defaults."""
        self.environment.update(TARGET_HOST="h", TARGET_PORT="1", STT_CONFIG_PATH="c.json")
        settings = self.settings()
        self.assertEqual(settings.destination, Destination("h", 1))
        self.assertEqual((settings.source.path, settings.source.required), (os.path.abspath("c.json"), True))

    def test_options(self) -> None:
        """Options beat the environment, each for itself."""
        self.environment.update(TARGET_HOST="h", TARGET_PORT="1", STT_CONFIG_PATH="c.json")
        self.assertEqual(self.settings("--target-host", "o").destination, Destination("o", 1))
        self.assertEqual(self.settings("--target-port", "2").destination, Destination("h", 2))
        self.assertEqual(self.settings("--target", "http://o").destination, Destination("o", 80))
        settings = self.settings("--config", "o.json")
        self.assertEqual((settings.source.path, settings.source.required), (os.path.abspath("o.json"), True))

    def test_empty_environment(self) -> None:
        """A variable that is empty says nothing."""
        self.environment.update(TARGET_HOST="", TARGET_PORT="", STT_CONFIG_PATH="")
        settings = self.settings()
        self.assertEqual((settings.destination, settings.source.required), (Destination("localhost", 10240), False))

    def test_wrong_environment(self) -> None:
        """One that is wrong is named; where it is not needed it is not even read."""
        self.environment.update(TARGET_PORT="x")
        self.assertIn("TARGET_PORT", self.refused())
        self.assertEqual(self.settings("--target-port", "2").destination.port, 2)
        self.assertEqual(self.settings("--target", "http://o:3").destination.port, 3)


class EnvironmentTests(OptionsTestCase):
    """Each option can be set by a variable of its own."""

    def test_every_option(self) -> None:
        """A variable says what its option would say on the command line."""
        texts = {
            values.FLAG: "yes",
            values.PORT: "7",
            values.COUNT: "7",
            values.SECONDS: "7",
            values.LIMIT: "7",
            values.DURATION: "7",
            values.MODE: "0600",
            values.PEERS: "10.0.0.1",
            values.URL: "http://h/x",
        }
        for option in OPTIONS:
            text = texts.get(option.kind, "seven")
            embedded = ("--embedded",) if option.name == "embedded-model" else ()
            self.environment.clear()
            words = [f"--{option.name}"] if option.is_flag else [f"--{option.name}", text]
            expected = self.settings(*embedded, *words)
            self.assertNotEqual(expected, self.settings(*embedded), option.name)
            self.environment[option.variable] = text
            self.assertEqual(self.settings(*embedded), expected, option.name)

    def test_precedence(self) -> None:
        """An option beats its variable, and that beats the older name."""
        self.environment.update(STTPROXY_PORT="1", STTPROXY_TARGET_HOST="new", TARGET_HOST="old", STTPROXY_CONFIG="c")
        settings = self.settings("--port", "2")
        self.assertEqual((settings.port, settings.destination.host), (2, "new"))
        self.assertEqual((os.path.basename(settings.source.path), settings.source.required), ("c", True))

    def test_lists(self) -> None:
        """Commas part the values of an option that repeats; the command line replaces all of them."""
        self.environment.update(STTPROXY_LISTEN="tcp:1, unix:/x,", STTPROXY_TRUST_FORWARDED="10.0.0.1,unix")
        settings = self.settings()
        self.assertEqual(settings.listen, ("tcp:1", "unix:/x"))
        self.assertEqual(settings.trust_forwarded, (ip_network("10.0.0.1"), "unix"))
        self.assertEqual(self.settings("--listen", "tcp:2").listen, ("tcp:2",))

    def test_flags(self) -> None:
        """A flag is on or off; anything else is refused."""
        for text, expected in (("1", True), ("TRUE", True), ("on", True), ("0", False), ("no", False), ("", False)):
            self.environment.update(STTPROXY_EXPLAIN_HEADER=text)
            self.assertIs(self.settings().explain_header, expected, text)
            self.assertTrue(self.settings("--explain-header").explain_header)
        self.environment.update(STTPROXY_EXPLAIN_HEADER="maybe")
        self.assertIn("STTPROXY_EXPLAIN_HEADER: 'maybe'", self.refused())

    def test_wrong(self) -> None:
        """What is wrong is named by its variable."""
        self.environment.update(STTPROXY_TARGET="h:1")
        self.assertIn("STTPROXY_TARGET: 'h:1' must be a URL", self.refused())
        self.assertEqual(self.settings("--target-host", "h").destination, Destination("h", 10240))

    def test_exclusive(self) -> None:
        """What excludes each other does so where it was said in one place; else the command line wins."""
        self.environment.update(STTPROXY_TARGET="http://h:1", TARGET_HOST="old")
        self.assertIn("STTPROXY_TARGET stands for host and port; give either it or TARGET_HOST", self.refused())
        self.assertEqual(self.settings("--target-port", "2").destination, Destination("old", 2))
        self.assertTrue(self.settings("--embedded").embedded)
        self.environment.update(TARGET_HOST="", STTPROXY_EMBEDDED="1")
        self.assertIn("STTPROXY_EMBEDDED serves from inside; it excludes STTPROXY_TARGET", self.refused())
        settings = self.settings("--target", "http://o:3")
        self.assertEqual((settings.embedded, settings.destination), (False, Destination("o", 3)))

    def test_unknown(self) -> None:
        """A variable that looks like ours and is none is told, with what is probably meant."""
        environment = {"STTPROXY_PROT": "1", "STTPROXY_PORT": "1", "STTPROXY_ZZZZ": "1", "TARGET_HOSE": "1"}
        prot, zzzz = unknown_variables(environment)
        self.assertTrue(prot.endswith("STTPROXY_PROT belongs to no option; did you mean STTPROXY_PORT?"), prot)
        self.assertTrue(zzzz.endswith("STTPROXY_ZZZZ belongs to no option"), zzzz)


class ProfileTests(OptionsTestCase):
    """Profiles, and who has them."""

    def test_defaults(self) -> None:
        """Unless told, requests have no profile, no key is bound to one, and responses tell nothing."""
        settings = self.settings()
        self.assertFalse(settings.source.profile or settings.source.keys or settings.explain_header)

    def test_given(self) -> None:
        """A profile is taken as it stands, the keys' file by its absolute path, for the daemon changes its folder."""
        settings = self.settings("--profile", "medical", "--profile-by-key", "keys.json", "--explain-header")
        self.assertEqual(settings.source.profile, "medical")
        self.assertEqual(settings.source.keys, os.path.abspath("keys.json"))
        self.assertTrue(settings.explain_header)

    def test_independent(self) -> None:
        """Neither makes the configuration one that has to be there; naming it does."""
        self.assertFalse(self.settings("--profile", "p", "--profile-by-key", "k").source.required)
        self.assertTrue(self.settings("--profile", "p", "--config", "c").source.required)


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
            self.assertEqual(self.settings("--target", url).destination, Destination(*expected), url)

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
            self.assertEqual(self.settings("--target", url).destination.prefix, prefix)

    def test_hosts(self) -> None:
        """A host is a name or an address, IPv6 with or without brackets."""
        for host, name in {"::1": "[::1]:1", "[::1]": "[::1]:1", "h": "h:1", "1.2.3.4": "1.2.3.4:1"}.items():
            destination = self.settings("--target-host", host, "--target-port", "1").destination
            self.assertEqual(destination.name, name)
        for host in ("", "a b", "a/b", "a\nb", "x" * 64, "a..b"):
            self.refused("--target-host", host)

    def test_exclusive(self) -> None:
        """A URL excludes the two others, and the embedded engine all of them."""
        for other in (("--target-host", "h"), ("--target-port", "1")):
            self.assertIn("--target", self.refused("--target", "http://h", *other))
            self.assertIn("--embedded", self.refused("--embedded", *other))
        self.assertIn("--embedded", self.refused("--embedded", "--target", "http://h"))
        self.assertIn("--embedded", self.refused("--embedded-model", "tiny.en"))
        self.assertTrue(self.settings("--embedded", "--embedded-model", "x").embedded)


class ValueTests(OptionsTestCase):
    """Values of other settings."""

    def test_ports(self) -> None:
        """A port is a number from 0 to 65535."""
        for text in ("0", "1", "65535"):
            self.assertEqual(self.settings("--port", text).port, int(text))
        for text in ("", "-1", "65536", "x", "1.5", " 1", "1_0", "\u0661", "9" * 5000):
            self.assertIn("--port", self.refused("--port", text))

    def test_counts(self) -> None:
        """A count is a whole number, 0 or more."""
        for name in ("pool-size", "max-connections", "max-transcriptions", "max-queue", "max-body"):
            self.assertEqual(self.value(name, "7"), 7)
            self.assertEqual(self.value(name, "0"), 0)
            for text in ("-1", "x", "1.5", "", "9" * 5000):
                self.assertIn(f"--{name}", self.refused(f"--{name}", text))

    def test_times(self) -> None:
        """A time is a positive number of seconds."""
        for name in ("pool-idle", "connect-timeout", "head-timeout", "idle-timeout", "drain-timeout"):
            self.assertEqual(self.value(name, "0.5"), 0.5)
            for text in ("0", "-1", "x", "nan", "inf", ""):
                self.assertIn(f"--{name}", self.refused(f"--{name}", text))

    def test_unlimited(self) -> None:
        """Where there need not be a limit, 0 says so."""
        for name in ("pool-wait", "send-timeout", "answer-timeout", "body-timeout", "grace"):
            self.assertIsNone(self.value(name, "0"))
            self.assertEqual(self.value(name, "2"), 2.0)
            self.assertIn(f"--{name}", self.refused(f"--{name}", "-1"))

    def test_networks(self) -> None:
        """Trusted peers are addresses or networks, any number of them."""
        settings = self.settings("--trust-forwarded", "10.0.0.1", "--trust-forwarded", "fd00::/8")
        self.assertEqual(settings.trust_forwarded, (ip_network("10.0.0.1"), ip_network("fd00::/8")))
        self.assertEqual(self.settings("--trust-forwarded", "unix").trust_forwarded, ("unix",))
        for text in ("x", "10.0.0.1/8", "", "Unix", "unix:", "unix:/run/x"):
            message = self.refused("--trust-forwarded", text)
            self.assertIn("--trust-forwarded", message)
            self.assertIn("the word 'unix'", message)

    def test_modes(self) -> None:
        """A mode is three octal digits, with the zero in front that C and Python write, or without."""
        self.assertEqual(self.settings().socket_mode, 0o660)
        for text, mode in (("600", 0o600), ("0666", 0o666), ("000", 0)):
            self.assertEqual(self.settings("--socket-mode", text).socket_mode, mode)
        for text in ("", "66", "680", "1777", "0o660", "rw", "-660", "660\n", "\u0666\u0666\u0660"):
            self.assertIn("--socket-mode", self.refused("--socket-mode", text))

    def test_listen(self) -> None:
        """Endpoints can be given any number of times."""
        self.assertEqual(self.settings("--listen", "tcp:1", "--listen", "unix:/x").listen, ("tcp:1", "unix:/x"))
        self.assertEqual(self.settings().listen, ())
