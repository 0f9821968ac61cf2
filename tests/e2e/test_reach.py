"""
Translations, listed paths, and profiles that are chosen by what a request shows, through the real daemon.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from typing import Any

from .case import EchoTestCase, StagedTestCase, transcription
from .clients import CURL, curl, openai_client
from .daemon import Daemon
from .forms import File, form, noise
from .message import Header
from .raw import connect
from .upstream import shared_echo

FORM = form([("file", File(b"audio")), ("language", "en")])
CONFIG: dict[str, Any] = {
    "language": "zh",
    "$paths": ["/inference", {"path": "/asr", "query": True}],
    "$profiles": {
        "webui": {"language": "de"},
        "home": {"language": "fr"},
        "socket": {"language": "it"},
        "keyed": {"language": "es"},
        "off": {"$translations": False},
    },
    "$choose": [
        {"header": {"User-Agent": "OpenWebUI*"}, "profile": "webui"},
        {"address": "192.168.1.0/24", "profile": "home"},
        {"address": "fd00::/8", "profile": "home"},
        {"address": "unix", "profile": "socket"},
        {"path": "/inference", "key": f"sha256:{hashlib.sha256(b'sk-a').hexdigest()}", "profile": "keyed"},
    ],
}


def read_from(address: int | str, path: str, *headers: Header) -> tuple[str, str]:
    """
    The language that the upstream reads of a form that is sent to a daemon, and the query that it gets.

    :param address: the daemon's port, or the path of its socket.
    """
    client = connect(address)
    try:
        client.send(transcription(FORM, 0, path, *headers))
        answer = client.read_message()
        assert answer.status == 200, (path, answer)
        read = answer.json()
        return str(dict(read["form"])["language"]), str(read["query"])
    finally:
        client.close()


class ReachTests(EchoTestCase):
    """One daemon, which trusts proxies on this machine."""

    config = CONFIG
    options = ("--trust-forwarded", "127.0.0.1")

    def language(self, path: str, *headers: Header) -> str:
        """The language that the upstream reads."""
        return read_from(self.daemon.port, path, *headers)[0]

    def test_paths(self) -> None:
        """Starlette routes these spellings to its handlers, and each form has the forced field; others are refused."""
        for path in (
            *(
                "/v1/audio/translations",
                "/audio/translations",
                "/v1/audio/tr%61nslations",
                "/v1%2faudio%2ftranslations",
            ),
            *("/v1/audio/translations%0a", "/inference", "/v1/inference", "/%69nference", "/inference%0a", "/v1%2fasr"),
        ):
            with self.naming(path):
                self.assertEqual(self.language(path), "zh")
        for path in ("/v1/audio//translations", "/INFERENCE", "/asr;x", "/inf%u0065rence"):
            client = self.connect()
            client.send(transcription(FORM, 0, path))
            self.assertEqual(client.read_message().status, 400, path)

    def test_query(self) -> None:
        """A path whose server reads the query has the fields there."""
        port = self.daemon.port
        self.assertEqual(read_from(port, "/asr?output=json&language=x"), ("zh", "language=zh&output=json"))
        self.assertEqual(read_from(port, "/inference?output=json&language=x"), ("zh", "output=json"))

    def test_switched_off(self) -> None:
        """A profile without rules for translations lets them pass."""
        self.assertEqual(self.language("/profiles/off/v1/audio/translations"), "en")
        self.assertEqual(self.language("/profiles/off/v1/audio/transcriptions"), "zh")

    def test_sdk(self) -> None:
        """The OpenAI SDK's translations have the rules of the profile that its headers choose."""
        audio = ("talk.wav", noise(100_000), "audio/wav")
        with openai_client(self.daemon) as client:
            create = client.audio.translations.with_raw_response.create
            for agent, language in (("OpenAI/Python", "zh"), ("OpenWebUI/0.6", "de")):
                answer = create(file=audio, model="whisper-1", extra_headers={"User-Agent": agent})
                self.assertIn(["language", language], json.loads(answer.text)["form"])

    def test_curl(self) -> None:
        """curl chooses by its User-Agent, over HTTP/1.1 and HTTP/2."""
        if CURL is None:
            self.skipTest("curl is not installed")
        for version in ("--http1.1", "--http2-prior-knowledge"):
            for agent, language in (("openwebui 1", "de"), ("other", "zh")):
                answer = curl(version, "-A", agent, "-F", "file=@/dev/null", self.daemon.url("/v1/inference"))
                self.assertIn(["language", language], json.loads(answer)["form"])

    def test_choices(self) -> None:
        """By the address behind a trusted proxy, or by the key; the URL comes before.  /stats counts each choice."""
        before = self.daemon.stats()["chosen"]
        webui, key = (b"User-Agent", b"OpenWebUI"), (b"Authorization", b"Bearer sk-a")
        for path, headers, language in (
            ("/asr", ((b"X-Forwarded-For", b"192.168.1.7"),), "fr"),
            ("/asr", ((b"X-Forwarded-For", b"10.0.0.1, ::ffff:192.168.1.7"),), "fr"),
            ("/asr", ((b"X-Forwarded-For", b"[fd00::7]:4711"),), "fr"),
            ("/asr", ((b"X-Forwarded-For", b"192.168.1.7, 10.0.0.1"),), "zh"),
            ("/asr", ((b"X-Forwarded-For", b"192.168.1.7"), webui), "de"),
            ("/v1/inference", (key,), "es"),
            ("/v1/asr", (key,), "zh"),
            ("/profiles/keyed/v1/asr", (webui,), "es"),
        ):
            with self.naming((path, headers)):
                self.assertEqual(self.language(path, *headers), language)
        after = self.daemon.stats()["chosen"]
        counted = {name: count - before.get(name, 0) for name, count in after.items()}
        self.assertEqual(
            {name: count for name, count in counted.items() if count},
            {
                "$choose[0]: webui": 1,
                "$choose[1]: home": 2,
                "$choose[2]: home": 1,
                "$choose[4]: keyed": 1,
                "url: keyed": 1,
            },
        )


