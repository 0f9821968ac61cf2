"""
A script: uvicorn that closes connections after this many idle seconds.  It responds to each request with its
``X-Number`` and how many times it has received that number.
"""

from __future__ import annotations

import socket
import sys
from collections import Counter
from typing import Any

import uvicorn

_asked: Counter[bytes] = Counter()


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Read the whole request, then respond."""
    while (await receive()).get("more_body"):
        pass
    number = dict(scope["headers"])[b"x-number"]
    _asked[number] += 1
    body = b"%b %d" % (number, _asked[number])
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main(idle_s: str) -> None:
    """Serve until killed."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(1024)
    print("port", sock.getsockname()[1], flush=True)
    config = uvicorn.Config(app, lifespan="off", log_level="warning", timeout_keep_alive=int(idle_s))
    uvicorn.Server(config).run([sock])


if __name__ == "__main__":
    main(*sys.argv[1:])
