"""
The interfaces between an exchange, the connection that carries it, and the source of the request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as Structure

import attrs
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import Attribute, Interface

from ..errors import Header, ProxyError
from ..http1.responses import ResponseHead


@attrs.define
class OutgoingHead:
    """
    The head of a request to the upstream, as it will be on the wire.

    :ivar headers: in their order and spelling, with those that frame the body.
    :ivar chunked: whether the body is sent in the chunked coding.
    :ivar upgrades: whether the request asks for another protocol, so that the response may be a 101.
    """

    method: bytes
    target: bytes
    headers: list[Header]
    chunked: bool
    upgrades: bool


class BodySink(Structure):
    """Takes a request's body: any number of calls of `body_received`, then one of the other two."""

    @property
    def unsent(self) -> int:
        """Bytes that were taken and are still in this process; 0 if that is not known."""

    def body_received(self, data: bytes) -> None:
        """Take bytes; never empty."""

    def body_ended(self, trailers: Sequence[Header] = ()) -> None:
        """
        The body is complete.

        :param trailers: sent behind it if the request's framing has trailers.
        """

    def body_failed(self, error: ProxyError) -> None:
        """The body ends before it is complete."""


class IOutgoing(IPushProducer, Interface):
    """
    A request to the upstream: its head, and its body, which can be paused.

    The head is sent as it is.  treq and Twisted would change its method, URL and headers.
    """

    head: OutgoingHead = Attribute("The request's head.")

    def connected(reused: bool) -> None:
        """
        There is a connection; the head is sent next, and `deliver` follows.

        :param reused: whether the connection has carried a request before.
        """

    def deliver(sink: BodySink) -> None:
        """Push the body to a sink, from its first byte on, until ``stopProducing`` or `recall`."""

    def recall() -> bool:
        """
        Stop pushing the body to the sink, if the body can be delivered to another one, from its first byte on.

        :return: whether it can, and has stopped.
        """

    def informed(head: ResponseHead) -> None:
        """An interim response other than 100 has arrived."""


class Wire(Structure):
    """
    What carries an exchange: an HTTP/1 connection, or one stream of a connection that has many.
    """

    def send_body(self, data: bytes) -> None:
        """Send bytes of the request's body; never empty."""

    def end_body(self, trailers: Sequence[Header] = ()) -> None:
        """
        The request is complete.

        :param trailers: sent behind its body if its framing has trailers.
        """

    @property
    def unsent(self) -> int:
        """Bytes that were written and that the socket has not accepted yet; 0 if that is not known."""

    def pause_reading(self) -> None:
        """Stop reading from the upstream."""

    def resume_reading(self) -> None:
        """Read again."""

    def abort(self) -> None:
        """End the exchange before both messages are complete.  An HTTP/1 connection is aborted with it."""

    def tunnel(self, end: Protocol) -> bytes:
        """
        After a 101, give everything that arrives to a protocol of its own, which also gets the transport.

        :return: what has arrived for it already.
        """
