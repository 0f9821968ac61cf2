"""
Tests for :mod:`sttproxy.resources`: transcription requests.
"""

from __future__ import annotations

import json

from multipart import MultipartSegment, PushMultipartParser
from twisted.logger import LogLevel, capturedLogs, formatEvent

from sttproxy import config
from sttproxy.logs.events import READY
from sttproxy.resources.transcriptions import MAX_URLENCODED

from ..support.fakes import Ending
from ..support.stage import (
    FORM,
    FORM_TYPE,
    PATH,
    ProxyTestCase,
    chunked,
    error_of,
    get,
    message,
    ok,
    post,
    transcription,
)

FIELDS = b'{"language": "zh", "temperature": 0.2, "prompt": null, "tags": ["a", "b"]}'
FORCED = [("language", b"zh"), ("temperature", b"0.2"), ("tags[]", b"a"), ("tags[]", b"b"), ("file", b"RIFF\r\n\0\xff")]


def form_of(received: bytes) -> list[tuple[str, bytes]]:
    """Return names and values of a form that an upstream received, read by an independent parser."""
    head, _, body = received.partition(b"\r\n\r\n")
    if b"\r\nTransfer-Encoding: chunked" in head:
        pieces, body = body, b""
        while pieces:
            size, _, pieces = pieces.partition(b"\r\n")
            body, pieces = body + pieces[: int(size, 16)], pieces[int(size, 16) + 2 :]
    else:
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        assert len(body) == length, (len(body), length)
    boundary = head.partition(b"boundary=")[2].partition(b"\r\n")[0].decode()
    values: list[tuple[str, bytes]] = []
    with PushMultipartParser(boundary) as parser:
        for event in parser.parse(body):
            if isinstance(event, MultipartSegment):
                values.append((event.name, b""))
            elif event:
                values[-1] = values[-1][0], values[-1][1] + event
    return values


