"""
A speech engine inside the proxy's own process, for those who have no upstream at hand.

It serves OpenAI's ``POST /v1/audio/transcriptions`` over loopback and is reached through the whole proxy path, as any
upstream is: nothing of the proxy is shared but :mod:`sttproxy.errors`, and HTTP is spoken here by stock
:mod:`twisted.web`.  It is a door for newcomers and for tests, not a server for many: one model, one thread, requests in
the order of arrival, uploads held in memory.

=================  ====================================================================================
``transcript``     what was heard, as records, and the five formats to say it in; no I/O
``task``           what a form asks for, checked; no I/O
``form``           multipart bytes in, a task out; no I/O
``model``          which model, where it is, and whether the extra ``embedded`` is installed
``audio``          recordings into samples; blocks
``whisper``        faster-whisper: loading a model, transcribing; blocks
``engine``         the queue before the one thread
``server``         the Resource tree
``service``        the port, the thread and their life
=================  ====================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sttproxy.embedded.model import DEFAULT_MODEL, EmbeddedError, check_installed

if TYPE_CHECKING:
    from sttproxy.embedded.service import EmbeddedEngine

__all__ = ["DEFAULT_MODEL", "EmbeddedEngine", "EmbeddedError", "check_installed"]


def __getattr__(name: str) -> object:
    """The engine needs packages of the extra; asking whether they are installed must not (PEP 562)."""
    if name == "EmbeddedEngine":
        from sttproxy.embedded.service import EmbeddedEngine

        return EmbeddedEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