class OwnDaemonTests(StagedTestCase):
    """Daemons of one test."""

    def before_echo(self, *options: str) -> Daemon:
        """A daemon with the echo server."""
        return self.start_daemon("--target", f"http://127.0.0.1:{shared_echo().port}", *options, config=CONFIG)

    def test_unix(self) -> None:
        """A client on a Unix socket has no address; a trusted proxy there names its client."""
        folder = tempfile.mkdtemp(prefix="stt-")
        self.addCleanup(shutil.rmtree, folder)
        header = (b"X-Forwarded-For", b"192.168.1.7")
        for trust, forwarded in (((), "it"), (("--trust-forwarded", "unix"), "fr")):
            path = os.path.join(folder, f"{forwarded}.sock")
            self.before_echo("--listen", f"unix:{path}", *trust)
            self.assertEqual(read_from(path, "/asr")[0], "it")
            self.assertEqual(read_from(path, "/asr", header)[0], forwarded)

    def test_edited(self) -> None:
        """Edited paths and choices hold for the next request; an edit with an error is refused, with its place."""
        daemon = self.before_echo()
        webui, other = (b"User-Agent", b"OpenWebUI"), (b"User-Agent", b"curl/8")
        self.assertEqual(read_from(daemon.port, "/inference", webui)[0], "de")
        choice = {"header": {"User-Agent": "curl*"}, "profile": "home"}
        daemon.configure({**CONFIG, "$paths": ["/asr"], "$choose": [choice], "$translations": False})
        self.assertIn("$paths, $choose.", daemon.log())
        self.assertEqual(read_from(daemon.port, "/inference", webui)[0], "en")
        self.assertEqual(read_from(daemon.port, "/v1/audio/translations")[0], "en")
        self.assertEqual(read_from(daemon.port, "/asr?language=x", webui), ("zh", ""))
        self.assertEqual(read_from(daemon.port, "/asr", other)[0], "fr")
        daemon.edit(json.dumps({**CONFIG, "$paths": ["/stats"]}, indent=1))
        daemon.wait_for_log(r"stt_config.json:\d+:\d+: \$.paths\[0\]: /stats is a page of the proxy's own")
        self.assertEqual(read_from(daemon.port, "/asr", other)[0], "fr")
