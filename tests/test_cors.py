"""
Tests for :mod:`sttproxy.cors`, and for preflights through the whole proxy.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.cors import EXPOSED, CrossOrigin, is_preflight
from sttproxy.errors import Header
from sttproxy.http1.requests import parse_request

from .support.stage import PATH, ProxyTestCase, error_of, get, ok, post

PAGE = b"Origin: https://a.example"
ASKED = (PAGE, b"Access-Control-Request-Method: POST")


def lines(received: bytes, name: bytes) -> list[bytes]:
    """The values of a header in a response."""
    head = received.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    return [line.partition(b": ")[2] for line in head if line.lower().startswith(name.lower() + b":")]


class AmendedTests(SynchronousTestCase):
    """The headers of a response."""

    def amended(
        self, *origins: str, fields: tuple[bytes, ...] = (PAGE,), headers: tuple[Header, ...] = ()
    ) -> list[Header]:
        """The headers of a response to a GET."""
        return CrossOrigin(origins).amended(parse_request(get(b"/x", *fields)), list(headers))

    def test_named(self) -> None:
        """A named origin may read the response, with credentials; caches keep it apart."""
        self.assertEqual(
            self.amended("https://b", "https://a.example", headers=((b"A", b"b"),)),
            [
                (b"A", b"b"),
                (b"Access-Control-Allow-Origin", b"https://a.example"),
                (b"Access-Control-Allow-Credentials", b"true"),
                (b"Access-Control-Expose-Headers", b", ".join(EXPOSED)),
                (b"Vary", b"Origin"),
            ],
        )

    def test_any(self) -> None:
        """Every other origin gets ``*``, and no credentials."""
        names = [(name, value) for name, value in self.amended("*") if b"Expose" not in name]
        self.assertEqual(names, [(b"Access-Control-Allow-Origin", b"*")])
        both = dict(self.amended("*", "https://b"))
        self.assertEqual((both[b"Access-Control-Allow-Origin"], both[b"Vary"]), (b"*", b"Origin"))

    def test_others(self) -> None:
        """Other origins, several of them, and requests without one get nothing, but vary."""
        for fields in ((), (b"Origin: https://A.example",), (PAGE, PAGE), (b"Origin: null",)):
            self.assertEqual(self.amended("https://a.example", fields=fields), [(b"Vary", b"Origin")], fields)

    def test_unread_head(self) -> None:
        """Only ``*`` holds for a request whose origin could not be read."""
        self.assertIn((b"Access-Control-Allow-Origin", b"*"), CrossOrigin(["*"]).amended(None, []))
        self.assertEqual(CrossOrigin(["https://a"]).amended(None, []), [(b"Vary", b"Origin")])

    def test_upstreams_own(self) -> None:
        """The upstream's headers are replaced, in any spelling; what it exposes stays exposed."""
        theirs = (
            (b"ACCESS-CONTROL-ALLOW-ORIGIN", b"*"),
            (b"access-control-allow-credentials", b"true"),
            (b"Access-Control-Expose-Headers", b"X-Theirs, Retry-After"),
            (b"Access-Control-Max-Age", b"9"),
            (b"vary", b"Accept"),
        )
        got = self.amended("https://a.example", headers=theirs)
        values = [value for name, value in got if name.lower() == b"access-control-allow-origin"]
        self.assertEqual(values, [b"https://a.example"])
        exposed = dict(got)[b"Access-Control-Expose-Headers"]
        self.assertEqual(exposed, b", ".join((*EXPOSED, b"x-theirs")))
        self.assertEqual([value for name, value in got if name.lower() == b"vary"], [b"Accept", b"Origin"])
        self.assertEqual(self.amended("https://b", headers=theirs), [(b"vary", b"Accept"), (b"Vary", b"Origin")])

    def test_preflights(self) -> None:
        """A preflight is an OPTIONS with an origin and the method that is asked for."""
        for data, expected in (
            (get(b"/x", *ASKED, method=b"OPTIONS"), True),
            (get(b"/x", *ASKED), False),
            (get(b"/x", PAGE, method=b"OPTIONS"), False),
            (get(b"/x", ASKED[1], method=b"OPTIONS"), False),
        ):
            self.assertIs(is_preflight(parse_request(data)), expected, data)


