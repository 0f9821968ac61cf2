"""
Connecting to the upstream, and saying what went wrong in words.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from ..errors import UpstreamTimeout, UpstreamUnreachable


class Dialer:
    """
    Opens connections to one upstream.

    :ivar name: the upstream as messages call it, ``host:port``.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, name: str, timeout_s: float) -> None:
        """
        :param timeout_s: the endpoint's own limit on connecting, for the message.
        """
        self.name = name
        self._endpoint = endpoint
        self._timeout_s = timeout_s

    def connect(self, factory: IProtocolFactory) -> Deferred[Protocol]:
        """
        Open a connection.

        :return: fails with `UpstreamUnreachable` or `UpstreamTimeout`, which name the upstream and the reason.
        """
        connecting: Deferred[Protocol] = self._endpoint.connect(factory)  # type: ignore[assignment]
        return connecting.addErrback(self._explain)

    def _explain(self, failure: Failure) -> Protocol:
        if failure.check(TimeoutError):
            raise UpstreamTimeout(f"The upstream {self.name} did not take the connection within {self._timeout_s:g} s.")
        failure.trap(ConnectError, DNSLookupError, OSError)
        if failure.check(ConnectionRefusedError):
            reason = "it refuses connections; is the speech-to-text server running there?"
        elif failure.check(DNSLookupError):
            reason = "its name is not known."
        else:
            reason = failure.getErrorMessage()
        raise UpstreamUnreachable(f"The upstream {self.name} cannot be reached: {reason}")
