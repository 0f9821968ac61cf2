"""
Tests for how :mod:`sttproxy.config` compares the names of fields.
"""

from __future__ import annotations

import tracemalloc
import unicodedata

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import fold, parse


class FoldTests(SynchronousTestCase):
    """Which spellings of a name are the same field."""

    def test_same(self) -> None:
        """Brackets, width, case, composition and outer white space make no difference."""
        for name in (
            "prompt",
            "Prompt",
            "PROMPT",
            " prompt\t",
            "prompt\r\n",
            "\u3000prompt\u00a0\x85",
            "prompt[]",
            "prompt[0]",
            "prompt[key]",
            "prompt[][",
            "prompt []",
            "ｐｒｏｍｐｔ",
            "𝗽𝗿𝗼𝗺𝗽𝘁",
            "ⓟⓡⓞⓜⓟⓣ",
            "prompt［］",
            "prompt﹇x",
            "ＰＲＯＭＰＴ［０］",
        ):
            self.assertEqual(fold(name), "prompt", ascii(name))
        self.assertEqual(fold("tempe\u0301rature"), fold("temp\u00c9rature"))
        self.assertEqual(fold("ﬁLE"), "file")
        self.assertEqual(fold("\u212aey"), "key")
        self.assertEqual(fold("re\u017fponse"), "response")
        self.assertEqual(fold("Straße"), fold("STRASSE"))

    def test_different(self) -> None:
        """Names that differ in anything else are different fields."""
        for name in ("", "prompts", "pro mpt", "prompt.", "рrompt", "initial_prompt", "pr0mpt"):
            self.assertNotEqual(fold(name), "prompt", ascii(name))

    @given(st.text())
    def test_stable(self, name: str) -> None:
        """A folded name folds to itself."""
        self.assertEqual(fold(fold(name)), fold(name))

    @given(
        st.text(st.characters(exclude_characters="[［﹇ı")),
        st.sampled_from(("NFC", "NFD", "NFKC", "NFKD")),
        st.sampled_from((str, str.upper, str.lower, str.title, str.casefold, str.swapcase)),
        st.sampled_from(("", "[]", "[0]", "[a][b]", "[", " []")),
        st.sampled_from(("", " ", "\t", "\u3000")),
    )
    def test_spellings(self, name: str, form: str, case: type[str], brackets: str, space: str) -> None:
        """No combination of composition, case, brackets and white space changes the folded name."""
        spelled = space + case(unicodedata.normalize(form, name)) + brackets + space  # type: ignore[arg-type]
        assume(fold(name))  # with an empty name, fold reads what is inside the brackets
        self.assertEqual(fold(spelled), fold(name))

    def test_not_remembered(self) -> None:
        """Long names from clients do not stay in memory, also if there are many or one fills a whole body."""
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            for number in range(48):
                fold(f"{number:x<1000000}")
            self.assertTrue(tracemalloc.get_traced_memory()[0] - before < 4_000_000)
        finally:
            tracemalloc.stop()

    def test_configured(self) -> None:
        """A configured name, as written in the file and as sent on the wire, folds to the key of its rule."""
        config = parse('{"Gran[]": ["a"], "ｖ": {"K": 1}, "Prompt": ""}'.encode())
        for key, field in config.base.forced_by_name.items():
            self.assertEqual(fold(field.name), key)
            for name, _ in field.parts:
                self.assertEqual(fold(name), key)
