"""
What an exchange, the connection that carries it and the source of the request ask of each other.
"""

from __future__ import annotations

from typing import Protocol as Structure

import attrs
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import Attribute

from ..errors import Header, ProxyError
from ..http1.responses import ResponseHead


@attrs.define
class OutgoingHead:
    """
    The head of a request to the upstream, as it will be on the wire.

    :ivar headers: in their order and spelling; the ones that frame the body are among them.
    :ivar chunked: whether the body goes out in the chunked coding.
    :ivar upgrades: another protocol is asked for, and a 101 may answer.
    """

    method: bytes
    target: bytes
    headers: list[Header]
    chunked: bool
    upgrades: bool


class BodySink(Structure):
    """Takes a request's body: any number of `body_received`, then one of the other two, once."""

    def body_received(self, data: bytes) -> None:
        """Take bytes; never empty."""

    def body_ended(self) -> None:
        """The body is complete."""

    def body_failed(self, error: ProxyError) -> None:
        """The body will never be complete."""


class IOutgoing(IPushProducer):
    """
    A request on its way to the upstream: its head, and its body, which can be paused.

    The head is raw, and goes with the body past all that treq and Twisted would do to a method, a URL and headers.
    """

    head: OutgoingHead = Attribute("The request's head.")

    def deliver(sink: BodySink) -> None:
        """Push the body to a sink, from its first byte on, and nothing after `stopProducing`."""

    def informed(head: ResponseHead) -> None:
        """An interim response other than 100 has come."""


class Wire(Structure):
    """
    What carries an exchange: an HTTP/1 connection, or one stream of a connection that has many.
    """

    def send_body(self, data: bytes) -> None:
        """Send bytes of the request's body; never none."""

    def end_body(self) -> None:
        """The request is complete."""

    @property
    def unsent(self) -> int:
        """Bytes that were sent and that the upstream has not taken yet, as far as that can be told."""

    def pause_reading(self) -> None:
        """Let the upstream send no more for now."""

    def resume_reading(self) -> None:
        """Let it go on."""

    def abort(self) -> None:
        """End the exchange before both messages are complete; of a connection that can carry no other one, end that."""

    def tunnel(self, end: Protocol) -> bytes:
        """
        After a 101, give everything that arrives to a protocol of its own, which also gets the transport.

        :return: what has arrived for it already.
        """
