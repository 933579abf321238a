"""Ours and a peer, timed in turn, so that what slows the machine slows both."""

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
class Go:
    """What one go took, in seconds: of the clock, and of this process's CPU."""

    clock: float
    cpu: float


@attrs.frozen
class Pair:
    """What two ways of doing the same took, in seconds, and ours / the peer's."""

    ours: float
    peer: float
    ratio: float


@attrs.frozen
class Rounds:
    """Goes of ours, and of a peer, that were made next to each other."""

    ours: tuple[Go, ...]
    peer: tuple[Go, ...]

    @property
    def clock(self) -> Pair:
        """Medians by the clock; the ratio is the median of those of the rounds."""
        return _medians([go.clock for go in self.ours], [go.clock for go in self.peer])

    @property
    def cpu(self) -> Pair:
        """Medians of the CPU seconds; the ratio is the median of those of the rounds."""
        return _medians([go.cpu for go in self.ours], [go.cpu for go in self.peer])

    @property
    def least(self) -> Pair:
        """The shortest of each by the clock, and the ratio of the two."""
        ours, peer = (min(go.clock for go in each) for each in (self.ours, self.peer))
        return Pair(ours, peer, ours / peer)


def compare(ours: Work, peer: Work, rounds: int) -> Rounds:
    """Time both in turn (A B, B A, ...), after a go of each that does not count."""
    ours()
    peer()
    goes: tuple[list[Go], list[Go]] = ([], [])
    for each in range(rounds):
        turns = [(ours, goes[0]), (peer, goes[1])]
        for work, taken in reversed(turns) if each % 2 else turns:
            taken.append(timed(work))
    return Rounds(tuple(goes[0]), tuple(goes[1]))


def timed(work: Work) -> Go:
    """Time one go, with the garbage of the last one gone."""
    gc.collect()
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return Go(time.perf_counter() - clock, time.process_time() - cpu)


def repeated(work: Work, times: int) -> Work:
    """Give what does the work so many times: for what is too short to be timed."""

    def again() -> None:
        for _ in range(times):
            work()

    return again


def _medians(ours: list[float], peer: list[float]) -> Pair:
    ratios = [mine / theirs for mine, theirs in zip(ours, peer, strict=True)]
    return Pair(
        statistics.median(ours), statistics.median(peer), statistics.median(ratios)
    )
