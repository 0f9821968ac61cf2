"""
A speech engine in the proxy's own process, for users without an upstream.

It serves OpenAI's ``POST /v1/audio/transcriptions`` on loopback.  Requests reach it through the whole proxy path, as
they reach any upstream.  It shares only :mod:`sttproxy.errors` with the proxy, and it uses stock ``twisted.web`` for
HTTP.  It is made for first steps and for tests, not for many clients: it has one model and one thread, serves requests
in the order of arrival, and keeps uploads in memory.

=================  ====================================================================================
``transcript``     transcripts, and the five formats that they are rendered in; no I/O
``task``           what a form requests, checked; no I/O
``form``           parses multipart bytes into a task; no I/O
``model``          finds the model, and checks that the extra ``embedded`` is installed
``audio``          decodes recordings into samples; blocks
``whisper``        faster-whisper: loads a model and transcribes; blocks
``engine``         the queue of the one thread
``server``         the Resource tree
``service``        starts and stops the port and the thread
=================  ====================================================================================
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sttproxy.embedded.model import DEFAULT_MODEL, EmbeddedError, check_installed

if TYPE_CHECKING:
    from sttproxy.embedded.service import EmbeddedEngine

__all__ = ["DEFAULT_MODEL", "EmbeddedEngine", "EmbeddedError", "check_installed"]


def __getattr__(name: str) -> object:
    """Import the engine on demand (PEP 562): it needs packages of the extra, and `check_installed` must not."""
    if name == "EmbeddedEngine":
        from sttproxy.embedded.service import EmbeddedEngine

        return EmbeddedEngine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
