"""
Pages of the proxy's own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from ..http1.requests import RequestHead
from ..inbound.accesslog import Changes
from ..inbound.request import Request
from ..monitor.registry import Registry

#: Most seconds that ``/metrics`` waits for the servers.  A scrape of Prometheus fails after 10 by default.
METRICS_WAIT_S = 2.0


class Page(Resource):
    """A page of the proxy's own: JSON, for GET and HEAD.  It is logged only when its outcome changes."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self._changes = Changes()

    def needs_key(self, head: RequestHead) -> bool:
        """Whether --require-key protects the page."""
        return True

    def render_GET(self, request: Request) -> bytes | int:
        raise NotImplementedError

    def _json(self, request: Request, status: int, content: dict[str, Any]) -> bytes:
        request.setResponseCode(status)
        request.setHeader(b"Content-Type", b"application/json")
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"X-Content-Type-Options", b"nosniff")
        # One line for each member: Python's encoder is ten times as fast as with `indent`.
        members = [f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}" for name, value in content.items()]
        return ("{\n" + ",\n".join(members) + "\n}\n").encode()


class Health(Page):
    """
    ``/health``: whether the proxy can serve: the upstream accepts connections, and the daemon does not stop.

    ``/health?live`` only shows that the process runs.
    """

    def __init__(self, probes: Sequence[tuple[str, Callable[[], Deferred[str]]]], about: dict[str, Any]) -> None:
        """
        :param probes: the servers' names; each fires with an empty string if it accepts a connection, otherwise with
            the reason.
        :param about: additional members of the page.
        """
        super().__init__()
        self._probes = probes
        self._about = about

    def needs_key(self, head: RequestHead) -> bool:
        """Monitoring has no key."""
        return False

    def render_GET(self, request: Request) -> bytes | int:
        request.changes = self._changes
        if request.head.target.partition(b"?")[2] == b"live":
            return self._json(request, 200, {"status": "live", **self._about})
        if request.site.registry.draining:
            request.why = "The daemon stops."
            return self._json(request, 503, {"status": "draining", **self._about})
        gatherResults([probe() for _, probe in self._probes]).addCallback(self._answer, request)
        return NOT_DONE_YET

    def _answer(self, troubles: list[str], request: Request) -> None:
        if request.over:
            return
        servers = [_server(name, trouble) for (name, _), trouble in zip(self._probes, troubles, strict=True)]
        serving = next((server for server in servers if "error" not in server), None)
        trouble = "" if serving else " ".join(troubles)
        shown = serving or servers[0]
        content = {"status": shown["status"], "upstream": shown["name"], **self._about}
        if len(servers) > 1:
            content["servers"] = servers
        if trouble:
            content["error"] = request.why = trouble
        request.respond(self._json(request, 503 if trouble else 200, content))


def _server(name: str, trouble: str) -> dict[str, Any]:
    """One server of the page."""
    return {"name": name, "status": "degraded", "error": trouble} if trouble else {"name": name, "status": "healthy"}


class MetricsPage(Page):
    """
    ``/metrics``: all metrics, in the format of Prometheus or OpenMetrics.

    prometheus_client is imported by the first request.
    """

    def __init__(
        self,
        clock: IReactorTime,
        probes: Sequence[Callable[[], Deferred[str]]],
        registry: Registry,
        facts: Callable[[], Mapping[str, Any]],
    ) -> None:
        """
        :param probes: as those of `Health`.
        :param facts: returns the members of ``/stats`` that are not about requests.
        """
        super().__init__()
        self._clock = clock
        self._probes = probes
        self._registry = registry
        self._facts = facts
        self._exposition: Callable[[str, Sequence[bool]], tuple[bytes, str]] | None = None

    def render_GET(self, request: Request) -> int:
        request.changes = self._changes
        up = [probe().addTimeout(METRICS_WAIT_S, self._clock).addCallbacks(_is_up, _is_down) for probe in self._probes]
        gatherResults(up).addCallback(self._answer, request).addErrback(request.refuse)
        return NOT_DONE_YET

    def _answer(self, up: list[bool], request: Request) -> None:
        if request.over:
            return
        if self._exposition is None:
            from ..metrics.exposition import Exposition

            self._exposition = Exposition(self._registry, self._facts)
        accept = b", ".join(request.head.values(b"accept")).decode("latin-1")
        body, content_type = self._exposition(accept, up)
        request.setHeader(b"Content-Type", content_type.encode())
        request.setHeader(b"Cache-Control", b"no-store")
        request.setHeader(b"Vary", b"Accept")
        request.respond(body)


def _is_up(trouble: str) -> bool:
    return not trouble


def _is_down(_: Failure) -> bool:
    return False
