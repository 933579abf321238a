"""When to poll a run test: not before it can be finished, and soon after."""

from __future__ import annotations

import collections
import random
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable


_GROWTH = 0.5
"""The pause after a poll, as a share of the time since the start."""

_MAX_PAUSES = 15.0
"""How many times the first pause a pause can be."""

_PATIENCE = 10.0
"""After how many times the first pause a run test is polled that is no scout."""

_JITTER = 0.2
"""By what share of it a pause can be shorter or longer."""

_MIN_SCOUTS = 8
_SCOUT_SHARE = 0.05
"""How many run tests, and which share of them, find out how long evaluations take."""

_LATE = 0.1
"""The least pause after the time that others took, as a share of it."""

_REMEMBERED = 64


class PollSchedule:
    """Schedule of polls that learns from the evaluations that have ended.

    A few run tests are its scouts: they are polled after one pause, and again with
    growing pauses. The others are polled when they are as old as the first that have
    ended were, or after ten pauses while none has.

    Args:
        pause: seconds until the first poll, at least.
        random: returns numbers from 0 to 1.
    """

    def __init__(
        self, pause: float, random: Callable[[], float] = random.random
    ) -> None:
        self._pause = pause
        self._random = random
        self._durations: collections.deque[float] = collections.deque(
            maxlen=_REMEMBERED
        )
        self.typical: float | None = None
        """Seconds that the quicker evaluations take, once some have ended."""

    def learn(self, seconds: float) -> bool:
        """Remember how long evaluations took; return whether they are the first ones."""
        is_first = self.typical is None
        self._durations.append(seconds)
        ordered = sorted(self._durations)
        self.typical = ordered[len(ordered) // 4]
        return is_first

    def needs_scout(self, scouts: int, waiting: int) -> bool:
        """Return whether another run test, beside so many, is to be a scout."""
        return scouts < max(_MIN_SCOUTS, waiting * _SCOUT_SHARE)

    def pause_after(self, age: float, *, is_scout: bool) -> float:
        """Return the seconds until the next poll of a run test.

        Args:
            age: seconds since its evaluations were started.
            is_scout: whether it finds out how long evaluations take.
        """
        pause, typical = self._pause, self.typical
        if is_scout:
            expected = 0.0
        elif typical is None:
            expected = pause * _PATIENCE
        else:
            expected = typical
            pause = max(pause, typical * _LATE)
        if age < expected:
            return expected - age
        late = age if typical is None else age - expected
        longest = max(pause, self._pause * _MAX_PAUSES)
        grown = min(max(pause, late * _GROWTH), longest)
        return grown * (1 + _JITTER * (2 * self._random() - 1))
