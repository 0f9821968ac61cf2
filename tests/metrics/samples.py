"""
Metrics of a registry, read as Prometheus reads them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from sttproxy.metrics.exposition import Exposition
from sttproxy.monitor.record import DONE, TRANSCRIPTION, Ending, Record, Route
from sttproxy.monitor.registry import Registry
from sttproxy.monitor.server import Server

from ..support.numbers import facts

#: What Prometheus sends, in short.
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

#: Facts with everything that a daemon can have.
ALL_FACTS = facts(tls={"certificates": [{"file": "a.pem", "expires": "2030-01-01T00:00:00+00:00"}], "error": None})


def registry_of(*servers: str) -> Registry:
    """A registry whose clock stands at 1000 s."""
    return Registry(lambda: 1000.0, [Server(name) for name in servers or ("server:1",)])


def ended(
    registry: Registry,
    *,
    status: int = 200,
    complete: bool = True,
    ending: Ending = DONE,
    method: bytes = b"POST",
    route: Route = TRANSCRIPTION,
    profile: str = "",
    took: float = 1.0,
    audio: float | None = None,
) -> None:
    """
    Count a request that has ended.

    :param took: its seconds, all of them while the server works.
    """
    record = Record(registry.now(), method, b"/x", b"HTTP/1.1", "192.0.2.1")
    record.route, record.profile, record.status, record.complete = route, profile, status, complete
    record.ending = ending
    record.times = [0.0, 0.0, 0.0, took, 0.0, took]
    record.audio_seconds = audio
    registry.begin(record)
    registry.end(record)


def one_of_each() -> Registry:
    """A registry in which every metric has a sample."""
    registry = registry_of()
    ended(registry, profile="a", audio=4.5)
    record = Record(registry.now(), b"POST", b"/x", b"HTTP/1.1", "192.0.2.1")
    record.route, record.recording_bytes, record.ending = TRANSCRIPTION, 100, DONE
    record.fields = (("forced", ("language",)),)
    registry.begin(record)
    registry.end(record)
    registry.cleaned({("replace", 2): 1}, rendered=True)
    registry.passed["unknown"] += 1
    registry.rejected[4] += 1
    registry.refusals["bad_request"] += 1
    registry.servers[0].failed("upstream_closed", registry.now())
    return registry


class Read:
    """
    What was read.

    :ivar content_type: of the text.
    :ivar families: types by name, as they stand in the text.
    """

    def __init__(
        self,
        registry: Registry,
        known: Mapping[str, Any] = ALL_FACTS,
        up: Sequence[bool] = (True,),
        accept: str = "",
    ) -> None:
        text, self.content_type = Exposition(registry, lambda: known)(accept, up)
        self.text = text.decode()
        read = read_openmetrics if "openmetrics" in self.content_type else read_text
        families = list(read(self.text))
        self.families = {family.name: family.type for family in families}
        self._samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    @property
    def names(self) -> set[str]:
        """The names of all samples."""
        return {name for name, _ in self._samples}

    def value(self, name: str, **labels: str) -> float | None:
        """The value of a sample; None: there is none."""
        return self._samples.get((name, tuple(sorted(labels.items()))))
