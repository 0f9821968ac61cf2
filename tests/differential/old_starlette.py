"""
Reads forms with the first Starlette and python-multipart on the path: lines of JSON in, one line of JSON out for
each. It is a separate program that does not import this package.
"""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import AsyncGenerator
from typing import Any

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser


def read(content_type: str, body: bytes) -> list[list[Any]]:
    """The items of a form."""

    async def stream() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(
        Headers({"content-type": content_type}), stream(), max_files=float("inf"), max_fields=float("inf")
    )
    parser.max_part_size = sys.maxsize
    reading = parser.parse()
    try:
        reading.send(None)
    except StopIteration as finished:
        found = finished.value.multi_items()
    items = []
    for name, value in found:
        if isinstance(value, UploadFile):
            items.append([name, value.filename or "", base64.b64encode(value.file.read()).decode()])
        else:
            items.append([name, None, base64.b64encode(value.encode()).decode()])
    return items


def main() -> None:
    for line in sys.stdin:
        form = json.loads(line)
        try:
            answer: Any = read(form["type"], base64.b64decode(form["body"]))
        except Exception as error:
            answer = repr(error)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
