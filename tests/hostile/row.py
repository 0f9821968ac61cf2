"""
The row type of the tables, and what may become of a hostile client.
"""

from __future__ import annotations

import attrs
from h2.errors import ErrorCodes
from hyperframe.frame import Frame

#: Rows with fewer bytes are sent byte by byte, too.
_BYTEWISE = 3000


@attrs.frozen
class Reset:
    """The stream is reset; the others go on."""

    code: ErrorCodes
    number: int = 3


@attrs.frozen
class Ended:
    """The connection ends with a GOAWAY; others go on."""

    code: ErrorCodes


@attrs.frozen
class Answered:
    """The stream gets a response of the proxy's own; the others go on."""

    status: int
    number: int = 3


@attrs.frozen
class Ignored:
    """Nothing ends."""


@attrs.frozen
class Row:
    """
    What one peer sends.

    :ivar name: what is wrong.
    :ivar source: the section of RFC 9113, or the name of a published attack.
    :ivar outcome: one of the classes here or, of a server, in `servers`.
    :ivar frames: what is sent.
    :ivar on_h2: the outcome with h2, where it is another one that is allowed, too.
    :ivar why: the reason why it is another one.
    :ivar apart: the outcome needs a response between the frames.
    """

    name: str
    source: str
    outcome: object
    frames: tuple[Frame | bytes, ...]
    on_h2: object = None
    why: str = ""
    apart: bool = False

    def expected(self, on_h2: bool) -> object:
        """
        The outcome.

        :param on_h2: whether h2 is in the place of jh2.
        """
        return self.on_h2 if on_h2 and self.on_h2 is not None else self.outcome

    @property
    def segmentations(self) -> list[list[bytes]]:
        """The ways in which the network may cut it: frame by frame, at once and, if it is short, byte by byte."""
        segments = [each if isinstance(each, bytes) else each.serialize() for each in self.frames]
        data = b"".join(segments)
        bytewise = [data[at : at + 1] for at in range(len(data))]
        whole = [] if self.apart else [[data]]
        return [segments, *whole, *([bytewise] if len(data) < _BYTEWISE else [])]


def row(
    name: str,
    source: str,
    outcome: object,
    *frames: Frame | bytes,
    on_h2: object = None,
    why: str = "",
    apart: bool = False,
) -> Row:
    """A row with these frames."""
    return Row(name, source, outcome, frames, on_h2, why, apart)
