"""
Tests for :mod:`sttproxy.settings` and :mod:`sttproxy.values`: settings from the command line and the environment.
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

_HTTPS = ("--target", "https://h")

#: What an option needs beside it.
NEEDED: dict[str, tuple[str, ...]] = {
    "embedded-model": ("--embedded",),
    "tls-key": ("--tls-cert", "c"),
    "tls-client-ca": ("--tls-cert", "c"),
    "target-ca": _HTTPS,
    "target-cert": _HTTPS,
    "target-key": (*_HTTPS, "--target-cert", "c"),
    "target-insecure": _HTTPS,
    "require-key": ("--profile-by-key", "k"),
}


class OptionsTestCase(SynchronousTestCase):
    """A test of command lines."""

    def setUp(self) -> None:
        self.environment: dict[str, str] = {}
        self.patch(os, "environ", self.environment)

    def options(self, *arguments: str) -> Options:
        """Parse a command line."""
        options = Options()
        options.parseOptions(arguments)
        return options

    def settings(self, *arguments: str) -> Settings:
        """The settings of a command line."""
        return self.options(*arguments).settings

    def value(self, name: str, text: str) -> Any:
        """The value of one option on the command line."""
        return getattr(self.settings(f"--{name}", text), name.replace("-", "_"))

    def refused(self, *arguments: str) -> str:
        """The error message of a wrong command line, which must be one line."""
        message = str(self.assertRaises(StartError, self.options, *arguments))
        self.assertTrue(message.startswith("sttproxy: "), message)
        self.assertEqual(len(message.splitlines()), 1)
        return message


class DefaultTests(OptionsTestCase):
    """The defaults, and which source overrides which."""

    def test_defaults(self) -> None:
        """Without options and variables, the settings have their defaults."""
        settings = self.settings()
        self.assertEqual((settings.host, settings.port, settings.listen), ("0.0.0.0", 10241, ()))
        self.assertEqual(settings.destinations[0], Destination("localhost", 10240, ""))
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
        """The environment overrides the defaults."""
        self.environment.update(TARGET_HOST="h", TARGET_PORT="1", STT_CONFIG_PATH="c.json")
        settings = self.settings()
        self.assertEqual(settings.destinations[0], Destination("h", 1))
        self.assertEqual((settings.source.path, settings.source.required), (os.path.abspath("c.json"), True))

    def test_options(self) -> None:
        """Each option overrides its own variable only."""
        self.environment.update(TARGET_HOST="h", TARGET_PORT="1", STT_CONFIG_PATH="c.json")
        self.assertEqual(self.settings("--target-host", "o").destinations[0], Destination("o", 1))
        self.assertEqual(self.settings("--target-port", "2").destinations[0], Destination("h", 2))
        self.assertEqual(self.settings("--target", "http://o").destinations[0], Destination("o", 80))
        settings = self.settings("--config", "o.json")
        self.assertEqual((settings.source.path, settings.source.required), (os.path.abspath("o.json"), True))

    def test_empty_environment(self) -> None:
        """An empty variable counts as not set."""
        self.environment.update(TARGET_HOST="", TARGET_PORT="", STT_CONFIG_PATH="")
        settings = self.settings()
        self.assertEqual((settings.destinations[0], settings.source.required), (Destination("localhost", 10240), False))

    def test_wrong_environment(self) -> None:
        """An error names a wrong variable; a variable that is overridden is not read."""
        self.environment.update(TARGET_PORT="x")
        self.assertIn("TARGET_PORT", self.refused())
        self.assertEqual(self.settings("--target-port", "2").destinations[0].port, 2)
        self.assertEqual(self.settings("--target", "http://o:3").destinations[0].port, 3)


class WorkersTests(OptionsTestCase):
    """--workers."""

    def test_number(self) -> None:
        """It is a number, or one for each core that the process may use."""
        self.assertEqual((self.settings().workers, self.value("workers", "3")), (1, 3))
        self.patch(os, "sched_getaffinity", lambda _: {1, 2, 5})
        self.assertEqual(self.value("workers", "auto"), 3)

    def test_wrong(self) -> None:
        """Anything else is wrong, and so are several for the embedded engine."""
        for text in ("0", "-1", "many"):
            self.assertIn(f"{text!r} is not a number of processes", self.refused("--workers", text))
        self.assertIn("--workers is for a server behind", self.refused("--workers", "2", "--embedded"))


class EnvironmentTests(OptionsTestCase):
    """Each option has its own environment variable."""

    def test_every_option(self) -> None:
        """A variable has the same effect as its option on the command line."""
        texts = {
            values.FLAG: "yes",
            values.PORT: "7",
            values.COUNT: "7",
            values.SECONDS: "7",
            values.LIMIT: "7",
            values.DURATION: "7",
            values.MODE: "0600",
            values.WORKERS: "7",
            values.PEERS: "10.0.0.1",
            values.ORIGIN: "https://seven",
            values.URL: "http://h/x",
            values.LOG_FORMAT: "json",
            values.LOG_LEVEL: "warn",
        }
        for option in OPTIONS:
            text = texts.get(option.kind, "seven")
            needed = NEEDED.get(option.name, ())
            self.environment.clear()
            words = [f"--{option.name}"] if option.is_flag else [f"--{option.name}", text]
            expected = self.settings(*needed, *words)
            self.assertNotEqual(expected, self.settings(*needed), option.name)
            self.environment[option.variable] = text
            self.assertEqual(self.settings(*needed), expected, option.name)

    def test_precedence(self) -> None:
        """An option overrides its variable, which overrides the older variable."""
        self.environment.update(STTPROXY_PORT="1", STTPROXY_TARGET_HOST="new", TARGET_HOST="old", STTPROXY_CONFIG="c")
        settings = self.settings("--port", "2")
        self.assertEqual((settings.port, settings.destinations[0].host), (2, "new"))
        self.assertEqual((os.path.basename(settings.source.path), settings.source.required), ("c", True))

    def test_lists(self) -> None:
        """Commas separate the values of an option that repeats; the command line overrides all of them."""
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
        """The error for a wrong value names the variable."""
        self.environment.update(STTPROXY_TARGET="h:1")
        self.assertIn("STTPROXY_TARGET: 'h:1' must be a URL", self.refused())
        self.assertEqual(self.settings("--target-host", "h").destinations[0], Destination("h", 10240))

    def test_exclusive(self) -> None:
        """Options exclude each other on the same level only; a higher level overrides a lower one."""
        self.environment.update(STTPROXY_TARGET="http://h:1", TARGET_HOST="old")
        self.assertIn("STTPROXY_TARGET contains host and port; give either it or TARGET_HOST", self.refused())
        self.assertEqual(self.settings("--target-port", "2").destinations[0], Destination("old", 2))
        self.assertTrue(self.settings("--embedded").embedded)
        self.environment.update(TARGET_HOST="", STTPROXY_EMBEDDED="1")
        self.assertIn("STTPROXY_EMBEDDED replaces the server; give either it or STTPROXY_TARGET", self.refused())
        settings = self.settings("--target", "http://o:3")
        self.assertEqual((settings.embedded, settings.destinations[0]), (False, Destination("o", 3)))

    def test_unknown(self) -> None:
        """An unknown variable with our prefix gives a warning, with a suggestion if a name is similar."""
        environment = {"STTPROXY_PROT": "1", "STTPROXY_PORT": "1", "STTPROXY_ZZZZ": "1", "TARGET_HOSE": "1"}
        prot, zzzz = unknown_variables(environment)
        self.assertTrue(prot.endswith("STTPROXY_PROT belongs to no option; did you mean STTPROXY_PORT?"), prot)
        self.assertTrue(zzzz.endswith("STTPROXY_ZZZZ belongs to no option"), zzzz)


class ProfileTests(OptionsTestCase):
    """The options of profiles."""

    def test_defaults(self) -> None:
        """By default, there is no profile, no file of keys and no explaining header."""
        settings = self.settings()
        self.assertFalse(settings.source.profile or settings.source.keys or settings.explain_header)

    def test_given(self) -> None:
        """A profile is used as given; the path of the keys' file becomes absolute."""
        settings = self.settings("--profile", "medical", "--profile-by-key", "keys.json", "--explain-header")
        self.assertEqual(settings.source.profile, "medical")
        self.assertEqual(settings.source.keys, os.path.abspath("keys.json"))
        self.assertTrue(settings.explain_header)

    def test_independent(self) -> None:
        """Only --config makes the configuration required; the options of profiles do not."""
        self.assertFalse(self.settings("--profile", "p", "--profile-by-key", "k").source.required)
        self.assertTrue(self.settings("--profile", "p", "--config", "c").source.required)


