"""
An event loop in a thread of its own, for connections over TLS: two threads cannot read and write one at the same time.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from .process import LIMIT_S

T = TypeVar("T")

#: What has failed in the event loop itself.
failures: list[dict[str, Any]] = []


@functools.cache
def loop() -> asyncio.AbstractEventLoop:
    """The event loop of all connections."""
    new = asyncio.new_event_loop()
    new.set_exception_handler(lambda _, context: failures.append(context))
    threading.Thread(target=new.run_forever, daemon=True).start()
    return new


def run(work: Coroutine[Any, Any, T]) -> T:
    """
    Run a coroutine in the event loop; return its result.

    :raises TimeoutError: when it takes longer than `LIMIT_S`.
    """
    return asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, LIMIT_S), loop()).result()
