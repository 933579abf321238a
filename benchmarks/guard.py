"""Comparison of the cost of the package with a stored baseline.

Nothing is timed. Counted are, for a request, an item or a config: calls of Python and
built-in functions, objects that only the garbage collector can free, and, where
valgrind is installed, instructions. Each Python version has its baseline.

    python -m benchmarks.guard            # compare
    python -m benchmarks.guard --renew    # store today's figures as the baseline
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess
import sys
from typing import TYPE_CHECKING

import attrs

from benchmarks import callgrind, guarded, server


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Figures = Mapping[str, Mapping[str, float]]
    """Counts by measure and by piece of work."""


TOLERANCE = 0.05
_BASELINES = pathlib.Path(__file__).parent / "baselines"
_RENEW = "`nox -s guard -- --renew` makes today's figures the baseline"


@attrs.frozen
class Comparison:
    """A figure beside its baseline."""

    measure: str
    piece: str
    counted: float
    baseline: float

    @property
    def is_worse(self) -> bool:
        """Whether it is more than the tolerance allows.

        Where the baseline is near zero (no garbage), five in a hundred items are allowed.
        """
        return self.counted > max(self.baseline * (1 + TOLERANCE), TOLERANCE)

    @property
    def is_better(self) -> bool:
        """Whether it is so much less that the baseline should be renewed."""
        return self.counted < self.baseline * (1 - TOLERANCE)

    def __str__(self) -> str:
        verdict = "WORSE" if self.is_worse else "better" if self.is_better else ""
        change = f"{self.counted / self.baseline - 1:+.1%}" if self.baseline else ""
        return (
            f"{self.piece:38} {self.measure:12} {self.counted:12,.1f} "
            f"{self.baseline:12,.1f} {change:>7} {verdict}"
        ).rstrip()


class NoBaselineError(Exception):
    """Error for a missing baseline."""


def compare(counted: Figures, baseline: Figures) -> Iterator[Comparison]:
    """Compare what was counted with the baseline.

    Instructions depend on how Python was compiled, on some machines by an eighth, and
    that affects all code alike. So their baseline is scaled by the yardstick, a piece
    of work in which nothing of this package takes part.

    Raises:
        NoBaselineError: the baseline lacks something that was counted.
    """
    for measure, prices in counted.items():
        for piece, price in prices.items():
            if piece == guarded.YARDSTICK:
                continue
            try:
                known = baseline[measure]
                scale = _scale(prices, known) if measure == "instructions" else 1.0
                yield Comparison(measure, piece, price, known[piece] * scale)
            except KeyError:
                raise NoBaselineError(f"no baseline of: {measure}, {piece}") from None


def _scale(counted: Mapping[str, float], baseline: Mapping[str, float]) -> float:
    return counted[guarded.YARDSTICK] / baseline[guarded.YARDSTICK]


def count() -> Figures:
    """Count everything that can be counted here."""
    with server.running() as address:
        command = [sys.executable, "-m", "benchmarks.guarded", address.url]
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        result = subprocess.run(  # noqa: S603 - one of these modules
            command, check=True, stdout=subprocess.PIPE, env=environment
        )
        figures: dict[str, dict[str, float]] = json.loads(result.stdout)
        if callgrind.is_installed():
            figures["instructions"] = guarded.instructions(address)
    return figures


def _baseline() -> pathlib.Path:
    major, minor, *_ = sys.version_info
    return _BASELINES / f"python{major}.{minor}.json"


def _read(path: pathlib.Path) -> Figures:
    try:
        figures: Figures = json.loads(path.read_text())
    except FileNotFoundError:
        raise NoBaselineError(f"no baseline for this Python: {path.name}") from None
    return figures


def _renew(counted: Figures, path: pathlib.Path) -> None:
    rounded = {
        measure: {piece: round(price, 1) for piece, price in prices.items()}
        for measure, prices in counted.items()
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(rounded, indent=1) + "\n")


def main() -> str | None:
    """Compare or renew, and return what is wrong."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.guard")
    parser.add_argument("--renew", action="store_true", help="write the baseline")
    options = parser.parse_args()
    counted, path = count(), _baseline()
    if options.renew:
        _renew(counted, path)
        print(f"{path.name}: {', '.join(counted)}")
        return None
    try:
        compared = list(compare(counted, _read(path)))
    except NoBaselineError as error:
        return f"{error}; {_RENEW}"
    print(*compared, sep="\n")
    if "instructions" not in counted:
        print("valgrind is not installed: instructions were not counted")
    if any(each.is_worse for each in compared):
        return f"more than {TOLERANCE:.0%} worse; if that has its reason, {_RENEW}"
    if any(each.is_better for each in compared):
        print(f"better: {_RENEW}, so that it stays")
    return None


if __name__ == "__main__":
    sys.exit(main())
