"""
What is known of one server.
"""

from __future__ import annotations

from collections import Counter


class Server:
    """
    One server behind the proxy.

    :ivar name: as messages name it.
    :ivar errors: how often requests failed because of it, by error code.
    :ivar last_success: when the last response began, in the clock's seconds; None: never.
    :ivar last_failure: when a request failed last, in the clock's seconds; None: never.
    """

    __slots__ = ("errors", "last_failure", "last_success", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.errors: Counter[str] = Counter()
        self.last_success: float | None = None
        self.last_failure: float | None = None

    def failed(self, code: str, now: float) -> None:
        """
        A request failed.

        :param code: of the error.
        """
        self.errors[code] += 1
        self.last_failure = now
