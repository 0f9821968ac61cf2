"""
Real speech through the whole system: the embedded engine with the smallest model, a recording, and a configuration
that is edited during the test.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import wave
from contextlib import ExitStack
from typing import Any

from .case import DaemonTestCase
from .certificates import certificate
from .clients import curl, openai_client
from .daemon import Daemon

#: Four seconds of English; ``etc/README.md`` describes how it was made.
SAMPLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "etc", "sample.wav")
#: Its words, as letters only: the model's punctuation may differ.
SAID = "the meeting has been moved to monday afternoon catherine will take the notes"
#: Seconds that a transcription may take, including the loading of the model.
SPEECH_S = 120.0


def letters(text: str) -> str:
    """The words of a text, in lower case."""
    return " ".join(re.findall(r"[a-z]+", text.lower()))


def cues(text: str) -> str:
    """The words of subtitles."""
    spoken = [line for line in text.splitlines() if not re.fullmatch(r"\d+|WEBVTT|.*-->.*", line)]
    return letters(" ".join(spoken))


class Speech(DaemonTestCase):
    """One daemon with --embedded; its engine has loaded the model when it first responds."""

    if importlib.util.find_spec("faster_whisper") is None:
        skip = "faster-whisper is not installed: pip install 'sttproxy[embedded]'"

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.daemon = Daemon("--embedded", config="{}")
        stack.callback(cls.daemon.close)

    def curl(self, *fields: str) -> str:
        """Return what curl gets for the recording and these fields."""
        form = [option for field in fields for option in ("-F", field)]
        url = self.daemon.url("/v1/audio/transcriptions")
        limit = ("--max-time", f"{SPEECH_S:g}")
        return curl(url, *limit, "-F", f"file=@{self.sample()}", "-F", "model=whisper-1", *form)

    def sample(self) -> str:
        """The recording's path."""
        if not os.path.exists(SAMPLE):
            self.skipTest(f"{SAMPLE} is not there: run from the checkout")
        return SAMPLE

    def assert_said(self, words: str) -> None:
        """Check that the words are those of the recording."""
        self.assertEqual(words, SAID)

    def test_health(self) -> None:
        """The daemon is healthy, and reports that its upstream is embedded."""
        health = json.loads(curl(self.daemon.url("/health")))
        self.assertEqual((health["status"], "embedded" in health["upstream"]), ("healthy", True))

    def test_curl(self) -> None:
        """curl gets the text in each format."""
        self.daemon.configure("{}")
        self.assert_said(letters(json.loads(self.curl())["text"]))
        self.assert_said(letters(json.loads(self.curl("response_format=json"))["text"]))
        self.assert_said(letters(self.curl("response_format=text")))
        srt = self.curl("response_format=srt")
        self.assertRegex(srt, r"\A1\n00:00:00,\d{3} --> 00:00:0\d,\d{3}\n")
        self.assert_said(cues(srt))
        vtt = self.curl("response_format=vtt")
        self.assertRegex(vtt, r"\AWEBVTT\n\n00:00:00\.\d{3} --> 00:00:0\d\.\d{3}\n")
        self.assert_said(cues(vtt))
        verbose = json.loads(self.curl("response_format=verbose_json", "timestamp_granularities[]=word"))
        self.assert_said(letters(verbose["text"]))
        self.assertEqual(verbose["language"], "en")
        self.assert_said(letters(" ".join(word["word"] for word in verbose["words"])))
        self.assertEqual(round(verbose["duration"]), 4)

    def test_versions(self) -> None:
        """The text comes through a proxy with HTTP/2 over TLS in and HTTP out, and through one with both reversed."""
        self.daemon.configure("{}")
        secure = self.start_daemon("--target", self.daemon.url(), "--tls-cert", certificate("server.pem"))
        clear = self.start_daemon("--target", secure.url(), "--target-ca", certificate("ca.pem"))
        form = ("-F", f"file=@{self.sample()}", "-F", "model=whisper-1", "-F", "response_format=text")
        options = (*form, "--max-time", f"{SPEECH_S:g}", "-w", "%{http_version}", "--cacert", certificate("ca.pem"))
        path = "/v1/audio/transcriptions"
        for daemon, option, version in ((secure, "--http2", "2"), (clear, "--http1.1", "1.1")):
            output = curl(daemon.url(path), option, *options)
            self.assertTrue(output.endswith(version), output)
            self.assert_said(letters(output))

    def test_sdk(self) -> None:
        """The OpenAI SDK gets the text in its own types."""
        self.daemon.configure("{}")
        with openai_client(self.daemon) as client, open(self.sample(), "rb") as file:
            transcriptions = client.with_options(timeout=SPEECH_S).audio.transcriptions

            def create(**options: Any) -> Any:
                file.seek(0)
                return transcriptions.create(model="whisper-1", file=file, **options)

            self.assert_said(letters(create().text))
            self.assert_said(letters(create(response_format="text")))
            self.assert_said(cues(create(response_format="srt")))
            self.assert_said(cues(create(response_format="vtt")))
            verbose = create(response_format="verbose_json", timestamp_granularities=["word", "segment"], language="en")
            self.assert_said(letters(verbose.text))
            self.assert_said(letters(" ".join(word.word for word in verbose.words)))
            self.assert_said(letters(" ".join(segment.text for segment in verbose.segments)))

    def test_edited(self) -> None:
        """The next request follows an edit of the configuration while the daemon runs."""
        self.daemon.configure("{}")
        self.assert_said(letters(json.loads(self.curl())["text"]))
        edits = (("srt", r"\A1\n00:00:00,"), ("text", r"\AThe meeting"), ("vtt", r"\AWEBVTT"))
        for number, (form, pattern) in enumerate(edits, self.daemon.stats()["config"]["generation"] + 1):
            with open(self.daemon.path, "w") as file:
                json.dump({"response_format": form}, file)
            self.daemon.wait_for_generation(number)
            output = self.curl("response_format=json")
            self.assertRegex(output, pattern)
            self.assert_said(cues(output))

    def test_forced_prompt(self) -> None:
        """A forced prompt reaches the model and determines the spelling of a name, whatever the client's prompt is."""
        self.daemon.configure('{"prompt": "Katharine"}')
        self.assertIn("Katharine", self.curl("response_format=text", "prompt=Kathryn"))

    def test_forced_language(self) -> None:
        """A forced language that the model does not know is an error that names the field."""
        self.daemon.configure('{"language": "zh"}')
        error = json.loads(self.curl("language=en"))["error"]
        self.assertEqual((error["param"], error["type"]), ("language", "invalid_request_error"))

    def test_json_under_srt(self) -> None:
        """A client that calls .json() under a forced srt gets the subtitles in JSON."""
        self.daemon.configure('{"response_format": "srt", "$transcript": {"deliver": "as-asked"}}')
        for form in ([], ["response_format=json"]):
            self.assert_said(cues(json.loads(self.curl(*form))["text"]))

    def test_delivered(self) -> None:
        """One configuration has the richest format made, and the SDK gets each format that it asks for."""
        self.daemon.configure('{"response_format": "verbose_json", "$transcript": {"deliver": "as-asked"}}')
        with openai_client(self.daemon) as client, open(self.sample(), "rb") as file:
            for form in ("json", "text", "srt", "vtt", "verbose_json"):
                file.seek(0)
                create: Any = client.with_options(timeout=SPEECH_S).audio.transcriptions.create
                made = create(model="whisper-1", file=file, response_format=form)
                self.assert_said(cues(made if isinstance(made, str) else made.text))

    def test_silence(self) -> None:
        """What is said over ten seconds of silence at the end is dropped, and a name is spelt as it should be."""
        path = os.path.join(self.daemon.folder, "silence.wav")
        with wave.open(self.sample()) as sound, wave.open(path, "wb") as longer:
            longer.setparams(sound.getparams())
            longer.writeframes(sound.readframes(sound.getnframes()))
            longer.writeframes(bytes(10 * sound.getframerate() * sound.getsampwidth() * sound.getnchannels()))
        self.daemon.configure(
            {
                "$transcript": {
                    "drop": {"phrases": "known", "also": ["The meeting has been moved to Monday afternoon."]},
                    "replace": {"/Cath?[ae]rine/": "Katharine"},
                }
            }
        )
        url = self.daemon.url("/v1/audio/transcriptions")
        form = ("-F", f"file=@{path}", "-F", "model=whisper-1", "-F", "response_format=srt")
        self.assertEqual(cues(curl(url, "--max-time", f"{SPEECH_S:g}", *form)), "katharine will take the notes")

    def test_ends(self) -> None:
        """A daemon with an engine ends on SIGTERM like any other, before and after its model is loaded."""
        own = self.start_daemon("--embedded")
        own.signal(signal.SIGTERM)
        self.assertEqual(own.wait(), 0)
        self.assertNotIn("Traceback", own.log())
