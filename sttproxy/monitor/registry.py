"""
All numbers about requests, in one object: fed with records, read by what shows them.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence

import attrs

from .group import WINDOW_S, WINDOWS, Group
from .record import OWN, REFUSED, ROUTES, Record, Route
from .server import Server
from .tally import Tally

#: Most finished records that are kept before they are counted together, which costs each of them a tenth.
BATCH = 256
#: How many finished records are kept to be shown.
RECENT = 200
#: Most profiles that are counted apart.  A profile that is gone keeps its numbers; what comes later is counted under
#: `OTHERS`.
MAX_PROFILES = 64
OTHERS = "…"
#: The methods that are counted apart; all others are counted under `OTHER_METHOD`.
METHODS = {name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}
OTHER_METHOD = "other"
#: The class of requests without a complete response.
INCOMPLETE = "incomplete"
#: Most fields of rules that are counted apart, for the reason of `MAX_PROFILES`.
MAX_FIELDS = 500


@attrs.frozen
class Load:
    """
    The requests during one window, for charts.

    :ivar in_flight: the most at the same time, as seen once a second, without those that the proxy itself answers.
    :ivar queued: the most that waited for a turn.
    """

    in_flight: int
    queued: int


class Registry:
    """
    Counts requests, from the complete head to the end, and what else happens.  Its memory is bounded.

    Finished records are counted together: before anything is read, and when there are `BATCH` of them.

    :ivar now: returns the clock's seconds.
    :ivar queued: returns how many transcriptions wait for a turn.
    :ivar in_flight: the records of requests whose response is not complete, oldest first.
    :ivar recent: the last records that have ended, oldest first.
    :ivar recorded: how many records have been in `recent`.
    :ivar routes, profiles, versions: the numbers of the requests of each.
    :ivar answers: requests by route, profile, method, and class of the status (``"2xx"``) or `INCOMPLETE`.
    :ivar rejected: responses to requests whose head was rejected, by the first digit of their status.  These requests
        belong to no group.
    :ivar refusals: answers of the proxy with an error of its own, by error code.
    :ivar fields: how often something was done to a field, by action and name.
    :ivar servers: as given.
    :ivar loads: the last windows, oldest first.
    :ivar lateness: by how many seconds the reactor's timers were late in the last minute, once a second, oldest first.
    :ivar connections: open client connections.
    :ivar clients_refused: client connections rejected because too many were open.
    :ivar preflights: preflights of browsers that were answered.
    :ivar chosen: transcriptions and realtime sessions with a profile, by what has chosen it and the profile:
        ``"$choose[0]: webui"``.
    :ivar realtime: realtime ``sessions``, updates of clients that were ``changed``, updates that were ``added``, and
        sessions that were ``refused`` because of a message.
    :ivar transcripts: responses that were read for the rules for transcripts, and those among them that were delivered
        in another format than the server's (`rendered`).
    :ivar cleaning: what these rules did: by the name of the rule, and by the number of the phrase or of the key.
    :ivar passed: responses that these rules left alone, by the reason.
    :ivar moved_on: requests that moved on to the next server, each time they did.
    :ivar draining: whether the daemon stops.
    :ivar shows_clients: whether what is shown of a request tells the address of its client.
    """

    def __init__(
        self,
        now: Callable[[], float],
        servers: Sequence[Server] = (),
        queued: Callable[[], int] = lambda: 0,
        *,
        shows_clients: bool = False,
    ) -> None:
        """
        :param now: returns the clock's seconds.
        :param servers: in the order of preference.
        :param queued: returns how many transcriptions wait for a turn.
        """
        self.now = now
        self.queued = queued
        self._window_ends = _next_window(now())
        self._finished: list[Record] = []
        #: What was counted, but is not in its groups yet.
        self._fresh: dict[tuple[Route, str, bytes, str], Tally] = {}
        self.in_flight: dict[Record, None] = {}
        self.recent: deque[Record] = deque(maxlen=RECENT)
        self.recorded = 0
        self.routes: dict[Route, Group] = {route: Group() for route in ROUTES}
        self.profiles: dict[str, Group] = {}
        self.versions: dict[str, Group] = {}
        self.answers: Counter[tuple[Route, str, str, str]] = Counter()
        self.rejected: Counter[int] = Counter()
        self.refusals: Counter[str] = Counter()
        self.fields: Counter[tuple[str, str]] = Counter()
        self.servers = servers
        self.loads: deque[Load] = deque(maxlen=WINDOWS)
        self._load = Load(0, 0)
        self.lateness: deque[float] = deque((0.0,), maxlen=60)
        self.connections = 0
        self.clients_refused = 0
        self.preflights = 0
        self.chosen: Counter[str] = Counter()
        self.realtime: Counter[str] = Counter()
        self.moved_on = 0
        self.transcripts = self.rendered = 0
        self.cleaning: Counter[tuple[str, int]] = Counter()
        self.passed: Counter[str] = Counter()
        self.draining = False
        self.shows_clients = shows_clients

    # What happens.

    def chose(self, profile: str, by: str) -> None:
        """
        Count the choice of a profile.

        :param by: what has chosen it; empty if there is no profile.
        """
        if by:
            self.chosen[f"{by}: {profile}"] += 1

    def cleaned(self, counts: Mapping[tuple[str, int], int], *, rendered: bool) -> None:
        """
        Count what the rules for transcripts did to a response.

        :param counts: by rule and number; see `cleaning`.
        :param rendered: whether it was delivered in another format than the server's.
        """
        self.transcripts += 1
        self.rendered += rendered
        for (rule, number), count in counts.items():
            known = (rule, number) in self.cleaning or len(self.cleaning) < MAX_FIELDS
            self.cleaning[rule, number if known else 0] += count

    def begin(self, record: Record) -> None:
        """The head of a request is complete."""
        self.in_flight[record] = None

    def end(self, record: Record, shown: bool = True) -> None:
        """
        A request has ended.

        :param shown: whether it is kept among the last ones.
        """
        del self.in_flight[record]
        if shown:
            self._keep(record)
        self._finished.append(record)
        if len(self._finished) >= BATCH:
            self._take()

    def reject(self, record: Record) -> None:
        """A request's head was rejected; there is no request in flight."""
        self.rejected[record.status // 100] += 1
        self.refusals[record.error] += 1
        self._keep(record)

    def _keep(self, record: Record) -> None:
        self.recent.append(record)
        self.recorded += 1

    def tick(self, late: float) -> None:
        """
        To be called once a second, also while there is no request: takes samples, and counts what has ended, so that
        reading is quick.

        :param late: how many seconds this call is late.
        """
        self.lateness.append(late)
        self._load = self.current_load()
        self.count()

    @property
    def window_age(self) -> float:
        """For how many seconds the window of this moment has lasted."""
        return self.now() - (self._window_ends - WINDOW_S)

    def current_load(self) -> Load:
        """The most requests during the window of this moment so far."""
        load = self._load
        return Load(max(load.in_flight, self._forwarded()), max(load.queued, self.queued()))

    def _forwarded(self) -> int:
        """How many requests in flight are not the proxy's own."""
        return sum(record.route != OWN for record in self.in_flight)

    # Counting.

    def count(self) -> None:
        """Count everything that has happened, before it is read."""
        self._sort_out()
        if self.now() >= self._window_ends:
            self._step()

    def _sort_out(self) -> None:
        """Bring the numbers of all groups up to date."""
        self._take()
        for (route, profile, version, method), tally in self._fresh.items():
            self.routes[route].add(tally)
            self._group(self.profiles, profile).add(tally)
            profile = profile if profile in self.profiles else OTHERS
            for digit, number in tally.answers.items():
                self.answers[route, profile, method, f"{digit}xx"] += number
            incomplete = tally.requests - tally.answers.total()
            if incomplete:
                self.answers[route, profile, method, INCOMPLETE] += incomplete
            self._group(self.versions, version.decode().removeprefix("HTTP/")).add(tally)
        self._fresh.clear()
        for record in self.in_flight:  # the first request of a group is shown before it ends
            self._group(self.profiles, record.profile)
            self._group(self.versions, record.version.decode().removeprefix("HTTP/"))

    def _take(self) -> None:
        """Count the finished records."""
        finished, self._finished = self._finished, []
        alike: dict[tuple[Route, str, bytes, str], list[Record]] = {}
        for record in finished:
            method = METHODS.get(record.method, OTHER_METHOD)
            alike.setdefault((record.route, record.profile, record.version, method), []).append(record)
        for key, records in alike.items():
            self._fresh.setdefault(key, Tally()).take(records)
        self.refusals.update([record.error for record in finished if record.ending == REFUSED])
        for fields, number in Counter([record.fields for record in finished if record.fields]).items():
            for action, names in fields:
                for name in names:
                    pair = (action, name)
                    if pair in self.fields or len(self.fields) < MAX_FIELDS:
                        self.fields[pair] += number

    def _group(self, groups: dict[str, Group], name: str) -> Group:
        group = groups.get(name)
        if group is None:
            if len(groups) >= MAX_PROFILES:
                name = OTHERS
            group = groups.setdefault(name, Group())
        return group

    def _step(self) -> None:
        """Begin the window of this moment."""
        now = self.now()
        groups = [*self.routes.values(), *self.profiles.values(), *self.versions.values()]
        for _ in range(WINDOWS + 1):  # more steps change nothing
            if self._window_ends > now:
                break
            for group in groups:
                group.step()
            self.loads.append(self._load)
            self._load = Load(self._forwarded(), 0)
            self._window_ends += WINDOW_S
        else:
            self._window_ends = _next_window(now)


def _next_window(now: float) -> float:
    """
    When a window ends that has begun.

    Windows end at multiples of their length, so that they are the same in all processes, which share a clock.
    """
    return (now // WINDOW_S + 1) * WINDOW_S
