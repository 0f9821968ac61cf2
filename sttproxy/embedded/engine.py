"""
The queue of the one thread.

The thread does tasks one at a time, in the order of arrival.  Tasks that arrive while the model is loading wait for it.
Cancelling removes a task from the queue; if the thread has begun it, the model is told to stop.
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

#: Runs a function in the one thread.  The Deferred fires with the result of the function or its exception.
InThread = Callable[..., "Deferred[Any]"]


class EngineUnavailable(ProxyError):
    """503: the model failed to load, or the engine stops.  A header tells the OpenAI SDKs not to retry."""

    status = 503
    type = "upstream_error"
    code = "engine_unavailable"

    def __init__(self, message: str) -> None:
        super().__init__(message, headers=((b"x-should-retry", b"false"),))


class State(Enum):
    """What the engine does with a task."""

    LOADING = auto()  #: queue it until the model is loaded
    READY = auto()  #: queue it, and do it when it is the first
    FAILED = auto()  #: refuse it, because the model could not be loaded
    STOPPED = auto()  #: refuse it, because the engine stops


@define(eq=False)
class Job:
    """
    A task and its result.

    :ivar result: fires with the transcript.
    :ivar abandoned: whether the result is not needed.  The reactor's thread writes it, the engine's thread reads it.
    """

    task: Task
    result: Deferred[Transcript] = field(init=False)
    abandoned: bool = False


class Engine:
    """
    Does transcriptions, one at a time.

    :param clock: measures how long the work takes, for the log.
    :param in_thread: runs the blocking work in the thread.
    :param load: loads the model; called once, in the thread.
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
        """Load the model.  Call this once."""
        self._idle = Deferred()
        work = self._in_thread(self._load)
        work.addCallbacks(self._loaded, self._failed, callbackArgs=(self._clock.seconds(),))
        work.addBoth(self._next)

    def submit(self, task: Task) -> Deferred[Transcript]:
        """
        Queue a task.

        :return: fires with the transcript.  Fails with `BadRequest` when the task cannot be
            done, and with :class:`EngineUnavailable` when the model failed to load or the engine stops.  Cancelling
            removes the task from the queue; if it has begun, its rest is not done.
        """
        job = Job(task)
        job.result = Deferred(partial(self._leave, job))
        if self._state in (State.FAILED, State.STOPPED):
            job.result.errback(self._refusal)
        else:
            self._waiting.append(job)
            self._next()
        return job.result

    def stop(self) -> Deferred[None]:
        """
        Refuse waiting and further tasks, and abandon the running task.

        :return: fires when the thread is idle.
        """
        if self._state is not State.FAILED:
            self._state = State.STOPPED
        jobs = [*self._waiting, *([self._running] if self._running else [])]
        self._waiting.clear()
        for job in jobs:
            self._resolve(job, Failure(self._refusal))
            job.abandoned = True
        return self._idle

    def _loaded(self, model: Transcriber, began: float) -> None:
        self._model = model
        if self._state is State.LOADING:
            self._state = State.READY
            self._log.info("speech model loaded in {seconds:.1f} s", seconds=self._clock.seconds() - began)

    def _failed(self, failure: Failure) -> None:
        """The model cannot be loaded: refuse all tasks with the reason.  The proxy itself continues."""
        if failure.check(EmbeddedError):
            self._refusal = EngineUnavailable(failure.getErrorMessage())
            self._log.error("{reason}", reason=failure.getErrorMessage())
        else:
            self._refusal = EngineUnavailable("the speech model cannot be loaded; the proxy's log has the reason")
            self._log.failure("the speech model cannot be loaded", failure)
        self._state = State.FAILED
        while self._waiting:
            self._resolve(self._waiting.popleft(), Failure(self._refusal))

    def _next(self, _: object = None) -> None:
        """Begin the first task in the queue, if the thread is idle."""
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
        self._resolve(job, result)

    def _resolve(self, job: Job, result: Transcript | Failure) -> None:
        if job.abandoned:
            return
        if isinstance(result, Failure):
            job.result.errback(result)
        else:
            job.result.callback(result)

    def _leave(self, job: Job, _: object) -> None:
        job.abandoned = True
        if job in self._waiting:
            self._waiting.remove(job)