class PreflightTests(ProxyTestCase):
    """Preflights, and the requests behind them."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(cors=CrossOrigin(["https://a.example"]), requires_key=True, fields=b'{"$profiles": {"p": {}}}')

    def preflight(self, *fields: bytes, target: bytes = PATH) -> bytes:
        """The response to a preflight."""
        return self.client(get(target, *fields, method=b"OPTIONS")).received

    def test_granted(self) -> None:
        """It gets what it asks for, on every path and without a key; the server is not asked."""
        names = b"authorization,content-type, x-stainless-os"
        for target in (PATH, b"/v1/models", b"/health", b"/profiles/p" + PATH):
            received = self.preflight(*ASKED, b"Access-Control-Request-Headers: " + names, target=target)
            self.assertTrue(received.startswith(b"HTTP/1.1 204 No Content\r\n"), received)
            self.assertEqual(lines(received, b"Content-Length"), [])
            self.assertEqual(lines(received, b"Access-Control-Allow-Origin"), [b"https://a.example"])
            self.assertEqual(lines(received, b"Access-Control-Allow-Methods"), [b"POST"])
            self.assertEqual(lines(received, b"Access-Control-Allow-Headers"), [names])
            self.assertEqual(lines(received, b"Access-Control-Max-Age"), [b"600"])
            self.assertEqual(lines(received, b"Access-Control-Allow-Private-Network"), [])
        self.assertEqual((self.upstream.peers, self.stats.preflights), ([], 4))

    def test_private_network(self) -> None:
        """A page on the internet may reach a proxy in the local network if it asks for that."""
        received = self.preflight(*ASKED, b"Access-Control-Request-Private-Network: true")
        self.assertEqual(lines(received, b"Access-Control-Allow-Private-Network"), [b"true"])

    def test_refused(self) -> None:
        """Another origin gets 403 with the option that would let it in; a malformed preflight gets 400."""
        received = self.preflight(b"Origin: https://evil.example", ASKED[1])
        self.assertEqual(error_of(received), (403, "forbidden_origin"))
        self.assertIn(b"'https://evil.example' may not use this proxy; --cors-origin", received)
        self.assertEqual(lines(received, b"Access-Control-Allow-Origin"), [])
        for fields in (
            (PAGE, b"Access-Control-Request-Method: P OST"),
            (*ASKED, ASKED[1]),
            (*ASKED, b"Access-Control-Request-Headers: a: b"),
        ):
            self.assertEqual(error_of(self.preflight(*fields)), (400, "bad_request"), fields)

    def test_connection_goes_on(self) -> None:
        """After a preflight the connection takes the next request."""
        client = self.client(get(PATH, *ASKED, method=b"OPTIONS"), get(b"/health", PAGE))
        self.assertEqual(client.received.count(b"HTTP/1.1 204"), 1)
        self.reactor.settle()

    def test_refusals(self) -> None:
        """Errors of the proxy can be read by the page: of a missing key, and of a body that is too large."""
        received = self.client(get(b"/v1/models", PAGE)).received
        self.assertEqual(error_of(received), (401, "invalid_api_key"))
        self.assertEqual(lines(received, b"Access-Control-Allow-Origin"), [b"https://a.example"])
        self.proxy(cors=CrossOrigin(["https://a.example"]), body=5)
        received = self.client(post(6, PAGE)).received
        self.assertEqual(error_of(received), (413, "body_too_large"))
        self.assertEqual(lines(received, b"Access-Control-Allow-Origin"), [b"https://a.example"])

    def test_relayed(self) -> None:
        """A response of the server has exactly one origin, the proxy's."""
        self.proxy(cors=CrossOrigin(["https://a.example"]))
        client = self.client(get(b"/x", PAGE))
        self.server.send(ok(b"hi", b"Access-Control-Allow-Origin: *"))
        self.assertEqual(lines(client.received, b"Access-Control-Allow-Origin"), [b"https://a.example"])

    def test_without(self) -> None:
        """Without the option preflights and headers pass unchanged."""
        self.proxy()
        client = self.client(get(b"/x", *ASKED, method=b"OPTIONS"))
        self.assertIn(b"OPTIONS /x HTTP/1.1", self.server.received)
        self.server.send(ok(b"", b"access-control-allow-origin: *"))
        self.assertEqual(lines(client.received, b"access-control-allow-origin"), [b"*"])
        self.assertEqual(lines(client.received, b"Vary"), [])
