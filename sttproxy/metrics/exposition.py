"""
The text that Prometheus reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from ..monitor.registry import Registry
from .collector import Numbers


class Exposition:
    """
    All metrics as text.  It has a registry of prometheus_client of its own.
    """

    def __init__(self, registry: Registry, facts: Callable[[], Mapping[str, Any]]) -> None:
        """
        :param facts: returns the members of ``/stats`` that are not about requests.
        """
        self._numbers = Numbers(registry, facts)
        self._collectors = CollectorRegistry(auto_describe=False)
        self._collectors.register(self._numbers)

    def __call__(self, accept: str, up: Sequence[bool]) -> tuple[bytes, str]:
        """
        All metrics as they are at this moment.

        :param accept: the value of the field Accept; empty: there is none.
        :param up: whether each server takes connections.
        :return: the text and its type: that of OpenMetrics if it is accepted, otherwise that of Prometheus.
        """
        self._numbers.up = up
        encode, content_type = choose_encoder(accept)
        return encode(self._collectors), content_type
