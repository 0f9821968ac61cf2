"""
Tests for :mod:`sttproxy.transcripts.chinese`: conversions are stable, and words follow them.
"""

from __future__ import annotations

import sys
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.transcripts.chinese import CONVERSIONS, Conversion, NotInstalled, Unsupported
from sttproxy.transcripts.edits import edited

from .rules import NO_OPENCC

TEXTS = st.text(
    "请打开文档件档檔内存里裏裡鼠标软體体頭发髮后後皇乾干台臺只隻信息資訊程序式が読ab ,。\n\ud800", max_size=40
)


class ConversionTests(SynchronousTestCase):
    """OpenCC's conversions."""

    skip = NO_OPENCC

    def test_examples(self) -> None:
        """Each conversion makes its script, and those of regional words make the words, too."""
        for name, text, expected in (
            ("t2s", "頭髮與皇后", "头发与皇后"),
            ("s2t", "头发与皇后", "頭髮與皇后"),
            ("s2tw", "在里面", "在裡面"),
            ("s2hk", "在台湾里面", "在台灣裏面"),
            ("s2twp", "请在内存里保存鼠标的信息", "請在記憶體裡儲存滑鼠的資訊"),
            ("tw2sp", "軟體與記憶體", "软件与内存"),
            ("hk2s", "頭髮", "头发"),
        ):
            self.assertEqual(Conversion(name).converted(text), expected, name)

    def test_stable(self) -> None:
        """A text is not converted again, although OpenCC would do so."""
        once = Conversion("s2twp").converted("请打开文档")
        self.assertEqual(once, "請開啟文件")
        self.assertEqual(Conversion("s2twp").converted(once), once)

    def test_not_chinese(self) -> None:
        """Other texts stay as they are."""
        for text in ("", "Hello", "Привет", "かな", "\ud800", "\0"):
            self.assertEqual(Conversion("s2t").converted(text), text)

    def test_surrogates(self) -> None:
        """A half of a surrogate pair, which JSON may have, stays where it is."""
        self.assertEqual(Conversion("t2s").converted("頭\ud800髮\udfff"), "头\ud800发\udfff")

    def test_same_length(self) -> None:
        """A conversion that keeps the length is one text of the same length."""
        self.assertEqual(Conversion("t2s").edits("頭髮", True), "头发")

    def test_divided(self) -> None:
        """Words that become longer are edits of their own, as small as possible."""
        edits = Conversion("s2twp").edits("请在内存里保存", True)
        self.assertNotIsInstance(edits, str)
        self.assertIn("記憶體", [edit.text for edit in edits if not isinstance(edit, str)])
        self.assertEqual(edited("请在内存里保存", edits), "請在記憶體裡儲存")

    @given(st.sampled_from([name for name in CONVERSIONS if name[-1] != "p" and name != "jp2t"]), TEXTS)
    def test_twice(self, name: str, text: str) -> None:
        """A text that is converted twice is as it was after the first time."""
        once = Conversion(name).converted(text)
        self.assertEqual(Conversion(name).converted(once), once)

    @given(st.sampled_from(["s2twp", "tw2sp"]), TEXTS)
    def test_regional_twice(self, name: str, text: str) -> None:
        """So it is with regional words."""
        once = Conversion(name).converted(text)
        self.assertEqual(Conversion(name).converted(once), once)

    @given(st.sampled_from(["t2s", "s2twp", "tw2sp"]), TEXTS, st.booleans())
    def test_edits(self, name: str, text: str, divide: bool) -> None:
        """The edits make the converted text."""
        conversion = Conversion(name)
        self.assertEqual(edited(text, conversion.edits(text, divide)), conversion.converted(text))


class MissingTests(SynchronousTestCase):
    """Packages that lack what is asked for."""

    def test_not_installed(self) -> None:
        """Without the package there is no conversion."""
        with mock.patch.dict(sys.modules, {"opencc": None}):
            self.assertRaises(NotInstalled, Conversion, "jp2t")

    def test_unsupported(self) -> None:
        """Older packages lack some conversions."""
        package = mock.Mock(OpenCC=mock.Mock(side_effect=RuntimeError("not found")))
        with mock.patch.dict(sys.modules, {"opencc": package}):
            self.assertRaises(Unsupported, Conversion, "jp2t")
