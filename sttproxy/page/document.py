"""
The HTML document, assembled from its files.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import escape
from typing import Any

from . import texts
from .numbers import tables
from .summary import Summary

#: The parts of the script, in their order; they share one scope.
SCRIPTS = (
    "words.js",
    "charts.js",
    "tables.js",
    "requests.js",
    "rules.js",
    "trial.js",
    "main.js",
)

_PLACE = re.compile(r"\{\{(\w+)\}\}")
#: An empty element whose text is one of the page's words, and an attribute that is one.
_TEXT = re.compile(r'( data-text="([\w.]+)"[^>]*>)(?=<)')
_LABEL = re.compile(r' data-label="([\w.]+)"')


def _digest(text: str) -> str:
    """A source of the Content-Security-Policy (https://www.w3.org/TR/CSP3/#grammardef-hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


class Document:
    """
    The document.  It is the same for all clients, but for its language and its numbers.

    :ivar policy: its Content-Security-Policy: it runs its own script and no other, and connects to its own origin only.
    :ivar languages: its words, by language.
    """

    def __init__(self) -> None:
        self.languages = texts.load()
        style = texts.read("uPlot.min.css") + texts.read("page.css")
        own = "\n".join(map(texts.read, SCRIPTS))
        script = f'{texts.read("uPlot.iife.min.js")}\n(() => {{\n"use strict";\n{own}\n}})();\n'
        # In a script element, these letters would end it, or begin a comment.
        words = json.dumps(self.languages, ensure_ascii=False).replace("<", "\\u003c")
        self._template = _PLACE.split(texts.read("page.html"))
        self._parts = {"style": style, "script": script, "words": words}
        self.policy = "; ".join(
            (
                "default-src 'none'",
                f"script-src {_digest(script)}",
                f"style-src {_digest(style)}",
                "connect-src 'self'",
                "img-src data:",
                "media-src blob:",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
                "trusted-types 'none'",
            )
        )

    def render(self, language: str, path: str, summary: Summary | None, numbers: dict[str, Any]) -> bytes:
        """
        The document for one client.

        :param language: one of `languages`.
        :param path: where transcriptions are sent, relative to the page's folder; empty: nowhere.
        :param summary: the status line; None: the client may not see it.
        :param numbers: what a browser without JavaScript shows.
        """
        words = self.languages[language]
        shown = {
            **self._parts,
            "language": escape(language),
            "path": escape(path),
            "state": escape(summary.state if summary else "locked"),
            "summary": escape(summary.text if summary else words["key.needed"]),
            "numbers": tables(numbers) if numbers else "",
        }
        pieces = self._template.copy()
        pieces[::2] = [_spoken(piece, words) for piece in pieces[::2]]
        pieces[1::2] = [shown[name] for name in pieces[1::2]]
        return "".join(pieces).encode()


def _spoken(html: str, words: texts.Texts) -> str:
    """Fill the page's words into a part of the template."""
    html = _TEXT.sub(lambda found: found[1] + escape(words[found[2]]), html)
    return _LABEL.sub(lambda found: f'{found[0]} aria-label="{escape(words[found[1]])}"', html)
