"""
Tests for :mod:`sttproxy.resources`: profiles by URL and by API key, and the explanation header in the response.
"""

from __future__ import annotations

import hashlib
import json
import re

from sttproxy import config

from ..support.fakes import Ending
from ..support.stage import FORM, FORM_TYPE, PATH, ProxyTestCase, error_of, get, message, ok, post, transcription
from .test_transcriptions import form_of

FIELDS = json.dumps(
    {
        "language": "zh",
        "$default": {"model": "base"},
        "$profiles": {
            "medical": {"language": "de"},
            "raw": {"$unset": ["language"], "prompt": None, "$map": {"temperature": {"0": "0.5"}}},
            "a.b_c~d-1": {"language": "fr"},
        },
    }
).encode()
FILE = ("file", b"RIFF\r\n\0\xff")
BASE = [("language", b"zh"), FILE, ("prompt", b"hi"), ("model", b"base")]
MEDICAL = [("language", b"de"), FILE, ("prompt", b"hi"), ("model", b"base")]
RAW = [("language", b"en"), FILE, ("model", b"base")]
FR = [("language", b"fr"), FILE, ("prompt", b"hi"), ("model", b"base")]
URLENCODED = b"Content-Type: application/x-www-form-urlencoded"


def message_of(received: bytes) -> str:
    """Return the message of one of the proxy's errors."""
    message: str = json.loads(received.partition(b"\r\n\r\n")[2])["error"]["message"]
    return message


