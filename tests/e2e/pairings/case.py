"""
Test cases that run over each pairing.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import dataclasses
import functools
import itertools
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from typing import Any, ClassVar, TypeVar

import httpx
import openai
from twisted.python.reflect import prefixedMethodNames

from ..case import EchoTestCase, StagedTestCase
from ..certificates import certificate, trusting
from ..clients import openai_client
from ..daemon import Daemon
from ..forms import content_type
from ..loop import failures
from ..message import CHUNKED, Header, Message, counted
from ..process import LIMIT_S, until
from ..upstream import Echo, shared_echo
from .connection import Connection
from .ends import Server, connect
from .exchange import Exchange

T = TypeVar("T")

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
    """Start a daemon with the server of this kind as upstream."""
    # A connection that is lost as it begins would be tried again.
    return launch_before(kind, shared_servers()[kind].port, "--connect-retry", "0", *options, config=CONFIG)


def launch_before(kind: Kind, port: int, *options: str, config: Any) -> Daemon:
    """Start a daemon with an upstream of this kind on a port; it serves TLS if the upstream does."""
    version, secure = kind
    scheme = "https" if secure else "http" if version == 1 else "h2c"
    tls = ("--tls-cert", certificate("server.pem"), "--target-ca", certificate("ca.pem")) if secure else ()
    daemon = Daemon("--target", f"{scheme}://127.0.0.1:{port}", *tls, *options, config=config)
    atexit.register(daemon.close)
    return daemon


def of_each_kind(start: Callable[[Kind], T]) -> dict[Kind, T]:
    """Start something of each kind, all at the same time."""
    with concurrent.futures.ThreadPoolExecutor(len(KINDS)) as pool:
        return dict(zip(KINDS, pool.map(start, KINDS), strict=True))


class OverPairings(StagedTestCase):
    """
    Tests that run once for each pairing; the pairing is the end of their names.

    Inherited tests of other classes run over the first pairing under their own names.

    :ivar pairing: that of this test.
    """

    pairing = PAIRINGS[0]

    def __init_subclass__(cls, once: Collection[str] = (), **arguments: Any) -> None:
        """
        :param once: inherited tests that run only over the first pairing.
        """
        super().__init_subclass__(**arguments)
        own = vars(cls).copy()
        for name in prefixedMethodNames(cls, "test_"):
            test = getattr(cls, f"test_{name}")
            if f"test_{name}" in own:
                delattr(cls, f"test_{name}")
            for pairing in PAIRINGS if f"test_{name}" in own else PAIRINGS[1:]:
                if f"test_{name}" not in once:
                    setattr(cls, f"test_{name}_{pairing.name}", _over(pairing, test))

    @property
    def kind(self) -> Kind:
        """The version of the upstream, and whether it uses TLS."""
        return self.pairing.server, self.pairing.secure


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
        return of_each_kind(lambda kind: launch(kind, *options))

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
        self.assertEqual((name, [other for other, _ in others]), ("error", ["request_id"]))
        self.assertEqual(sorted(error), ["code", "message", "param", "type"])
        self.assertEqual(error["code"], code)


class EchoPairingTestCase(OverPairings, EchoTestCase):
    """
    Tests with the echo server: uvicorn speaks HTTP/1.1, and Hypercorn speaks HTTP/2.

    :cvar daemons: a daemon for each kind of upstream.
    """

    daemons: ClassVar[dict[Kind, Daemon]]

    @classmethod
    def start(cls, stack: ExitStack, upstream_port: int, env: Mapping[str, str] | None = None) -> None:
        def start(kind: Kind) -> Daemon:
            return launch_before(kind, echo_of(kind).port, *cls.options, config=cls.config)

        cls.daemons = of_each_kind(start)
        for daemon in cls.daemons.values():
            stack.callback(daemon.close)

    @property
    def daemon(self) -> Daemon:  # type: ignore[override]  # it depends on the pairing
        return self.daemons[self.kind]

    def transcribe_bytes(self, body: bytes, chunks: int = 0, path: str = TRANSCRIPTIONS) -> Any:
        size = len(body) // max(1, chunks) + 1
        pieces = (body[at : at + size] for at in range(0, len(body), size))
        two = self.pairing.client == 2
        with httpx.Client(http1=not two, http2=two, verify=trusting(), trust_env=False, timeout=LIMIT_S) as client:
            kind, value = content_type()
            received = client.post(self.daemon.url(path), content=pieces if chunks else body, headers={kind: value})
        self.assertEqual((received.status_code, received.http_version), (200, "HTTP/2" if two else "HTTP/1.1"))
        return received.json()

    def sdk(self, daemon: Daemon) -> openai.OpenAI:
        return openai_client(daemon, self.pairing.client)


@functools.cache
def echo_of(kind: Kind) -> Echo:
    """The echo server of a kind, which all tests share."""
    if kind == (1, False):
        return shared_echo()
    echo = Echo(version=kind[0], secure=kind[1])
    atexit.register(echo.close)
    return echo
