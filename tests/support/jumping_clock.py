"""A clock that jumps to the next timer, so that waiting takes no time in a test."""

from __future__ import annotations

import asyncio
import selectors
from functools import partial
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Coroutine


class _JumpingSelector(selectors.DefaultSelector):
    """Does not wait for a timer: it moves the clock there."""

    def __init__(self, now: float, tick: float) -> None:
        super().__init__()
        self.now = now
        self._tick = tick

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits, and no timer is set"
            self.now += max(timeout, self._tick)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which waiting takes no time.

    `now` is where its clock begins, and `tick` how far it goes in every round: where
    something waits until time has passed, a clock that stands still helps nobody.
    """

    def __init__(self, now: float = 0.0, tick: float = 0.0) -> None:
        self._clock = _JumpingSelector(now, tick)
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now


def on_a_jumping_clock(
    main: Coroutine[Any, Any, Any], now: float = 0.0, tick: float = 0.0
) -> Any:
    """Run a coroutine on a clock that jumps when all is idle."""
    make = partial(JumpingLoop, now, tick)
    with asyncio.Runner(loop_factory=make) as runner:
        return runner.run(main)


def now() -> float:
    """The time on the clock."""
    return asyncio.get_running_loop().time()
