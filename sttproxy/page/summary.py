"""
The state of the proxy in one line that a person understands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from .texts import Texts

#: States, from good to bad.
HEALTHY, WARNING, DOWN = "healthy", "warning", "down"


@attrs.frozen
class Summary:
    """
    :ivar state: one of the states.
    :ivar text: the line.
    """

    state: str
    text: str


def summarize(numbers: Mapping[str, Any], texts: Texts) -> Summary:
    """
    Summarize the numbers of ``/stats``.

    :param numbers: with ``failed_last_minute`` and ``ended_last_minute``, about transcriptions.
    """
    state, first = _state(numbers, texts)
    routes = numbers["routes"]
    others = sum(route["in_flight"] for name, route in routes.items() if name not in ("transcription", "own"))
    failed, ended = numbers["failed_last_minute"], numbers["ended_last_minute"]
    troubles = []
    if failed:
        troubles.append(texts["status.failed"].format(failed=failed, ended=ended))
    if numbers.get("config", {}).get("error"):
        troubles.append(texts["status.config"])
    if troubles and state == HEALTHY:
        state, first = WARNING, texts["status.serving"]
    sentences = [first, *troubles, _in_flight(routes["transcription"], texts)]
    if others:
        sentences.append(_counted(texts, "others", others))
    sentences.append(_counted(texts, "waiting", routes["transcription"]["queued"]))
    return Summary(state, texts["sentence.space"].join(sentences))


def _state(numbers: Mapping[str, Any], texts: Texts) -> tuple[str, str]:
    servers = numbers.get("servers", [])
    down = sum(not server["reachable"] for server in servers)
    if numbers.get("draining"):
        return WARNING, texts["status.draining"]
    if servers and down == len(servers):
        return DOWN, texts["status.down"]
    if down:
        return WARNING, texts["status.partly"].format(down=down, count=len(servers))
    return HEALTHY, texts["status.healthy"]


def _in_flight(route: Mapping[str, Any], texts: Texts) -> str:
    count = route["in_flight"]
    if not count:
        return texts["flying.none"]
    form = {1: "flying.one", 2: "flying.two"}.get(count, "flying.many")
    return texts[form].format(count=count, age=age(route["oldest_seconds"] or 0, texts))


def _counted(texts: Texts, name: str, count: int) -> str:
    form = {0: "none", 1: "one"}.get(count, "many")
    return texts[f"{name}.{form}"].format(count=count)


def age(seconds: float, texts: Texts) -> str:
    """A duration in words, in whole seconds, or in minutes, or in hours and minutes."""
    if seconds < 120:
        return texts["age.seconds"].format(seconds=int(seconds))
    minutes = int(seconds // 60)
    if minutes < 120:
        return texts["age.minutes"].format(minutes=minutes)
    return texts["age.hours"].format(hours=minutes // 60, minutes=minutes % 60)
