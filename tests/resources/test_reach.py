"""
Tests for :mod:`sttproxy.resources`: translations, listed paths, and profiles that are chosen by what a request shows.
"""

from __future__ import annotations

import hashlib
import json
from ipaddress import ip_network
from typing import Any

from sttproxy import config
from sttproxy.peers import TrustedPeers

from ..support.stage import FORM, FORM_TYPE, PATH, ProxyTestCase, chunked, error_of, get, ok, post, transcription
from .test_transcriptions import form_of

TRANSLATIONS = b"/v1/audio/translations"
FILE = ("file", b"RIFF\r\n\0\xff")
FIELDS: dict[str, Any] = {
    "language": "zh",
    "$paths": ["/inference", {"path": "/asr", "query": True}],
    "$profiles": {"webui": {"language": "de"}, "home": {"language": "fr", "$translations": False}, "asr": {}},
    "$choose": [
        {"header": {"User-Agent": "OpenWebUI*"}, "profile": "webui"},
        {"address": "192.168.1.0/24", "profile": "home"},
        {"path": "/inference", "key": f"sha256:{hashlib.sha256(b'sk-a').hexdigest()}", "profile": "asr"},
    ],
}
WEBUI = b"User-Agent: openwebui/0.6"


class ReachTestCase(ProxyTestCase):
    """Base class: a configuration with more paths and choices."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(fields=json.dumps(FIELDS).encode())

    def sent(self, data: bytes) -> tuple[str, bytes]:
        """Return the target and everything that the upstream receives of a request, and send a response."""
        client = self.client(data)
        received = self.server.news()
        self.server.send(ok())
        self.assertTrue(client.received.endswith(b"\r\n\r\nhi"), (data, client.received))
        client.close()
        return received.split(b" ")[1].decode(), received

    def language(self, target: bytes = PATH, *fields: bytes) -> bytes:
        """Return the language that the upstream reads."""
        return dict(form_of(self.sent(transcription(FORM, FORM_TYPE, *fields, target=target))[1]))["language"]


class PathTests(ReachTestCase):
    """Translations and listed paths."""

    def test_rewritten(self) -> None:
        """The form is rewritten, in each spelling that servers route alike; the path goes on as it is."""
        for path in (
            *(TRANSLATIONS, b"/audio/translations", b"/v1/audio/tr%61nslations/", b"//audio/translations"),
            *(b"/inference", b"/v1/inference", b"/%69nference", b"/inference%0a", b"/x%2Finference/", b"//inference"),
        ):
            target, received = self.sent(transcription(target=path))
            self.assertEqual(target, path.decode())
            self.assertEqual(form_of(received), [("language", b"zh"), FILE, ("prompt", b"hi")], path)
        self.assertEqual((self.stats.stt_requests, self.stats.forwarded_requests), (10, 0))

    def test_methods(self) -> None:
        """A form is rewritten under any method; requests without a body pass."""
        for method in (b"PUT", b"PATCH", b"GET"):
            data = transcription(target=b"/inference").replace(b"POST", method, 1)
            self.assertIn(("language", b"zh"), form_of(self.sent(data)[1]), method)
            data = post(None, FORM_TYPE, target=b"/inference", body=chunked(FORM)).replace(b"POST", method, 1)
            self.assertIn(("language", b"zh"), form_of(self.sent(data)[1]), method)
        for method in (b"GET", b"OPTIONS", b"DELETE"):
            self.assertEqual(self.sent(get(b"/inference?language=x", method=method))[0], "/inference?language=x")
        self.assertEqual((self.stats.stt_requests, self.stats.forwarded_requests), (6, 3))

    def test_refused(self) -> None:
        """Suspicious spellings and bodies that are no form are refused, and not forwarded."""
        for target in (b"/INFERENCE", b"/inference;x", b"/inf%u0065rence", b"/asr%00", b"/v1/audio/./translations"):
            self.assertEqual(error_of(self.client(transcription(target=target)).received), (400, "bad_request"), target)
        data = post(2, b"Content-Type: audio/wav", target=b"/inference", body=b"ab")
        self.assertEqual(error_of(self.client(data).received), (415, "unsupported_media_type"))
        self.assertEqual(self.upstream.peers, [])

    def test_not_listed(self) -> None:
        """Without the section the same paths pass unchanged."""
        self.proxy(fields=b'{"language": "zh"}')
        for target in (b"/inference", b"/ASR"):
            self.assertTrue(self.sent(transcription(target=target))[1].endswith(FORM), target)

    def test_switched_off(self) -> None:
        """A profile whose rules are not for translations lets them pass to the byte, in any spelling."""
        for path in (TRANSLATIONS, b"/v1/AUDIO/translations"):
            target, received = self.sent(transcription(target=b"/profiles/home" + path))
            self.assertEqual(target, path.decode())
            self.assertTrue(received.endswith(FORM))
        self.assertEqual(self.language(b"/profiles/home" + PATH), b"fr")

    def test_query(self) -> None:
        """
        At a path whose fields are in the query, they are put there like into a form, and into the form, too; at other
        paths a ruled field is removed from the query.
        """
        fields = {**FIELDS, "$default": {"task": "x y"}, "$map": {"output": {"txt": "json"}}, "prompt": None}
        self.proxy(fields=json.dumps(fields).encode())
        for target, leaves in (
            (b"/asr", "/asr?language=zh&task=x+y"),
            (b"/asr?", "/asr?language=zh&task=x+y"),
            (b"/v1/asr?a=b&Language[0]=x".replace(b"[0]", b"%5B0%5D"), "/v1/asr?language=zh&a=b&task=x+y"),
            (b"/asr?output=txt&task=&prompt=x", "/asr?language=zh&output=json&task="),
            (b"/inference?language=x&a=b", "/inference?a=b"),
        ):
            sent, received = self.sent(transcription(target=target))
            self.assertEqual(sent, leaves, target)
            self.assertIn(("language", b"zh"), form_of(received))
        client = self.client(transcription(target=b"/asr?a=%zz"))
        self.assertEqual(error_of(client.received), (400, "malformed_form"))

    def test_query_empty(self) -> None:
        """Without rules the target stays as it is."""
        self.proxy(fields=b'{"$paths": [{"path": "/asr", "query": true}]}')
        for target in (b"/asr", b"/asr?a=b"):
            self.assertEqual(self.sent(transcription(target=target))[0], target.decode())


class ChooseTests(ReachTestCase):
    """Profiles that the proxy chooses."""

    def test_chosen(self) -> None:
        """By a header, a path with a key, or not at all; the URL comes before."""
        for target, fields, language in (
            (PATH, (), b"zh"),
            (PATH, (WEBUI,), b"de"),
            (TRANSLATIONS, (WEBUI,), b"de"),
            (b"/v1/inference", (WEBUI, b"Authorization: Bearer sk-a"), b"de"),
            (b"/profiles/home" + PATH, (WEBUI,), b"fr"),
            (PATH, (b"User-Agent: curl",), b"zh"),
        ):
            self.assertEqual(self.language(target, *fields), language, (target, fields))
        self.assertEqual(self.language(b"/inference", b"Authorization: Bearer sk-a"), b"zh")
        self.assertEqual(dict(self.stats.chosen), {"$choose[0]: webui": 3, "url: home": 1, "$choose[2]: asr": 1})

    def test_addresses(self) -> None:
        """The client is the one that the log names: only trusted proxies name another one."""
        header = b"X-Forwarded-For: 10.0.0.1, 192.168.1.9"
        self.assertEqual(self.language(PATH, header), b"zh")
        self.proxy(fields=json.dumps(FIELDS).encode(), trusted=TrustedPeers([ip_network("192.0.2.0/24")]))
        for value, language in (
            (b"192.168.1.9", b"fr"),
            (b"10.0.0.1, 192.168.1.9", b"fr"),
            (b"[::ffff:192.168.1.9]:4711", b"fr"),
            (b"192.168.1.9, 10.0.0.1", b"zh"),
            (b"192.168.1.9, nonsense", b"zh"),
            (b"", b"zh"),
        ):
            self.assertEqual(self.language(PATH, b"X-Forwarded-For: " + value), language, value)
        self.assertEqual(self.language(PATH), b"zh")

    def test_redirects(self) -> None:
        """A profile that the URL does not name adds no prefix to the paths of a response."""
        client = self.client(transcription(FORM, FORM_TYPE, WEBUI))
        self.server.send(ok(b"hi", b"Location: /v1/x"))
        self.assertIn(b"\r\nLocation: /v1/x\r\n", client.received)

    def test_told(self) -> None:
        """The explanation names a profile that the URL does not name."""
        self.proxy(fields=json.dumps(FIELDS).encode(), explains=True, profile="asr")
        for target, fields, told in (
            (PATH, (WEBUI,), b"0; profile=webui; forced=language"),
            (PATH, (), b"0; profile=asr; forced=language"),
            (b"/profiles/webui" + PATH, (), b"0; forced=language"),
        ):
            client = self.client(transcription(FORM, FORM_TYPE, *fields, target=target))
            self.server.send(ok())
            self.assertIn(b"\r\nx-sttproxy-config: " + told + b"\r\n", client.received)

    def test_reloaded(self) -> None:
        """A new configuration holds for the next request; a request in flight keeps its own."""
        data = transcription(FORM, FORM_TYPE, WEBUI)
        client = self.client(data[:-30])
        self.config = config.parse(b'{"language": "it", "$paths": ["/new"]}')
        client.send(data[-30:])
        self.assertIn(("language", b"de"), form_of(self.server.news()))
        self.server.send(ok())
        self.assertEqual(self.language(b"/new", WEBUI), b"it")
        self.assertTrue(self.sent(transcription(target=b"/inference"))[1].endswith(FORM))
