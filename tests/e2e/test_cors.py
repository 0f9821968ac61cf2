"""
Web pages of other origins, in a real browser: they upload, read errors, and read streams.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, ClassVar

from . import browser
from .case import EchoTestCase
from .upstream import shared_echo

#: Fetches, and gives status, body, pieces and one header of the response, or the error that the page gets.
_FETCH = """
const [url, options, header, done] = arguments;
if (options.form) {
    const form = new FormData();
    for (const [name, value] of Object.entries(options.form)) form.append(name, value);
    form.append("file", new Blob(["RIFF"]), "a.wav");
    options.body = form;
}
(async () => {
    const response = await fetch(url, options), pieces = [], decoder = new TextDecoder();
    for (const reader = response.body.getReader(); ;) {
        const {done, value} = await reader.read();
        if (done) break;
        pieces.push(decoder.decode(value));
    }
    return {status: response.status, pieces, text: pieces.join(""), header: response.headers.get(header)};
})().catch(error => ({error: String(error)})).then(done);
"""
_POST = {"method": "POST", "headers": {"Authorization": "Bearer k", "x-stainless-os": "Linux"}}


class Pages(EchoTestCase):
    """A page that the proxy is open for, and one that it is not open for."""

    config: ClassVar[Any] = {"language": "zh"}
    here: ClassVar[str]
    elsewhere: ClassVar[str]
    driver: ClassVar[Any]
    if browser.MISSING:
        skip = browser.MISSING

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.echo = shared_echo()
        cls.here, cls.elsewhere = (stack.enter_context(browser.page()) for _ in range(2))
        cls.driver = stack.enter_context(browser.browser())
        cls.options = ("--cors-origin", cls.here, "--explain-header")
        cls.start(stack, cls.echo.port)

    def fetch(self, path: str, header: str = "server", page: str = "", **options: Any) -> dict[str, Any]:
        """What a page gets for a request to the daemon."""
        self.driver.get(page or self.here)
        url = path if path.startswith("http") else self.daemon.url(path)
        got: dict[str, Any] = self.driver.execute_async_script(_FETCH, url, options, header)
        return got

    def test_upload(self) -> None:
        """A page uploads with a key of its own and reads the transcript and our headers."""
        for credentials in ("omit", "include"):
            got = self.fetch(
                "/v1/audio/transcriptions",
                "x-sttproxy-config",
                **_POST,
                credentials=credentials,
                form={"language": "en", "model": "m"},
            )
            self.assertEqual(got.get("status"), 200, got)
            self.assertIn('["language","zh"]', got["text"])
            self.assertIn("forced=language", got["header"])

    def test_errors(self) -> None:
        """A page reads the proxy's own errors, also while the server is down."""
        got = self.fetch("/profiles/nobody/v1/models", headers={"Authorization": "Bearer k"})
        self.assertEqual(got.get("status"), 404, got)
        self.assertIn("There is no profile 'nobody'", got["text"])
        down = self.start_daemon("--target", "http://127.0.0.1:9", "--cors-origin", "*", "--connect-retry", "0")
        got = self.fetch(down.url("/v1/audio/transcriptions"), **_POST, form={"model": "m"})
        self.assertEqual(got.get("status"), 502, got)
        self.assertIn("upstream_unreachable", got["text"])

    def test_too_large(self) -> None:
        """A page reads the refusal of a body that is too large, which comes before its end."""
        small = self.start_daemon("--target", f"http://127.0.0.1:{self.echo.port}", "--max-body", "10", *self.options)
        got = self.fetch(small.url("/v1/audio/transcriptions"), **_POST, form={"model": "m"})
        self.assertEqual(got.get("status"), 413, got)

    def test_stream(self) -> None:
        """A page reads a stream while it arrives; the server's own headers do not lock it out."""
        got = self.fetch("/events", "x-echo", headers={"Authorization": "Bearer k"})
        self.assertEqual((got.get("text"), got.get("header")), ("data: 0\n\ndata: 1\n\ndata: 2\n\n", "1"), got)
        self.assertGreater(len(got["pieces"]), 1)

    def test_other_page(self) -> None:
        """A page of another origin gets nothing; the log says why."""
        got = self.fetch("/v1/audio/transcriptions", page=self.elsewhere, **_POST, form={"model": "m"})
        self.assertIn("Failed to fetch", got.get("error", ""), got)
        self.daemon.wait_for_log(
            f"OPTIONS /v1/audio/transcriptions HTTP/1.1 403 .*'{self.elsewhere}' may not use this proxy"
        )
        self.assertIn("Failed to fetch", self.fetch("/stats", page=self.elsewhere).get("error", ""))
