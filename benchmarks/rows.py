"""Rows of the table: two figures, their ratio, and whether it is good enough."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import attrs


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@attrs.frozen
class Row:
    """One measurement.

    Attributes:
        name: what was measured; left of the slash is ours.
        ours: our figure, in `unit`.
        peer: the figure of the peer, in `unit`.
        ratio: what the goal is about; by default ours to the peer's, turned so that
            larger is better for `>=` and smaller for `<=`.
        unit: of `ours` and `peer`.
        goal: such as `>= 0.95`; empty where there is none.
        note: a remark about the figures.
    """

    name: str
    ours: float | None
    peer: float | None
    ratio: float | None
    unit: str
    goal: str = ""
    note: str = ""

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Row:
        """Return the row that the JSON file has."""
        return cls(**{key: each for key, each in values.items() if key != "met"})

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; `None` without a goal or a measurement."""
        if not self.goal or self.ratio is None:
            return None
        sign, limit = self.goal.split()
        holds: Any = {"<=": operator.le, ">=": operator.ge}[sign]
        return bool(holds(self.ratio, float(limit)))

    def as_json(self) -> dict[str, Any]:
        """Return the row as the JSON file has it."""
        values = attrs.asdict(self)
        figures = ("ours", "peer", "ratio")
        rounded = {key: _significant(values[key]) for key in figures}
        return {**values, **rounded, "met": self.met}


def skipped(name: str, reason: str, goal: str = "") -> Row:
    """Return the row of what could not be measured."""
    return Row(name, None, None, None, "", goal, f"skipped: {reason}")


def table(rows: Iterable[Row]) -> str:
    """Return rows as a Markdown table."""
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


def _significant(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")
