"""
The pool of persistent connections to the upstream.

twisted.web's HTTPConnectionPool gives out the connection that was idle for longest, which the upstream is most likely
to close at that moment.  It keeps a delayed call for each connection, and has no limit on their number.

A POST must not be sent twice, so a connection that the upstream is about to close must not be used at all.  The pool
prefers the connection that was used last, checks its socket before each use, respects the idle timeout that the
upstream announces, and learns it if the upstream does not announce one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, Union

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall, IProtocolFactory, IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from ..deadline import Deadline
from ..errors import UpstreamBusy
from ..writer import FlushScheduler
from .connection import UpstreamConnection

T = TypeVar("T")

#: Opens a connection for a factory; what ``IStreamClientEndpoint.connect`` does.
Connect = Callable[[IProtocolFactory], "Deferred[Protocol]"]

if TYPE_CHECKING:
    from .session import Session
    from .stream import Stream

#: What one request has: an HTTP/1 connection, or a stream of an HTTP/2 connection.
Acquired = Union[UpstreamConnection, "Stream"]

#: The part of the learned idle timeout for which a connection is kept.
_CAUTION = 0.8
#: Seconds by which a connection is closed before the idle timeout that the upstream has announced.
_EARLIER_S = 1.0
#: Seconds after which a learned timeout is dropped: the upstream may only have been restarted.
_FORGET_S = 120.0


@attrs.frozen
class PoolLimits:
    """
    How many connections there are, and for how long.

    :ivar size: most idle connections.
    :ivar idle_s: seconds that a connection may be idle before it is closed.
    :ivar total: most connections that exist; 0: no limit.
    :ivar wait_s: seconds that a request waits for a connection; None: any time.
    :ivar send_s: seconds that the upstream may need for each `SEND_PROGRESS` bytes of a request; None: any time.
    """

    size: int = 32
    idle_s: float = 4.0
    total: int = 0
    wait_s: float | None = 30.0
    send_s: float | None = 60.0


class ConnectionFactory(Factory):
    """Makes connections to the upstream, of the version of HTTP that it speaks."""

    noisy = False

    def __init__(self, http1: Callable[[], UpstreamConnection], http2: Callable[[bytes], Session]) -> None:
        self._http1 = http1
        self._http2 = http2

    def buildProtocol(self, addr: IAddress | None) -> UpstreamConnection:
        return self._http1()

    def build_http2(self, scheme: bytes) -> Session:
        """
        A connection that speaks HTTP/2.

        :param scheme: ``b"https"`` or ``b"http"``.
        """
        return self._http2(scheme)


class Pool:
    """
    Idle connections, and new ones where no connection is idle.

    :ivar limits: as given.
    """

    def __init__(self, clock: IReactorTime, connect: Connect, limits: PoolLimits, scheduler: FlushScheduler) -> None:
        """
        :param scheduler: runs the connections' sending at the end of each reactor iteration.
        """
        self.limits = limits
        self._clock = clock
        self._connect = connect
        #: Idle connections and since when they are idle, oldest first.
        self._idle: deque[tuple[float, UpstreamConnection]] = deque()
        #: Connections on which a request is in flight, and for how long each was idle before; None for new ones.
        self._in_use: dict[Acquired, float | None] = {}
        self._connecting = 0
        self._serving = False
        #: The queue, oldest first.  Each fires with an idle connection, or with None if a new one may be made.
        self._waiting: deque[Deferred[Acquired | None]] = deque()
        self._expiry = Deadline(clock, self._expire)
        self._announced_s = limits.idle_s
        self._learned_s = limits.idle_s
        self._learned_at = 0.0
        self._closed = False
        #: Numbers of connections: those that exist, those that were made, how often one was used again, and those that
        #: the upstream closed while they were idle.
        self._open = self._made = self._reused = self._lost_idle = 0
        #: HTTP/2 connections that may take one more request.
        self._sessions: list[Session] = []

        def http1() -> UpstreamConnection:
            return UpstreamConnection(clock, scheduler, self._released, self._lost, limits.send_s)

        self._factory = ConnectionFactory(http1, lambda scheme: self._new_session(scheme, scheduler))
        self._http1_factory = Factory.forProtocol(http1)
        self._http1_factory.noisy = False

    @property
    def busy(self) -> bool:
        """Whether a request is in flight on any connection."""
        return bool(self._in_use)

    def numbers(self) -> dict[str, int]:
        """The numbers of connections since the start, and of this moment, for the statistics."""
        return {
            "open": self._open,
            "idle": len(self._idle) + sum(not session.mux.streams for session in self._sessions),
            "made": self._made,
            "reused": self._reused,
            "lost_idle": self._lost_idle,
        }

    def acquire_idle(self) -> Acquired | None:
        """
        Acquire the idle connection that was used last.  Returns None if no connection is idle or other requests wait;
        call `acquire` then.

        Most requests get one.  A Deferred would double the cost.
        """
        return None if self._waiting else self._take_idle() or self._take_stream()

    def acquire(self) -> Deferred[Acquired]:
        """
        Acquire a connection for one request: the idle one that was used last, or a new one.  If no more may exist, wait
        in a queue for the next one that is released.

        :return: fails as connecting fails, or with `UpstreamBusy` after waiting too long.  Cancelling it leaves the
            queue.
        """
        if not self._waiting:
            connection = self._take_idle() or self._take_stream()
            if connection is not None:
                return succeed(connection)
            if self._may_connect():
                return self._new(self._factory)
        turn: Deferred[Acquired | None] = Deferred(self._waiting.remove)
        self._waiting.append(turn)
        if self.limits.wait_s is not None:
            limit = self._clock.callLater(self.limits.wait_s, self._waited_too_long, turn)
            turn.addBoth(_stop_waiting, limit)
        return turn.addCallback(lambda connection: connection or self._new(self._factory))

    def acquire_http1(self) -> Deferred[Acquired]:
        """
        Acquire an HTTP/1 connection, for a request that asks for another protocol.

        :return: fails as connecting fails, or with `UpstreamBusy` if no more connections may exist.
        """
        connection = self._take_idle()
        if connection is not None:
            return succeed(connection)
        if not self._may_connect():
            return fail(self._busy())
        return self._new(self._http1_factory)

    def close(self) -> None:
        """Close the idle connections, and from now on each connection that is released."""
        self._closed = True
        self._expiry.cancel()
        while self._idle:
            self._idle.pop()[1].close()
        for session in list(self._sessions):
            session.close()

    # Acquiring.

    def _take_idle(self) -> Acquired | None:
        """The idle connection that was used last, if there is one.  Closes those that cannot be used any more."""
        now, limit_s = self._clock.seconds(), self._limit_s()
        while self._idle:
            idle_since, connection = self._idle.pop()
            idle_s = now - idle_since
            if idle_s < limit_s:
                if connection.fresh():
                    self._reused += 1
                    self._in_use[connection] = idle_s
                    return connection
                self._lost_idle += 1
                self._learn(idle_s)
            connection.close()
        return None

    def _take_stream(self) -> Stream | None:
        """A stream of an HTTP/2 connection, if one has room."""
        for session in self._sessions:
            if session.room and session.fresh():
                self._reused += 1
                return self._stream_of(session)
        return None

    def _new_session(self, scheme: bytes, scheduler: FlushScheduler) -> Session:
        from .session import Session  # jh2 takes some time to import

        limits = self.limits
        return Session(self._clock, scheduler, scheme, self._ended, self._session_lost, limits.idle_s, limits.send_s)

    def _session_lost(self, session: Session) -> None:
        with suppress(ValueError):  # it was lost before it was known here
            self._sessions.remove(session)
            self._open -= 1

    def _stream_of(self, session: Session) -> Stream:
        """One more stream of an HTTP/2 connection."""
        stream = session.stream()
        self._in_use[stream] = None
        return stream

    def _may_connect(self) -> bool:
        """Whether one more connection may exist beside those in use."""
        return not self.limits.total or len(self._in_use) + self._connecting < self.limits.total

    def _new(self, factory: Factory[Any]) -> Deferred[Acquired]:
        """A new connection."""
        self._connecting += 1
        connecting: Deferred[UpstreamConnection | Session] = self._connect(factory)  # type: ignore[assignment]  # the factory makes no others
        return connecting.addCallbacks(self._connected, self._not_connected)

    def _connected(self, connection: UpstreamConnection | Session) -> Acquired:
        self._connecting -= 1
        self._made += 1
        self._open += 1
        if not isinstance(connection, UpstreamConnection):
            self._sessions.append(connection)
            return self._stream_of(connection)
        self._in_use[connection] = None
        return connection

    def _not_connected(self, failure: Failure) -> Failure:
        self._connecting -= 1
        self._serve()
        return failure

    def _serve(self) -> None:
        """Give the available connections to the waiting requests, in their order."""
        if self._serving:
            return  # called by a request that failed at once; the loop below continues
        self._serving = True
        try:
            while self._waiting:
                connection = self._take_idle() or self._take_stream()
                if connection is None and not self._may_connect():
                    break
                self._waiting.popleft().callback(connection)
        finally:
            self._serving = False

    def _waited_too_long(self, turn: Deferred[Acquired | None]) -> None:
        self._waiting.remove(turn)
        turn.errback(self._busy())

    def _busy(self) -> UpstreamBusy:
        return UpstreamBusy(
            f"All {self.limits.total} connections to the upstream were busy for {self.limits.wait_s or 0:g} s.",
            headers=((b"Retry-After", b"1"),),
        )

    # Releasing.

    def _released(self, connection: UpstreamConnection) -> None:
        del self._in_use[connection]
        if connection.announced_s is not None:
            self._respect(connection.announced_s)
        if self._closed or not (self._waiting or (self.limits.size and self._limit_s())):
            connection.close()
            return
        if len(self._idle) == self.limits.size and self._idle:
            self._idle.popleft()[1].close()
        self._idle.append((self._clock.seconds(), connection))
        if len(self._idle) == 1:
            self._expiry.set(self._limit_s())
        self._serve()

    def _ended(self, stream: Stream) -> None:
        """The exchange of an HTTP/2 stream has ended."""
        self._in_use.pop(stream, None)
        if self._closed:
            for session in list(self._sessions):
                session.close()
        self._serve()

    def _lost(self, connection: UpstreamConnection) -> None:
        self._open -= 1
        idle_s = self._in_use.pop(connection, None)
        if idle_s is not None and connection.unanswered:
            self._learn(idle_s)
        for entry in self._idle:
            if entry[1] is connection:
                self._idle.remove(entry)
                self._lost_idle += 1
                self._learn(self._clock.seconds() - entry[0])
                break
        self._serve()

    def _respect(self, announced_s: float) -> None:
        """The upstream announces how long it keeps idle connections."""
        if self._announced_s != announced_s - _EARLIER_S:
            self._announced_s = max(0.0, announced_s - _EARLIER_S)
            self._expire()

    def _learn(self, idle_s: float) -> None:
        """The upstream closed a connection after this idle time: keep the others for a shorter time."""
        self._learned_s = min(self._limit_s(), idle_s * _CAUTION)
        self._learned_at = self._clock.seconds()

    def _limit_s(self) -> float:
        """Seconds that a connection may be idle."""
        if self._clock.seconds() - self._learned_at > _FORGET_S:
            self._learned_s = self.limits.idle_s
        return min(self._learned_s, self._announced_s)

    def _expire(self) -> None:
        """Close the connections that were idle for too long, and set the timer for the next one."""
        now, rest_s = self._clock.seconds(), self._limit_s()
        while self._idle and self._idle[0][0] + rest_s <= now:
            self._idle.popleft()[1].close()
        if self._idle:
            self._expiry.set(self._idle[0][0] + rest_s - now)


def _stop_waiting(result: T, limit: IDelayedCall) -> T:
    """Cancel the time limit when the wait ends."""
    if limit.active():
        limit.cancel()
    return result
