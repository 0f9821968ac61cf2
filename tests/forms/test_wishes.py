"""
Tests for :mod:`sttproxy.forms.wishes`: what a form asks of the response.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import parse
from sttproxy.forms import urlencoded
from sttproxy.forms.evaluation import Evaluation
from sttproxy.forms.json import JSONRewriter
from sttproxy.forms.wishes import Wishes


def evaluation(fields: dict[str, Any]) -> Evaluation:
    """The rules of a configuration that delivers what was asked for."""
    return Evaluation(parse(json.dumps({**fields, "$transcript": {"deliver": "as-asked"}}).encode()).base)


def wishes(body: bytes, **fields: Any) -> Wishes:
    """What a form asks, under these rules."""
    rules = evaluation(fields)
    urlencoded.rewrite(rules, body)
    assert rules.wishes is not None
    return rules.wishes


class FormatTests(SynchronousTestCase):
    """What the client asked for, and what the server gets."""

    def formats(self, body: bytes, **fields: Any) -> tuple[str, str | None]:
        """The format that the client asked for, and the one that the server gets."""
        asked = wishes(body, **fields)
        return asked.requested, asked.response_format

    def test_formats(self) -> None:
        """The client's format is that before all rules; the server's is the one behind them."""
        for body, fields, expected in (
            (b"", {}, ("json", None)),
            (b"response_format=", {}, ("json", "")),
            (b"response_format=SRT", {}, ("srt", "srt")),
            (b"a=b", {"response_format": "srt"}, ("json", "srt")),
            (b"response_format=text", {"response_format": "srt"}, ("text", "srt")),
            (b"Response_Format%5B%5D=text", {"response_format": "srt"}, ("text", "srt")),
            (b"response_format=text", {"response_format": None}, ("text", None)),
            (b"", {"$default": {"response_format": "vtt"}}, ("json", "vtt")),
            (b"response_format=text", {"$default": {"response_format": "vtt"}}, ("text", "text")),
            (b"response_format=text", {"$map": {"response_format": {"text": "srt"}}}, ("text", "srt")),
            (b"response_format=text", {"$map": {"response_format": {"text": None}}}, ("text", None)),
            (b"format=text", {"$rename": {"format": "response_format"}}, ("text", "text")),
        ):
            self.assertEqual(self.formats(body, **fields), expected, (body, fields))

    def test_others(self) -> None:
        """A stream and the times of words count as the client asks for them, also where they are forced."""
        asked = wishes(
            b"stream=true&timestamp_granularities%5B%5D=word", stream=False, timestamp_granularities=["segment"]
        )
        self.assertEqual((asked.streams, asked.words), (True, True))
        asked = wishes(b"stream=false&timestamp_granularities%5B%5D=segment")
        self.assertEqual((asked.streams, asked.words), (False, False))

    def test_dropped(self) -> None:
        """A forced field still replaces the client's."""
        rules = evaluation({"response_format": "srt"})
        self.assertEqual(urlencoded.rewrite(rules, b"response_format=text&a=b"), b"response_format=srt&a=b")
        self.assertEqual(rules.fields(), (("forced", ("response_format",)), ("replaced", ("response_format",))))

    def test_json(self) -> None:
        """In JSON, values have types, and may be lists."""
        rules = evaluation({"response_format": "srt"})
        body = b'{"stream": true, "response_format": "text", "timestamp_granularities": ["word"], "a": 1}'
        rewriter = JSONRewriter(rules, None)
        out = json.loads(b"".join([*rewriter.feed(body), *rewriter.finish()]))
        self.assertEqual(out, {"response_format": "srt", "stream": True, "timestamp_granularities": ["word"], "a": 1})
        assert rules.wishes is not None
        self.assertEqual((rules.wishes.requested, rules.wishes.streams, rules.wishes.words), ("text", True, True))

    def test_no_rules(self) -> None:
        """Without rules for transcripts, the fields are not read."""
        self.assertIsNone(Evaluation(parse(b'{"$transcript": {}}').base).wishes)