class ProfileTestCase(ProxyTestCase):
    """Base class: a configuration with three profiles."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(fields=FIELDS)

    def sent(self, target: bytes = PATH, *fields: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
        """Return the target and the form that the upstream receives of a request, and send a response."""
        client = self.client(transcription(FORM, FORM_TYPE, *fields, target=target))
        received = self.server.news()
        self.server.send(ok())
        self.assertEqual(client.received, ok(), target)
        client.close()
        return received.split(b" ")[1], form_of(received)


class UrlTests(ProfileTestCase):
    """``/profiles/NAME`` before a path."""

    def test_chosen(self) -> None:
        """
        The profile's rules are applied, and the upstream gets the path without the prefix; otherwise the base rules
        apply.
        """
        for prefix, form in (
            (b"", BASE),
            (b"/profiles/medical", MEDICAL),
            (b"/profiles/raw", RAW),
            (b"/profiles/a.b_c~d-1", FR),
        ):
            for target in (PATH, b"/audio/transcriptions", PATH + b"/", PATH + b"?a=b&c", b"/a/b" + PATH):
                self.assertEqual(self.sent(prefix + target), (target, form), prefix + target)

    def test_absolute(self) -> None:
        """A target in absolute form can have the prefix too."""
        self.assertEqual(self.sent(b"http://h/profiles/medical" + PATH), (PATH, MEDICAL))

    def test_one_prefix(self) -> None:
        """Only one prefix is removed: the upstream may have profiles of its own."""
        target = b"/profiles/raw/v1/audio/transcriptions"
        self.assertEqual(self.sent(b"/profiles/medical" + target), (target, MEDICAL))

    def test_upstream_prefix(self) -> None:
        """The rest of the path is put behind the prefix of the upstream's paths."""
        self.proxy(fields=FIELDS, prefix=b"/v1/audio")
        self.assertEqual(self.sent(b"/profiles/medical/transcriptions"), (PATH, MEDICAL))

    def test_everything_below(self) -> None:
        """Other requests lose the prefix too and are forwarded, also to the paths of the proxy's own pages."""
        for target, leaves in (
            (b"/profiles/medical/v1/models?a=b", b"/v1/models?a=b"),
            (b"/profiles/medical/health", b"/health"),
            (b"/profiles/medical/stats?x", b"/stats?x"),
            (b"/profiles/medical", b"/"),
            (b"/profiles/medical/", b"/"),
            (b"/profiles/medical?a=/b", b"/?a=/b"),
            (b"/profiles/medical//x", b"//x"),
            (b"/profiles/medical/%70rofiles", b"/%70rofiles"),
        ):
            client = self.client(get(target))
            self.assertEqual(self.server.news().split(b" ")[1], leaves, target)
            self.server.send(ok())
            self.assertEqual(client.received, ok())
            client.close()

    def test_not_the_prefix(self) -> None:
        """Paths that only resemble the prefix are forwarded unchanged, under the base rules."""
        for target in (
            b"/Profiles/medical" + PATH,
            b"/%70rofiles/medical" + PATH,
            b"//profiles/medical" + PATH,
            b"/x/profiles/medical" + PATH,
            b"/profilesx/medical" + PATH,
            b"/profile/medical" + PATH,
            b"/profiles%2fmedical" + PATH,
        ):
            self.assertEqual(self.sent(target), (target, BASE), target)
        client = self.client(get(b"/profiles"))
        self.assertEqual(self.server.news().split(b" ")[1], b"/profiles")
        client.close()

    def test_unknown(self) -> None:
        """An unknown profile gets 404, compared letter by letter; the error names the existing ones."""
        for name in (
            b"Medical",
            b"medica",
            b"medical%20",
            b"%6dedical",
            b"medical%2f",
            b"medical;x=y",
            b"medical\\",
            b"",
            b"..",
            b".",
            b"%2e%2e",
            b"%ff",
            b"x" * 500,
        ):
            for rest in (PATH, b"", b"?profile=medical", b"/health"):
                client = self.client(transcription(target=b"/profiles/" + name + rest))
                self.assertEqual(error_of(client.received), (404, "not_found"), (name, rest))
                message = message_of(client.received)
                self.assertIn("medical, raw, a.b_c~d-1", message)
                self.assertLess(len(message), 250)
        self.assertEqual(self.upstream.peers, [])

    def test_redirected(self) -> None:
        """A redirect keeps the profile, so that it applies to the client's second request too."""
        client = self.client(transcription(target=b"/profiles/medical" + PATH + b"/?a=b"))
        location = b"Location: http://h" + PATH + b"?a=b"
        self.server.send(message(b"HTTP/1.1 307 Temporary Redirect", location, b"Content-Length: 0", b"X-A: /b"))
        self.assertIn(b"\r\nLocation: http://h/profiles/medical" + PATH + b"?a=b\r\n", client.received)
        self.assertIn(b"\r\nX-A: /b\r\n", client.received)

    def test_none(self) -> None:
        """If no profiles are configured, the error says so."""
        self.proxy(fields=b'{"language": "zh"}')
        client = self.client(get(b"/profiles/medical/v1/models"))
        self.assertEqual(error_of(client.received), (404, "not_found"))
        self.assertIn("there are no profiles", message_of(client.received))

    def test_detours(self) -> None:
        """Behind the prefix a path follows the same rules as any other."""
        for rest in (b"/v1/AUDIO/transcriptions", b"/v1/audio/x/../transcriptions", b"/v1/audio//transcriptions"):
            client = self.client(transcription(target=b"/profiles/medical" + rest))
            self.assertEqual(error_of(client.received), (400, "bad_request"), rest)
        client = self.client(post(2, b"X-Original-URL: " + PATH, target=b"/profiles/medical/x", body=b"ab"))
        self.assertEqual(error_of(client.received), (400, "bad_request"))
        self.assertEqual(self.upstream.peers, [])

    def test_not_a_page(self) -> None:
        """A profile prefix does not reach the proxy's own pages, and a page does not hide a profile."""
        client = self.client(get(b"/profiles/nobody/health"))
        self.assertEqual(error_of(client.received), (404, "not_found"))

    def test_each_request(self) -> None:
        """Each request on a connection has its own profile; a request without one has none."""
        client = self.client()
        for target, form in (
            (b"/profiles/medical" + PATH, MEDICAL),
            (PATH, BASE),
            (b"/profiles/raw" + PATH, RAW),
            (PATH, BASE),
        ):
            client.send(transcription(target=target))
            self.assertEqual(form_of(self.server.news()), form, target)
            self.server.send(ok())

    def test_reloaded(self) -> None:
        """A removed profile is not found by the next request; a request in flight keeps it."""
        data = transcription(target=b"/profiles/medical" + PATH)
        client = self.client(data[:-30])
        self.config = config.parse(b'{"$profiles": {"new": {"language": "it"}}}')
        client.send(data[-30:])
        self.assertEqual(form_of(self.server.news()), MEDICAL)
        self.server.send(ok())
        late = self.client(data)
        self.assertEqual(error_of(late.received), (404, "not_found"))
        self.assertIn(("language", b"it"), self.sent(b"/profiles/new" + PATH)[1])

    def test_default_profile(self) -> None:
        """The profile of the command line applies to requests that name none; a URL can choose another one."""
        self.proxy(fields=FIELDS, profile="medical")
        self.assertEqual(self.sent(), (PATH, MEDICAL))
        self.assertEqual(self.sent(b"/profiles/raw" + PATH), (PATH, RAW))

    def test_small_forms(self) -> None:
        """Profiles apply to small forms too."""
        for content_type, body, leaves in (
            (URLENCODED, b"prompt=x&temperature=0", b"temperature=0.5&model=base"),
            (b"Content-Type: application/json", b'{"temperature": 0}', b'{"temperature":"0.5","model":"base"}'),
        ):
            client = self.client(transcription(body, content_type, target=b"/profiles/raw" + PATH))
            self.assertEqual(self.server.news().partition(b"\r\n\r\n")[2].rstrip(), leaves)
            client.close()


