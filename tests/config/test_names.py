"""
Tests for :mod:`sttproxy.config.names`: the allowed names of fields and profiles.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import fold, names_of
from sttproxy.config.names import PROFILE, fault_of_field, fault_of_spelling

from ..support.configurations import BAD_NAMES, BAD_PROFILES, NAMES, PROFILES

#: Other spellings of the two refused names, which servers may read as these names.
DISGUISED = ("ﬁle", "ｆｉｌｅ", "ＦＩＬＥ［］", "𝐟𝐢𝐥𝐞", "［］", "﹇", "fıle".upper())
#: Characters that form parsers treat differently: quotes, escapes, ends of a parameter, and unprintable ones.
DANGEROUS = '"\\%;=\r\n\0\t\x7f\x85\u00a0\u00ad\u200b\u200e\u2028\u2029\ufeff\ufff9\ue000\U000e0001'


class NamesTests(SynchronousTestCase):
    """Names."""

    def test_good(self) -> None:
        """A name may be anything that every form parser reads as itself."""
        for name in NAMES:
            self.assertEqual((fault_of_field(name), fault_of_spelling(name)), ("", ""), name)

    def test_distinct(self) -> None:
        """The names that the tests generate are different fields."""
        self.assertEqual(len(set(map(fold, NAMES))), len(NAMES))

    def test_bad(self) -> None:
        """All other names have a fault."""
        for name in (*BAD_NAMES, *DISGUISED):
            self.assertNotEqual(fault_of_field(name), "", ascii(name))

    def test_faults(self) -> None:
        """The fault tells the broken rule; rules for fields come before rules for spellings."""
        for name, field, spelling in (
            ("", "a field's name must not be empty", "a name must not be empty"),
            ("[]", "a field's name must not be empty", ""),
            ("file", "'file' is the recording itself", ""),
            ("FILE[0]", "'file' is the recording itself", ""),
            ("$", "reserved", "reserved"),
            ("$file", "reserved", "reserved"),
            ("a;", "must not hold quotes", "must not hold quotes"),
            (" ", "a field's name must not be empty", "outer white space"),
        ):
            for found, expected in ((fault_of_field(name), field), (fault_of_spelling(name), spelling)):
                self.assertIn(expected, found, name)
                self.assertEqual(bool(found), bool(expected), name)

    def test_dangerous(self) -> None:
        """A character that parsers treat differently is refused at the start, inside and at the end of a name."""
        for char in DANGEROUS:
            for name in (char + "a", f"a{char}b", "a" + char):
                self.assertIn("must not hold quotes", fault_of_spelling(name), ascii(name))

    def test_one_line(self) -> None:
        """A fault is one line for any name."""
        for name in BAD_NAMES:
            self.assertEqual(len(fault_of_field(name).splitlines()), 1, ascii(name))

    @given(st.text(st.characters(codec="utf-8")))
    def test_any(self, name: str) -> None:
        """A name without a fault is printable, is not a spelling of ``file``, and does not fold to an empty name."""
        if not fault_of_field(name):
            self.assertTrue(name.isprintable() and fold(name) not in ("", "file"), ascii(name))
            self.assertFalse(set(name) & set('"\\%;='), ascii(name))
            self.assertEqual((name.strip(), name[:1] == "$"), (name, False))

    def test_profiles(self) -> None:
        """A profile's name needs no escape in a URL."""
        for name in PROFILES:
            self.assertTrue(PROFILE.fullmatch(name), name)
        for name in BAD_PROFILES:
            self.assertFalse(PROFILE.fullmatch(name), ascii(name))

    def test_names_of(self) -> None:
        """The profiles are listed in their order."""
        for profiles, text in (
            ((), "there are no profiles"),
            (("b",), "the profiles are: b"),
            (("b", "a"), "the profiles are: b, a"),
        ):
            self.assertEqual(names_of(profiles), text)
