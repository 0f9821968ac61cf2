"""
Each form and each target gets its verdict, and each accepted one is read as expected, however the network cut it.
"""

from __future__ import annotations

import json

import attrs

from sttproxy.config import parse
from sttproxy.errors import MalformedForm
from sttproxy.headers import boundary_of, parse_content_type

from ..forms.rewriting import Rewritten, by_multipart, by_starlette, bytewise, rewrite
from ..support.fakes import Ending
from ..support.stage import ProxyTestCase
from . import envelopes, parameters, parts, small, spellings, targets
from .reading import by_json, by_pairs, shown_by_multipart, shown_by_starlette
from .vector import CONFIG, FORCED, FORCED_JSON, JSON, URLENCODED, Passes, Reads, ReadsJSON, Refused, Vector

FORMS = (*parameters.ROWS, *parts.ROWS, *envelopes.ROWS, *spellings.ROWS, *small.ROWS)
ROWS = (*FORMS, *targets.ROWS)
RULES = parse(CONFIG).base
#: The largest body, in bytes, for which every cut is tested.
SMALL = 700
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


@attrs.frozen
class Outcome:
    """
    The result of a request.

    :ivar status: the status that the client got.
    :ivar message: the message of the error, if it is the proxy's own.
    :ivar head: the head of the complete request at the upstream, if any; with the same boundary in every run.
    :ivar body: its body, likewise.
    """

    status: int
    message: str
    head: bytes
    body: bytes


def unchunked(data: bytes) -> bytes | None:
    """Decode a complete chunked body; return None if it is incomplete."""
    body = b""
    while True:
        line, end, data = data.partition(b"\r\n")
        if not end:
            return None
        size = int(line, 16)
        if len(data) < size + 2:
            return None
        body, data = body + data[:size], data[size + 2 :]
        if not size:
            return body


