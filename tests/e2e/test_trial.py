"""
*Try it* on the page of ``/stats``, with real speech: a recording, and a microphone that hears it.
"""

from __future__ import annotations

import importlib.util
import os
from contextlib import ExitStack

from . import browser
from .daemon import Daemon, get_json
from .page import STILL, PageTestCase
from .process import until
from .test_speech import SAID, SAMPLE, SPEECH_S, letters


class TrialTests(PageTestCase):
    """Try it: a recording, and the microphone, which hears the recording."""

    if importlib.util.find_spec("faster_whisper") is None:
        skip = "faster-whisper is not installed: pip install 'sttproxy[embedded]'"
    elif not os.path.exists(SAMPLE):
        skip = f"{SAMPLE} is not there: run from the checkout"

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        microphone = (
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-audio-capture={os.path.abspath(SAMPLE)}",
        )
        cls.driver = stack.enter_context(browser.browser(STILL, *microphone))
        config = {"prompt": "Katharine", "$profiles": {"medical": {"$default": {"temperature": 0}}}}
        cls.daemon = Daemon("--embedded", config=config)
        stack.callback(cls.daemon.close)

    def test_recording(self) -> None:
        """A recording gives its text, what was done to the form, and the time of each phase."""
        self.open()
        self.element("recording").send_keys(os.path.abspath(SAMPLE))
        until(lambda: len(self.elements("#profile option")) == 2, "the profiles")
        self.choose("profile", "medical")
        self.element("send").click()
        self.wait_for("outcome", "Done (200).", SPEECH_S)
        self.assertEqual(letters(self.text("transcript")), SAID.replace("catherine", "katharine"))
        until(lambda: self.element("done").is_displayed(), "what was done")
        self.assertIn("forced: prompt", self.text("done-fields"))
        self.assertIn("default added: temperature", self.text("done-fields"))
        self.assertRegex(self.text("done-phases"), r"server at work\s+[\d.]+ m?s")
        self.assertIn("of audio", self.text("done-phases"))
        self.assertEqual(get_json(self.daemon.port, "/stats")["profiles"]["medical"]["requests"], 1)
        self.choose("language", "zh")
        self.wait_for("outcome", "完成（200）。")
        self.wait_for("done-fields", "强制")
        self.assert_quiet()

    def test_microphone(self) -> None:
        """The microphone is heard: some of the words come back."""
        self.open(self.daemon.url("/stats").replace("127.0.0.1", "localhost"))
        self.element("record").click()
        self.wait_for("record-help", "recording, 6")
        self.element("record").click()
        self.wait_for("record-help", "recorded,")
        self.element("send").click()
        self.wait_for("outcome", "Done (200).", SPEECH_S)
        heard = set(letters(self.text("transcript")).split())
        self.assertGreater(len(heard.intersection(SAID.split())), 3, heard)
        self.assert_quiet()

    def test_refused(self) -> None:
        """An error of the server is shown with its message."""
        self.open()
        self.element("recording").send_keys(os.path.abspath(__file__))
        self.element("send").click()
        self.wait_for("outcome", "Failed (4", SPEECH_S)
        self.assertIn("audio", self.text("transcript"))
