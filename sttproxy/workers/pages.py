"""
The monitoring pages of a worker, which show the numbers of all workers.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.web.server import NOT_DONE_YET

from ..http1.requests import RequestHead
from ..inbound.request import Request
from ..resources.pages import Page


class GatheredPage(Page):
    """A page that is shown when the numbers of all workers are there."""

    def __init__(self, page: Page, gather: Callable[[], Deferred[None]]) -> None:
        """
        :param gather: brings the numbers of the page up to date.
        """
        super().__init__()
        self._page = page
        self._gather = gather

    def needs_key(self, head: RequestHead) -> bool:
        return self._page.needs_key(head)

    def render_GET(self, request: Request) -> int:
        self._gather().addCallback(self._show, request).addErrback(request.refuse)
        return NOT_DONE_YET

    def _show(self, _: None, request: Request) -> None:
        if request.over:
            return
        body = self._page.render_GET(request)
        if isinstance(body, bytes):
            request.respond(body)