class VectorTests(ProxyTestCase):
    """The whole proxy in memory, without its command line."""

    def outcome(self, vector: Vector, pieces: list[bytes], counted: bool) -> Outcome:
        """Send a vector."""
        self.proxy(fields=CONFIG)
        client = self.client(vector.head(counted))
        for piece in pieces:
            client.send(piece if counted else b"%x\r\n%b\r\n" % (len(piece), piece))
        if not counted:
            client.send(b"0\r\n\r\n")
        whole = self.whole_at_upstream(vector.content_type)
        if whole is not None:
            self.server.send(NO_CONTENT)
        head, _, body = client.received.partition(b"\r\n\r\n")
        message = json.loads(body)["error"]["message"] if body else ""
        client.reset()
        client.read()
        self.pool.close()
        for peer in self.upstream.peers:
            if peer.ending is Ending.OPEN:
                peer.close()
        return Outcome(int(head.split(b" ")[1]), message, *(whole or (b"", b"")))

    def whole_at_upstream(self, theirs: bytes | None) -> tuple[bytes, bytes] | None:
        """
        Return head and body of the only request at the upstream, if it is complete.

        :param theirs: the client's Content-Type; a different boundary is the proxy's, and is replaced by ``=``.
        """
        self.assertLessEqual(len(self.upstream.peers), 1)
        if not self.upstream.peers:
            return None
        head, end, body = self.server.received.partition(b"\r\n\r\n")
        if not end:
            return None
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"Content-Length" in fields:
            length = int(fields[b"Content-Length"])
            self.assertLessEqual(len(body), length, "more than one request")
            whole = body if len(body) == length else None
        else:
            whole = unchunked(body)
        content_type = fields.get(b"Content-Type", b"")
        ours = b""
        if b"boundary=" in content_type and content_type != theirs:
            ours = boundary_of(parse_content_type(content_type)[1])
        if whole is None:
            self.assertNotIn(b"--" + ours + b"--", body, "a refused form was closed")
            return None
        return (head.replace(ours, b"="), whole.replace(ours, b"=")) if ours else (head, whole)

    def judged(self, vector: Vector, outcome: Outcome) -> None:
        """Check that the result matches the vector's verdict."""
        verdict = vector.verdict
        if isinstance(verdict, Refused):
            self.assertEqual((outcome.status, outcome.head), (verdict.status, b""))
            self.assertIn(verdict.word, outcome.message)
            return
        self.assertEqual((outcome.status, outcome.message), (204, ""))
        if vector.upstream_target is not None:
            self.assertEqual(outcome.head.split(b" ")[1], vector.upstream_target)
        if isinstance(verdict, Passes):
            self.assertEqual(outcome.body, vector.body)
        elif isinstance(verdict, ReadsJSON):
            self.assertIn(b"\r\nContent-Type: " + JSON + b"\r\n", outcome.head)
            self.assertEqual(by_json(outcome.body), [*FORCED_JSON, *verdict.kept])
        elif (vector.content_type or b"").startswith(URLENCODED):
            self.assertIn(b"\r\nContent-Type: " + URLENCODED + b"\r\n", outcome.head)
            self.assertEqual(by_pairs(outcome.body), [*FORCED, *verdict.kept])
        else:
            self.assertIn(b"\r\nContent-Type: multipart/form-data; boundary==\r\n", outcome.head)
            left = Rewritten(b"multipart/form-data; boundary==", None, outcome.body)
            expected = [*FORCED, *verdict.kept]
            self.assertEqual(by_multipart(left), shown_by_multipart(expected))
            self.assertEqual(by_starlette(left), shown_by_starlette(expected))

    def hold(self, rows: tuple[Vector, ...]) -> None:
        """Check vectors in both framings, whole and byte by byte; list all failures."""
        wrong: list[str] = []
        for vector in rows:
            for counted in (True, False):
                try:
                    whole = self.outcome(vector, [vector.body] if vector.body else [], counted)
                    self.judged(vector, whole)
                    if len(vector.body) <= SMALL:
                        again = self.outcome(vector, bytewise(vector.body), counted)
                        self.assertEqual(attrs.evolve(again, head=b""), attrs.evolve(whole, head=b""), "byte by byte")
                except AssertionError as error:
                    wrong.append(f"{vector.name!r}, counted: {counted}: {str(error)[:300]}")
        if wrong:
            self.fail("\n".join(["", *wrong]))

    def test_parts(self) -> None:
        """A part's head is read in exactly one way, or the form is refused."""
        self.hold((*parameters.ROWS, *parts.ROWS))

    def test_envelopes(self) -> None:
        """Boundaries, and the form's beginning and end, are read in exactly one way, or the form is refused."""
        self.hold(envelopes.ROWS)

    def test_spellings(self) -> None:
        """Every spelling of a configured field is removed, and no other field is."""
        self.hold(spellings.ROWS)

    def test_pairs(self) -> None:
        """Urlencoded pairs follow the same rules."""
        self.hold(small.PAIRS)

    def test_objects(self) -> None:
        """JSON objects follow the same rules."""
        self.hold(small.OBJECTS)

    def test_targets(self) -> None:
        """A target that may be a transcription is rewritten or refused; everything else passes."""
        self.hold(targets.ROWS)

    def test_table(self) -> None:
        """The tables have at least a hundred vectors, with unique names, and each has a reason."""
        self.assertGreaterEqual(len(ROWS), 100)
        names = [(vector.name, vector.content_type) for vector in ROWS]
        self.assertEqual(len(set(names)), len(names), sorted(name for name in names if names.count(name) > 1))
        self.assertEqual([vector.name for vector in ROWS if not vector.reason], [])


class CutTests(ProxyTestCase):
    """The rewriter alone, which is fast enough to test every cut."""

    def test_every_cut(self) -> None:
        """However it is cut in two, a small form gets the same verdict and becomes the same bytes."""

        def outcome(boundary: bytes, pieces: list[bytes], counted: bool) -> bytes | str:
            try:
                return rewrite(RULES, boundary, pieces, counted).comparable
            except MalformedForm as error:
                return error.message

        forms = 0
        for vector in FORMS:
            kind = vector.content_type or b""
            multipart = isinstance(vector.verdict, Reads) or getattr(vector.verdict, "status", 0) == 400
            if not (multipart and kind.lower().startswith(b"multipart/") and len(vector.body) <= SMALL):
                continue
            forms += 1
            boundary = boundary_of(parse_content_type(kind)[1])
            for counted in (True, False):
                whole = outcome(boundary, [vector.body], counted)
                for cut in range(len(vector.body) + 1):
                    pieces = [vector.body[:cut], vector.body[cut:]]
                    self.assertEqual(outcome(boundary, pieces, counted), whole, (vector.name, cut))
        self.assertGreater(forms, 80)
