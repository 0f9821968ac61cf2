"""
Tests for :mod:`sttproxy.profiles`: whether the rules are for a request, and which profile it gets.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import parse
from sttproxy.errors import BadRequest, ForbiddenProfile, NotFound
from sttproxy.http1.requests import parse_request
from sttproxy.peers import UNIX, Peer, TrustedPeers
from sttproxy.profiles import NONE, Chosen, Selection, key_of, select

KEYS = {key: hashlib.sha256(key.encode()).hexdigest() for key in ("sk-a", "sk-b", "sk-none")}
FILE: dict[str, Any] = {
    "$paths": ["/asr"],
    "$profiles": {name: {} for name in ("webui", "home", "asr", "keyed", "bound", "default", "unix")},
    "$choose": [
        {"header": {"User-Agent": "OpenWebUI*"}, "path": "/asr", "profile": "asr"},
        {"header": {"User-Agent": "OpenWebUI*"}, "profile": "webui"},
        {"address": "192.168.1.5", "profile": ""},
        {"address": "192.168.1.0/24", "profile": "home"},
        {"address": "unix", "profile": "unix"},
        {"key": f"sha256:{KEYS['sk-a']}", "profile": "keyed"},
    ],
}


class SelectTests(SynchronousTestCase):
    """`select`, with all ways to choose a profile."""

    def selection(
        self,
        *headers: str,
        path: str = "/v1/audio/transcriptions",
        client: str = "10.0.0.1",
        default: str = "",
        file: dict[str, Any] | None = None,
        inside: bytes = b"",
        bound: bool = False,
    ) -> Selection:
        """
        What the proxy does with a request.

        :param bound: whether two keys are bound to a profile, one of them to none.
        """
        data = json.dumps(FILE if file is None else file).encode()
        keys = {f"sha256:{KEYS['sk-b']}": "bound", f"sha256:{KEYS['sk-none']}": ""}
        config = parse(data, keys="keys.json" * bound, read=lambda _: json.dumps(keys).encode())
        lines = [f"POST {path} HTTP/1.1", "Host: h", "Content-Length: 2", *headers, "", ""]
        head = parse_request("\r\n".join(lines).encode())
        return select(config, head, inside, default, Peer(client, TrustedPeers()).client)

    def session(self, *lines: str, target: str = "/v1/realtime", **file: Any) -> Selection:
        """What the proxy does with a request for a WebSocket."""
        config = parse(json.dumps({**FILE, "language": "zh", "$realtime": True, **file}).encode())
        fields = ("Connection: Upgrade", "Upgrade: websocket", *lines)
        head = parse_request("\r\n".join([f"GET {target} HTTP/1.1", "Host: h", *fields, "", ""]).encode())
        return select(config, head, b"", "default", Peer("10.0.0.1", TrustedPeers()).client)

    def test_sessions(self) -> None:
        """A request for a session chooses a profile like a form; without ``$realtime`` it passes."""
        webui = "User-Agent: OpenWebUI"
        for lines, target, expected in (
            ((), "/v1/realtime?x", Chosen("default", "--profile")),
            ((webui,), "/realtime", Chosen("webui", "$choose[1]")),
            ((webui,), "/profiles/home/v1/realtime", Chosen("home", "url")),
        ):
            found = self.session(*lines, target=target)
            self.assertEqual((found.has_rules, found.is_session, found.chosen), (False, True, expected))
            self.assertFalse(self.session(*lines, target=target, **{"$realtime": False}).is_session)
        self.assertFalse(self.session(target="/v1/asr").is_session)
        for lines, target in (((), "/v1/Realtime"), (("X-Original-URL: /realtime",), "/x")):
            self.assertRaises(BadRequest, self.session, *lines, target=target)

    def chosen(self, *headers: str, **options: Any) -> Chosen:
        """The profile of a request that has rules."""
        found = self.selection(*headers, **options)
        self.assertTrue(found.has_rules)
        return found.chosen

    def test_conditions(self) -> None:
        """The first choice whose conditions all hold chooses; a choice without a profile leaves the default."""
        webui = "User-Agent: openwebui/0.6"
        for headers, client, path, expected in (
            ((webui,), "10.0.0.1", "/v1/audio/transcriptions", Chosen("webui", "$choose[1]")),
            ((webui,), "10.0.0.1", "/v1/asr", Chosen("asr", "$choose[0]")),
            ((webui,), "192.168.1.9", "/v1/audio/translations", Chosen("webui", "$choose[1]")),
            (("User-Agent: curl", webui), "192.168.1.9", "/x/audio/translations", Chosen("webui", "$choose[1]")),
            ((), "192.168.1.9", "/asr", Chosen("home", "$choose[3]")),
            ((), "::ffff:192.168.1.9", "/asr", Chosen("home", "$choose[3]")),
            ((), "192.168.1.5", "/asr", NONE),
            (("Authorization: Bearer sk-a",), "192.168.1.5", "/asr", NONE),
            ((), UNIX, "/asr", Chosen("unix", "$choose[4]")),
            (("Authorization: Bearer sk-a",), "::1", "/asr", Chosen("keyed", "$choose[5]")),
            (("Authorization: Bearer sk-b",), "::1", "/asr", NONE),
            ((), "::1", "/asr", NONE),
        ):
            self.assertEqual(self.chosen(*headers, client=client, path=path), expected, (headers, client, path))
            after = self.chosen(*headers, client=client, path=path, default="default")
            self.assertEqual(after, Chosen("default", "--profile") if expected is NONE else expected)

    def test_spellings(self) -> None:
        """The spelling of a path does not change what is chosen."""
        for path in ("/asr", "/v1/asr", "/asr/", "/%61sr", "/v1%2fas%72/", "/asr%0a", "//asr", "/x/y/asr?z=/audio"):
            self.assertEqual(self.chosen("User-Agent: OpenWebUI", path=path), Chosen("asr", "$choose[0]"), path)

    def test_first(self) -> None:
        """The URL and a bound key come before the choices."""
        webui = "User-Agent: OpenWebUI"
        path = "/profiles/home/v1/asr"
        found = self.selection(webui, path=path)
        self.assertEqual(found, Selection(b"/v1/asr", b"/profiles/home", True, Chosen("home", "url")))
        b, none = "Authorization: Bearer sk-b", "Authorization: Bearer sk-none"
        self.assertEqual(self.chosen(webui, b, bound=True), Chosen("bound", "key"))
        self.assertEqual(self.chosen(webui, none, bound=True), Chosen("webui", "$choose[1]"))
        self.assertRaises(ForbiddenProfile, self.selection, webui, b, path=path, bound=True)
        self.assertEqual(self.chosen(webui, none, path=path, bound=True), Chosen("home", "url"))

    def test_several_keys(self) -> None:
        """Several keys are refused only if a key can choose: not if an earlier choice fits."""
        two = ("Authorization: Bearer sk-a", "Authorization: Bearer sk-b")
        self.assertRaises(BadRequest, self.selection, *two)
        self.assertRaises(BadRequest, self.selection, *two, "User-Agent: OpenWebUI", bound=True)
        self.assertEqual(self.chosen(*two, "User-Agent: OpenWebUI"), Chosen("webui", "$choose[1]"))
        self.assertEqual(self.chosen(*two, file={}), NONE)

    def test_others(self) -> None:
        """For other requests nothing is chosen, and an unknown profile in the URL is still an error."""
        found = self.selection("User-Agent: OpenWebUI", path="/v1/chat?x", default="default")
        self.assertEqual(found, Selection(b"/v1/chat?x", b"", False, NONE))
        found = self.selection(path="/profiles/home/x")
        self.assertEqual(found, Selection(b"/x", b"/profiles/home", False, Chosen("home", "url")))
        self.assertRaises(NotFound, self.selection, path="/profiles/nobody/x")

    def test_odd(self) -> None:
        """Suspicious spellings of any path with rules are refused, and so are headers that override the target."""
        for path in ("/ASR", "/v1/audio//translations", "/v1/audio/transcriptions;x", "/a%u0073r", "/x/../asr;/y"):
            self.assertRaises(BadRequest, self.selection, path=path)
        for header in ("X-Original-URL: /v1/asr", "X-Rewrite-URL: /audio/translations"):
            self.assertRaises(BadRequest, self.selection, header, path="/x")
        self.assertRaises(BadRequest, self.selection, "X-HTTP-Method-Override: PUT", path="/asr")

    def test_translations(self) -> None:
        """The profile that a request gets decides whether the rules hold for translations, in any spelling."""
        file = {
            "$translations": False,
            "$profiles": {"on": {"$translations": True}, "off": {}},
            "$choose": [{"address": "10.0.0.1", "profile": "on"}],
        }
        for path in ("/v1/audio/translations", "/audio/tr%61nslations", "/profiles/on/v1/audio/translations/"):
            self.assertTrue(self.selection(path=path, file=file).has_rules, path)
        for path in ("/v1/audio/translations", "/AUDIO/translations", "/v1/audio/x/../translations"):
            self.assertFalse(self.selection(path=path, file=file, client="10.0.0.2").has_rules, path)
            self.assertFalse(self.selection(path="/profiles/off" + path, file=file).has_rules, path)
        self.assertRaises(BadRequest, self.selection, path="/AUDIO/translations", file=file)
        both = "/v1/audio/translations%00/../transcriptions"
        self.assertRaises(BadRequest, self.selection, path=both, file=file, client="10.0.0.2")
        self.assertTrue(self.selection(path="/v1/audio/transcriptions", file=file, client="10.0.0.2").has_rules)

    def test_inside(self) -> None:
        """The path that the server gets decides, with the prefix of all its paths."""
        self.assertTrue(self.selection(path="/transcriptions", inside=b"/v1/audio").has_rules)
        self.assertTrue(self.selection(path="/v1/asr", inside=b"/api").has_rules)
        file = {"$paths": ["/api/asr"]}
        self.assertTrue(self.selection(path="/asr", inside=b"/api", file=file).has_rules)
        self.assertFalse(self.selection(path="/asr", file=file).has_rules)

    def test_key_of(self) -> None:
        """The key is what follows the scheme, or the whole value."""
        for value, key in (("Bearer sk-a", "sk-a"), ("bearer   sk-a", "sk-a"), ("sk-a", "sk-a"), ("", "")):
            head = parse_request(f"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: {value}\r\n\r\n".encode())
            self.assertEqual(key_of(head), KEYS[key] if key else "")
