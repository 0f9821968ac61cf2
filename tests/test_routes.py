"""
Tests for :mod:`sttproxy.routes`.
"""

from __future__ import annotations

from urllib.parse import quote_from_bytes

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from sttproxy.routes import Mount, Route, Router, canonical, split_profile, transcriptions_path, without_version

ROUTER = Router()
LISTED = Router(("/audio/transcriptions", "/asr", "/a.b/c-d"))

#: Paths that lead to the handler after one round of percent-decoding.
TRANSCRIPTIONS = (
    b"/audio/transcriptions",
    b"/v1/audio/transcriptions",
    b"/v1/audio/transcriptions/",
    b"/openai/v1/audio/transcriptions",
    b"/v1/%61udio/transcriptions",
    b"/v1/audio%2ftranscriptions",
    b"/v1%2Faudio%2Ftranscriptions",
    b"/v1/audio/transcription%73",
    b"/v1/audio/transcriptions%0a",
    b"/v1/audio/transcriptions/%0A",
    b"/v1/audio/transcriptions%2f",
    b"//audio/transcriptions",
    b"/../audio/transcriptions",
    b"/\xff/audio/transcriptions",
)

#: Paths that some servers route to the handler.
ODD = (
    b"/V1/Audio/Transcriptions",
    b"/v1/audio/TRANSCRIPTIONS",
    b"/v1/audio//transcriptions",
    b"/v1/audio/./transcriptions",
    b"/v1/audio/transcriptions/.",
    b"/v1/audio/transcriptions//",
    b"/v1/audio/x/../transcriptions",
    b"/v1/audio/x/%2e%2E/transcriptions",
    b"/v1/audio/transcriptions/x/..",
    b"/v1/audio\\transcriptions",
    b"/v1/audio%5Ctranscriptions",
    b"/v1/audio/transcriptions;x=y",
    b"/v1/audio;x/transcriptions",
    b"/v1/audio/transcriptions%3bx",
    b"/v1/audio/transcriptions#x",
    b"/v1/audio/transcriptions%23x",
    b"/v1/audio/transcriptions%3fx=y",
    b"/v1/audio/transcriptions%00",
    b"/v1/audio/transcriptions%00.json",
    b"/v1/audio/transcriptions%0d%0a",
    b"/v1/audio/transcriptions%20",
    b"/v1/audio%09/transcriptions",
    b"/v1/%2561udio/transcriptions",
    b"/v1/audio%252ftranscriptions",
    b"/v1/audio/%252574ranscriptions",
    b"/v1/audio/%25252525252574ranscriptions",
    "/v1/ａudio/transcriptions".encode(),
    "/v1/audio／transcriptions".encode(),
    "/v1/audio/tran\u00adscriptions".encode(),
    "/v1/audio/tran\u200bscriptions".encode(),
    "/v1/audio/tranſcriptions".encode(),
    b"/v1/%u0061udio/transcriptions",
    b"/v1/audio/tran%uD800scriptions",
    b"/v1/audio%u002Ftranscriptions",
    b"/v1/%25u0061udio/transcriptions",
    b"/v1/audio/transcriptions;/x",
    b"/v1/audio/transcriptions%3b/x",
)

#: Paths that lead to listed paths, and those that some servers route there.
LISTED_TRANSCRIPTIONS = (
    *(b"/asr", b"/v1/asr", b"/asr/", b"//asr", b"/x/asr", b"/%61sr", b"/as%72", b"%2fasr", b"/v1%2Fasr", b"/asr%0a"),
    *(b"/asr/%0A", b"/../asr", b"/\xff/asr", b"/a.b/c-d", b"/v1/a.b/c-d", b"/a%2eb%2fc-d", b"/audio/transcriptions"),
)
LISTED_ODD = (
    *(b"/ASR", b"/v1/Asr", b"/asr//", b"/x/./asr/.", b"/asr/x/..", b"/asr;x", b"/asr;/x", b"/v1;x/asr;y", b"\\asr"),
    *(
        b"/asr%3f",
        b"/asr%23x",
        b"/asr%00",
        b"/asr%00x",
        b"/asr%20",
        b"/%09asr",
        b"/%2561sr",
        b"/%u0061sr",
        b"/a%uDFFFsr",
    ),
    *("/ａsr".encode(), "/aſr".encode(), b"/a/b/c-d", b"/aXb/c-d", b"/a%2520b/c-d", b"/A.B/C-D"),
)
LISTED_OTHERS = (
    *(b"/", b"/as", b"/asr/x", b"/xasr", b"/asrx", b"/asr/..", b"/a.b", b"/a.b/c_d", b"/ab/c-d", b"/a..b/c-d", b"/v1"),
    *(b"/audio/translations", b"/asr.json", b"/%61s", b"/as%25", b"/x?/asr."),
)

