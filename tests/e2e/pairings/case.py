"""
Test cases that run over each pairing.
"""

from __future__ import annotations

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

    :cvar config: the daemons' configuration.
    :cvar options: their options, in addition to their upstream's.
    :cvar daemons: a daemon for each version of the upstream, in clear and over TLS; `servers` likewise.
    """

    config: ClassVar[Any] = {"language": "zh"}
    options: ClassVar[tuple[str, ...]] = ()
    daemons: ClassVar[dict[tuple[int, bool], Daemon]]
    servers: ClassVar[dict[tuple[int, bool], Server]]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        kinds = list(itertools.product((1, 2), (False, True)))
        cls.servers = {kind: stack.enter_context(Server(*kind)) for kind in kinds}
        cls.daemons = {}
        with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
            starting = {kind: pool.submit(cls.launch, kind) for kind in kinds}
        for kind, daemon in starting.items():
            cls.daemons[kind] = daemon.result()
            stack.callback(cls.daemons[kind].close)

    @classmethod
    def launch(cls, kind: tuple[int, bool], *options: str) -> Daemon:
        """Start a daemon with the server of this kind as upstream."""
        serving = ("--tls-cert", certificate("server.pem")) if kind[1] else ()
        return Daemon(*cls.servers[kind].target, *serving, *cls.options, *options, config=cls.config)

    @property
    def kind(self) -> tuple[int, bool]:
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
