"""
What every connection of a client has, whichever version of HTTP it carries.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ..transport import IStreamTransport, ReadPause, tune
from ..writer import BufferedWriter
from .addresses import Addresses
from .interfaces import Serving


@implementer(IPushProducer)
class ClientConnection(Protocol):
    """
    A connection of a client: the producer of its transport, known to its site.

    Subclasses implement ``IPushProducer``, `drain` and `stop`, and process what arrives.
    """

    transport: IStreamTransport

    def __init__(self, site: Serving) -> None:
        self.site = self.factory = site

    def connectionMade(self) -> None:
        tune(self.transport)
        self._pause = ReadPause(self.transport, self.site.clock, self.site.read_ahead)
        self._writer = BufferedWriter(self.transport, self.site.scheduler)
        self._addresses = Addresses(self.transport, self.site.trusted)
        self._secure = ISSLTransport.providedBy(self.transport)
        self.site.opened(self)
        self.transport.registerProducer(self, True)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._pause.cancel()
        self.site.lost(self)

    def pauseProducing(self) -> None:
        """The write buffer is full: pause what produces responses."""
        raise NotImplementedError

    def resumeProducing(self) -> None:
        """The write buffer has room again."""
        raise NotImplementedError

    def stopProducing(self) -> None:
        """Does nothing: `connectionLost` follows."""

    def drain(self) -> None:
        """The daemon stops: close soon if the connection is idle, and tell a tunnel to end."""
        raise NotImplementedError

    def stop(self) -> bool:
        """The daemon stops and waits no longer.  Returns whether a request was in flight."""
        raise NotImplementedError

    def abort(self) -> None:
        """Abort the connection."""
        self._writer.drop()
        self.transport.abortConnection()