class KeyTests(ProfileTestCase):
    """API keys that are bound to a profile."""

    def setUp(self) -> None:
        super().setUp()
        keys = {"medical": "sk-medical", "raw": "sk raw"}
        digests = {f"sha256:{hashlib.sha256(key.encode()).hexdigest()}": name for name, key in keys.items()}
        data = json.dumps(digests).encode()
        self.config = config.parse(FIELDS, keys="keys.json", read=lambda _: data)
        self.assertEqual(len(self.config.keys), 2)

    def refused(self, target: bytes, *fields: bytes) -> tuple[int, str]:
        """Return the error that a request gets."""
        client = self.client(transcription(FORM, FORM_TYPE, *fields, target=target))
        return error_of(client.received)

    def test_bound(self) -> None:
        """A bound key selects its profile, in any spelling of the header; the URL may name the same profile."""
        for header in (
            b"Authorization: Bearer sk-medical",
            b"authorization:bearer   sk-medical",
            b"AUTHORIZATION: BEARER sk-medical \t",
            b"Authorization: sk-medical",
        ):
            for prefix in (b"", b"/profiles/medical"):
                self.assertEqual(self.sent(prefix + PATH, header), (PATH, MEDICAL), header)
        self.assertEqual(self.sent(PATH, b"Authorization: Bearer sk raw"), (PATH, RAW))

    def test_beats_default(self) -> None:
        """A key's profile takes precedence over the command line's."""
        keyed = self.config
        self.proxy(fields=FIELDS, profile="raw")
        self.config = keyed
        self.assertEqual(self.sent(PATH, b"Authorization: Bearer sk-medical")[1], MEDICAL)
        self.assertEqual(self.sent(PATH)[1], RAW)

    def test_forbidden(self) -> None:
        """With a bound key, a URL with another profile gets 403, and is not forwarded."""
        for name in (b"raw", b"a.b_c~d-1"):
            target = b"/profiles/" + name + PATH
            self.assertEqual(self.refused(target, b"Authorization: Bearer sk-medical"), (403, "forbidden_profile"))
        self.assertEqual(self.upstream.peers, [])

    def test_message(self) -> None:
        """The error message has the profile's name, but not the key."""
        data = transcription(FORM, FORM_TYPE, b"Authorization: Bearer sk-medical", target=b"/profiles/raw" + PATH)
        message = message_of(self.client(data).received)
        self.assertIn("'medical'", message)
        self.assertNotIn("sk-", message)

    def test_unknown_profile(self) -> None:
        """An unknown profile gets 404 with any key."""
        header = b"Authorization: Bearer sk-medical"
        self.assertEqual(self.refused(b"/profiles/nobody" + PATH, header), (404, "not_found"))

    def test_other_keys(self) -> None:
        """A request with an unbound key, or without one, may choose any profile."""
        for fields in (
            (),
            (b"Authorization: Bearer sk-Medical",),
            (b"Authorization: Bearer sk-medica",),
            (b"Authorization: Bearer",),
            (b"Authorization:",),
            (b"X-Authorization: Bearer sk-medical",),
        ):
            self.assertEqual(self.sent(PATH, *fields), (PATH, BASE), fields)
            self.assertEqual(self.sent(b"/profiles/raw" + PATH, *fields), (PATH, RAW), fields)

    def test_several(self) -> None:
        """Several keys in one request are refused, because the upstream may use another one than the proxy."""
        two = (b"Authorization: Bearer x", b"Authorization: Bearer sk-medical")
        for fields in (two, two[::-1], two[:1] * 2):
            self.assertEqual(self.refused(PATH, *fields), (400, "bad_request"))
        self.assertEqual(self.upstream.peers, [])

    def test_without_keys(self) -> None:
        """If no key is bound, the header is not checked."""
        self.config = config.parse(FIELDS)
        two = (b"Authorization: Bearer x", b"Authorization: Bearer sk-medical")
        self.assertEqual(self.sent(PATH, *two), (PATH, BASE))
        self.assertEqual(self.sent(b"/profiles/raw" + PATH, *two), (PATH, RAW))

    def test_passes(self) -> None:
        """The key is forwarded unchanged; for requests that are not transcriptions it is not checked."""
        client = self.client(get(b"/profiles/raw/v1/models", b"Authorization: Bearer sk-medical"))
        self.assertIn(b"\r\nAuthorization: Bearer sk-medical\r\n", self.server.news())
        client.close()
        client = self.client(transcription(FORM, FORM_TYPE, b"Authorization: Bearer sk-medical"))
        self.assertIn(b"\r\nAuthorization: Bearer sk-medical\r\n", self.server.news())
        client.close()


