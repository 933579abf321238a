"""Two ways of doing the same, timed in turn, so that load on the machine slows both."""

from __future__ import annotations

import gc
import statistics
import time
from typing import TYPE_CHECKING

import attrs


if TYPE_CHECKING:
    from collections.abc import Callable

    Work = Callable[[], object]


@attrs.frozen
class Run:
    """The duration of one run, in seconds: of the clock, and of this process's CPU."""

    clock: float
    cpu: float


@attrs.frozen
class Pair:
    """The durations of two ways of doing the same, in seconds, and ours / the peer's."""

    ours: float
    peer: float
    ratio: float


@attrs.frozen
class Rounds:
    """Runs of this package and of a peer, in turn."""

    ours: tuple[Run, ...]
    peer: tuple[Run, ...]

    @property
    def clock(self) -> Pair:
        """Medians by the clock; the ratio is the median of those of the rounds."""
        return _medians(
            [run.clock for run in self.ours], [run.clock for run in self.peer]
        )

    @property
    def cpu(self) -> Pair:
        """Medians of the CPU seconds; the ratio is the median of those of the rounds."""
        return _medians([run.cpu for run in self.ours], [run.cpu for run in self.peer])

    @property
    def least(self) -> Pair:
        """The minimum of each by the clock, and the ratio of the two."""
        ours, peer = (min(run.clock for run in each) for each in (self.ours, self.peer))
        return Pair(ours, peer, ours / peer)


def compare(ours: Work, peer: Work, rounds: int) -> Rounds:
    """Time both in turn (A B, B A, ...), after a run of each that does not count."""
    ours()
    peer()
    runs: tuple[list[Run], list[Run]] = ([], [])
    for index in range(rounds):
        turns = [(ours, runs[0]), (peer, runs[1])]
        for work, taken in reversed(turns) if index % 2 else turns:
            taken.append(timed(work))
    return Rounds(tuple(runs[0]), tuple(runs[1]))


def timed(work: Work) -> Run:
    """Time one run, after a garbage collection."""
    gc.collect()
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return Run(time.perf_counter() - clock, time.process_time() - cpu)


def repeated(work: Work, times: int) -> Work:
    """Return a function that does the work `times` times, for work too short to time."""

    def again() -> None:
        for _ in range(times):
            work()

    return again


def _medians(ours: list[float], peer: list[float]) -> Pair:
    ratios = [mine / theirs for mine, theirs in zip(ours, peer, strict=True)]
    return Pair(
        statistics.median(ours), statistics.median(peer), statistics.median(ratios)
    )
