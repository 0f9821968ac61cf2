"""
Tests for ``$translations``, ``$paths``, ``$realtime`` and ``$choose`` in :mod:`sttproxy.config`: what is read, errors
with their places, and warnings.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.config import Config, parse
from sttproxy.config.reach import ListedPath
from sttproxy.errors import ConfigError
from sttproxy.routes import Route

PROFILE = '"$profiles": {"p": {}}, '
PATHS, CHOOSE = '{"$paths": [%s]}', "{" + PROFILE + '"$choose": [%s]}'
KEY = "sha256:" + "aB" * 32

#: Files with one error: the file, with a ``^`` before the error's place, the path within the file, and a part of the
#: message.
FAULTS: tuple[tuple[str, str, str], ...] = (
    ('{"$translations": ^1}', "$.translations", "must be true or false"),
    ('{"$profiles": {"p": {"$translations": ^null}}}', "$.profiles.p.translations", "must be true or false"),
    ('{"$realtime": ^"yes"}', "$.realtime", "must be true or false"),
    ('{"$realtime": ^null}', "$.realtime", "must be true or false"),
    (
        '{"$profiles": {"p": {^"$realtime": true}}}',
        "$.profiles.p.$realtime",
        "allowed here are $default, $map, $rename,",
    ),
    (
        '{"$profiles": {"p": {^"$paths": []}}}',
        "$.profiles.p.$paths",
        "allowed here are $default, $map, $rename,",
    ),
    ('{"$paths": ^"/asr"}', "$.paths", 'must be a list of paths, like ["/inference"]'),
    (PATHS % "^1", "$.paths[0]", 'must be a path, like "/inference"'),
    (PATHS % '"/a", ^"asr"', "$.paths[1]", "begins with '/'"),
    *(
        (PATHS % f'^"{path}"', "$.paths[0]", f"did you mean {meant}?")
        for path, meant in (
            ("asr", "/asr"),
            ("/asr/", "/asr"),
            ("/v1/asr/", "/v1/asr"),
            ("http://localhost:9000/asr", "/asr"),
            ("/asr?output=json", "/asr"),
            ("/asr#x", "/asr"),
        )
    ),
    *(
        (PATHS % f'^"{path}"', "$.paths[0]", "without a host or a query")
        for path in ("", "/", "/a b", "/%61", "/é", "/../a", "/a/*", "/a;b", "http://[", "/{id}")
    ),
    *(
        (PATHS % f'^"{path}"', "$.paths[0]", "a page of the proxy's own")
        for path in ("/health", "/stats", "/v1/health")
    ),
    *(
        (PATHS % f'^"{path}"', "$.paths[0]", "chooses a profile")
        for path in ("/profiles", "/profiles/a", "/v1/profiles/a")
    ),
    (PATHS % '{"path": ^"/stats"}', "$.paths[0].path", "a page of the proxy's own"),
    *(
        (PATHS % f"^{long}", "$.paths[0]", 'the long form is {"path": "/asr", "query": true}')
        for long in (
            *("{}", '{"query": true}', '{"path": "/a", "query": 1}', '{"path": "/a", "x": 1}', '{"path": true}'),
            *('{"path": "/a", "realtime": 1}', '{"path": "/a", "query": true, "realtime": true}'),
        )
    ),
    ("{" + PROFILE + '"$choose": ^{}}', "$.choose", 'must be a list of choices, like [{"header": {"User-Agent":'),
    (CHOOSE % '^"p"', "$.choose[0]", "must be an object: conditions and the profile"),
    (CHOOSE % '^{"profile": "p"}', "$.choose[0]", "needs a condition: header, address, path or key; --profile sets"),
    (CHOOSE % '^{"address": "::1"}', "$.choose[0]", 'needs a "profile"; the profiles are: p, or "" for none'),
    (CHOOSE % '{"address": "::1", "profile": ^null}', "$.choose[0].profile", 'needs a "profile"'),
    (
        CHOOSE % '{"address": "::1", "profile": ^"q"}',
        "$.choose[0].profile",
        "there is no profile 'q'; the profiles are: p",
    ),
    (
        CHOOSE % '{"address": "::1", "profile": "p", ^"headers": {}}',
        "$.choose[0].headers",
        "the members of a choice are header, address, path, key, profile; did you mean header?",
    ),
    (CHOOSE % '{"header": ^"a: b", "profile": "p"}', "$.choose[0].header", "must be an object: patterns by the names"),
    (CHOOSE % '{"header": ^{}, "profile": "p"}', "$.choose[0].header", "needs a header, like"),
    *(
        (CHOOSE % f'{{"header": {{^"{name}": "x"}}, "profile": "p"}}', where, "is not the name of a header")
        for name, where in (
            ("", '$.choose[0].header[""]'),
            ("User Agent", '$.choose[0].header["User Agent"]'),
            ("Host:", '$.choose[0].header["Host:"]'),
            ("é", "$.choose[0].header.é"),
        )
    ),
    (
        CHOOSE % '{"header": {^"authorization": "x"}, "profile": "p"}',
        "$.choose[0].header.authorization",
        "an API key must not be in the configuration",
    ),
    (
        CHOOSE % '{"header": {"X-A": "x", ^"x-a": "y"}, "profile": "p"}',
        '$.choose[0].header["x-a"]',
        "'x-a' and 'X-A' are the same header",
    ),
    *(
        (CHOOSE % f'{{"header": {{"A": ^{pattern}}}, "profile": "p"}}', "$.choose[0].header.A", message)
        for pattern, message in (
            ("1", "must be a text"),
            ('["x"]', "must be a text"),
            ('""', "an empty pattern matches only a header without a value"),
            ('" x"', "this matches nothing"),
            ('"x\\t"', "this matches nothing"),
            ('"x\\ny"', "this matches nothing"),
        )
    ),
    *(
        (CHOOSE % f'{{"address": ^{address}, "profile": "p"}}', "$.choose[0].address", message)
        for address, message in (
            ("1", "this must be an address like 192.168.1.7"),
            ('"192.168.1.7/24"', "'192.168.1.7/24' is not an address like"),
            ('"192.168.1.7/24"', "did you mean 192.168.1.0/24?"),
            ('"[::1]"', "did you mean ::1/128?"),
            ('"192.168.1.*"', "or 'unix' for clients on Unix sockets"),
            ('"10.0.0.0/33"', "is not an address"),
            ('"localhost"', "is not an address"),
            ('"unknown"', "is not an address"),
            ('""', "is not an address"),
        )
    ),
    (CHOOSE % '{"path": ^"/asr", "profile": "p"}', "$.choose[0].path", "/asr has no rules that a profile could change"),
    (
        CHOOSE % '{"path": ^"/asr", "profile": "p"}',
        "$.choose[0].path",
        "or use one of /audio/transcriptions, /audio/tran",
    ),
    (CHOOSE % '{"path": ^"asr", "profile": "p"}', "$.choose[0].path", "did you mean /asr?"),
    *(
        (
            CHOOSE % f'{{"key": ^{key}, "profile": "p"}}',
            "$.choose[0].key",
            "must be 'sha256:' and the 64 hexadecimal digits",
        )
        for key in ('"sk-s3cret"', "null", '{"$file": "key"}', f'"{KEY[:-1]}"')
    ),
)

#: Files and their warnings: for each its path and a part of its message, in the order of the file.
WARNED: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (PATHS % '"/asr", "/inference"', ()),
    (PATHS % '"/x/asr", "/asr"', ()),
    (
        PATHS % '"/asr", "/v1/asr"',
        (("$.paths[1]", "this has no effect, because the rules hold for all paths that end in /asr"),),
    ),
    (PATHS % '"/asr", {"path": "/x/asr"}', (("$.paths[1]", "that end in /asr"),)),
    (PATHS % '"/v1/audio/translations"', (("$.paths[0]", "that end in /audio/translations"),)),
    (CHOOSE % f'{{"address": "::/0", "profile": "p"}}, {{"key": "{KEY}", "profile": "p"}}', ()),
    *(
        (CHOOSE % f'{{{first}, "profile": "p"}}, {{{second}, "profile": ""}}', ())
        for first, second in (
            ('"address": "192.168.1.0/24"', '"address": "192.168.0.0/16"'),
            ('"address": "0.0.0.0/0"', '"address": "::/0"'),
            ('"address": "::/0"', '"address": "unix"'),
            ('"header": {"A": "x*"}', '"header": {"A": "*"}'),
            ('"header": {"A": "x*"}', '"header": {"B": "xy"}'),
            ('"header": {"A": "x*", "B": "*"}', '"header": {"A": "x"}'),
            ('"header": {"A": "x"}, "address": "unix"', '"header": {"A": "x"}'),
            ('"path": "/audio/translations"', '"path": "/audio/transcriptions"'),
            ('"path": "/x/audio/translations"', '"path": "/audio/translations"'),
            (f'"key": "{KEY}"', '"header": {"A": "*"}'),
        )
    ),
    *(
        (
            CHOOSE % f'{{{first}, "profile": "p"}}, {{{second}, "profile": ""}}',
            (("$.choose[1]", "this never chooses, because $.choose[0] ("),),
        )
        for first, second in (
            ('"address": "192.168.0.0/16"', '"address": "192.168.1.0/24"'),
            ('"address": "192.168.1.1"', '"address": "::ffff:192.168.1.1", "path": "/audio/translations"'),
            ('"address": "unix"', '"address": "unix"'),
            ('"header": {"A": "*"}', '"header": {"A": "x*", "B": "*"}'),
            ('"header": {"A": "X*Z"}', '"header": {"a": "xy*yz"}'),
            ('"path": "/v1/audio/translations"', '"path": "/x/audio/translations"'),
            (f'"key": "{KEY}"', f'"key": "{KEY.lower()}"'),
        )
    ),
    # Realtime sessions.
    ('{"language": "zh", "$realtime": true, "$paths": [{"path": "/asr", "realtime": true}, "/asr"]}', ()),
    ('{"$default": {"model": "m"}, "$realtime": true}', ()),
    ('{"$profiles": {"p": {"prompt": "x"}}, "$realtime": true}', ()),
    ('{"$realtime": false}', ()),
    ('{"temperature": 0, "$realtime": true}', (("$.realtime", "no rule is for language, prompt, model"),)),
    (PATHS % '{"path": "/ws", "realtime": true}', (("$.paths[0]", 'this has no effect without "$realtime": true'),)),
    (
        '{"model": "m", "$paths": [{"path": "/x/realtime", "realtime": true}], "$realtime": true}',
        (("$.paths[0]", "that end in /realtime"),),
    ),
    (
        '{"temperature_inc": 0, "model": "m", "$paths": [{"path": "/inference", "realtime": true}], "$realtime": true}',
        (("$.temperature_inc", "MLX Omni Server ignores"),),
    ),
    # What servers read at listed paths.
    ('{"temperature_inc": 0}', (("$.temperature_inc", "MLX Omni Server ignores"),)),
    ('{"temperature_inc": 0, "$paths": ["/inference"]}', ()),
    ('{"initial_prompt": "x", "$paths": ["/v1/asr"]}', ()),
    ('{"$paths": ["/asr"], "temperature_inc": 0}', (("$.temperature_inc", "MLX Omni Server ignores"),)),
    ('{"temperature_inc": 0, "$paths": ["/asr", "/inference"]}', ()),
    (
        '{"$paths": ["/other"], "x": 1, "//": 2}',
        (('$["//"]', "a comment needs"),),
    ),
)


def marked(text: str) -> tuple[bytes, tuple[int, int]]:
    """The file without its mark, and the line and column of the mark."""
    before, _, after = text.partition("^")
    return (before + after).encode(), (before.count("\n") + 1, len(before) - before.rfind("\n"))


class ReachTests(SynchronousTestCase):
    """The three sections."""

    def parsed(self, text: str, **options: Any) -> Config:
        """Read a file."""
        return parse(text.encode(), **options)

    def test_faults(self) -> None:
        """Each error is reported once, with its line, column and path, and with what would be right."""
        for text, where, message in FAULTS:
            data, place = marked(text)
            error = self.assertRaises(ConfigError, parse, data)
            found = [(each.line, each.column, each.where) for each in error.findings]
            self.assertEqual(found, [(*place, where)], f"{text}: {error}")
            self.assertIn(message, str(error), text)

    def test_no_key(self) -> None:
        """No message quotes a key that the user forgot to hash."""
        error = self.assertRaises(ConfigError, self.parsed, CHOOSE % '{"key": "sk-s3cret", "profile": "p"}')
        self.assertNotIn("s3cret", str(error))

    def test_warned(self) -> None:
        """Each rule without an effect is warned of once."""
        for text, expected in WARNED:
            config = self.parsed(text)
            told = f"{text}: {list(map(str, config.warnings))}"
            self.assertEqual([each.where for each in config.warnings], [where for where, _ in expected], told)
            for warning, (_, part) in zip(config.warnings, expected, strict=True):
                self.assertIn(part, warning.message, text)

    def test_paths(self) -> None:
        """Paths are read without their version; a path without an effect is left out."""
        config = self.parsed(
            PATHS % '"/v1/asr", {"path": "/b", "query": true}, {"path": "/c", "query": false}, "/x/asr"'
        )
        self.assertEqual(config.reach.listed, (ListedPath("/asr"), ListedPath("/b", True), ListedPath("/c")))
        self.assertEqual(config.reach.queried, (b"/b",))
        for path, route in ((b"/v1/b", Route.TRANSCRIPTION), (b"/%61sr/", Route.TRANSCRIPTION), (b"/x", Route.OTHER)):
            self.assertIs(config.reach.router.route(b"POST", path), route)

    def test_realtime(self) -> None:
        """The paths of sessions are routed for any request, and those of forms are not theirs."""
        text = '{"model": "m", "$paths": ["/asr", {"path": "/v1/ws", "realtime": true}], "$realtime": true}'
        reach = self.parsed(text).reach
        self.assertEqual((reach.form_paths, reach.session_paths), (("/asr",), ("/realtime", "/ws")))
        self.assertEqual(reach.paths, ("/audio/transcriptions", "/audio/translations", "/asr", "/realtime", "/ws"))
        assert reach.realtime_router is not None
        for path, forms, sessions in (
            (b"/v1/realtime", Route.OTHER, Route.TRANSCRIPTION),
            (b"/ws", Route.OTHER, Route.TRANSCRIPTION),
            (b"/WS", Route.OTHER, Route.ODD),
            (b"/asr", Route.TRANSCRIPTION, Route.OTHER),
        ):
            self.assertIs(reach.router.route(b"POST", path), forms)
            self.assertIs(reach.realtime_router.route(b"GET", path), sessions)
        off = self.parsed(text.replace("true}", "false}")).reach
        self.assertEqual((off.realtime_router, off.session_paths), (None, ()))
        chosen = self.parsed(
            '{"model": "m", "$realtime": true, ' + PROFILE + '"$choose": [{"path": "/realtime", "profile": "p"}]}'
        )
        self.assertEqual(chosen.choices[0].path, "/realtime")

    def test_translations(self) -> None:
        """A profile takes the switch over from the base, unless it has its own."""
        for base, profile, expected in (
            ("", "{}", (True, True)),
            ("", '{"$translations": false}', (True, False)),
            ('"$translations": false, ', "{}", (False, False)),
            ('"$translations": false, ', '{"$translations": true}', (False, True)),
        ):
            config = self.parsed(f'{{{base}"$profiles": {{"p": {profile}}}}}')
            self.assertEqual((config.base.translations, config.rules("p").translations), expected, (base, profile))

    def test_mapped_network(self) -> None:
        """A network of IPv4-mapped addresses is the IPv4 network, because clients are known by the IPv4 address."""
        for text, network in (
            ("::ffff:192.168.1.0/120", "192.168.1.0/24"),
            ("::ffff:10.0.0.1", "10.0.0.1/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::/0", "::/0"),
            ("FD00::/8", "fd00::/8"),
        ):
            (choice,) = self.parsed(CHOOSE % f'{{"address": "{text}", "profile": "p"}}').choices
            self.assertEqual(str(choice.network), network)

    def test_changes(self) -> None:
        """A changed section is named, in the base and in profiles."""
        base = self.parsed('{"$profiles": {"p": {}}}')
        for text, changes in (
            ('{"$profiles": {"p": {}}, "$paths": ["/a"]}', ["$paths"]),
            (CHOOSE % '{"address": "::1", "profile": "p"}', ["$choose"]),
            ('{"$profiles": {"p": {"$translations": false}}}', ["p: $translations"]),
            ('{"$profiles": {"p": {}}, "$translations": false}', ["$translations"]),
            ('{"$profiles": {"p": {}}, "$realtime": true}', ["$realtime"]),
            ('{"$profiles": {"p": {}}, "$translations": true, "$paths": [], "$choose": [], "$realtime": false}', []),
        ):
            self.assertEqual(base.changes(self.parsed(text)), changes, text)
            self.assertEqual(self.parsed(text).changes(self.parsed(text)), [])
