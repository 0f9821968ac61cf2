"""
Shows the progress of requests while they run: on the terminal, and in the log once a minute.
"""

from __future__ import annotations

from twisted.logger import Logger

from .logs.terminal import Terminal
from .monitor.progress import Minutes, status
from .monitor.registry import Registry

log = Logger()


class Progress:
    """Reports what is in flight."""

    def __init__(self, registry: Registry, terminal: Terminal | None) -> None:
        """
        :param terminal: shows it; None: only the log does.
        """
        self._registry = registry
        self._terminal = terminal
        self._minutes = Minutes(registry.now())

    def beat(self, late_s: float) -> None:
        """To be called once a second."""
        records, now = self._registry.in_flight, self._registry.now()
        for sentence in self._minutes.passed(records, now):
            log.info("{sentence}", sentence=sentence)
        if self._terminal is not None:
            self._terminal.show(status(records, now))
