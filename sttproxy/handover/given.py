"""
What a process gets from the one that started it: sockets, and a connection between the two.
"""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Mapping, MutableMapping

import attrs

#: The variable of the environment that carries it.
VARIABLE = "_STTPROXY_HANDOVER"


class Role(enum.Enum):
    """Why a process runs."""

    FIRST = "started by the user, or by a service manager"
    STAND_IN = "serves while the first process is replaced"
    RENEWED = "the first process, after it was replaced"
    WORKER = "serves for a process that only listens"


#: Names of descriptors that are no sockets to listen at.
CONTROL, STDERR = "control", "stderr"


@attrs.frozen
class Given:
    """
    :ivar role: why the process runs.
    :ivar sockets: descriptors of listening sockets, by name.
    :ivar control: the descriptor of the connection to the other process; -1: there is no other one.
    :ivar stderr: the descriptor for the standard error once the process serves; -1: it does not change.
    :ivar other: the other process, if it is a child of this one; 0: it is not.
    """

    role: Role = Role.FIRST
    sockets: Mapping[str, int] = attrs.Factory(dict)
    control: int = -1
    stderr: int = -1
    other: int = 0

    def dump(self) -> str:
        """As text, for `VARIABLE`."""
        members = attrs.asdict(self)
        return json.dumps({**members, "role": self.role.name})


def take(environment: MutableMapping[str, str] = os.environ) -> Given:
    """What this process was given.  It is removed from the environment, which children get."""
    text = environment.pop(VARIABLE, "")
    if not text:
        return Given()
    members = json.loads(text)
    given = Given(**{**members, "role": Role[members["role"]]})
    for number in (given.control, given.stderr, *given.sockets.values()):
        if number >= 0:
            os.set_inheritable(number, False)
    return given
