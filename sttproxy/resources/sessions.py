"""
Realtime sessions: WebSockets whose messages are rewritten by the configuration.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import NOT_DONE_YET

from ..config import Config, Rules
from ..errors import BadRequest, UpstreamError
from ..headers import end_to_end, upgrade_asked
from ..http1.responses import ResponseHead
from ..inbound.request import Request
from ..monitor.record import REALTIME
from ..tunnel import TunnelEnd, session_ends
from ..upload import Untouched
from .forwarding import Forwarding, Targets, upgrading

_WEBSOCKET = b"websocket"
#: In the spelling that `_spelled` returns.
_EXTENSIONS = b"sec-websocket-extensions"


class Sessions(Forwarding):
    """Requests for WebSockets to ``…/realtime`` and the like: the updates of the session are rewritten."""

    def __init__(self, targets: Targets, config: Callable[[], Config]) -> None:
        """
        :param config: returns the configuration in force.  Each session uses one configuration to its end.
        """
        super().__init__(targets)
        self._config = config

    def render(self, request: Request) -> int:
        request.record.route, request.record.profile = REALTIME, request.profile
        request.site.registry.chose(request.profile, request.chosen_by)
        head = request.head
        protocol = upgrade_asked(head)
        if protocol is None or protocol.lower() != _WEBSOCKET:
            raise BadRequest("A realtime session needs the Upgrade to websocket, and no other protocol.")
        # Without extensions frames are not compressed, and can be read.
        headers = [header for header in end_to_end(head) if _spelled(header[0]) != _EXTENSIONS]
        headers += upgrading(protocol)
        rules = self._config().rules(request.profile)
        tunnels = functools.partial(self._begin, request, rules)
        self._forward(request, request.body, headers, Untouched(), head.length, upgrades=True, tunnels=tunnels)
        return NOT_DONE_YET

    def _begin(
        self, request: Request, rules: Rules, clock: IReactorTime, response: ResponseHead
    ) -> tuple[TunnelEnd, TunnelEnd]:
        """
        Begin a session when the server has accepted it.

        :raises UpstreamError: when the server uses an extension or another protocol.
        """
        protocols = [value.lower() for value in response.values(b"upgrade")]
        if protocols != [_WEBSOCKET] or any(_spelled(name) == _EXTENSIONS for name, _ in response.headers):
            raise UpstreamError(
                "The upstream accepted the WebSocket with an extension or a protocol of its own choice."
            )
        # Only sessions need wsproto.
        from ..realtime.session import Session
        from ..realtime.updates import dialect_of

        counts = request.site.registry.realtime
        counts["sessions"] += 1
        session = Session(rules, dialect_of(request.head, request.target.partition(b"?")[2]), counts)
        return session_ends(clock, session, request.peer.client(request.head))


def _spelled(name: bytes) -> bytes:
    """A header's name in one spelling.  Some servers read an underscore as a dash."""
    return name.lower().replace(b"_", b"-")
