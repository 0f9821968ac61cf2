"""
Profiles, defaults and tables of values, used through the OpenAI SDK.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import openai

from .case import EchoTestCase, transcription
from .daemon import Daemon
from .forms import File, form, noise
from .process import LIMIT_S

AUDIO = noise(200_000)
FILE = ("talk.wav", AUDIO, "audio/wav")
ECHOED = ["file", File(AUDIO).echoed()]
CONFIG = {
    "language": "zh",
    "$default": {"temperature": 0.2, "prompt": {"value": "default", "when_empty": True}},
    "$map": {"model": {"whisper-1": "mlx-community/whisper-large-v3-turbo"}},
    "$profiles": {
        "medical": {"language": "de", "$default": {"prompt": "Anamnese"}},
        "open": {"$unset": ["language", "prompt", "temperature"], "$map": {"model": {"*": "small"}}},
    },
}


class ProfileTestCase(EchoTestCase):
    """Tests with the echo server, and two API keys that are bound to profiles."""

    config = CONFIG
    keys: ClassVar[dict[str, str]] = {"sk-medical": "medical", "sk-open": "open"}

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        folder = tempfile.mkdtemp(prefix="stt-keys-")
        stack.callback(shutil.rmtree, folder)
        path = os.path.join(folder, "keys.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump({f"sha256:{hashlib.sha256(key.encode()).hexdigest()}": cls.keys[key] for key in cls.keys}, file)
        cls.options = ("--profile-by-key", path, "--explain-header")
        super().stage(stack)

    @contextmanager
    def client(self, profile: str = "", key: str = "sk-test", daemon: Daemon | None = None) -> Iterator[openai.OpenAI]:
        """Return an SDK client with a profile in its base URL, and a key."""
        daemon = daemon or self.daemon
        with self.sdk(daemon) as client:
            yield client.with_options(base_url=daemon.url(f"/profiles/{profile}/v1" if profile else "/v1"), api_key=key)

    def transcribe_with(self, client: openai.OpenAI, **fields: Any) -> tuple[dict[str, Any], str]:
        """Return what the upstream read of a transcription, and the explanation header of the response."""
        answer = client.audio.transcriptions.with_raw_response.create(file=FILE, **{"model": "whisper-1", **fields})
        read: dict[str, Any] = json.loads(answer.text)
        return read, answer.headers["x-sttproxy-config"]


class ProfileTests(ProfileTestCase):
    """``base_url="http://…/profiles/NAME/v1"``."""

    def test_each(self) -> None:
        """Each profile has its rules, the upstream gets its own path, and the response lists the changes."""
        large = ["model", "mlx-community/whisper-large-v3-turbo"]
        for profile, items, explanation in (
            (
                "",
                [["language", "zh"], large, ECHOED, ["temperature", "0.2"], ["prompt", "default"]],
                "1; forced=language; defaulted=temperature,prompt; mapped=model",
            ),
            (
                "medical",
                [["language", "de"], large, ECHOED, ["temperature", "0.2"], ["prompt", "Anamnese"]],
                "1; forced=language; defaulted=temperature,prompt; mapped=model",
            ),
            ("open", [["model", "small"], ECHOED], "1; mapped=model"),
        ):
            with self.naming(profile), self.client(profile) as client:
                read, header = self.transcribe_with(client)
                self.assertEqual(read["path"], "/v1/audio/transcriptions")
                self.assertCountEqual(read["form"], items)
                self.assertEqual(header, explanation)
                self.assertIsNotNone(read["content_length"])

    def test_sent(self) -> None:
        """
        A default does not replace what the client sends; only a default for empty fields replaces an empty prompt.
        """
        with self.client() as client:
            read, explanation = self.transcribe_with(client, temperature=1, prompt="", language="en", model="other")
            self.assertCountEqual(
                read["form"],
                [["language", "zh"], ["model", "other"], ECHOED, ["temperature", "1"], ["prompt", "default"]],
            )
            self.assertEqual(explanation, "1; forced=language; defaulted=prompt")
        with self.client("open") as client:
            read, _ = self.transcribe_with(client, temperature=0, prompt="", language="en")
            sent = [["language", "en"], ["model", "small"], ECHOED, ["temperature", "0"], ["prompt", ""]]
            self.assertCountEqual(read["form"], sent)

    def test_chunked(self) -> None:
        """A chunked form is handled in the same way."""
        parts: list[tuple[str, str | File]] = [("model", "whisper-1"), ("file", File(AUDIO)), ("prompt", "")]
        read = self.transcribe(parts, chunks=7, path="/profiles/medical/v1/audio/transcriptions")
        self.assertEqual(
            read["form"],
            [
                ["language", "de"],
                ["model", "mlx-community/whisper-large-v3-turbo"],
                ECHOED,
                ["prompt", ""],
                ["temperature", "0.2"],
            ],
        )
        self.assertIsNone(read["content_length"])

    def test_other_endpoints(self) -> None:
        """All other SDK requests pass through the same URL."""
        with self.client("medical") as client:
            answer = client.with_raw_response.models.list()
        self.assertEqual(json.loads(answer.text)["path"], "/v1/models")

    def test_unknown(self) -> None:
        """An unknown profile is a NotFoundError that names the existing ones."""
        with self.client("Medical") as client:
            error = self.assertRaises(openai.NotFoundError, self.transcribe_with, client)
        self.assertIn("medical, open", str(error))

    def test_keys(self) -> None:
        """A bound key selects its profile without a URL; another profile in the URL is a PermissionDeniedError."""
        for profile in ("", "open"):
            with self.client(profile, "sk-open") as client:
                self.assertCountEqual(self.transcribe_with(client)[0]["form"], [["model", "small"], ECHOED])
        with self.client("", "sk-medical") as client:
            self.assertIn(["language", "de"], self.transcribe_with(client)[0]["form"])
        with self.client("medical", "sk-open") as client:
            error = self.assertRaises(openai.PermissionDeniedError, self.transcribe_with, client)
        self.assertIn("open", str(error))
        self.assertNotIn("sk-open", str(error))

    def test_own_pages(self) -> None:
        """The proxy's pages list the profiles, and are not served below a profile's URL."""
        self.assertEqual(list(self.daemon.stats()["config"]["profiles"]), ["medical", "open"])
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=LIMIT_S)
        self.addCleanup(connection.close)
        connection.request("GET", "/profiles/medical/stats")
        self.assertEqual(json.load(connection.getresponse())["path"], "/stats")

    def test_many_at_once(self) -> None:
        """Pipelined requests of all profiles on one connection each use their own profile."""
        body = form([("file", File(b"audio")), ("language", "en"), ("model", "m")])
        client = self.connect()
        prefixes = ["", "/profiles/medical", "/profiles/open"] * 10
        client.send(b"".join(transcription(body, path=f"{prefix}/v1/audio/transcriptions") for prefix in prefixes))
        languages = [dict(client.read_message().json()["form"])["language"] for _ in prefixes]
        self.assertEqual(languages, ["zh", "de", "en"] * 10)


class DefaultProfileTests(ProfileTestCase):
    """``--profile``."""

    def test_default(self) -> None:
        """It applies to requests that name none; a configuration without the profile is refused at reload."""
        target = ("--target-host", "127.0.0.1", "--target-port", str(self.echo.port))
        own = self.start_daemon(*target, "--profile", "medical", "--explain-header", config=CONFIG)
        with self.client(daemon=own) as client:
            self.assertIn(["language", "de"], self.transcribe_with(client)[0]["form"])
        with self.client("open", daemon=own) as client:
            self.assertNotIn("language", dict(self.transcribe_with(client)[0]["form"]))
        with open(own.path, "w", encoding="utf-8") as file:
            json.dump({"language": "zh", "$profiles": {"open": {}}}, file)
        own.wait_for_log("--profile asks for 'medical'")
        with self.client(daemon=own) as client:
            read, explanation = self.transcribe_with(client)
        self.assertIn(["language", "de"], read["form"])
        self.assertTrue(explanation.startswith("1; "), explanation)
