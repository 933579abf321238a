"""What an import costs, each in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.rows import Row


if TYPE_CHECKING:
    from collections.abc import Iterator


_PROGRAM = """\
import sys, time
started = time.perf_counter()
{statement}
print((time.perf_counter() - started) * 1e3, "aiohttp" in sys.modules)
"""


def rows(*, quick: bool) -> Iterator[Row]:
    """Measure."""
    rounds = 7 if quick else 21
    aiohttp, _ = _took("import aiohttp", rounds)
    for statement, goal in (
        ("import futureagi_async", "<= 2"),
        ("from futureagi_async import EvalConfig, RunNewEvals, APIError", ""),
        ("from futureagi_async import AsyncFutureAGI, FutureAGI", ""),
    ):
        took, has_aiohttp = _took(statement, rounds)
        note = "imports aiohttp" if has_aiohttp else "without aiohttp"
        if goal:
            note += "; the goal is for ours, in ms, which stands as the ratio"
        ratio = took if goal else took / aiohttp
        yield Row(
            f"{statement} / import aiohttp", took, aiohttp, ratio, "ms", goal, note
        )


def _took(statement: str, rounds: int) -> tuple[float, bool]:
    command = [sys.executable, "-c", _PROGRAM.format(statement=statement)]
    outputs = [
        subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603 - this module
        for _ in range(rounds)
    ]
    least, _, has_aiohttp = min(
        outputs, key=lambda each: float(each.split()[0])
    ).partition(" ")
    return float(least), has_aiohttp.strip() == "True"
