"""
Preflights: a browser asks, before a request, whether its page may send it.
"""

from __future__ import annotations

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ..cors import CrossOrigin
from ..inbound.request import Request


class Preflight(Resource):
    """Answers for the proxy and the upstream, also while the upstream is down."""

    isLeaf = True

    def __init__(self, cors: CrossOrigin) -> None:
        super().__init__()
        self._cors = cors

    def render(self, request: Request) -> int:
        """
        Respond with 204; the site's policy adds the permissions.

        :raises ForbiddenOrigin: when the page may not use the proxy.
        :raises BadRequest: when the preflight is malformed.
        """
        self._cors.check_preflight(request.head)
        request.site.registry.preflights += 1
        request.send_head(204, b"No Content", [], None)
        request.finish()
        return NOT_DONE_YET
