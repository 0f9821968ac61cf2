"""
Tests for :mod:`sttproxy.page.document`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.page import texts
from sttproxy.page.document import SCRIPTS, Document
from sttproxy.page.summary import HEALTHY, Summary

HOSTILE = "</script><script>alert(1)</script>\"'&{{style}}<!--"


class DocumentTests(SynchronousTestCase):
    """The document is one file that allows its own script and style only."""

    document = Document()

    def render(self, language: str = "en", **numbers: object) -> str:
        """The document with a hostile status line and these numbers."""
        page = self.document.render(language, "/v1/audio/transcriptions", Summary(HEALTHY, HOSTILE), numbers)
        return page.decode()

    def elements(self, name: str, page: str) -> list[str]:
        """The contents of all elements of a name that a browser would execute or apply."""
        return re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)

    def test_policy(self) -> None:
        """The policy allows no inline code but the document's own, no other host, and no text as HTML."""
        page, policy = self.render(), self.document.policy
        for name in ("script", "style"):
            (content,) = self.elements(name, page)
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            self.assertIn(f"{name}-src 'sha256-{digest}';", policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotRegex(policy, r"https?:|\*")
        for part in ("default-src 'none'", "connect-src 'self'", "base-uri 'none'", "form-action 'none'"):
            self.assertIn(part, policy.split("; "))

    def test_no_inline_attributes(self) -> None:
        """The document has no attribute that the policy would block, and names no other host."""
        html = texts.read("page.html")
        self.assertNotRegex(html, r"<[^>]* (?:style|on\w+)=")
        hosts = set(re.findall(r"https?://([\w.]+)", self.render()))
        self.assertEqual(hosts - {"www.w3.org", "github.com"}, set())  # the namespace of SVG, and uPlot's own name

    def test_hostile(self) -> None:
        """What is shown cannot leave its place: neither markup nor the places of the template have an effect."""
        page = self.render(**{HOSTILE: {HOSTILE: [HOSTILE, 1, None, True]}})
        self.assertEqual(len(self.elements("script", page)), 1)
        self.assertNotIn("alert(1)</script>", page)
        self.assertIn("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#x27;&amp;{{style}}", page)

    def test_script_is_whole(self) -> None:
        """Nothing in the script or the style ends its element or begins a comment; the words are JSON."""
        for name in (*SCRIPTS, "uPlot.iife.min.js", "page.css", "uPlot.min.css"):
            self.assertNotRegex(texts.read(name), r"(?i)</(script|style)|<!--|<script", name)
        (words,) = re.findall(r'<script type="application/json" id="words">(.*?)</script>', self.render(), re.DOTALL)
        self.assertEqual(json.loads(words), self.document.languages)

    def test_languages(self) -> None:
        """The document is complete in each language, without a script."""
        for language, words in self.document.languages.items():
            page = self.render(language)
            self.assertIn(f'<html lang="{language}">', page)
            self.assertIn(f'<h2 id="trial-title" data-text="trial.title">{words["trial.title"]}</h2>', page)
            self.assertNotRegex(page, r'data-text="[\w.]+"[^>]*></')
            self.assertNotRegex(page, r'data-label="[\w.]+"(?! aria-label="[^"])')

    def test_locked(self) -> None:
        """A client that may not see the numbers is told that it needs a key, and gets no number."""
        page = self.document.render("en", "", None, {}).decode()
        self.assertIn('data-state="locked"', page)
        self.assertIn("An API key is needed", page)
        self.assertIn('<div class="numbers"></div>', page)

    def test_numbers(self) -> None:
        """Without a script the numbers are tables: each name and value."""
        page = self.render(total_requests=7, routes={"own": {"requests": 3, "answers": {}}}, error=None)
        self.assertIn('<th scope="row">total_requests</th><td>7</td>', page)
        self.assertIn("<caption>routes</caption>", page)
        self.assertIn('<th scope="row">own › requests</th><td>3</td>', page)
        self.assertIn('<th scope="row">own › answers</th><td>{}</td>', page)
        self.assertIn('<th scope="row">error</th><td>null</td>', page)
