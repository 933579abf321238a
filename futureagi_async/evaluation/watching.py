"""Watching evaluations that are under way: rounds that all run tests share."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from futureagi_async.errors import (
    APIConnectionError,
    FutureAGIError,
    NotAttemptedError,
    RateLimitError,
    ServerError,
)
from futureagi_async.evaluation.planning import Verdict, judge
from futureagi_async.evaluation.reading import (
    EVERYTHING,
    Selection,
    is_evaluating,
    read_tally,
)
from futureagi_async.fanout import FanOut


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from futureagi_async.evaluation.tally import Tally
    from futureagi_async.pages import Read


_BACK_OFF = 1.5
"""How much longer each pause is than the one before, while nothing ends."""

_LONGEST = 15.0
"""How many times the first pause a pause can be."""

_JITTER = 0.2
"""How much shorter or longer a pause can be, as a share of it."""

_FAILURES = 3
"""Rounds in a row in which a run test cannot be read, until that is its end."""

_PASSING = (APIConnectionError, RateLimitError, ServerError)
"""Errors that the next round may not meet any more."""


@attrs.define(eq=False)
class Watched:
    """A run test whose evaluations are under way.

    Attributes:
        run_test_id: the run test.
        selection: the executions that it is about.
        config_ids: the eval configs that it is about; `None` for all.
        looks: in how many rounds it was looked at.
        suspected: what the last look found and the next has to confirm.
        failures: how many looks in a row have failed.
        tally: what was last read of its calls.
    """

    run_test_id: str
    selection: Selection = EVERYTHING
    config_ids: Sequence[str] | None = None
    looks: int = 0
    suspected: Verdict | None = None
    failures: int = 0
    tally: Tally | None = None


WatchedT = TypeVar("WatchedT", bound=Watched)


async def look(read: Read, watched: Watched) -> Verdict | FutureAGIError | None:
    """Look once; give what the end is, or `None` if there is none yet.

    Most looks only count the executions that are being evaluated. Every look whose
    number is a power of two reads the calls as well: an execution can say for ever that
    it is being evaluated.
    """
    watched.looks += 1
    is_thorough = watched.suspected is not None or _is_power_of_two(watched.looks)
    try:
        if not is_thorough and await is_evaluating(read, watched.run_test_id):
            watched.failures = 0
            return None
        watched.tally = await read_tally(
            read, watched.run_test_id, watched.selection, watched.config_ids
        )
    except NotAttemptedError:
        return None  # whoever makes the rounds knows why
    except FutureAGIError as error:
        watched.failures += 1
        is_passing = isinstance(error, _PASSING) and watched.failures < _FAILURES
        return None if is_passing else error
    watched.failures = 0
    finding = judge(watched.tally)
    is_believed = finding.is_certain or watched.suspected is finding.verdict
    if finding.verdict is Verdict.UNDER_WAY:
        watched.suspected = None
        return None
    watched.suspected = finding.verdict
    return finding.verdict if is_believed else None


def _is_power_of_two(number: int) -> bool:
    return number > 1 and not number & (number - 1)


class Rounds(Generic[WatchedT]):
    """Looks at everything that waits, so many at a time, then pauses, and again.

    Args:
        visit: looks at one, and lets it go when its end has come.
        pause: seconds of the first pause; it grows while nothing ends.
        workers: how many are looked at at a time.
        random: gives numbers from 0 to 1.
        sleep: waits so many seconds, or less where nothing more is to be begun.
    """

    def __init__(
        self,
        visit: Callable[[WatchedT], Awaitable[None]],
        *,
        pause: float,
        workers: int,
        random: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._visit = visit
        self._first_pause = self._pause = pause
        self._workers = workers
        self._random = random
        self._sleep = sleep
        self._waiting: dict[WatchedT, None] = {}
        self._news = asyncio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, watched: WatchedT) -> None:
        """Take in another one; it is looked at in the next round."""
        self._waiting[watched] = None
        self._news.set()

    def leave(self, watched: WatchedT) -> None:
        """Let one go whose end has come, if it is here."""
        self._waiting.pop(watched, None)

    def close(self) -> None:
        """Take in no more: the rounds end when nothing waits."""
        self._closed = True
        self._news.set()

    @property
    def waiting(self) -> list[WatchedT]:
        """What has not ended."""
        return list(self._waiting)

    async def run(self, stop: Callable[[], bool], latest: float | None) -> None:
        """Make rounds until everything has ended, or nothing more is to be begun.

        Args:
            stop: tells that nothing more is to be begun.
            latest: when that is certain, by the clock of the loop.
        """
        while not stop():
            if not self._waiting:
                if self._closed:
                    break
                self._news.clear()
                await self._until(latest)
                continue
            await self._rest(latest)
            if not stop():
                await self._round()

    async def _round(self) -> None:
        before = list(self._waiting)
        await FanOut(before, self._visit, _nothing, workers=self._workers).work()
        has_ended = any(each not in self._waiting for each in before)
        if has_ended:
            self._pause = self._first_pause
        else:
            longest = self._first_pause * _LONGEST
            self._pause = min(self._pause * _BACK_OFF, longest)

    async def _rest(self, latest: float | None) -> None:
        pause = self._pause * (1 + _JITTER * (2 * self._random() - 1))
        if latest is not None:
            now = asyncio.get_running_loop().time()
            pause = min(pause, max(0.0, latest - now))
        await self._sleep(pause)

    async def _until(self, latest: float | None) -> None:
        try:
            async with asyncio.timeout_at(latest):
                await self._news.wait()
        except TimeoutError:
            pass


def _nothing(_place: int, _done: None) -> None:
    """Nothing is to be done with what a visit gives."""