class QueryTests(ProfileTestCase):
    """The query of a transcription."""

    def test_stripped(self) -> None:
        """Forced and mapped fields of the profile are removed from it; the other bytes do not change."""
        query = b"?language=x&Prompt%5B%5D=y&a=%zz&temperature=1&model=m&&_charset_=z"
        for prefix, left in (
            (b"", b"?Prompt%5B%5D=y&a=%zz&temperature=1&model=m&"),
            (b"/profiles/raw", b"?language=x&a=%zz&model=m&"),
        ):
            self.assertEqual(self.sent(prefix + PATH + query)[0], PATH + left, prefix)
        self.assertEqual(self.sent(PATH + b"?language=x")[0].rstrip(b"?"), PATH)

    def test_others(self) -> None:
        """The query of other requests does not change."""
        client = self.client(get(b"/v1/models?language=x"))
        self.assertEqual(self.server.news().split(b" ")[1], b"/v1/models?language=x")
        client.close()

    def test_control(self) -> None:
        """A name with a control character is refused."""
        client = self.client(transcription(target=PATH + b"?a%00=1"))
        self.assertEqual(error_of(client.received), (400, "malformed_form"))
        self.assertEqual(self.upstream.peers, [])


class ExplanationTests(ProxyTestCase):
    """The response header that lists the changes to a form."""

    def explained(self, fields: object, request: bytes, answer: bytes = b"") -> list[bytes]:
        """Return the values of the header that the client gets."""
        self.proxy(fields=json.dumps(fields).encode(), explains=True)
        client = self.client(request)
        self.server.send(answer or ok())
        head, _, body = client.received.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n") and body == b"hi", client.received)
        self.assertEqual(client.ending, Ending.OPEN)
        client.close()
        return re.findall(rb"(?im)^x-sttproxy-config: *([^\r]*)\r?$", head)

    def test_told(self) -> None:
        """
        It has the configuration's generation and the names of the changed fields by kind of change, without values.
        """
        fields = {
            "prompt": "geheim",
            "x": None,
            "$default": {"model": "m"},
            "$map": {"language": {"en": "de", "zh": "fr"}, "other": {"*": "y"}},
        }
        explained = self.explained(fields, transcription())
        self.assertEqual(explained, [b"0; forced=prompt; defaulted=model; mapped=language"])
        body = b"x=1&language=it&model=&prompt=2"
        self.assertEqual(self.explained(fields, transcription(body, URLENCODED)), [b"0; forced=prompt; removed=x"])
        self.assertEqual(
            self.explained(fields, transcription(b"{}", b"Content-Type: application/json")),
            [b"0; forced=prompt; defaulted=model"],
        )

    def test_joined_and_renamed(self) -> None:
        """It names joined, cut and renamed fields, and the statistics count the forms in which that was done."""
        fields = {
            "prompt": {"$prepend": "geheim ", "max_tokens": 4},
            "$rename": {"lang": "language"},
            "$map": {"language": {"auto": None}},
        }
        body = b"prompt=one+two+three+four&lang=auto"
        told = b"0; removed=language; joined=prompt; cut=prompt; renamed=lang"
        self.assertEqual(self.explained(fields, transcription(body, URLENCODED)), [told])
        self.assertEqual(self.explained(fields, transcription()), [b"0; joined=prompt"])
        counted = {"cut": {"prompt": 1}, "joined": {"prompt": 2}, "removed": {"language": 1}, "renamed": {"lang": 1}}
        self.assertEqual(self.stats.rules, counted)

    def test_nothing_done(self) -> None:
        """If nothing was changed, it has only the generation."""
        self.assertEqual(self.explained({}, transcription()), [b"0"])
        self.assertEqual(self.explained({"$map": {"language": {"zh": "x"}}, "x": None}, transcription()), [b"0"])

    def test_generation(self) -> None:
        """The generation is that of the request's configuration, even after a reload."""
        self.proxy(fields=b'{"a": 1}', explains=True)
        client = self.client(transcription())
        self.config = config.Config(generation=7)
        self.server.send(ok())
        self.assertIn(b"\r\nx-sttproxy-config: 0; forced=a\r\n", client.received)
        client.send(transcription())
        self.server.send(ok())
        self.assertTrue(client.received.partition(b"hi")[2].count(b"\r\nx-sttproxy-config: 7\r\n"), client.received)

    def test_names(self) -> None:
        """Names in it are ASCII, and cannot contain a separator or end the header."""
        fields = {"naïve": 1, "a,b": 2, "会议[]": [3], "a b": 4, "x:y": 5, "e@f": 6}
        self.assertEqual(
            self.explained(fields, transcription()),
            [b"0; forced=na%C3%AFve,a%2Cb,%E4%BC%9A%E8%AE%AE[],a%20b,x%3Ay,e%40f"],
        )

    def test_profile(self) -> None:
        """It describes the profile's rules."""
        fields = {"language": "zh", "$profiles": {"p": {"$unset": ["language"], "prompt": "x"}}}
        self.assertEqual(self.explained(fields, transcription(target=b"/profiles/p" + PATH)), [b"0; forced=prompt"])

    def test_not_asked(self) -> None:
        """Without the option, or for a request that is not a transcription, the header is not added."""
        self.assertEqual(self.explained({"a": 1}, get()), [])
        self.proxy(fields=b'{"a": 1}')
        client = self.client(transcription())
        self.server.send(ok())
        self.assertEqual(client.received, ok())

    def test_early_answer(self) -> None:
        """A response before the end of the form has the changes made so far."""
        self.proxy(fields=b'{"a": 1, "$default": {"b": 2}, "$map": {"language": {"en": "x"}}}', explains=True)
        client = self.client(transcription()[:-40])
        self.server.send(ok())
        self.assertIn(b"\r\nx-sttproxy-config: 0; forced=a; mapped=language\r\n", client.received)

    def test_errors(self) -> None:
        """The upstream's error responses have it too."""
        self.proxy(fields=b'{"a": 1}', explains=True)
        client = self.client(transcription())
        self.server.send(b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n")
        self.assertIn(b"\r\nx-sttproxy-config: 0; forced=a\r\n", client.received)


class StreamedTests(ProxyTestCase):
    """Defaults and tables of values in a streamed form."""

    def test_streamed(self) -> None:
        """The upstream gets head and recording as they arrive, and defaults at the end, in the announced length."""
        self.proxy(fields=b'{"$default": {"model": "m"}, "$map": {"language": {"en": "zh-longer"}}}')
        data = transcription()
        head, form = data[: -len(FORM)], FORM
        client = self.client(head)
        promised = int(re.findall(rb"Content-Length: (\d+)", self.server.received)[0])
        at = form.index(b"RIFF") + 2
        client.send(form[:at])
        self.assertTrue(self.server.received.endswith(b"\r\n\r\nRI"), self.server.received)
        self.assertIn(b"\r\n\r\nzh-longer\r\n", self.server.received)
        client.send(form[at:-3])
        self.assertNotIn(b"model", self.server.received)
        client.send(form[-3:])
        self.assertEqual(len(self.server.received.partition(b"\r\n\r\n")[2]), promised)
        expected = [("language", b"zh-longer"), FILE, ("prompt", b"hi"), ("model", b"m")]
        self.assertEqual(form_of(self.server.received), expected)


class RequiredKeyTests(ProfileTestCase):
    """Only requests with a known API key get in."""

    def setUp(self) -> None:
        super().setUp()
        self.proxy(fields=FIELDS, requires_key=True)
        keys = {"sk-medical": "medical", "sk-any": ""}
        digests = {f"sha256:{hashlib.sha256(key.encode()).hexdigest()}": name for key, name in keys.items()}
        self.config = config.parse(FIELDS, keys="keys.json", read=lambda _: json.dumps(digests).encode())

    def test_known(self) -> None:
        """A known key gets in; one without a profile leaves the choice to the URL."""
        self.assertEqual(self.sent(PATH, b"Authorization: Bearer sk-medical")[1], MEDICAL)
        self.assertEqual(self.sent(PATH, b"Authorization: Bearer sk-any")[1], BASE)
        self.assertEqual(self.sent(b"/profiles/raw" + PATH, b"Authorization: Bearer sk-any")[1], RAW)

    def test_unknown(self) -> None:
        """Any other request gets 401 in OpenAI's form and is not forwarded; no page is an exception."""
        for target in (b"/v1/models", b"/stats", PATH, b"/profiles/raw/x", b"/profiles/nobody/x", b"/Health", b"*"):
            for fields in ((), (b"Authorization: Bearer sk-other",), (b"Authorization: Bearer",), (b"Authorization:",)):
                method = b"OPTIONS" if target == b"*" else b"GET"
                received = self.client(get(target, *fields, method=method)).received
                self.assertEqual(error_of(received), (401, "invalid_api_key"), (target, fields))
                self.assertIn(b'\r\nWWW-Authenticate: Bearer realm="sttproxy"\r\n', received)
                self.assertNotIn(b"sk-other", received)
        self.assertEqual(self.upstream.peers, [])

    def test_several(self) -> None:
        """Several keys get 400, even if all are known."""
        two = (b"Authorization: Bearer sk-any", b"Authorization: Bearer sk-medical")
        self.assertEqual(error_of(self.client(get(b"/x", *two)).received), (400, "bad_request"))

    def test_health(self) -> None:
        """``/health`` needs no key."""
        client = self.client(get(b"/health"))
        self.server.close()
        self.assertTrue(client.received.startswith(b"HTTP/1.1 200 "), client.received)
