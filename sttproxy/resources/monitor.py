"""
Where the proxy's own pages are, and who may see them.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.web.resource import IResource, Resource

from ..errors import ForbiddenClient, NotFound
from ..http1.requests import shown_path
from ..inbound.request import Request
from ..peers import TrustedPeers
from .pages import Page


class Pages:
    """
    The proxy's own pages.

    :ivar paths: their paths.
    """

    def __init__(self, pages: Mapping[bytes, Page], viewers: TrustedPeers | None = None) -> None:
        """
        :param pages: by their exact path.
        :param viewers: the clients that may see them, as the log names them; None: all.
        """
        self._pages = pages
        self._viewers = viewers
        self.paths = tuple(pages)

    def find(self, request: Request) -> Page | None:
        """
        The page that a request is for; None if its path is not that of a page.

        :raises ForbiddenClient: when its client may not see the page.
        """
        page = self._pages.get(request.path)
        if page is not None and self._viewers is not None and request.record.client not in self._viewers:
            raise ForbiddenClient("This page is only for the clients that --monitor-from lists.")
        return page


#: No page: all paths are forwarded.
NO_PAGES = Pages({})


class MonitorRoot(Resource):
    """The root of a listener that has the proxy's own pages, and nothing else."""

    def __init__(self, pages: Pages) -> None:
        super().__init__()
        self._pages = pages

    def getChildWithDefault(self, path: bytes, request: Request) -> IResource:
        """
        The page for a request.

        :raises ForbiddenClient: when its client may not see the page.
        :raises NotFound: when there is no page at its path.
        """
        page = self._pages.find(request)
        if page is None:
            paths = b", ".join(self._pages.paths).decode()
            raise NotFound(
                f"There is no page {shown_path(request.path)!r} at this listener for monitoring; it has {paths}."
            )
        return page
