"""
The page of ``/stats`` in a browser: what its tests share.
"""

from __future__ import annotations

from typing import Any, ClassVar

from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select

from . import browser
from .case import DaemonTestCase
from .process import LIMIT_S, until

#: Clicks hit their element also while the page would scroll smoothly.
STILL = "--force-prefers-reduced-motion"


class PageTestCase(DaemonTestCase):
    """Tests with one browser."""

    driver: ClassVar[Any]
    if browser.MISSING:
        skip = browser.MISSING

    def open(self, url: str = "", *, dark: bool = False, width: int = 1280) -> None:
        """Open the page, and wait until it shows numbers."""
        self.load(url, dark=dark, width=width)
        until(lambda: self.element("live").is_displayed(), "a page with numbers")

    def load(self, url: str = "", *, dark: bool = False, width: int = 1280) -> None:
        """Open the page; its state of the test before is forgotten."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.devtools("Emulation.setEmulatedMedia", features=[scheme])
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        origin = url.rpartition("/")[0] or self.daemon.url()
        self.devtools("Storage.clearDataForOrigin", origin=origin, storageTypes="all")
        self.driver.get_log("browser")
        self.driver.get(url or self.daemon.url("/stats"))

    def devtools(self, command: str, **parameters: Any) -> None:
        """Send a command of the DevTools protocol."""
        self.driver.execute_cdp_cmd(command, parameters)

    def element(self, name: str) -> Any:
        """An element by its id."""
        return self.driver.find_element(By.ID, name)

    def elements(self, selector: str) -> list[Any]:
        """Elements by a selector of CSS."""
        found: list[Any] = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found

    def text(self, name: str) -> str:
        """The text that an element shows."""
        return str(self.element(name).text)

    def choose(self, name: str, value: str) -> None:
        """Choose an option of a select."""
        Select(self.element(name)).select_by_value(value)

    def wait_for(self, name: str, text: str, limit_s: float = LIMIT_S) -> None:
        """Wait until an element shows a text."""
        until(lambda: text in self.text(name), f"{text!r} in {name}", limit_s)

    def assert_quiet(self) -> None:
        """Check that the console has no error, and that nothing was asked of another host."""
        self.assert_no_error()
        asked = self.driver.execute_script("return performance.getEntriesByType('resource').map(each => each.name)")
        origin = self.driver.execute_script("return location.origin")
        foreign = [url for url in asked if not url.startswith((origin, "data:", "blob:"))]
        self.assertEqual((foreign, bool(asked)), ([], True))

    def assert_no_error(self) -> None:
        """Check that the console has no error."""
        self.assertEqual(self.driver.get_log("browser"), [])
