"""
A script: an upstream that closes connections after an exact idle time, in milliseconds, without announcing it. It
responds like `keepalive`, and is its own process too: in one process with its clients it would close late.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections import Counter

_asked: Counter[bytes] = Counter()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle_s: float) -> None:
    """Respond to requests with a length until the idle time is over."""
    try:
        while True:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), idle_s)
            fields = dict(re.findall(rb"\r\n([^:]+): ([^\r]*)", head))
            await reader.readexactly(int(fields[b"Content-Length"]))
            number = fields[b"X-Number"]
            _asked[number] += 1
            body = b"%b %d" % (number, _asked[number])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
    except (asyncio.TimeoutError, asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(idle_s: str) -> None:
    """Serve until killed."""
    server = await asyncio.start_server(
        lambda reader, writer: serve(reader, writer, float(idle_s)), "127.0.0.1", 0, backlog=1024
    )
    print("port", server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
