"""
Test cases that run over each pairing.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import dataclasses
import functools
import itertools
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, ClassVar

from ..case import StagedTestCase
from ..daemon import Daemon
from ..forms import content_type
from ..message import CHUNKED, Header, Message, counted
from ..process import until
from .ends import Server, certificate, connect
from .exchange import Connection, Exchange, failures

TRANSCRIPTIONS = "/v1/audio/transcriptions"


@dataclasses.dataclass(frozen=True)
class Pairing:
    """
    How a test reaches the daemon, and the daemon its upstream.

    :ivar client: the client's version of HTTP.
    :ivar server: the upstream's.
    :ivar secure: whether both use TLS.
    """

    client: int
    server: int
    secure: bool

    @property
    def name(self) -> str:
        """The end of a test's name."""
        return f"{self.client}_to_{self.server}{'_tls' if self.secure else ''}"


PAIRINGS = [Pairing(client, server, secure) for secure in (False, True) for client in (1, 2) for server in (1, 2)]


def asked(method: str, target: str, *headers: Header) -> Message:
    """A request's head."""
    return Message(b"%b %b HTTP/1.1" % (method.encode(), target.encode()), [(b"Host", b"stt.test"), *headers])


def answer(status: int, *headers: Header, body: bytes | None = None) -> Message:
    """A response, with the length of its body; without a body, its head."""
    length = [] if body is None else [counted(body)]
    return Message(b"HTTP/1.1 %d " % status, [*headers, *length], body or b"")


def length_of(count: int | None) -> Header:
    """The field for a body of this length; for one of unknown length the one that HTTP/1.1 needs."""
    return CHUNKED if count is None else (b"Content-Length", b"%d" % count)


#: A version of HTTP, and whether it is used over TLS.
Kind = tuple[int, bool]
KINDS: tuple[Kind, ...] = tuple(itertools.product((1, 2), (False, True)))
#: The configuration of the daemons.
CONFIG = {"language": "zh"}


@functools.cache
def shared_servers() -> dict[Kind, Server]:
    """The upstreams of all tests."""
    return {kind: Server(*kind) for kind in KINDS}


def launch(kind: Kind, *options: str) -> Daemon:
    """Start a daemon with the upstream of this kind; it serves TLS if the upstream does."""
    serving = ("--tls-cert", certificate("server.pem")) if kind[1] else ()
    # A connection that is lost as it begins would be tried again.
    retry = ("--connect-retry", "0")
    daemon = Daemon(*shared_servers()[kind].target, *serving, *retry, *options, config=CONFIG)
    atexit.register(daemon.close)
    return daemon


def started_daemons(*options: str) -> dict[Kind, Daemon]:
    """Start a daemon of each kind, all at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
        return dict(zip(KINDS, pool.map(lambda kind: launch(kind, *options), KINDS), strict=True))


class OverPairings(StagedTestCase):
    """
    Tests that run once for each pairing; the pairing is the end of their names.

    :ivar pairing: that of this test.
    """

    pairing: Pairing

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, test in list(vars(cls).items()):
            if name.startswith("test_"):
                delattr(cls, name)
                for pairing in PAIRINGS:
                    setattr(cls, f"{name}_{pairing.name}", _over(pairing, test))


def _over(pairing: Pairing, test: Callable[[Any], None]) -> Callable[[Any], None]:
    @functools.wraps(test)
    def over(self: OverPairings) -> None:
        self.pairing = pairing
        test(self)

    return over


class PairingTestCase(OverPairings):
    """
    Tests in which the test itself plays the client and the upstream.

    :cvar options: the daemons' options, in addition to their upstream's.
    :cvar daemons: a daemon with `CONFIG` for each kind of upstream; `servers` likewise.
    """

    options: ClassVar[tuple[str, ...]] = ()
    daemons: ClassVar[dict[Kind, Daemon]]
    servers: ClassVar[dict[Kind, Server]]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.servers = shared_servers()
        cls.daemons = cls.shared_daemons(cls.options)

    @staticmethod
    @functools.cache
    def shared_daemons(options: tuple[str, ...]) -> dict[Kind, Daemon]:
        """The daemons that all classes with these options share."""
        return started_daemons(*options)

    @property
    def kind(self) -> Kind:
        """The key of this pairing's daemon and server."""
        return self.pairing.server, self.pairing.secure

    @property
    def daemon(self) -> Daemon:
        return self.daemons[self.kind]

    @property
    def server(self) -> Server:
        return self.servers[self.kind]

    def tearDown(self) -> None:
        self.server.forget()
        if failures:
            failure = failures[0]
            failures.clear()
            raise failure.get("exception") or AssertionError(failure["message"])

    # The client.

    def connect(self, daemon: Daemon | None = None) -> Connection:
        """A client's connection to the daemon."""
        connection = connect((daemon or self.daemon).port, self.pairing.client, self.pairing.secure)
        self.addCleanup(connection.drop)
        return connection

    def ask(self, message: Message, body: bytes | None = b"", connection: Connection | None = None) -> Exchange:
        """
        Send a request on a connection, by default a new one.

        :param body: None: it is sent later.
        """
        exchange = (connection or self.connect()).ask(message, last=body == b"")
        if body:
            # In the background: a request may be refused before its body is sent.
            exchange.sending([body])
        return exchange

    def upload(
        self,
        length: int | None,
        target: str = "/v1/files",
        *headers: Header,
        connection: Connection | None = None,
    ) -> Exchange:
        """Begin an upload: a form to the path of transcriptions, otherwise any bytes."""
        kind = content_type() if target.endswith(TRANSCRIPTIONS) else (b"Content-Type", b"audio/wav")
        return self.ask(asked("POST", target, kind, length_of(length), *headers), None, connection)

    def transcribe(self, body: bytes, *headers: Header, connection: Connection | None = None) -> Exchange:
        """Send a form."""
        exchange = self.upload(len(body), TRANSCRIPTIONS, *headers, connection=connection)
        exchange.sending([body])
        return exchange

    def accept(self) -> tuple[Exchange, Message]:
        """The upstream's end of the next request, and its head."""
        exchange = self.server.accept()
        return exchange, exchange.read_head()

    # Checks.

    def wait_for(self, **counts: Any) -> None:
        """Wait until /stats has these values; its own request is in flight itself."""
        until(lambda: counts.items() <= self.daemon.stats().items(), f"{counts} in /stats")

    def assert_idle(self) -> None:
        """Check that no request stays in flight."""
        self.wait_for(in_flight=1)

    def assert_error(self, message: Message, status: int, code: str) -> None:
        """Check that a response is this error, in OpenAI's form."""
        self.assertEqual((message.status, message.values(b"Content-Type")), (status, [b"application/json"]))
        (name, error), *others = message.json().items()
        self.assertEqual((name, others), ("error", []))
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertEqual(error["code"], code)
