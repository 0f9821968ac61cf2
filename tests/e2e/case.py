"""
Test cases whose tests share processes.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import openai
from twisted.trial.unittest import SynchronousTestCase

from .clients import openai_client
from .daemon import Daemon
from .forms import BOUNDARY, Part, content_type, form
from .message import CHUNKED, Header, Message, chunked, counted, request
from .process import LIMIT_S
from .raw import Listener, Peer, connect
from .upstream import Echo, shared_echo


class _CurrentStage:
    """
    The current stage.  trial has no fixtures for classes, but runs one class after the other.

    :ivar failure: why it could not be set up; the other tests of the class fail with it at once.
    """

    owner: type[StagedTestCase] | None = None
    failure: BaseException | None = None
    stack = ExitStack()

    @classmethod
    def enter(cls, owner: type[StagedTestCase]) -> None:
        """Set up the stage of a class."""
        if cls.owner is not owner:
            cls.leave()
            cls.owner = owner
            try:
                owner.stage(cls.stack)
            except BaseException as failure:
                cls.failure = failure
                raise
        elif cls.failure is not None:
            raise RuntimeError(f"{owner.__name__} has no stage, see the first of its tests") from cls.failure

    @classmethod
    def leave(cls) -> None:
        """Tear down the current stage."""
        cls.owner = cls.failure = None
        stack, cls.stack = cls.stack, ExitStack()
        stack.close()


atexit.register(_CurrentStage.leave)


class StagedTestCase(SynchronousTestCase):
    """Tests on one stage, which is set up before the first and torn down after the last test of the class."""

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        """Start what the tests of the class share; the stack ends it."""

    @staticmethod
    @contextmanager
    def naming(what: object) -> Iterator[None]:
        """Add the name of a case to a failure; trial has no subtests."""
        try:
            yield
        except Exception as error:
            error.args = (f"[{what}] {error}", *error.args[1:])
            raise

    def setUp(self) -> None:
        _CurrentStage.enter(type(self))

    def start_daemon(self, *options: str, **settings: Any) -> Daemon:
        """Start a daemon for this test only."""
        daemon = Daemon(*options, **settings)
        self.addCleanup(daemon.close)
        return daemon


class DaemonTestCase(StagedTestCase):
    """
    Tests of one daemon.

    :cvar config: its configuration, see `daemon.written`.
    :cvar options: its command line options, in addition to its upstream's.
    """

    config: ClassVar[Any] = None
    options: ClassVar[tuple[str, ...]] = ()
    daemon: ClassVar[Daemon]

    @classmethod
    def start(cls, stack: ExitStack, upstream_port: int, env: Mapping[str, str] | None = None) -> None:
        """Start the daemon with an upstream."""
        target = ("--target-host", "127.0.0.1", "--target-port", str(upstream_port))
        cls.daemon = Daemon(*target, *cls.options, config=cls.config, env=env)
        stack.callback(cls.daemon.close)

    def connect(self) -> Peer:
        """Return a connection to the daemon."""
        client = connect(self.daemon.port)
        self.addCleanup(client.close)
        return client


class EchoTestCase(DaemonTestCase):
    """Tests of a daemon with the echo server as upstream."""

    echo: ClassVar[Echo]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.echo = shared_echo()
        cls.start(stack, cls.echo.port)

    def transcribe(self, parts: list[Part], chunks: int = 0, path: str = "/v1/audio/transcriptions") -> Any:
        """
        Return what the upstream read of a form.

        :param chunks: the number of chunks to send it in; 0 sends it with its length.
        """
        return self.transcribe_bytes(form(parts), chunks, path)

    def transcribe_bytes(self, body: bytes, chunks: int = 0, path: str = "/v1/audio/transcriptions") -> Any:
        """The same for the bytes of a form."""
        client = self.connect()
        client.send(transcription(body, chunks, path))
        answer = client.read_message()
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def sdk(self, daemon: Daemon) -> openai.OpenAI:
        """Return an OpenAI SDK client for a daemon."""
        return openai_client(daemon)


#: Options with which each request to the upstream has its own connection.
UNPOOLED = ("--pool-size", "0")


class RawTestCase(DaemonTestCase):
    """
    Tests of a daemon with a listener as upstream: the test itself plays the upstream.

    :cvar listener: the upstream.  Unless the options are `UNPOOLED`, a request may come on a connection that it has
        accepted for an earlier one.
    """

    listener: ClassVar[Listener]

    @classmethod
    def stage(cls, stack: ExitStack) -> None:
        cls.listener = stack.enter_context(Listener())
        cls.start(stack, cls.listener.port)

    def tearDown(self) -> None:
        self.forget()
        self.listener.check()

    def forget(self) -> None:
        """Close all connections from the daemon, so that the next test's requests come on new ones."""
        self.listener.forget()
        self.catch_up()

    def catch_up(self) -> None:
        """
        Wait until the daemon has read what was sent to it on any connection.

        The daemon serves connections in the order of their events, so a response to a new request shows this.
        """
        self.daemon.stats()

    def exchange(self, sent: bytes, answer: bytes, bodiless: bool = False) -> tuple[Message, Message]:
        """Return what the upstream receives of a request, and what the client receives of a response."""
        client = self.connect()
        self.send_apart(client, sent)
        upstream = self.listener.accept()
        received = upstream.read_message()
        self.send_apart(upstream, answer)
        return received, client.read_message(bodiless)

    def send_apart(self, peer: Peer, data: bytes) -> None:
        """Send in a thread: the bytes may exceed all socket buffers on the way."""
        sending = threading.Thread(target=peer.send_while_taken, args=([data],), daemon=True)
        sending.start()
        self.addCleanup(sending.join, LIMIT_S)


def transcription(
    body: bytes, chunks: int = 0, path: str = "/v1/audio/transcriptions", *headers: Header, boundary: str = BOUNDARY
) -> bytes:
    """Return a transcription request with a form's bytes, with their length or in this many chunks."""
    if not chunks:
        return request("POST", path, *headers, content_type(boundary), counted(body)) + body
    size = len(body) // chunks + 1
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return request("POST", path, *headers, content_type(boundary), CHUNKED) + chunked(pieces)
