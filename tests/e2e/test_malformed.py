"""
Ambiguous and malformed forms are refused, and the upstream gets no request that looks complete.
"""

from __future__ import annotations

from .case import UNPOOLED, RawTestCase, transcription
from .forms import BOUNDARY, File, boundary_of, content_type, form, noise, part
from .message import CHUNKED, HEAD_END, Message, chunks_end, counted, parse_head, request
from .raw import Ending, Peer

PATH = "/v1/audio/transcriptions"
AUDIO = File(noise(2000))
END = f"--{BOUNDARY}--\r\n".encode()


def with_head(head: str) -> bytes:
    """A form with a file and then a part that has this head."""
    return part("file", AUDIO) + f"--{BOUNDARY}\r\n{head}\r\n\r\nvalue\r\n".encode() + END


DISPOSITION = 'Content-Disposition: form-data; name="prompt"'

#: Refused forms, by what is wrong with them, and a word that the reason must have.
MALFORMED: dict[str, tuple[bytes, str]] = {
    "no closing boundary": (form([("file", AUDIO)])[: -len(END)], "closing boundary"),
    "half of the closing boundary's dashes": (form([("file", AUDIO)])[:-3], "closing boundary"),
    "another boundary": (form([("file", AUDIO)], "another"), "boundary"),
    "a preamble": (b"preamble\r\n" + form([("file", AUDIO)]), "boundary"),
    "nothing but text": (b"language=en", "boundary"),
    "text behind a boundary": (form([("file", AUDIO)]).replace(b"--\r\n", b"x\r\n"), "Boundary 2"),
    "a space behind a boundary": (form([("file", AUDIO)]).replace(b"3e\r\n", b"3e \r\n", 1), "Boundary 1"),
    "bare line feeds": (form([("a", "b")]).replace(b"\r\n", b"\n"), "Boundary 1"),
    "no disposition": (with_head("Content-Type: text/plain"), "Content-Disposition"),
    "an empty head": (f"--{BOUNDARY}\r\n\r\nvalue\r\n".encode() + END, "Content-Disposition"),
    "two dispositions": (with_head(f"{DISPOSITION}\r\n{DISPOSITION}"), "content-disposition"),
    "another disposition": (with_head('Content-Disposition: attachment; name="prompt"'), "form-data"),
    "no name": (with_head("Content-Disposition: form-data"), "names no field"),
    "two names": (with_head(DISPOSITION + '; name="other"'), "name"),
    "an extended name": (with_head("Content-Disposition: form-data; name*=utf-8''prompt"), "name*"),
    "a name without its end": (with_head(DISPOSITION[:-1]), "parameter"),
    "a quote in a name": (with_head('Content-Disposition: form-data; name="pro\\"mpt"'), "quote"),
    "a folded line": (with_head('Content-Disposition: form-data;\r\n name="prompt"'), "folded"),
    "a line that is no header": (with_head(DISPOSITION + "\r\nx"), "header field"),
    "a blank before a colon": (with_head('Content-Disposition : form-data; name="prompt"'), "header field"),
    "a transfer encoding": (with_head(DISPOSITION + "\r\nContent-Transfer-Encoding: base64"), "Transfer-Encoding"),
    "a form in a form": (with_head(DISPOSITION + "\r\nContent-Type: multipart/mixed; boundary=b"), "message type"),
    "a head without end": (with_head(DISPOSITION + "\r\nX: " + "x" * 5000), "longer"),
    "too many parts": (form([("file", AUDIO), *[("a", "b")] * 1001]), "parts"),
}