#: Paths that no server routes to the handler.
OTHERS = (
    b"/",
    b"",
    b"*",
    b"/v1/audio",
    b"/v1/audio/speech",
    b"/v1/audio/translation",
    b"/v1/audio/transcription",
    b"/v1/audio/transcriptionsx",
    b"/v1/audio/transcriptions/1",
    b"/v1/audio/transcriptions/../speech",
    b"/v1/audio/transcriptions/..",
    b"/v1/myaudio/transcriptions",
    b"/v1/audio/x/transcriptions",
    b"/v1/audiotranscriptions",
    b"/v1/chat/completions",
    b"/health",
    b"/v1/files/a%20b%25c",
    b"/v1/files/100%",
    "/v1/files/会议.wav".encode(),
    b"/v1/files/\xff",
    b"/v1/audio?/audio/transcriptions.",
)


class RouteTests(SynchronousTestCase):
    """The classification of requests."""

    def test_table(self) -> None:
        """Each path of the tables has its class."""
        for expected, paths in ((Route.TRANSCRIPTION, TRANSCRIPTIONS), (Route.ODD, ODD), (Route.OTHER, OTHERS)):
            for path in paths:
                self.assertIs(ROUTER.route(b"POST", path), expected, path)

    def test_translations(self) -> None:
        """Translations have the same spellings as transcriptions, unless the router is for transcriptions alone."""
        alone = Router(("/audio/transcriptions",))
        for expected, paths in ((Route.TRANSCRIPTION, TRANSCRIPTIONS), (Route.ODD, ODD), (Route.OTHER, OTHERS)):
            for path in paths:
                translation = path.replace(b"scription", b"slation").replace(b"SCRIPTION", b"SLATION")
                translation = translation.replace(b"Transcription", b"Translation")
                self.assertIs(ROUTER.route(b"POST", translation), expected, translation)
                if b"transl" in translation:
                    self.assertIs(alone.route(b"POST", translation), Route.OTHER, translation)

    def test_listed(self) -> None:
        """Listed paths have the same spellings, with and without a prefix; a dot may be a pattern for a server."""
        for expected, paths in (
            (Route.TRANSCRIPTION, LISTED_TRANSCRIPTIONS),
            (Route.ODD, LISTED_ODD),
            (Route.OTHER, LISTED_OTHERS),
        ):
            for path in paths:
                self.assertIs(LISTED.route(b"POST", path), expected, path)

    def test_both(self) -> None:
        """A path that different servers route to different endpoints is suspicious."""
        for path in (b"/asr;/audio/transcriptions/x", b"/audio/transcriptions%00/../asr/x"):
            self.assertIs(LISTED.route(b"POST", path), Route.ODD, path)

    def test_methods(self) -> None:
        """POST reaches the handler, in any case, because some servers ignore it; other methods do with a body."""
        for method in (b"GET", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"POSTS", b""):
            self.assertIs(ROUTER.route(method, b"/v1/audio/transcriptions"), Route.OTHER, method)
            self.assertIs(ROUTER.route(method, b"/v1/audio/transcriptions", True), Route.TRANSCRIPTION, method)
            self.assertIs(ROUTER.route(method, b"/v1/AUDIO/transcriptions", True), Route.ODD, method)
            self.assertIs(ROUTER.route(method, b"/v1/models", True), Route.OTHER, method)
        for method in (b"post", b"Post"):
            self.assertIs(ROUTER.route(method, b"/v1/audio/transcriptions"), Route.TRANSCRIPTION, method)

    def test_any_request(self) -> None:
        """A router for requests without a form does not look at the method."""
        router = Router(("/realtime",), any_request=True)
        for method in (b"GET", b"CONNECT", b"POST"):
            self.assertIs(router.route(method, b"/v1/realtime"), Route.TRANSCRIPTION, method)
            self.assertIs(router.route(method, b"/v1//Realtime"), Route.ODD, method)
            self.assertIs(router.route(method, b"/v1/realtime/sessions"), Route.OTHER, method)

    @given(st.binary(max_size=20))
    def test_any_prefix(self, prefix: bytes) -> None:
        """No prefix hides the endpoint."""
        self.assertIsNot(ROUTER.route(b"POST", b"/" + prefix + b"/audio/transcriptions"), Route.OTHER)

    @given(st.sampled_from((b"/v1/audio/transcriptions", b"/v1/asr")), st.data(), st.integers(1, 3))
    def test_any_escapes(self, endpoint: bytes, data: st.DataObject, rounds: int) -> None:
        """Percent-encoding of any characters, once or repeatedly, does not hide an endpoint."""
        escapes = data.draw(st.lists(st.sampled_from((b"%c", b"%%%02x", b"%%u%04X")), min_size=24, max_size=24))
        path = b"".join(
            escape % code if code != ord("/") else b"/" for code, escape in zip(endpoint, escapes, strict=False)
        )
        for _ in range(rounds - 1):
            path = quote_from_bytes(path).encode()
        once = rounds == 1 and b"%u" not in path
        self.assertIn(LISTED.route(b"POST", path), {Route.TRANSCRIPTION} if once else {Route.TRANSCRIPTION, Route.ODD})

    @given(st.binary(max_size=30).map(lambda tail: b"/" + tail))
    def test_any_bytes(self, path: bytes) -> None:
        """Random paths are classified; a plain one without the words of the endpoint is other."""
        found = ROUTER.route(b"POST", path)
        if b"%" not in path and path.isascii() and b"trans" not in path.lower():
            self.assertIs(found, Route.OTHER)


