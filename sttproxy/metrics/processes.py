"""
What the system knows of the processes: their memory, their time, their descriptors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import Metric as Family
from prometheus_client import ProcessCollector

#: The only one that is not a sum: the first process shows how long all of them run.
_EARLIEST = "process_start_time_seconds"


def processes(numbers: Sequence[int]) -> Iterator[Family]:
    """
    The metrics of some processes together.

    :param numbers: their PIDs; empty: this process.
    """
    found: dict[str, tuple[Family, list[float]]] = {}
    for number in numbers or ("self",):
        for family in ProcessCollector(pid=_constant(number), registry=None).collect():
            _, values = found.setdefault(family.name, (family, []))
            values += [sample.value for sample in family.samples]
    for family, values in found.values():
        whole: Callable[[Iterable[float]], float] = min if family.name == _EARLIEST else sum
        family.samples = [family.samples[0]._replace(value=whole(values))]
        yield family


def _constant(number: int | str) -> Callable[[], int | str]:
    return lambda: number
