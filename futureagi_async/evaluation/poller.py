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
from futureagi_async.evaluation.plan import EvaluationPhase, assess
from futureagi_async.evaluation.reading import (
    EVERYTHING,
    Selection,
    is_evaluating,
    read_tally,
)


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from futureagi_async.evaluation.results import Tally
    from futureagi_async.model.page import SendRead


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
    suspected: EvaluationPhase | None = None
    failures: int = 0
    tally: Tally | None = None


WatchedT = TypeVar("WatchedT", bound=Watched)


async def look(
    read: SendRead, watched: Watched
) -> EvaluationPhase | FutureAGIError | None:
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
    finding = assess(watched.tally)
    is_believed = finding.is_certain or watched.suspected is finding.verdict
    if finding.verdict is EvaluationPhase.UNDER_WAY:
        watched.suspected = None
        return None
    watched.suspected = finding.verdict
    return finding.verdict if is_believed else None


def _is_power_of_two(number: int) -> bool:
    return number > 1 and not number & (number - 1)


class Rounds(Generic[WatchedT]):
    """Looks at everything that waits, so many at a time, then pauses, and again.

    A round waits for its visits no longer than a pause lasts. Visits that take longer
    go on by themselves, and rounds skip what is still being visited.

    Args:
        visit: looks at one, and lets it go when its end has come.
        give_up: lets one go whose end has not come when no more rounds are made.
        pause: seconds of the first pause; it grows while nothing ends.
        workers: how many are looked at at a time.
        random: gives numbers from 0 to 1.
        sleep: waits so many seconds, or less where nothing more is to be begun.
    """

    def __init__(
        self,
        visit: Callable[[WatchedT], Awaitable[None]],
        give_up: Callable[[WatchedT], None],
        *,
        pause: float,
        workers: int,
        random: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._visit = visit
        self._give_up = give_up
        self._first_pause = self._pause = pause
        self._places = asyncio.Semaphore(workers)
        self._random = random
        self._sleep = sleep
        self._waiting: dict[WatchedT, None] = {}
        self._visited: set[WatchedT] = set()
        self._news = asyncio.Event()
        self._has_ended_any = False
        self._closed = False
        self.are_over: bool = False
        """Whether no more rounds are made, and what waited was given up."""

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, watched: WatchedT) -> None:
        """Take in another one; it is looked at in the next round."""
        self._waiting[watched] = None
        self._news.set()

    def leave(self, watched: WatchedT) -> None:
        """Let one go whose end has come, if it is here."""
        if watched in self._waiting:
            del self._waiting[watched]
            self._has_ended_any = True

    def close(self) -> None:
        """Take in no more: the rounds end when nothing waits."""
        self._closed = True
        self._news.set()

    async def run(self, stop: Callable[[], bool], latest: float | None) -> None:
        """Make rounds until everything has ended, or nothing more is to be begun.

        What waits then is given up at once, and what is being visited when its visit
        has ended without its end.

        Args:
            stop: tells that nothing more is to be begun.
            latest: when that is certain, by the clock of the loop.
        """
        async with asyncio.TaskGroup() as visits:
            while not stop() and (self._waiting or not self._closed):
                if not self._resting():
                    await self._until_news(latest)
                    continue
                await self._rest(latest)
                if not stop():
                    await self._round(visits, stop, latest)
            self.are_over = True
            for each in self._resting():
                self._give_up(each)

    def _resting(self) -> list[WatchedT]:
        """Give what waits and is not being visited."""
        return [each for each in self._waiting if each not in self._visited]

    async def _round(
        self, visits: asyncio.TaskGroup, stop: Callable[[], bool], latest: float | None
    ) -> None:
        under_way: set[asyncio.Task[None]] = set()
        for each in self._resting():
            if not await self._take_place(latest) or stop():
                return
            self._visited.add(each)
            visiting = visits.create_task(self._look_at(each))
            under_way.add(visiting)
            visiting.add_done_callback(under_way.discard)
        if under_way:
            await asyncio.wait(under_way, timeout=_until(latest, self._pause))
        if self._has_ended_any:
            self._pause = self._first_pause
        else:
            longest = self._first_pause * _LONGEST
            self._pause = min(self._pause * _BACK_OFF, longest)
        self._has_ended_any = False

    async def _take_place(self, latest: float | None) -> bool:
        """Wait until another visit may begin; tell if that came to pass in time."""
        try:
            async with asyncio.timeout_at(latest):
                await self._places.acquire()
        except TimeoutError:
            return False
        return True

    async def _look_at(self, watched: WatchedT) -> None:
        try:
            await self._visit(watched)
        finally:
            self._visited.discard(watched)
            self._places.release()
            self._news.set()
        if self.are_over and watched in self._waiting:
            self._give_up(watched)

    async def _rest(self, latest: float | None) -> None:
        pause = self._pause * (1 + _JITTER * (2 * self._random() - 1))
        await self._sleep(_until(latest, pause))

    async def _until_news(self, latest: float | None) -> None:
        """Wait until another one is to be looked at, or none is to come."""
        self._news.clear()
        try:
            async with asyncio.timeout_at(latest):
                await self._news.wait()
        except TimeoutError:
            pass


def _until(latest: float | None, seconds: float) -> float:
    """Seconds to wait: so many, or fewer where they would go past the latest moment."""
    if latest is None:
        return seconds
    return min(seconds, max(0.0, latest - asyncio.get_running_loop().time()))