class FormTests(ProxyTestCase):
    """A multipart transcription form."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(fields=FIELDS)

    def sent(self, data: bytes) -> bytes:
        """Return what the upstream receives."""
        self.client(data)
        return self.server.received

    def test_forced(self) -> None:
        """
        The configured fields replace the client's, and everything else passes; a form with a length keeps a length.
        """
        received = self.sent(transcription())
        self.assertEqual(sorted(form_of(received)), sorted(FORCED))
        self.assertNotIn(b"chunked", received.partition(b"\r\n\r\n")[0])

    def test_chunked(self) -> None:
        """The same holds for a chunked form, which stays chunked."""
        received = self.sent(post(None, FORM_TYPE, target=PATH, body=chunked(FORM[:50], FORM[50:])))
        self.assertEqual(sorted(form_of(received)), sorted(FORCED))
        self.assertNotIn(b"Content-Length", received.partition(b"\r\n\r\n")[0])

    def test_headers(self) -> None:
        """
        Content-Type and Content-Length are replaced in place, in the client's spelling; other headers do not change.
        """
        body = b"x: 1\r\ncontent-TYPE: multipart/form-data; boundary=b\r\nx: 2\r\ncontent-LENGTH: %d\r\nx: 3" % len(
            FORM
        )
        received = self.sent(message(b"POST %b HTTP/1.1" % PATH, b"Host: h", body, body=FORM))
        names = [line.partition(b":")[0] for line in received.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
        self.assertEqual(names[:6], [b"Host", b"x", b"content-TYPE", b"x", b"content-LENGTH", b"x"])

    def test_streamed(self) -> None:
        """The upstream gets the head before the client has sent the form, and the recording as it arrives."""
        head, form = transcription()[: -len(FORM)], FORM
        client = self.client(head)
        self.assertIn(b"POST " + PATH, self.server.news())
        at = form.index(b"RIFF") + 2
        client.send(form[:at])
        self.assertTrue(self.server.news().endswith(b"\r\n\r\nRI"))
        client.send(form[at:])
        self.assertEqual(sorted(form_of(self.server.received)), sorted(FORCED))

    def test_kept_to_the_end(self) -> None:
        """A request keeps the configuration that it started with; the next request uses the new one."""
        data = transcription()
        client = self.client(data[:-30])
        self.config = config.parse(b'{"language": "fr"}')
        client.send(data[-30:])
        self.assertEqual(sorted(form_of(self.server.received)), sorted(FORCED))
        self.server.send(ok())
        self.server.news()
        client.send(data)
        self.assertIn(("language", b"fr"), form_of(self.server.news()))

    def test_empty_configuration(self) -> None:
        """Without configured fields all of the client's fields pass."""
        self.proxy()
        expected = [("language", b"en"), ("file", b"RIFF\r\n\0\xff"), ("prompt", b"hi")]
        self.assertEqual(form_of(self.sent(transcription())), expected)

    def test_refused(self) -> None:
        """A form that cannot be rewritten is refused, and not forwarded."""
        for data, status, code in (
            (transcription(FORM, b"X: y"), 415, "unsupported_media_type"),
            (transcription(FORM, FORM_TYPE, FORM_TYPE + b"c"), 415, "unsupported_media_type"),
            (transcription(FORM, FORM_TYPE + b"; charset=gbk"), 415, "unsupported_media_type"),
            (transcription(FORM, FORM_TYPE, b"Content-Encoding: identity, gzip"), 415, "unsupported_media_type"),
            (transcription(FORM, b"Content-Type: text/plain"), 415, "unsupported_media_type"),
            (transcription(FORM, b"Content-Type: multipart/form-data"), 415, "unsupported_media_type"),
            (transcription(FORM, b"Content-Type: garbage"), 415, "unsupported_media_type"),
            (transcription(FORM, FORM_TYPE, b"Content-Encoding: gzip"), 415, "unsupported_media_type"),
            (transcription(FORM, FORM_TYPE, b"Content_Encoding: gzip"), 415, "unsupported_media_type"),
            (transcription(FORM, FORM_TYPE, b"Content_Type: text/plain"), 415, "unsupported_media_type"),
            (post(0, FORM_TYPE, target=PATH), 400, "bad_request"),
            (get(PATH, FORM_TYPE, method=b"POST"), 400, "bad_request"),
            (transcription(b"{}", b"Content-Type: application/json; charset=utf-16"), 415, "unsupported_media_type"),
        ):
            self.assertEqual(error_of(self.client(data).received), (status, code), data)
        self.assertEqual(self.upstream.peers, [])

    def test_malformed(self) -> None:
        """A malformed form is refused; the upstream request is aborted."""
        client = self.client(transcription(FORM.replace(b"--b--", b"--c--")))
        self.assertEqual(error_of(client.received), (400, "malformed_form"))
        self.assertEqual(self.server.ending, Ending.RESET)