class PathTests(SynchronousTestCase):
    """Normalized paths."""

    def test_canonical(self) -> None:
        """A path is decoded once; one slash and one line feed at its end are removed."""
        for path, routed in (
            (b"/asr", b"/asr"),
            (b"/%61sr/%0a", b"/asr"),
            (b"/asr%2f", b"/asr"),
            (b"/asr//", b"/asr/"),
            (b"/%2561sr", b"/%61sr"),
            (b"/", b""),
        ):
            self.assertEqual(canonical(path), routed, path)

    def test_without_version(self) -> None:
        """Only the first segment can be the version."""
        for path, rest in (
            ("/v1/asr", "/asr"),
            ("/asr", "/asr"),
            ("/v1", "/v1"),
            ("/v10/a", "/v10/a"),
            ("/a/v1/b",) * 2,
        ):
            self.assertEqual(without_version(path), rest)


class MountTests(SynchronousTestCase):
    """References in responses."""

    def test_table(self) -> None:
        """References to the server are translated to the proxy; all others do not change."""
        profile = Mount(b"/profiles/p", b"", b"127.0.0.1:10240", [b"stt.test:10241"])
        prefix = Mount(b"", b"/api", b"upstream:80", [b"stt.test"])
        both = Mount(b"/profiles/p", b"/api", b"[::1]:8", [])
        for mount, reference, outward in (
            (profile, b"/v1/x", b"/profiles/p/v1/x"),
            (profile, b"/", b"/profiles/p/"),
            (profile, b"/v1/x?a=/b#c", b"/profiles/p/v1/x?a=/b#c"),
            (profile, b"http://stt.test:10241/v1/x", b"http://stt.test:10241/profiles/p/v1/x"),
            (profile, b"HTTPS://STT.test:10241/v1", b"HTTPS://STT.test:10241/profiles/p/v1"),
            (profile, b"//stt.test:10241/v1", b"//stt.test:10241/profiles/p/v1"),
            (profile, b"http://127.0.0.1:10240/v1/x?y", b"/profiles/p/v1/x?y"),
            (profile, b"http://127.0.0.1:9/v1/x", None),
            (profile, b"http://stt.test/v1/x", None),
            (profile, b"//other/v1", None),
            (profile, b"x/y?/z", None),
            (profile, b"../x", None),
            (profile, b"?q", None),
            (profile, b"#f", None),
            (profile, b"", None),
            (profile, b"mailto:a@b", None),
            (profile, b"/\xff\x80 x", b"/profiles/p/\xff\x80 x"),
            (prefix, b"/api/v1/x", b"/v1/x"),
            (prefix, b"/api", b"/"),
            (prefix, b"/api?q", b"/?q"),
            (prefix, b"/apis/x", None),
            (prefix, b"/v1/x", None),
            (prefix, b"http://stt.test/api/x", b"http://stt.test/x"),
            (prefix, b"http://stt.test:80/api/x", b"http://stt.test:80/x"),
            (prefix, b"http://upstream/api/x", b"/x"),
            (prefix, b"http://upstream:80/x", None),
            (both, b"/api/v1/x", b"/profiles/p/v1/x"),
            (both, b"http://[::1]:8/api/", b"/profiles/p/"),
            (both, b"/v1/x", None),
        ):
            self.assertEqual(mount.outward(reference), reference if outward is None else outward, reference)

    def test_amended(self) -> None:
        """Location and Content-Location are translated; other headers do not change."""
        headers = [(b"location", b"/a"), (b"Content-Location", b"/b"), (b"Link", b"/c"), (b"X-Location", b"/d")]
        self.assertEqual(
            Mount(b"/p", b"", b"u", []).amended(headers),
            [(b"location", b"/p/a"), (b"Content-Location", b"/p/b"), *headers[2:]],
        )


