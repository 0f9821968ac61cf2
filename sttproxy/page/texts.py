"""
The words of the page, in each language.
"""

from __future__ import annotations

import importlib.resources
import json
import re
from collections.abc import Mapping

#: The words of one language, by name.
Texts = Mapping[str, str]

#: The language of clients that prefer none of ours.
DEFAULT = "en"

_RANGE = re.compile(r"\s*([A-Za-z]{1,8}|\*)(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{0,3})?)\s*)?")


def read(name: str) -> str:
    """One of the page's files."""
    return importlib.resources.files(__package__).joinpath("files", name).read_text("utf-8")


def load() -> dict[str, Texts]:
    """The words of all languages, by language."""
    languages: dict[str, Texts] = json.loads(read("texts.json"))
    return languages


def choose(accepted: str, languages: Mapping[str, Texts]) -> str:
    """
    The language for a client.

    :param accepted: its Accept-Language (RFC 9110 §12.5.4).
    """
    best, best_quality = DEFAULT, 0.0
    for each in accepted.split(","):
        found = _RANGE.fullmatch(each)
        if found is None:
            continue
        language, quality = found[1].lower(), float(found[2] or 1)
        if language in languages and quality > best_quality:
            best, best_quality = language, quality
    return best
