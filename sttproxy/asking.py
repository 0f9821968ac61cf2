"""
A request that ``sttproxy explain`` imagines, and what the proxy would do with it.
"""

from __future__ import annotations

import re

import attrs

from .config import Config
from .http1.requests import parse_request
from .peers import NOBODY, UNIX, Peer, address_of
from .profiles import Selection, select
from .routes import Route, split_profile

#: The path of a request, if the command line has none.
USUAL_PATH = "/v1/audio/transcriptions"

_HEADER = re.compile(r"([^:\r\n]+):([^\r\n]*)")


@attrs.define
class ImaginedRequest:
    """
    What the command line says about a request.

    :ivar headers: the lines of its head.
    :ivar address: its client; empty: unknown.
    :ivar path: its path.
    """

    headers: list[str] = attrs.field(factory=list)
    address: str = ""
    path: str = USUAL_PATH

    def add_header(self, line: str) -> None:
        """
        Add a header.

        :raises ValueError: when the line is no header.
        """
        if not _HEADER.fullmatch(line):
            raise ValueError(f"{line!r} is not a header; it must be like 'User-Agent: curl'")
        self.headers.append(line)

    def set_address(self, text: str) -> None:
        """
        Set the client.

        :raises ValueError: when the text is no address.
        """
        if text != UNIX and address_of(text) is None:
            raise ValueError(f"{text!r} is not an address like 192.168.1.7, nor {UNIX!r} for a client on a Unix socket")
        self.address = text

    def selection(self, config: Config, default: str) -> Selection:
        """
        What the proxy would do with the request.

        :param default: the profile of requests for which nothing else chooses one; empty: none.
        :raises ProxyError: when the proxy would refuse it.
        """
        router = config.reach.realtime_router
        path = split_profile(self.path.encode("utf-8", "surrogateescape"))[1].partition(b"?")[0]
        is_session = router is not None and router.route(b"GET", path) is not Route.OTHER
        method, needed = ("GET", _OF_SESSION) if is_session else ("POST", _OF_FORM)
        own = [line for name, line in needed.items() if not any(_name(each) == name for each in self.headers)]
        lines = [f"{method} {self.path} HTTP/1.1", *own, *self.headers, "", ""]
        head = parse_request("\r\n".join(lines).encode("utf-8", "surrogateescape"))
        return select(config, head, b"", default, Peer(self.address, NOBODY).client)


#: What the head of a form's request, and of one for a realtime session, needs if the command line does not have it.
_OF_FORM = {"host": "Host: localhost", "content-length": "Content-Length: 1"}
_OF_SESSION = {"host": "Host: localhost", "connection": "Connection: Upgrade", "upgrade": "Upgrade: websocket"}


def _name(line: str) -> str:
    return line.partition(":")[0].lower()