class UrlencodedTests(ProxyTestCase):
    """Urlencoded forms, which are rewritten as a whole."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(fields=b'{"language": "zh"}')

    def test_urlencoded(self) -> None:
        """A urlencoded form gets the configured fields and its new length."""
        self.client(transcription(b"url=x&language=en", b"Content-Type: application/x-www-form-urlencoded"))
        head, _, body = self.server.received.partition(b"\r\n\r\n")
        self.assertEqual(sorted(body.split(b"&")), [b"language=zh", b"url=x"])
        self.assertIn(b"\r\nContent-Length: %d\r\n" % len(body), head)

    def test_waits_for_all(self) -> None:
        """The form is forwarded only when all of it has arrived."""
        data = transcription(b"url=x", b"Content-Type: application/x-www-form-urlencoded")
        client = self.client(data[:-1])
        self.assertEqual(self.upstream.peers, [])
        client.send(data[-1:])
        self.assertEqual(len(self.upstream.peers), 1)

    def test_malformed(self) -> None:
        """A malformed form is refused, and not forwarded."""
        client = self.client(transcription(b"a=%zz", b"Content-Type: application/x-www-form-urlencoded"))
        self.assertEqual(error_of(client.received), (400, "malformed_form"))
        self.assertEqual(self.upstream.peers, [])

    def test_too_large(self) -> None:
        """A form over the size limit is refused when it exceeds the limit, and is not buffered."""
        kind = b"Content-Type: application/x-www-form-urlencoded"
        client = self.client(post(None, kind, target=PATH))
        piece = chunked(b"x" * 65_536, last=False)
        for _ in range(MAX_URLENCODED // 65_536):
            client.send(piece)
            self.assertEqual(client.received, b"")
        client.send(piece)
        self.assertEqual(error_of(client.received), (413, "body_too_large"))
        self.assertEqual((self.upstream.peers, client.ending), ([], Ending.HALF))

    def test_client_gone(self) -> None:
        """A client that disconnects in the middle of it leaves no state."""
        self.client(transcription(b"a=b", b"Content-Type: application/x-www-form-urlencoded")[:-1]).close()
        self.assertEqual((self.stats.in_flight, self.upstream.peers), (0, []))


class JSONTests(ProxyTestCase):
    """Recordings in JSON objects, which are rewritten as a stream."""

    TYPE = b"Content-Type: application/json"

    def setUp(self) -> None:
        super().setUp()
        self.proxy(fields=b'{"language": "zh"}', max_json=1000)

    def test_counted(self) -> None:
        """An object with a length gets the configured members, and has exactly the announced length."""
        self.client(transcription(b'{"url": "x", "language": "en"}', self.TYPE + b"; charset=utf-8"))
        head, _, body = self.server.received.partition(b"\r\n\r\n")
        self.assertEqual(json.loads(body), {"url": "x", "language": "zh"})
        self.assertIn(b"\r\nContent-Length: %d\r\n" % len(body), head)
        self.assertIn(b"\r\n" + self.TYPE + b"\r\n", head)

    def test_chunked(self) -> None:
        """A chunked object is sent chunked, before all of it has arrived."""
        client = self.client(
            post(None, self.TYPE, target=PATH, body=chunked(b'{"input_audio": {"data": "UklG', last=False))
        )
        self.assertTrue(self.server.received.endswith(b'{"data": "UklG\r\n'), self.server.received)
        client.send(chunked(b'Rg=="}}'))
        self.assertTrue(self.server.received.endswith(b'7\r\nRg=="}}\r\n0\r\n\r\n'), self.server.received)

    def test_malformed(self) -> None:
        """A malformed object is refused, and its forwarded part does not look complete."""
        client = self.client(transcription(b'{"a": 1, "a": 2}', self.TYPE))
        self.assertEqual(error_of(client.received), (400, "malformed_form"))
        self.assertEqual(self.server.ending, Ending.RESET)

    def test_too_large(self) -> None:
        """An object over the size limit is refused: by its announced length, or when it exceeds the limit."""
        client = self.client(post(1001, self.TYPE, target=PATH))
        self.assertEqual((error_of(client.received), self.upstream.peers), ((413, "body_too_large"), []))
        self.assertIn(b"longer than 1000 bytes (--max-json)", client.received)
        client = self.client(post(None, self.TYPE, target=PATH))
        client.send(chunked(b'{"a": "' + b"x" * 993, last=False))
        self.assertEqual(client.received, b"")
        client.send(chunked(b"x", last=False))
        self.assertEqual(error_of(client.received), (413, "body_too_large"))
        self.assertEqual(self.server.ending, Ending.RESET)


class AdmissionTests(ProxyTestCase):
    """The limit on concurrent transcriptions."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(most=1, queue=2)

    def test_queue(self) -> None:
        """One is forwarded; the others wait in order, paused and without an upstream connection."""
        clients = [self.client(transcription(target=b"/%d/audio/transcriptions" % number)) for number in range(3)]
        self.assertEqual((len(self.upstream.peers), self.admission.waiting), (1, 2))
        for number, client in enumerate(clients):
            self.assertIn(b"POST /%d/" % number, self.server.news())
            self.server.send(ok())
            self.assertEqual(client.received, ok())
        self.assertEqual(self.admission.waiting, 0)

    def test_held_back(self) -> None:
        """A waiting client is paused in its upload, and does not get 100 Continue."""
        self.client(transcription())
        waiting = self.client(transcription()[:-10], b"--b")
        asking = self.client(post(100, FORM_TYPE, b"Expect: 100-continue", target=PATH))
        self.assertEqual((waiting.heard, len(waiting.socket.arriving), asking.received), (False, 1, b""))

    def test_full(self) -> None:
        """If the queue is full, the client gets 503 with Retry-After at once."""
        for _ in range(3):
            self.client(transcription())
        client = self.client(transcription()[:-10])
        self.assertEqual(error_of(client.received), (503, "upstream_busy"))
        self.assertIn(b"\r\nRetry-After: ", client.received)
        self.assertEqual((self.stats.in_flight, self.admission.waiting), (3, 2))

    def test_leaving(self) -> None:
        """A client that disconnects in the queue is skipped within a second; a disconnect in service makes room."""
        inside = self.client(transcription())
        held = self.client(transcription(), b"x")
        last = self.client(transcription(target=b"/last/audio/transcriptions"))
        held.close()
        self.reactor.pass_time(1)
        self.assertEqual(self.admission.waiting, 1)
        inside.reset()
        self.assertIn(b"POST /last/", self.server.received)
        self.server.send(ok())
        self.assertEqual(last.received, ok())

    def test_failing(self) -> None:
        """A failed transcription makes room like a successful one."""
        self.client(transcription())
        waiting = self.client(transcription())
        self.server.close()
        self.server.send(ok())
        self.assertEqual(waiting.received, ok())

    def test_others_pass(self) -> None:
        """Requests that are not transcriptions do not wait."""
        self.client(transcription())
        client = self.client(get())
        self.server.send(ok())
        self.assertEqual(client.received, ok())

    def test_small_forms(self) -> None:
        """A small form waits like the others."""
        self.client(transcription())
        client = self.client(transcription(b"{}", b"Content-Type: application/json"))
        self.assertEqual((len(self.upstream.peers), self.admission.waiting), (1, 1))
        self.server.send(ok())
        self.server.send(ok())
        self.assertEqual(client.received, ok())

    def test_pipelined(self) -> None:
        """A client's next request after its response finds room, also if it was pipelined."""
        self.proxy(most=1, queue=0)
        client = self.client(transcription() * 2)
        self.server.send(ok())
        self.server.send(ok())
        self.assertEqual(client.received, ok() * 2)


class TraceTests(ProxyTestCase):
    """What is logged of the values in forms."""

    def traces(self, *, traces: bool) -> list[str]:
        """Return the log lines of three transcriptions that are not lines of requests: complete, refused, left."""
        self.proxy(fields=b'{"prompt": "geheim"}', traces=traces)
        with capturedLogs() as logs:
            self.client(transcription())
            self.server.send(ok())
            self.client(transcription(b"x", b"Content-Type: text/plain"))
            self.client(transcription()).close()
        self.assertTrue(all(event["log_level"] is LogLevel.debug for event in logs if READY not in event))
        return [formatEvent(event) for event in logs if READY not in event]

    def test_debug(self) -> None:
        """At debug level, each form that was evaluated has a line with the values, and never the recording."""
        lines = self.traces(traces=True)
        self.assertEqual(len(lines), 2)
        for line in lines:
            self.assertRegex(line, r"\AThe form of id=[0-9a-f]{16}: forced prompt='geheim'\.\Z")

    def test_never(self) -> None:
        """At other levels, no line has a value."""
        self.assertEqual(self.traces(traces=False), [])
