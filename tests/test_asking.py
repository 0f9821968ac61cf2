"""
Tests for :mod:`sttproxy.asking` and what `check` and `explain` print of paths, choices and translations.
"""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from .test_commands import CommandTestCase

KEY = hashlib.sha256(b"sk-a").hexdigest()


class AskingTests(CommandTestCase):
    """The commands, for a configuration that chooses profiles."""

    FILE: ClassVar[dict[str, Any]] = {
        "language": "zh",
        "$paths": ["/inference", {"path": "/asr", "query": True}],
        "$profiles": {"webui": {"prompt": "w"}, "home": {"$translations": False}, "keyed": {}},
        "$choose": [
            {"header": {"User-Agent": "OpenWebUI*"}, "profile": "webui"},
            {"address": "192.168.1.5", "profile": ""},
            {"address": "192.168.1.0/24", "profile": "home"},
            {"path": "/asr", "key": f"sha256:{KEY}", "profile": "keyed"},
        ],
    }

    def setUp(self) -> None:
        super().setUp()
        self.write(self.FILE)

    def explained(self, *options: str) -> tuple[int, str]:
        """The exit status, and the first line of what is printed."""
        status, out, err = self.run_command("explain", *options)
        self.assertEqual(err, "")
        return status, out.splitlines()[0]

    def test_check(self) -> None:
        """`check` lists the paths, the choices, and the profiles whose rules are not for translations."""
        status, out, _ = self.run_command("check", "--strict")
        self.assertEqual(status, 0)
        listed = f"""
more paths with rules:
  /inference
  /asr, with the fields in the query, too

profiles of requests whose URL and API key choose none, the first that fits:
  header User-Agent: OpenWebUI*: profile webui
  address 192.168.1.5: no profile
  address 192.168.1.0/24: profile home
  path /asr, key sha256:{KEY[:8]}…: profile keyed

without a profile:
  language = 'zh'
"""
        self.assertTrue(out.startswith(listed), out)
        self.assertIn("\nprofile home:\n  translations pass unchanged\n  language = 'zh'\n", out)

    def test_chosen(self) -> None:
        """`explain` tells which profile the request gets, and by what."""
        for options, line in (
            (
                ("-H", "user-agent: openwebui/1"),
                "The profile is 'webui', chosen by $choose[0] (header User-Agent: OpenWebUI*).",
            ),
            (("--address", "192.168.1.9"), "The profile is 'home', chosen by $choose[2] (address 192.168.1.0/24)."),
            (
                ("--address=::ffff:192.168.1.9",),
                "The profile is 'home', chosen by $choose[2] (address 192.168.1.0/24).",
            ),
            (("--address", "192.168.1.5"), "The request has no profile."),
            (("--address", "unix"), "The request has no profile."),
            (
                ("--path", "/v1/asr?x=y", "--header", "Authorization: Bearer sk-a"),
                f"The profile is 'keyed', chosen by $choose[3] (path /asr, key sha256:{KEY[:8]}…).",
            ),
            (("--path", "/profiles/home/v1/asr"), "The profile is 'home', chosen by the URL."),
            (("--path", "/asr", "--profile", "home"), "The profile is 'home', chosen by --profile."),
            (
                ("--path", "/profiles/home/v1/audio/translations"),
                "The proxy passes this request unchanged: no rules are for /v1/audio/translations.",
            ),
            (("--path", "/v1/chat"), "The proxy passes this request unchanged: no rules are for /v1/chat."),
            ((), "language  'zh'  (forced)"),
            (("--profile", "webui"), "language  'zh'  (forced)"),
        ):
            self.assertEqual(self.explained(*options), (0, line), options)

    def test_sessions(self) -> None:
        """A realtime session has the rules for its own fields; `check` lists its paths."""
        file = {**self.FILE, "temperature": 0, "$realtime": True}
        self.write({**file, "$paths": [{"path": "/ws", "realtime": True}], "$choose": self.FILE["$choose"][:1]})
        status, out, _ = self.run_command("check")
        self.assertEqual(status, 0)
        self.assertIn(
            "\npaths of realtime sessions, with the rules for language, prompt, model:\n  /realtime\n  /ws\n", out
        )
        self.assertNotIn("more paths", out)
        options = ("-H", "User-Agent: OpenWebUI", "-F", "language=en", "-F", "model=m")
        for path in ("/v1/realtime?model=x", "/profiles/webui/ws"):
            lines = self.run_command("explain", "--path", path, *options)[1].splitlines()
            self.assertEqual(
                lines[0],
                "This is a realtime session. Its updates carry these fields of the transcription; one is sent first.",
            )
            self.assertIn("The profile is 'webui'", lines[1])
            self.assertEqual(
                lines[2:],
                [
                    "language  'zh'  (forced)",
                    "prompt    'w'  (forced)",
                    "language  -  (dropped: the forced field replaces it)",
                    "model     'm'  (as sent)",
                ],
            )
        self.assertEqual(self.run_command("explain", "--path", "/v1/REALTIME")[0], 2)

    def test_bound_key(self) -> None:
        """A key that is bound to a profile chooses it."""
        keys = self.write({f"sha256:{KEY}": "home"}, "keys.json")
        options = ("--profile-by-key", keys, "-H", "Authorization: Bearer sk-a")
        self.assertEqual(self.explained(*options), (0, "The profile is 'home', chosen by the API key."))

    def test_rules(self) -> None:
        """The form is explained with the rules of that profile."""
        lines = self.run_command("explain", "-H", "User-Agent: OpenWebUI", "-F", "prompt=x")[1].splitlines()
        self.assertEqual(
            lines[1:],
            [
                "language  'zh'  (forced)",
                "prompt    'w'  (forced)",
                "prompt    -  (dropped: the forced field replaces it)",
            ],
        )

    def test_refused(self) -> None:
        """A request that the proxy would refuse gives 2, with the status and the message."""
        for options, line in (
            (("--path", "/ASR"), "The proxy would respond with 400: The path may lead by a detour"),
            (("--path", "/a b"), "The proxy would respond with 400: "),
            (("--path", "/profiles/nobody/asr"), "The proxy would respond with 404: There is no profile 'nobody'"),
            (("--header", "Host: a", "--header", "Host: b"), "The proxy would respond with 400: "),
        ):
            status, told = self.explained(*options)
            self.assertEqual(status, 2, options)
            self.assertTrue(told.startswith(line), told)

    def test_usage(self) -> None:
        """What is neither a header nor an address gives 64, and one line on standard error."""
        for arguments, message in (
            (("-H", "curl"), "'curl' is not a header"),
            (("-H", "a: b\r\nc: d"), "is not a header"),
            (("--address", "192.168.1.0/24"), "is not an address like 192.168.1.7"),
        ):
            status, out, err = self.run_command("explain", *arguments)
            self.assertEqual((status, out), (64, ""), arguments)
            self.assertIn(message, err)
            self.assertEqual(err.count("\n"), 1)
