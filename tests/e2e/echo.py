"""
A fake speech server: Starlette on uvicorn or, for HTTP/2, on Hypercorn; it responds with what it read.

It is a script that serves on a free port of the given address and prints that port; `upstream.Echo` starts it.  It
keeps no state between requests, so tests share one.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import socket
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from largest import Largest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

#: Requests that wait for others, by the number that must be present at once.
_waiting: dict[int, list[asyncio.Event]] = {}


async def together(request: Request) -> None:
    """Delay a request with ``X-Together: N`` until N such requests are present."""
    count = int(request.headers.get("x-together", "0"))
    if not count:
        return
    event = asyncio.Event()
    here = _waiting.setdefault(count, [])
    here.append(event)
    if len(here) == count:
        for other in _waiting.pop(count):
            other.set()
    await event.wait()


def heard(request: Request) -> dict[str, Any]:
    """Describe a request's head."""
    return {
        "method": request.method,
        "path": request.scope["raw_path"].decode("latin-1"),
        "query": request.scope["query_string"].decode("latin-1"),
        "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.raw],
        "content_length": request.headers.get("content-length"),
        "transfer_encoding": request.headers.get("transfer-encoding"),
    }


async def form(request: Request) -> Response:
    """Respond with the form as Starlette's parser read it: its items in order, files by their digest."""
    if request.headers.get("content-type") == "application/json":
        return await json_object(request)
    items: list[list[Any]] = []
    async with request.form(max_files=2000, max_fields=2000) as read:
        for name, value in read.multi_items():
            if isinstance(value, str):
                items.append([name, value])
                continue
            digest, size = hashlib.sha256(), 0
            while data := await value.read(1 << 20):
                digest.update(data)
                size += len(data)
            file = {"filename": value.filename, "type": value.content_type, "size": size, "sha256": digest.hexdigest()}
            items.append([name, file])
    await together(request)
    return JSONResponse({"text": "echo", "form": items, **heard(request)})


async def json_object(request: Request) -> Response:
    """Respond with a JSON object as it was read, with the digest in place of its recording."""
    read = await request.json()
    recording = base64.b64decode(read["input_audio"]["data"])
    read["input_audio"]["data"] = hashlib.sha256(recording).hexdigest()
    return JSONResponse({"json": read, **heard(request)})


async def measure(request: Request) -> Response:
    """Respond with the size and the digest of the largest part of a form, without storing it."""
    largest = Largest(request.headers["content-type"])
    async for piece in request.stream():
        largest.feed(piece)
    largest.end()
    return JSONResponse({"text": "measured", "size": largest.size, "sha256": largest.digest, **heard(request)})


async def anything(request: Request) -> Response:
    """Respond with the request, its body as a digest."""
    body = await request.body()
    return JSONResponse({"size": len(body), "sha256": hashlib.sha256(body).hexdigest(), **heard(request)})


async def compressed(request: Request) -> Response:
    """Respond in gzip, whatever the client accepts."""
    return Response(gzip.compress(b"compressed " * 100), headers={"Content-Encoding": "gzip"}, media_type="text/plain")


async def moved(request: Request) -> Response:
    """Respond with a redirect to this server."""
    return Response(status_code=307, headers={"Location": "/elsewhere?a=b"})


async def cookie(request: Request) -> Response:
    """Respond with the cookies received, and set one named by the query."""
    headers = {"Set-Cookie": f"{request.url.query}=1; Path=/"}
    return JSONResponse({"came": request.headers.getlist("cookie")}, headers=headers)


async def events(request: Request) -> Response:
    """Respond with three events, each a moment after the one before, for the pages of one origin only."""

    async def each() -> AsyncIterator[str]:
        for number in range(3):
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.05)

    headers = {"Access-Control-Allow-Origin": "https://elsewhere.example", "Access-Control-Expose-Headers": "x-echo"}
    return StreamingResponse(each(), media_type="text/event-stream", headers={**headers, "x-echo": "1"})


def main(host: str, version: str, certificate: str) -> None:
    """
    Serve until killed.

    :param version: of HTTP.
    :param certificate: the path of one with its key; empty: without TLS.
    """
    app = Starlette(
        routes=[
            Route("/measure/{version:path}/audio/transcriptions", measure, methods=["POST"]),
            *(
                Route(f"{version}/{endpoint}", form, methods=["POST"])
                for endpoint in ("audio/transcriptions", "audio/translations", "inference", "asr")
                for version in ("", "/{version:path}")
            ),
            Route("/gzip", compressed),
            Route("/moved", moved),
            Route("/events", events),
            Route("/cookie", cookie),
            Route("/{path:path}", anything, methods=["DELETE", "GET", "OPTIONS", "PATCH", "POST", "PUT"]),
        ]
    )
    # asyncio sets TCP_NODELAY only if the protocol is named.
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.bind((host, 0))
    sock.listen(1024)
    print("port", sock.getsockname()[1], flush=True)
    if version == "1":
        tls = {"ssl_certfile": certificate} if certificate else {}
        uvicorn.Server(uvicorn.Config(app, log_level="warning", **tls)).run([sock])
        return
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config.from_mapping(bind=[f"fd://{sock.fileno()}"], alpn_protocols=["h2"])
    if certificate:
        config.certfile = config.keyfile = certificate
    asyncio.run(serve(app, config))


if __name__ == "__main__":
    main(*sys.argv[1:])
