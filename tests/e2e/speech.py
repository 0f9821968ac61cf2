"""
A fake speech server that tells which one it is, and how many transcriptions it has had at a time: Starlette on uvicorn.

It is a script that serves on a given port of 127.0.0.1; `stages.SpeechServer` starts it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import uvicorn
from largest import Largest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect


class Speech:
    """
    The server.

    :ivar name: tells it from others.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._now = self._most = self._done = 0
        self._gates: dict[str, asyncio.Event] = {}

    def gate(self, key: str) -> asyncio.Event:
        """Opens when a request to ``/open`` names it."""
        return self._gates.setdefault(key, asyncio.Event())

    async def transcribe(self, request: Request) -> Response:
        """
        Respond with what was read.

        The transcription takes the milliseconds in ``X-Takes``, or until the gate in ``X-Gate`` opens.
        """
        self._now += 1
        self._most = max(self._most, self._now)
        try:
            largest = Largest(request.headers["content-type"])
            async for piece in request.stream():
                largest.feed(piece)
            largest.end()
            if "x-gate" in request.headers:
                await self.gate(request.headers["x-gate"]).wait()
            await asyncio.sleep(int(request.headers.get("x-takes", "0")) / 1000)
        finally:
            self._now -= 1
        self._done += 1
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.headers.raw]
        return JSONResponse({"server": self.name, "size": largest.size, "sha256": largest.digest, "headers": headers})

    async def counts(self, request: Request) -> Response:
        """Respond with the numbers of transcriptions: in flight, most at a time, complete."""
        return JSONResponse({"server": self.name, "now": self._now, "most": self._most, "done": self._done})

    async def open(self, request: Request) -> Response:
        """Open a gate."""
        self.gate(request.url.query).set()
        return Response("open")

    async def events(self, request: Request) -> Response:
        """Respond with an event, and with a second one when the gate in the query opens."""

        async def each() -> AsyncIterator[str]:
            yield f"data: {self.name}\n\n"
            await self.gate(request.url.query).wait()
            yield "data: end\n\n"

        return StreamingResponse(each(), media_type="text/event-stream")

    async def echo(self, socket: WebSocket) -> None:
        """Tell the name, and return the messages of a session."""
        await socket.accept()
        await socket.send_text(self.name)
        try:
            while True:
                await socket.send_text(await socket.receive_text())
        except WebSocketDisconnect:
            pass


def main(name: str, port: str) -> None:
    """Serve until a signal ends it; what is in flight is completed first."""
    speech = Speech(name)
    app = Starlette(
        routes=[
            Route("/{path:path}/audio/transcriptions", speech.transcribe, methods=["POST"]),
            Route("/counts", speech.counts),
            Route("/open", speech.open),
            Route("/events", speech.events),
            WebSocketRoute("/session", speech.echo),
        ]
    )
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="info")


if __name__ == "__main__":
    main(*sys.argv[1:])