class ProfileTests(SynchronousTestCase):
    """The prefix that selects a profile."""

    def test_split(self) -> None:
        """The name is not decoded; the rest is a target in origin form, with its query."""
        for target, name, rest in (
            (b"/profiles/a/v1/x", b"a", b"/v1/x"),
            (b"/profiles/a", b"a", b"/"),
            (b"/profiles/a/", b"a", b"/"),
            (b"/profiles/a?x=/y", b"a", b"/?x=/y"),
            (b"/profiles/a/?x", b"a", b"/?x"),
            (b"/profiles/a#x", b"a", b"/#x"),
            (b"/profiles/a//x", b"a", b"//x"),
            (b"/profiles/a/profiles/b/x", b"a", b"/profiles/b/x"),
            (b"/profiles/a\n/x\ny", b"a\n", b"/x\ny"),
            (b"/profiles/%61/x", b"%61", b"/x"),
            (b"/profiles/a%2fb/x", b"a%2fb", b"/x"),
            (b"/profiles/../x", b"..", b"/x"),
            (b"/profiles//x", b"", b"/x"),
            (b"/profiles/", b"", b"/"),
            (b"/profiles/\xff/x", b"\xff", b"/x"),
        ):
            self.assertEqual(split_profile(target), (name, rest), target)

    def test_without(self) -> None:
        """A target without the prefix does not change."""
        for target in (
            b"/profiles",
            b"/profiles?a/b",
            b"/Profiles/a/x",
            b"/profile/a/x",
            b"/profilesa/x",
            b"//profiles/a/x",
            b"/x/profiles/a",
            b"/%70rofiles/a/x",
            b"/profiles%2fa/x",
            b"/?/profiles/a/x",
            b"profiles/a/x",
            b"*",
            b"",
        ):
            self.assertEqual(split_profile(target), (None, target), target)

    @given(st.binary(max_size=12), st.binary(max_size=20))
    def test_nothing_lost(self, name: bytes, rest: bytes) -> None:
        """Random bytes: name and rest together are the target, and the rest begins with a slash."""
        found, left = split_profile(b"/profiles/" + name + b"/" + rest)
        assert found is not None
        self.assertTrue(left.startswith(b"/"))
        self.assertNotIn(b"/", found)
        whole = name + b"/" + rest
        self.assertIn(left, (whole[len(found) :], b"/" + whole[len(found) :]))
        self.assertTrue(whole.startswith(found))


class TranscriptionsPathTests(SynchronousTestCase):
    """Where the page sends its transcriptions."""

    def test_version(self) -> None:
        """The version is in the path, unless all servers have it in their prefix."""
        for prefixes, path in (
            ((b"",), "/v1/audio/transcriptions"),
            ((b"/v1",), "/audio/transcriptions"),
            ((b"/api/v1",), "/audio/transcriptions"),
            ((b"/v1", b""), "/v1/audio/transcriptions"),
        ):
            self.assertEqual(transcriptions_path(prefixes), path)
