"""
Conversions between Chinese scripts and regional words, by OpenCC.

OpenCC changes some texts again that it has converted already: ``s2twp`` makes 文件 of 文档, and 檔案 of 文件.  Here, a
converted text stays as it is.  So a text that is in the script that a conversion of regional words makes is left alone.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from .edits import Edit, Step, edited

#: The conversions by their names, and for those of regional words the conversion of the script alone.
CONVERSIONS = {
    "s2t": "", "t2s": "", "s2tw": "", "tw2s": "", "s2hk": "", "hk2s": "", "t2tw": "", "tw2t": "", "t2hk": "",
    "hk2t": "", "t2jp": "", "jp2t": "", "s2twp": "s2tw", "tw2sp": "tw2s", "s2hkp": "s2hk", "hk2sp": "hk2s",
}  # fmt: skip
#: The longest part of a text that is looked at to find where it can be divided.  OpenCC's longest phrases are shorter.
WINDOW = 32

_HAN = re.compile("[\u2e80-\u2fdf\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_SURROGATES = re.compile("([\ud800-\udfff]+)")
_Convert = Callable[[str], str]


class NotInstalled(Exception):
    """The package opencc is not installed."""


class Unsupported(Exception):
    """The installed package opencc does not have this conversion."""


class Conversion:
    """
    One of OpenCC's conversions.

    :ivar name: its name.
    """

    def __init__(self, name: str) -> None:
        """
        :param name: one of `CONVERSIONS`.
        :raises NotInstalled: when the package opencc cannot be imported.
        :raises Unsupported: when it does not have this conversion.
        """
        self.name = name
        script = CONVERSIONS[name]
        self._convert = _loaded(name)
        self._script = _loaded(script) if script else None

    def converted(self, text: str) -> str:
        """Convert a text.  A text that was converted before stays as it is."""
        if not _HAN.search(text):
            return text
        if self._script is None:
            return _settled(self._convert, text)
        if _settled(self._script, text) == text:
            return text
        return _settled(self._script, self._convert(text))

    def edits(self, text: str, divide: bool) -> Step:
        """
        The edits that convert a text; empty if it stays as it is.

        :param divide: whether the edits are to be as small as possible; otherwise one edit may cover all.
        """
        new = self.converted(text)
        if new == text:
            return []
        if len(new) == len(text):
            return new
        edits = self._divided(text) if divide else []
        return edits if edits and edited(text, edits) == new else [Edit(0, len(text), new)]

    def _divided(self, text: str) -> list[Edit]:
        """Edits for the smallest parts that are converted alone as they are with what follows them."""
        edits, at = [], 0
        while at < len(text):
            window = text[at : at + WINDOW]
            whole = self._convert(window)
            for size in range(1, len(window) + 1):
                part = self._convert(window[:size])
                if whole.startswith(part) and whole == part + self._convert(window[size:]):
                    break
            if part != window[:size]:
                edits.append(Edit(at, at + size, part))
            at += size
        return edits


@functools.cache
def _loaded(name: str) -> _Convert:
    try:
        from opencc import OpenCC
    except ImportError:
        raise NotInstalled from None
    try:
        convert: _Convert = OpenCC(name).convert
    except Exception:
        raise Unsupported from None

    def safe(text: str) -> str:
        """OpenCC encodes texts in UTF-8, and JSON may have surrogates without the other half."""
        try:
            return convert(text)
        except UnicodeEncodeError:
            parts = _SURROGATES.split(text)
            return "".join(part if index % 2 else convert(part) for index, part in enumerate(parts))

    return safe


def _settled(convert: _Convert, text: str) -> str:
    """
    Convert until nothing changes.

    Of texts that are converted into each other, one is chosen.  A text that comes to no rest stays as it is.
    """
    seen = [text]
    for _ in range(8):
        new = convert(seen[-1])
        if new in seen:
            return min(seen[seen.index(new) :])
        seen.append(new)
    return text
