"""
What both sides ask of a transport.
"""

from __future__ import annotations

from twisted.internet.interfaces import IConsumer, IPushProducer, ITCPTransport


class IStreamTransport(ITCPTransport, IConsumer, IPushProducer):
    """
    A TCP transport as Twisted's reactors make it: it can be written to at its own pace and told not to read.
    """
