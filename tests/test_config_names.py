"""
Tests for :mod:`sttproxy.config.names`: what fields and profiles may be called.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import fold, names_of
from sttproxy.config.names import PROFILE, fault_of_field, fault_of_spelling

from .configurations import BAD_NAMES, BAD_PROFILES, NAMES, PROFILES

#: Other ways of writing the two names that are refused, which servers may read as these.
DISGUISED = ("ﬁle", "ｆｉｌｅ", "ＦＩＬＥ［］", "𝐟𝐢𝐥𝐞", "［］", "﹇", "fıle".upper())
#: Characters on which form parsers disagree: quotes, escapes, what ends a parameter, and what is not printable.
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
        """All others have a fault."""
        for name in (*BAD_NAMES, *DISGUISED):
            self.assertNotEqual(fault_of_field(name), "", ascii(name))

    def test_faults(self) -> None:
        """The fault says which rule it is, the field's before the spelling's."""
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
        """What some parser would not read as itself is refused at the beginning, within and at the end of a name."""
        for char in DANGEROUS:
            for name in (char + "a", f"a{char}b", "a" + char):
                self.assertIn("must not hold quotes", fault_of_spelling(name), ascii(name))

    def test_one_line(self) -> None:
        """A fault is one line, whatever the name."""
        for name in BAD_NAMES:
            self.assertEqual(len(fault_of_field(name).splitlines()), 1, ascii(name))

    @given(st.text(st.characters(codec="utf-8")))
    def test_any(self, name: str) -> None:
        """A name without a fault is printable, is no other one's spelling of the recording, and folds to something."""
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
        """Which profiles there are, in their order."""
        for profiles, text in (
            ((), "there are no profiles"),
            (("b",), "the profiles are: b"),
            (("b", "a"), "the profiles are: b, a"),
        ):
            self.assertEqual(names_of(profiles), text)
