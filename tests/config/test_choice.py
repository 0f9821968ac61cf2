"""
Tests for :mod:`sttproxy.config.choice`: which requests fit a choice, and which choices another one covers.
"""

from __future__ import annotations

import re
from ipaddress import ip_network

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config.choice import Asked, Choice, HeaderPattern
from sttproxy.peers import UNIX, UNKNOWN, Trusted

PATTERNS = st.text("ab*", max_size=5)
#: No letter of a pattern is among the additional ones, so each star can match something of its own.
VALUES = st.text("abcd", max_size=6)


def asked(client: str = UNKNOWN, path: bytes = b"/v1/audio/transcriptions", key: str = "", **headers: str) -> Asked:
    """A request."""
    values = {name.lower().encode(): [value.encode()] for name, value in headers.items()}
    return Asked(lambda name: values.get(name, ()), lambda: client, lambda: path, lambda: key)


def fits(pattern: HeaderPattern, *values: bytes) -> bool:
    """Whether a pattern fits a request whose header A has these values."""
    return pattern.fits(Asked({b"a": values}.__getitem__, str, bytes, str))


class HeaderPatternTests(SynchronousTestCase):
    """A condition on a header."""

    def test_table(self) -> None:
        """A star stands for any characters, also for none; case does not matter."""
        for text, fitting, others in (
            (
                "OpenWebUI*",
                ("OpenWebUI", "openwebui/0.6", "OPENWEBUI x"),
                ("Open WebUI", " OpenWebUI", "", "xOpenWebUI"),
            ),
            ("*curl*", ("curl", "libcurl/8", "a Curl b"), ("cur", "")),
            ("a*b", ("ab", "a b", "axb", "abab"), ("a", "b", "abc", "aB c")),
            ("a*a", ("aa", "aba"), ("a",)),
            ("*", ("", "x", "\n"), ()),
            ("**", ("", "x"), ()),
            ("x", ("x", "X"), ("xx", "", "*")),
            ("a*b*c", ("abc", "a1b2c", "abbcc"), ("acb", "ac", "cba")),
            ("a.b", ("a.b",), ("axb",)),
            ("Öl*", ("ölig", "ÖL"), ("Oel",)),
        ):
            pattern = HeaderPattern("A", text)
            for value in fitting:
                self.assertTrue(fits(pattern, value.encode()), (text, value))
            for value in others:
                self.assertFalse(fits(pattern, value.encode()), (text, value))

    def test_several(self) -> None:
        """One of several values is enough; a header that is not there has none."""
        pattern = HeaderPattern("A", "x*")
        self.assertTrue(fits(pattern, b"y", b"xy"))
        self.assertFalse(fits(pattern))
        self.assertFalse(fits(HeaderPattern("A", "*")))
        self.assertTrue(fits(HeaderPattern("A", "*"), b"\xff"))

    @given(PATTERNS, VALUES)
    def test_oracle(self, text: str, value: str) -> None:
        """A regular expression finds the same values."""
        regex = ".*".join(map(re.escape, text.split("*")))
        self.assertEqual(fits(HeaderPattern("A", text), value.encode()), bool(re.fullmatch(regex, value)))

    @given(PATTERNS, PATTERNS, st.lists(VALUES, max_size=5))
    def test_covers(self, text: str, other: str, fillings: list[str]) -> None:
        """What matches a covered pattern matches the covering one."""
        covering, covered = HeaderPattern("A", text), HeaderPattern("a", other)
        samples = [other.replace("*", filling) for filling in ("", "c", "d", *fillings)]
        matched = [fits(covering, sample.encode()) for sample in samples]
        if covering.covers(covered):
            self.assertEqual(matched, [True] * len(samples), samples)
        else:
            self.assertFalse(matched[1] and matched[2], samples)
        self.assertFalse(covering.covers(HeaderPattern("B", other)))

    def test_long(self) -> None:
        """The search in a long value does not go back, which would take years with this pattern."""
        self.assertFalse(fits(HeaderPattern("A", "*a" * 30 + "*b"), b"a" * 60_000))


class ChoiceTests(SynchronousTestCase):
    """One entry."""

    def fits(self, choice: Choice, fitting: tuple[Asked, ...], others: tuple[Asked, ...]) -> None:
        """Check which requests fit."""
        for each in fitting:
            self.assertTrue(choice.fits(each), each)
        for each in others:
            self.assertFalse(choice.fits(each), each)

    def test_address(self) -> None:
        """A network contains the addresses of its own version; a client without an address is in none."""
        inside: tuple[tuple[Trusted, tuple[str, ...], tuple[str, ...]], ...] = (
            (ip_network("192.168.1.0/24"), ("192.168.1.0", "::ffff:192.168.1.7"), ("192.168.2.1", "::1", "::c0a8:101")),
            (ip_network("fd00::/8"), ("fd00::1", "fd12::1%eth0"), ("fe80::1", "192.168.1.1", "::ffff:192.168.1.7")),
            (ip_network("::/0"), ("::1", "fe80::1%eth0"), ("127.0.0.1", "::ffff:127.0.0.1")),
            (ip_network("0.0.0.0/0"), ("127.0.0.1", "::ffff:127.0.0.1"), ("::1",)),
            (UNIX, (UNIX,), ("127.0.0.1", "::1")),
        )
        for network, clients, others in inside:
            no_address = (UNKNOWN, "", *({UNIX} - {network}))
            self.fits(
                Choice("p", network=network),
                tuple(asked(client) for client in clients),
                tuple(asked(client) for client in (*others, *no_address)),
            )

    def test_path(self) -> None:
        """A path ends in the choice's, at a slash."""
        self.fits(
            Choice("p", path="/asr"),
            (asked(path=b"/asr"), asked(path=b"/v1/asr")),
            (asked(path=b"/xasr"), asked(path=b"/asr/x"), asked()),
        )

    def test_key(self) -> None:
        """The key is compared by its hash."""
        self.fits(Choice("p", key="ab"), (asked(key="ab"),), (asked(key="abc"), asked()))

    def test_all(self) -> None:
        """All conditions must hold."""
        choice = Choice("p", (HeaderPattern("A", "x"), HeaderPattern("B", "*")), ip_network("10.0.0.0/8"), "/asr", "ab")
        whole = {"client": "10.0.0.1", "key": "ab", "a": "x", "b": "y"}
        self.fits(choice, (asked(path=b"/asr", **whole),), (asked(**whole),))
        for name in ("client", "key", "a"):
            self.assertFalse(choice.fits(asked(path=b"/asr", **{**whole, name: "z"})), name)
        self.assertFalse(choice.fits(asked("10.0.0.1", b"/asr", "ab", a="x")))

    def test_lazy(self) -> None:
        """What no condition is about is not computed."""

        def never() -> str:
            raise AssertionError

        request = Asked(lambda name: (), never, lambda: b"/asr", never)
        self.assertTrue(Choice("p", path="/asr").fits(request))
        self.assertFalse(Choice("p", (HeaderPattern("A", "*"),), UNIX, "", "ab").fits(request))

    def test_shown(self) -> None:
        """The conditions are shown in words, the key by the first digits of its hash."""
        for choice, shown in (
            (Choice("p", (HeaderPattern("A", "x*"), HeaderPattern("B", "*"))), "header A: x*, header B: *"),
            (Choice("p", network=ip_network("10.0.0.1"), path="/asr"), "address 10.0.0.1, path /asr"),
            (Choice("p", network=ip_network("fd00::/32"), key="0123456789"), "address fd00::/32, key sha256:01234567…"),
            (Choice("p", network=UNIX), "address unix"),
        ):
            self.assertEqual(str(choice), shown)
