"""
Prints the results as Markdown tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from .metrics import Metric
from .results import Results
from .targets import TARGETS


def spread(values: Sequence[float]) -> float:
    """Half of the range from the lowest to the highest value, in percent of the median."""
    middle = median(values)
    return (max(values) - min(values)) / 2 / middle * 100 if middle else 0.0


def _rows(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _cell(results: Results, metric: Metric, peer: str) -> str:
    """Median, spread, and ratio to the reference peer; "!" if there was a fault."""
    values = results.values(metric.key, peer)
    fault = "!" if results.faults.get((metric.key.partition(".")[0], peer)) else ""
    if not values:
        return fault or "–"
    text = f"{median(values):,.{metric.digits}f}{fault}"
    if len(values) > 1:
        text += f" ±{spread(values):.0f}%"
    if metric.against and metric.against != peer:
        ratios = [
            own / other for own, other in results.pairs((metric.key, peer), (metric.key, metric.against)) if other
        ]
        if ratios:
            text += f" ({median(ratios):.2f}×)"
    return text


def figures(results: Results, metrics: Sequence[Metric], peers: Sequence[str]) -> str:
    """A line for each metric, a column for each peer."""
    header = ["", *peers]
    body = [[metric.title, *(_cell(results, metric, peer) for peer in peers)] for metric in metrics]
    # Workloads that were not run have only dashes.
    return _rows([header, *(row for row in body if set(row[1:]) != {"–"})])


def verdicts(results: Results) -> str:
    """A line for each target of sttproxy for which the run has values."""
    rows = [["sttproxy", "wanted", "median", "lowest … highest", ""]]
    for target in TARGETS:
        seen = target.seen(results)
        if seen:
            middle = median(seen)
            wanted = f"{'at most' if target.most else 'at least'} {target.limit:g}"
            extent = f"{min(seen):.3g} … {max(seen):.3g}"
            rows.append([target.text, wanted, f"{middle:.3g}", extent, "met" if target.met(middle) else "missed"])
    return _rows(rows) if len(rows) > 1 else ""


def faults(results: Results) -> str:
    """A line for each fault."""
    return "\n".join(
        f"- ! {peer}, {group}: {fault}"
        for (group, peer), each in results.faults.items()
        for fault in dict.fromkeys(each)
    )
