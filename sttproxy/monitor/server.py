"""
What is known of one server.
"""

from __future__ import annotations

from collections import Counter
from typing import Any


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

    def numbers(self, now: float) -> dict[str, Any]:
        """
        The numbers, for JSON.

        :param now: in the clock's seconds.
        """
        return {
            "errors": dict(sorted(self.errors.items())),
            "last_success_age_seconds": _age(self.last_success, now),
            "last_failure_age_seconds": _age(self.last_failure, now),
        }


def _age(then: float | None, now: float) -> float | None:
    return None if then is None else round(now - then, 3)
