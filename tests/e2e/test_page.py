"""
The page of ``/stats`` in a real browser: it shows what the daemon does, in light and dark, large and small, English and
Chinese, with a key and without a script.
"""

from __future__ import annotations

import hashlib
import importlib.util
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from selenium.webdriver.common.keys import Keys

from . import browser
from .case import EchoTestCase
from .forms import File
from .message import request
from .page import STILL, PageTestCase
from .process import until
from .upstream import shared_echo

_AXE = importlib.util.find_spec("selenium_axe_python")
#: Where the package of axe-core has its script.
_AXE_SCRIPT = "axe-core/axe.min.js"
#: A valid name of a field.
MARKUP = "<script>alert(1)</script>"


class PageTests(EchoTestCase, PageTestCase):
    """The page of a daemon with the echo server."""

    config: ClassVar[Any] = {
        "language": "zh",
        "prompt": "secret words",
        MARKUP: "1",
        "$profiles": {"medical": {"temperature": 0}},
    }

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.echo = shared_echo()
        cls.driver = stack.enter_context(browser.browser(STILL))
        cls.start(stack, cls.echo.port)

    def upload(self, path: str = "/v1/audio/transcriptions") -> None:
        """Send a transcription."""
        self.transcribe([("model", "m"), ("language", "en"), ("file", File(b"RIFF"))], path=path)

    def get(self, path: str) -> None:
        """Send another request."""
        client = self.connect()
        client.send(request("GET", path))
        client.read_message()

    def shown_requests(self) -> list[str]:
        """The rows of the recent requests."""
        return [row.text for row in self.elements("#request-table tbody tr")]

    def test_updates(self) -> None:
        """It shows the status, charts and tables, and what happens while it is open."""
        self.open()
        self.assertRegex(self.text("sentence"), r"\AHealthy\. ")
        self.assertEqual(len(self.elements("#chart-grid canvas")), 4)
        self.assertIn("takes connections", self.text("server-cards"))
        before = len(self.shown_requests())
        self.upload()
        self.upload("/profiles/medical/v1/audio/transcriptions")
        self.get("/v1/models")
        until(lambda: len(self.shown_requests()) == before + 3, "three more requests")
        rows = self.shown_requests()
        self.assertIn("GET /v1/models", rows[0])
        self.assertIn("medical", rows[1])
        self.assertIn("replaced the client's: language", rows[2])
        self.assertIn("language", self.text("field-table"))
        self.wait_for("group-table", "transcription")
        self.assert_quiet()

    def test_filters(self) -> None:
        """Requests are filtered by route and by status."""
        self.upload()
        self.get("/profiles/nobody/x")
        self.open()
        until(lambda: len(self.shown_requests()) >= 2, "two requests")
        self.choose("by-route", "transcription")
        self.assertEqual({"transcription" in row for row in self.shown_requests()}, {True})
        self.choose("by-status", "4xx")
        self.assertEqual(self.shown_requests(), [])
        self.choose("by-route", "")
        self.assertTrue(all("404" in row for row in self.shown_requests()))
        self.assertIn("not found", self.text("refusal-table"))
        self.assert_quiet()

    def test_values(self) -> None:
        """Values of the configuration are fetched and shown on a click, and hidden by the next."""
        self.open()
        until(lambda: "prompt" in self.text("profiles"), "the rules")
        self.assertNotIn("secret words", self.driver.page_source)
        self.element("show-values").click()
        self.wait_for("profiles", '"secret words"')
        self.element("show-values").click()
        until(lambda: "secret words" not in self.driver.page_source, "hidden values")
        self.assert_quiet()

    def test_hostile(self) -> None:
        """Markup in paths, in fields and in warnings is text."""
        self.get("/<img/src=x/onerror=alert(1)>")
        self.upload()
        self.open()
        self.wait_for("request-table", "/<img/src=x/onerror=alert(1)>")
        self.wait_for("profiles", MARKUP)
        self.assertIn(MARKUP, self.text("field-table"))
        self.assertIn(MARKUP, self.text("warnings"))
        self.assertEqual(self.elements("main img, main script"), [])
        self.assert_quiet()

    def test_languages(self) -> None:
        """It speaks Chinese when it is asked to, also after the page is loaded again."""
        self.open()
        self.choose("language", "zh")
        self.wait_for("sentence", "运行正常。")
        self.assertIn("最近的请求", self.text("main"))
        self.assertEqual(self.driver.execute_script("return document.documentElement.lang"), "zh")
        self.driver.refresh()
        self.wait_for("sentence", "运行正常。")
        self.choose("language", "en")
        self.wait_for("sentence", "Healthy.")
        self.assert_quiet()

    def test_keyboard(self) -> None:
        """The first stop of the keyboard skips to the content; a chart is read with the arrow keys."""
        self.upload()
        self.open()
        self.element("main").parent.switch_to.active_element.send_keys(Keys.TAB)
        self.assertEqual(self.driver.switch_to.active_element.get_attribute("class"), "skip")
        plot = self.elements(".plot")[0]
        plot.send_keys(Keys.ARROW_LEFT)
        until(lambda: "transcriptions" in self.element("announcement").get_attribute("textContent"), "an announcement")
        self.assertRegex(self.elements(".when")[0].text, r"\d\d:\d\d:\d\d")
        self.assert_quiet()

    def test_pause(self) -> None:
        """While it is paused, nothing moves."""
        self.open()
        self.element("pause").click()
        self.driver.execute_async_script("setTimeout(arguments[0], 1100)")
        before = self.daemon.stats()["routes"]["own"]["requests"]
        self.driver.execute_async_script("setTimeout(arguments[0], 2200)")
        self.assertEqual(self.daemon.stats()["routes"]["own"]["requests"], before + 1)
        self.element("pause").click()
        looks = self.daemon.stats()["total_requests"]
        until(lambda: self.daemon.stats()["total_requests"] > looks + 1, "further looks")

    def test_narrow(self) -> None:
        """On a small phone nothing has to be scrolled sideways."""
        self.upload()
        for width in (320, 390, 820):
            self.open(width=width)
            self.wait_for("request-table", "transcription")
            script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            self.assertEqual(self.driver.execute_script(script), 0, width)

    def test_without_script(self) -> None:
        """Without JavaScript it shows the status and the numbers."""
        self.devtools("Emulation.setScriptExecutionDisabled", value=True)
        try:
            self.load()
            self.assertIn("Healthy.", self.text("sentence"))
            numbers = self.elements("noscript .numbers")[0].text
            self.assertRegex(numbers, r"stt_requests \d+")
            self.assertIn("transcription › requests", numbers)
            dead = self.elements("#nav, #controls, #facts, #live")
            self.assertEqual([each for each in dead if each.is_displayed()], [])
        finally:
            self.devtools("Emulation.setScriptExecutionDisabled", value=False)

    def test_accessible(self) -> None:
        """axe-core finds nothing serious, in both colours, large and small, and with a request and its values shown."""
        if _AXE is None or _AXE.origin is None:
            self.skipTest("axe-core is not installed: pip install selenium-axe-python")
        script = (Path(_AXE.origin).parent / _AXE_SCRIPT).read_text(encoding="utf-8")
        self.upload()
        self.get("/profiles/nobody/x")
        for dark, width in ((False, 1280), (True, 1280), (False, 390), (True, 390)):
            self.open(dark=dark, width=width)
            self.wait_for("request-table", "transcription")
            self.element("show-values").click()
            self.wait_for("profiles", "secret words")
            self.driver.execute_script(script)
            run = "const done = arguments[0]; axe.run(document).then(found => done(found.violations))"
            serious = [
                (each["id"], each["impact"], [node["html"] for node in each["nodes"]])
                for each in self.driver.execute_async_script(run)
                if each["impact"] in ("serious", "critical")
            ]
            self.assertEqual(serious, [], (dark, width))

    def test_server_down(self) -> None:
        """While the server takes no connections, it says so; when the proxy is gone, it says that."""
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            down = self.start_daemon("--target", f"http://127.0.0.1:{unused.getsockname()[1]}")
            self.open(down.url("/stats"))
            self.wait_for("sentence", "The server takes no connections.")
            self.assertIn("takes no connections", self.text("server-cards"))
            self.assert_quiet()
            down.stop()
            self.wait_for("sentence", "The proxy does not answer.")

    def test_key(self) -> None:
        """With --require-key it asks for a key, says if it is wrong, and keeps it for the tab."""
        digest = hashlib.sha256(b"right").hexdigest()
        keys = Path(self.daemon.folder) / "keys.json"
        keys.write_text(f'{{"sha256:{digest}": ""}}')
        options = ("--require-key", "--profile-by-key", str(keys), "--target", f"http://127.0.0.1:{self.echo.port}")
        locked = self.start_daemon(*options)
        self.load(locked.url("/stats"))
        self.assertIn("An API key is needed", self.text("sentence"))
        self.assertFalse(self.element("live").is_displayed())
        self.assert_no_error()
        self.element("key").send_keys("wrong", Keys.ENTER)
        self.wait_for("key-wrong", "not known")
        self.element("key").send_keys("right", Keys.ENTER)
        self.wait_for("sentence", "Healthy.")
        self.driver.refresh()
        self.wait_for("sentence", "Healthy.")
        self.assertNotIn("right", self.driver.execute_script("return JSON.stringify(localStorage)"))
