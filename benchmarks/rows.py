"""Rows of the table: two figures, their ratio, and whether it is good enough."""

from __future__ import annotations

import gc
import operator
import statistics
import time
from typing import TYPE_CHECKING, Any

import attrs


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence


@attrs.frozen
class Row:
    """One measurement. `ours` and `peer` are in `unit`; `goal` reads `>= 0.95`."""

    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    unit: str
    goal: str = ""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; `None` without a goal or a measurement."""
        if not self.goal or self.ratio is None:
            return None
        sign, wanted = self.goal.split()
        holds: Any = {"<=": operator.le, ">=": operator.ge}[sign]
        return bool(holds(self.ratio, float(wanted)))

    def as_json(self) -> dict[str, Any]:
        """Give the row as it stands in the file of results."""
        return {**attrs.asdict(self), "met": self.met}


def skipped(name: str, reason: str) -> Row:
    """Give the row of what could not be measured."""
    return Row(name, None, None, None, "", note=f"skipped: {reason}")


@attrs.frozen
class Pair:
    """What two ways of doing the same took, in seconds: medians of several rounds."""

    ours: float
    peer: float
    ratio: float
    """The median of each round's `ours / peer`: noise that lasts hits both."""


def seconds(
    work: Callable[[], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    """Time one go, with the garbage of the last one gone."""
    gc.collect()
    started = clock()
    work()
    return clock() - started


def compare(
    ours: Callable[[], object],
    peer: Callable[[], object],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> Pair:
    """Time both in turn, after a go of each that does not count."""
    ours()
    peer()
    taken: list[tuple[float, float]] = []
    for each in range(rounds):
        if each % 2:
            second = seconds(peer, clock)
            taken.append((seconds(ours, clock), second))
        else:
            first = seconds(ours, clock)
            taken.append((first, seconds(peer, clock)))
    return Pair(
        statistics.median(first for first, _ in taken),
        statistics.median(second for _, second in taken),
        statistics.median(first / second for first, second in taken),
    )


def table(rows: Iterable[Row]) -> str:
    """Lay rows out as a Markdown table."""
    head = ("measured", "ours", "peer", "unit", "ratio", "goal", "met", "note")
    lines = [head, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    drawn = [_line(line, widths) for line in lines]
    drawn.insert(1, _line(["-" * width for width in widths], widths))
    return "\n".join(drawn)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _cells(row: Row) -> tuple[str, ...]:
    met = {None: "", True: "yes", False: "NO"}[row.met]
    ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
    ours, peer = _figure(row.ours), _figure(row.peer)
    return row.name, ours, peer, row.unit, ratio, row.goal, met, row.note


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits
