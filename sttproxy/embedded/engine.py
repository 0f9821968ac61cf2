"""
The queue before the one thread.

Tasks are done one at a time in the order they came.  Those that come while the model is being loaded wait for it.
Whoever cancels leaves the queue; if the work had begun, it is told that nobody waits for it any more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from sttproxy.embedded.model import EmbeddedError
from sttproxy.embedded.task import Task
from sttproxy.embedded.transcript import Transcript
from sttproxy.embedded.whisper import Transcriber
from sttproxy.errors import ProxyError

#: Run a function in the one thread: the Deferred fires with what it returns or raises.
InThread = Callable[..., "Deferred[Any]"]


class EngineUnavailable(ProxyError):
    """503: there is no model, or no longer.  Asking again does not help, and the OpenAI SDKs are told so."""

    status = 503
    type = "upstream_error"
    code = "engine_unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers=((b"x-should-retry", b"false"),))


class State(Enum):
    """What the engine does with a task."""

    LOADING = auto()  #: keep it
    READY = auto()  #: do it when its turn has come
    FAILED = auto()  #: refuse it: the model could not be loaded
    STOPPED = auto()  #: refuse it


@define(eq=False)
class Job:
    """
    A task and who waits for it.

    :ivar abandoned: that nobody does.  Written by the reactor's thread, read by the engine's.
    """

    task: Task
    answer: Deferred[Transcript] = field(init=False)
    abandoned: bool = False


class Engine:
    """
    Does transcriptions, one at a time.

    :param clock: tells how long it took, for the log.
    :param in_thread: runs the blocking work.
    :param load: returns the model, in the thread, once.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, in_thread: InThread, load: Callable[[], Transcriber]) -> None:
        self._clock = clock
        self._in_thread = in_thread
        self._load = load
        self._state = State.LOADING
        self._model: Transcriber | None = None
        self._refusal = EngineUnavailable("the embedded engine is stopping")
        self._waiting: deque[Job] = deque()
        self._running: Job | None = None
        self._idle: Deferred[None] = succeed(None)

    def start(self) -> None:
        """Load the model; call it once."""
        self._idle = Deferred()
        work = self._in_thread(self._load)
        work.addCallbacks(self._loaded, self._failed, callbackArgs=(self._clock.seconds(),))
        work.addBoth(self._next)

    def submit(self, task: Task) -> Deferred[Transcript]:
        """
        Do the task when its turn has come.  Cancelling takes it out of the queue, or leaves it undone.

        :return: fails with :class:`~sttproxy.errors.BadRequest` when the task cannot be done, and with
            :class:`EngineUnavailable` when there is no model or the engine stops.
        """
        job = Job(task)
        job.answer = Deferred(partial(self._leave, job))
        if self._state in (State.FAILED, State.STOPPED):
            job.answer.errback(self._refusal)
        else:
            self._waiting.append(job)
            self._next()
        return job.answer

    def stop(self) -> Deferred[None]:
        """
        Refuse all that waits and whatever comes, and leave undone what runs.

        :return: fires when the thread has nothing to do any more.
        """
        if self._state is not State.FAILED:
            self._state = State.STOPPED
        jobs = [*self._waiting, *([self._running] if self._running else [])]
        self._waiting.clear()
        for job in jobs:
            self._answer(job, Failure(self._refusal))
            job.abandoned = True
        return self._idle

    def _loaded(self, model: Transcriber, began: float) -> None:
        self._model = model
        if self._state is State.LOADING:
            self._state = State.READY
            self._log.info("speech model loaded in {seconds:.1f} s", seconds=self._clock.seconds() - began)

    def _failed(self, failure: Failure) -> None:
        """Without a model all requests get the reason; the proxy itself goes on."""
        if failure.check(EmbeddedError):
            self._refusal = EngineUnavailable(failure.getErrorMessage())
            self._log.error("{reason}", reason=failure.getErrorMessage())
        else:
            self._refusal = EngineUnavailable("the speech model cannot be loaded; the proxy's log says more")
            self._log.failure("the speech model cannot be loaded", failure)
        self._state = State.FAILED
        while self._waiting:
            self._answer(self._waiting.popleft(), Failure(self._refusal))

    def _next(self, _: object = None) -> None:
        """Begin what is first in the queue, if the thread is free."""
        if self._running is not None or self._state is State.LOADING:
            return
        if not self._waiting:
            if not self._idle.called:
                self._idle.callback(None)
            return
        if self._idle.called:
            self._idle = Deferred()
        assert self._model is not None
        job = self._running = self._waiting.popleft()
        work = self._in_thread(self._model.transcribe, job.task, lambda: job.abandoned)
        work.addBoth(self._done, job, self._clock.seconds())
        work.addBoth(self._next)

    def _done(self, result: Transcript | Failure, job: Job, began: float) -> None:
        self._running = None
        if isinstance(result, Transcript) and not job.abandoned:
            self._log.info(
                "transcribed {duration:.1f} s of speech in {seconds:.1f} s",
                duration=result.duration,
                seconds=self._clock.seconds() - began,
            )
        self._answer(job, result)

    def _answer(self, job: Job, result: Transcript | Failure) -> None:
        if job.abandoned:
            return
        if isinstance(result, Failure):
            job.answer.errback(result)
        else:
            job.answer.callback(result)

    def _leave(self, job: Job, _: object) -> None:
        job.abandoned = True
        if job in self._waiting:
            self._waiting.remove(job)
