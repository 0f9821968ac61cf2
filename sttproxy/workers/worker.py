"""
A worker's connection to the supervisor.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service

from ..handover.talk import connect_pair
from ..steering import Steered
from .channel import Channel
from .configuration import FollowedConfig
from .team import Team

#: Signals that a terminal sends to all processes; the supervisor decides what they mean.
_SUPERVISORS = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class Worker(Service):
    """
    Does what the supervisor says, and tells it when this worker serves.

    :ivar team: the other workers.
    """

    def __init__(self, reactor: Any, descriptor: int) -> None:
        """
        :param descriptor: of the socket pair to the supervisor.
        """
        self._reactor = reactor
        self._descriptor = descriptor
        self._handlers: dict[str, Callable[..., None]] = {}
        self._channel = Channel(self._handlers, self._stop)
        self._daemon: Steered | None = None
        self.team = Team(reactor, self.send)

    def send(self, name: str, *arguments: Any) -> None:
        """Send a message to the supervisor."""
        self._channel.send(name, *arguments)

    def join(self, daemon: Steered, config: FollowedConfig, reload: Callable[[], None]) -> None:
        """
        Make a daemon do what the supervisor says.

        :param reload: reads all other files again.
        """
        self._daemon = daemon
        daemon.ignored = _SUPERVISORS
        team = self.team
        self._handlers.update(
            prepare=config.prepare,
            commit=config.commit,
            reload=reload,
            reopen=daemon.reopen_log,
            stop=daemon.stop,
            hurry=daemon.hurry,
            tell=team.tell,
            whole=team.whole,
            team=team.changed,
            admitted=team.admission.admitted,
            full=team.admission.full,
        )
        self.setServiceParent(daemon)

    def startService(self) -> None:
        super().startService()
        self._reactor.callWhenRunning(self._serving)

    def _serving(self) -> None:
        connect_pair(self._reactor, self._descriptor, self._channel)
        self.send("serving")

    def _stop(self) -> None:
        """The supervisor has ended."""
        if self._daemon is not None:
            self._daemon.stop()
