"""
A minimal proxy with FastAPI and httpx, for comparison: it rewrites the form like sttproxy, but in memory.

    UPSTREAM=http://localhost:10240 FORCED='{"language": "zh"}' uvicorn bench.fastapi_proxy:app
"""

from __future__ import annotations

import json
import os

import httpx
from fastapi import FastAPI, Request, Response

FORCED: dict[str, str] = json.loads(os.environ.get("FORCED", "{}"))

app = FastAPI()
client = httpx.AsyncClient(base_url=os.environ.get("UPSTREAM", "http://localhost:10240"), timeout=None)


def _response(answer: httpx.Response) -> Response:
    return Response(answer.content, answer.status_code, media_type=answer.headers.get("content-type"))


@app.post("/v1/audio/transcriptions")
async def transcriptions(request: Request) -> Response:
    """Parse the form, set the forced fields, and send a new form to the upstream."""
    data: dict[str, str] = {}
    files: dict[str, tuple[str | None, bytes, str | None]] = {}
    async with request.form() as form:
        for name, value in form.items():
            if isinstance(value, str):
                data[name] = value
            else:
                files[name] = (value.filename, await value.read(), value.content_type)
    data.update(FORCED)
    return _response(await client.post(request.url.path, params=request.query_params, data=data, files=files))


@app.api_route("/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def pass_on(request: Request, path: str) -> Response:
    """Pass all other requests on unchanged."""
    kept = {
        name: value for name, value in request.headers.items() if name in ("accept", "authorization", "content-type")
    }
    return _response(
        await client.request(
            request.method, f"/{path}", params=request.query_params, headers=kept, content=await request.body()
        )
    )
