"""
Tests for :mod:`sttproxy.inbound.lines`: what the formats of the log say of a request.
"""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.inbound.lines import FORMATS
from sttproxy.monitor.entry import entry
from sttproxy.monitor.record import (
    CLIENT_GONE,
    REFUSED,
    TRANSCRIPTION,
    WORKING,
    Record,
)

from ..http1.reading import HOST, request
from ..support.documents import ROOT
from ..support.requests import finished

#: In seconds since 1970: 2026-11-28 19:56:09.5 UTC.
NOW = 1795895769.5
#: Apache's combined format, as GoAccess reads it.
COMBINED = re.compile(
    r'(\S+) - - \[(\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\] "((?:[^"\\]|\\.)*)" (\d{3}) (\d+) '
    r'"((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)"'
)


def line(format: str, record: Record, fields: bytes | None = b"") -> str:
    """Format a request; `fields` are lines of its head, None if it could not be read."""
    head = None if fields is None else request(HOST + fields)
    return FORMATS[format](record, head, NOW, "info", "some.name")


def full(**attributes: Any) -> Record:
    """Return a transcription of which everything is known."""
    return finished(
        0.0,
        1.5,
        method=b"POST",
        target=b"/v1/audio/transcriptions",
        **{
            "route": TRANSCRIPTION,
            "received_bytes": 40_393,
            "sent_bytes": 40_601,
            "response_bytes": 71,
            "reused": True,
            "profile": "meeting",
            "fields": (("forced", ("language", "prompt")), ("mapped", ("model",))),
            "server_request_id": "req_1",
            "request_id": "0af7",
            **attributes,
        },
    )


class TextTests(SynchronousTestCase):
    """Lines for people."""

    def test_full(self) -> None:
        """Everything that is known is there, and the ending comes last."""
        record = full()
        record.times[WORKING] = 1.25
        self.assertEqual(
            line("text", record),
            "192.0.2.7 POST /v1/audio/transcriptions HTTP/1.1 200 71 B 1.500 s received=40393 sent=40601 "
            "waiting=1.500 working=1.250 connection=reused profile=meeting forced=language,prompt mapped=model "
            "server_id=req_1 id=0af7 done",
        )

    def test_little(self) -> None:
        """What there is nothing to say of is left out."""
        record = finished(0.0, 0.0004, 0, CLIENT_GONE, complete=False, request_id="1")
        self.assertEqual(line("text", record), "192.0.2.7 GET /x HTTP/1.1 - 0 B 0.000 s id=1 client gone")

    def test_reason(self) -> None:
        """A reason ends the line."""
        record = finished(0.0, 0.0, 404, REFUSED, why="No.", request_id="1", version=b"")
        self.assertEqual(line("text", record, None), "192.0.2.7 GET /x - 404 0 B 0.000 s id=1 refused: No.")

    def test_words(self) -> None:
        """A name that is no word is quoted, so that words can be told apart; it cannot begin a line."""
        record = full(profile="my profile", fields=(("forced", ('a"b', "c,d", "e=\\", "中文", "f\ng")),))
        self.assertIn(' profile="my profile" forced="a\\"b","c,d","e=\\\\",中文,f\\ng ', line("text", record))

    def test_same_id(self) -> None:
        """A server that returns the identifier of the request adds nothing."""
        self.assertNotIn("server_id", line("text", full(server_request_id="0af7")))


class JSONTests(SynchronousTestCase):
    """Lines as objects."""

    def shown(self, record: Record, fields: bytes | None = b"") -> dict[str, Any]:
        """Return the object."""
        text = line("json", record, fields)
        self.assertNotIn("\n", text)
        shown: dict[str, Any] = json.loads(text)
        return shown

    def test_members(self) -> None:
        """The members are those of the page of requests, and those that all objects of the log have."""
        record = full()
        shown = self.shown(record, b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n")
        expected = {
            **entry(record, NOW, client=True),
            "time": "2026-11-28T19:56:09.500Z",
            "level": "info",
            "namespace": "some.name",
            "message": "POST /v1/audio/transcriptions 200",
            "trace_id": "0af7651916cd43dd8448eb211c80319c",
        }
        self.assertEqual(shown, expected)

    def test_documented(self) -> None:
        """The members are those that the documents list, in both languages."""
        members = self.shown(full()).keys() - {"time", "level", "namespace", "message"}
        for name in ("log.md", "log.zh-CN.md"):
            text = (ROOT / "docs" / name).read_text("utf-8")
            table = text[text.index("<!-- members -->") : text.index("<!-- end of members -->")]
            rows = [row.split("|")[1] for row in table.splitlines() if row.startswith("| `")]
            self.assertEqual({word for row in rows for word in re.findall("`([a-z_]+)`", row)}, members, name)

    def test_unread(self) -> None:
        """A head that could not be read has no trace."""
        self.assertIsNone(self.shown(full(), None)["trace_id"])


class CombinedTests(SynchronousTestCase):
    """Lines in Apache's format."""

    def test_fields(self) -> None:
        """Referer and User-Agent are there, without the query, and escaped."""
        fields = b'Referer: http://h/a?secret\r\nUser-Agent: a "b" \\ \xe4\r\n'
        found = COMBINED.fullmatch(line("combined", full(), fields))
        assert found is not None
        client, when, asked, status, size, referer, agent = found.groups()
        self.assertEqual((client, status, size), ("192.0.2.7", "200", "71"))
        self.assertRegex(when, r"\A2[789]/Nov/2026:")
        self.assertEqual(asked, "POST /v1/audio/transcriptions HTTP/1.1")
        self.assertEqual((referer, agent), ("http://h/a", 'a \\"b\\" \\\\ \\xc3\\xa4'))

    def test_absent(self) -> None:
        """What is not known is a hyphen; a request without a response has the status that nginx logs."""
        record = finished(0.0, 0.1, 0, CLIENT_GONE, complete=False)
        for fields in (None, b""):
            text = line("combined", record, fields)
            self.assertTrue(text.endswith('] "GET /x HTTP/1.1" 499 0 "-" "-"'), text)

    @given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=30))
    def test_any(self, target: bytes, agent: bytes, referer: bytes) -> None:
        """Whatever clients send, it is one line of this form."""
        agent, referer = (re.sub(rb"[\0-\x08\x0a-\x1f\x7f]", b"", value).strip() for value in (agent, referer))
        text = line("combined", finished(target=b"/" + target), b"User-Agent: %b\r\nReferer: %b\r\n" % (agent, referer))
        self.assertEqual(len(text.splitlines()), 1)
        self.assertIsNotNone(COMBINED.fullmatch(text), text)