class MalformedForms(RawTestCase):
    """The upstream is a listener, so the tests see every byte that it gets."""

    config = '{"language": "zh"}'
    options = UNPOOLED

    def refused(self, client: Peer, word: str) -> Message:
        """Return the response to a form, an error with a readable message."""
        answer = client.read_message()
        self.assertEqual((answer.status, answer.values(b"Content-Type")), (400, [b"application/json"]), answer.body)
        error = answer.json()["error"]
        self.assertEqual((error["type"], error["code"]), ("invalid_request_error", "malformed_form"))
        self.assertIn(word, error["message"])
        return answer

    def assert_nothing_whole(self, upstream: Peer) -> None:
        """Check that the upstream's request, if any, is incomplete in every reading."""
        upstream.read_to_end()
        self.assertIsNotNone(upstream.ending)
        head, end, rest = bytes(upstream.received).partition(HEAD_END)
        if not end:
            return
        message = parse_head(head + end)
        self.assertNotIn(b"--" + boundary_of(message) + b"--", rest)
        if message.chunked:
            self.assertIsNone(chunks_end(rest))
        else:
            assert message.length is not None
            self.assertLess(len(rest), message.length)

    def test_refused(self) -> None:
        """Each form gets 400 and its reason, in both framings; the upstream gets an incomplete request."""
        for what, (body, word) in MALFORMED.items():
            for chunks in (0, 4):
                with self.naming(f"{what}, {chunks} chunks"):
                    client = self.connect()
                    head, end, rest = transcription(body, chunks).partition(HEAD_END)
                    client.send(head + end)
                    upstream = self.listener.accept()
                    upstream.read_head()
                    client.send(rest)
                    self.refused(client, word)
                    self.assert_nothing_whole(upstream)

    def test_refused_at_once(self) -> None:
        """The same holds when head and form arrive in one segment."""
        for what, (body, word) in MALFORMED.items():
            with self.naming(what):
                client = self.connect()
                client.send(transcription(body))
                self.refused(client, word)
                self.assert_nothing_whole(self.listener.accept())

    def test_refused_while_it_comes(self) -> None:
        """An error is reported when it arrives, not at the end of the form; the response is the connection's last."""
        body, word = MALFORMED["two names"]
        client = self.connect()
        client.send(request("POST", PATH, content_type(), (b"Content-Length", b"999999999")), body)
        answer = self.refused(client, word)
        self.assertEqual(answer.values(b"Connection"), [b"close"])
        self.assert_nothing_whole(self.listener.accept())
        client.read_to_end()
        self.assertIs(client.ending, Ending.FIN)

    def test_client_stops(self) -> None:
        """If a client stops in the middle of a form, the upstream gets an incomplete request, too."""
        body = form([("file", AUDIO)])
        for framing, sent in ((counted(body), body[:1500]), (CHUNKED, b"5dc\r\n%b\r\n" % body[:1500])):
            for leave in (Peer.shut, Peer.reset):
                with self.naming(f"{framing}, {leave}"):
                    client = self.connect()
                    client.send(request("POST", PATH, content_type(), framing), sent)
                    upstream = self.listener.accept()
                    upstream.read_until(b'name="file"')
                    leave(client)
                    self.assert_nothing_whole(upstream)

    def test_no_form(self) -> None:
        """Bodies that are not forms are refused before anything is forwarded."""
        body = form([("file", AUDIO)])
        for headers in (
            [],
            [(b"Content-Type", b"text/plain")],
            [(b"Content-Type", b"application/octet-stream")],
            [(b"Content-Type", b"multipart/form-data")],
            [(b"Content-Type", b"multipart/form-data; boundary=")],
            [content_type(), (b"Content-Type", b"multipart/form-data; boundary=other")],
            [content_type(), (b"Content-Encoding", b"gzip")],
        ):
            with self.naming(headers):
                client = self.connect()
                client.send(request("POST", PATH, *headers, counted(body)) + body)
                answer = client.read_message()
                self.assertIn(answer.status, (400, 415))
                self.assertEqual(answer.json()["error"]["type"], "invalid_request_error")
                self.assertIsNone(self.listener.accept_waiting())

    def test_the_next_request(self) -> None:
        """After a refused form the daemon serves the next request."""
        client = self.connect()
        client.send(transcription(MALFORMED["no disposition"][0]))
        self.refused(client, "Content-Disposition")
        self.assert_nothing_whole(self.listener.accept())
        received, answer = self.exchange(transcription(form([("file", AUDIO)])), b"HTTP/1.1 204 No Content\r\n\r\n")
        self.assertIn(AUDIO.data, received.body)
        self.assertEqual(answer.status, 204)