class TargetTests(OptionsTestCase):
    """The options of the upstream's address."""

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
            "https://h/v1": ("h", 443, "/v1", True),
            "https://h:80": ("h", 80, "", True),
            "h2c://h:1": ("h", 1, "", False, True),
        }.items():
            self.assertEqual(self.settings("--target", url).destinations[0], Destination(*expected), url)

    def test_wrong_urls(self) -> None:
        """A URL that cannot be used is an error of --target."""
        for url in (
            "h:1",
            "ftp://h",
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
        """The error for a common mistake in the URL suggests the right URL."""
        for url, hint in (
            ("localhost:10240", "http://localhost:10240?"),
            ("10.0.0.1", "http://10.0.0.1?"),
            ("h:1/v1", "http://h:1/v1?"),
            ("https://h/v1/models", "before it: https://h "),
            ("http://h:1/v1/audio/transcriptions", "before it: http://h:1 "),
            ("http://h/audio/transcriptions/", "before it: http://h "),
            ("http://h/stt/v1/audio/translations", "before it: http://h/stt "),
            ("http://h/v1/chat/completions", "before it: http://h "),
            ("http://h/v1/models", "before it: http://h "),
        ):
            self.assertIn(hint, self.refused("--target", url) + " ", url)
        for url, prefix in (
            ("http://h/v1", "/v1"),
            ("http://h/models/a", "/models/a"),
            ("http://h/mymodels", "/mymodels"),
        ):
            self.assertEqual(self.settings("--target", url).destinations[0].prefix, prefix)

    def test_hosts(self) -> None:
        """A host is a name or an address, IPv6 with or without brackets."""
        for host, name in {"::1": "[::1]:1", "[::1]": "[::1]:1", "h": "h:1", "1.2.3.4": "1.2.3.4:1"}.items():
            destination = self.settings("--target-host", host, "--target-port", "1").destinations[0]
            self.assertEqual(destination.name, name)
        for host in ("", "a b", "a/b", "a\nb", "x" * 64, "a..b"):
            self.refused("--target-host", host)

    def test_exclusive(self) -> None:
        """--target excludes host and port; --embedded excludes all three."""
        for other in (("--target-host", "h"), ("--target-port", "1")):
            self.assertIn("--target", self.refused("--target", "http://h", *other))
            self.assertIn("--embedded", self.refused("--embedded", *other))
        self.assertIn("--embedded", self.refused("--embedded", "--target", "http://h"))
        self.assertIn("--embedded", self.refused("--embedded-model", "tiny.en"))
        self.assertTrue(self.settings("--embedded", "--embedded-model", "x").embedded)


class SecurityTests(OptionsTestCase):
    """The options of TLS and keys."""

    def test_paths(self) -> None:
        """Paths are absolute, because the daemon changes its directory in the background."""
        settings = self.settings("--tls-cert", "a", "--tls-key", "b", "--tls-cert", "c", "--tls-key", "d")
        self.assertEqual(settings.tls_cert, tuple(map(os.path.abspath, "ac")))
        self.assertEqual(settings.tls_key, tuple(map(os.path.abspath, "bd")))

    def test_refused(self) -> None:
        """An option that lacks another one, or excludes it, is an error that says so."""
        for arguments, error in (
            (("--tls-key", "k"), "0 --tls-cert and 1 --tls-key"),
            (("--tls-cert", "a", "--tls-cert", "b", "--tls-key", "k"), "one key for each certificate"),
            (("--tls-client-ca", "c"), "--tls-client-ca needs --tls-cert"),
            (("--tls-cert", "c", "--listen", "tcp:1"), "--tls-cert is for --port"),
            (("--target-ca", "c"), "--target-ca needs an https URL"),
            (("--target-insecure",), "--target-insecure needs an https URL"),
            ((*_HTTPS, "--target-key", "k"), "--target-key needs --target-cert"),
            ((*_HTTPS, "--target-insecure", "--target-ca", "c"), "--target-insecure verifies nothing"),
            (("--require-key",), "--require-key needs --profile-by-key"),
        ):
            self.assertIn(error, self.refused(*arguments), arguments)

    def test_authority(self) -> None:
        """The server's Host has no default port."""
        for url, authority in (
            ("http://h", "h"),
            ("http://h:443", "h:443"),
            ("https://h:443/x", "h"),
            ("https://[::1]", "[::1]"),
            ("https://h:8443", "h:8443"),
        ):
            self.assertEqual(self.settings("--target", url).destinations[0].authority, authority)


class ValueTests(OptionsTestCase):
    """The values of other options."""

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
        """For an optional time limit, 0 means no limit."""
        for name in ("pool-wait", "send-timeout", "answer-timeout", "body-timeout", "grace"):
            self.assertIsNone(self.value(name, "0"))
            self.assertEqual(self.value(name, "2"), 2.0)
            self.assertIn(f"--{name}", self.refused(f"--{name}", "-1"))

    def test_networks(self) -> None:
        """Trusted peers are addresses, networks, or the word unix; the option repeats."""
        settings = self.settings("--trust-forwarded", "10.0.0.1", "--trust-forwarded", "fd00::/8")
        self.assertEqual(settings.trust_forwarded, (ip_network("10.0.0.1"), ip_network("fd00::/8")))
        self.assertEqual(self.settings("--trust-forwarded", "unix").trust_forwarded, ("unix",))
        for text in ("x", "10.0.0.1/8", "", "Unix", "unix:", "unix:/run/x"):
            message = self.refused("--trust-forwarded", text)
            self.assertIn("--trust-forwarded", message)
            self.assertIn("the word 'unix'", message)

    def test_viewers(self) -> None:
        """Clients that may see the monitoring pages are given like trusted peers."""
        settings = self.settings("--monitor-from", "10.0.0.0/8", "--monitor-from", "unix")
        self.assertEqual(settings.monitor_from, (ip_network("10.0.0.0/8"), "unix"))
        self.assertEqual(self.settings().monitor_from, ())
        self.assertIn("--monitor-from", self.refused("--monitor-from", "localhost"))

    def test_origins(self) -> None:
        """An origin is written as browsers write it; the option repeats."""
        for text, expected in (
            ("*", "*"),
            ("null", "null"),
            ("HTTPS://A.Example/", "https://a.example"),
            ("https://a.example:443", "https://a.example"),
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://[::1]:80", "http://[::1]"),
            ("http://b\u00fccher.example", "http://xn--bcher-kva.example"),
            ("chrome-extension://abc", "chrome-extension://abc"),
        ):
            self.assertEqual(self.settings("--cors-origin", text).cors_origin, (expected,))
        for text, hint in (
            ("a.example", "'a.example' is not an origin like https://example.org"),
            ("localhost:3000", "is not an origin"),
            ("https://a.example/v1", "is more than an origin; write https://a.example"),
            ("https://u@a.example", "write https://a.example"),
            ("https://a.example:x", "'https://a.example:x'"),
            ("file:///index.html", "pages from files have the origin null"),
        ):
            self.assertIn(hint, self.refused("--cors-origin", text))

    def test_modes(self) -> None:
        """A mode is three octal digits, with or without a leading 0."""
        self.assertEqual(self.settings().socket_mode, 0o660)
        for text, mode in (("600", 0o600), ("0666", 0o666), ("000", 0)):
            self.assertEqual(self.settings("--socket-mode", text).socket_mode, mode)
        for text in ("", "66", "680", "1777", "0o660", "rw", "-660", "660\n", "\u0666\u0666\u0660"):
            self.assertIn("--socket-mode", self.refused("--socket-mode", text))

    def test_listen(self) -> None:
        """--listen repeats."""
        self.assertEqual(self.settings("--listen", "tcp:1", "--listen", "unix:/x").listen, ("tcp:1", "unix:/x"))
        self.assertEqual(self.settings().listen, ())
