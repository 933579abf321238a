"""Polling of evaluations that are under way, in rounds that all run tests share."""

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
from futureagi_async.evaluation.plan import Assessment, EvaluationPhase, assess
from futureagi_async.evaluation.results import (
    ALL_EXECUTIONS,
    ExecutionFilter,
    Overview,
    ResultScope,
    ResultTable,
    read_overview,
    read_results,
    read_scored_overview,
)


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from futureagi_async.endpoints.list_test_executions import TestExecution
    from futureagi_async.endpoints.status import ExecutionStatus
    from futureagi_async.model.page import SendRead


_BACKOFF_FACTOR = 1.5
"""By how much each pause is longer than the one before, while nothing finishes."""

_MAX_BACKOFF_FACTOR = 15.0
"""How many times the first pause a pause can be."""

_JITTER = 0.2
"""By what share of it a pause can be shorter or longer."""

_MAX_FAILURES = 3
"""Failed polls of a run test in a row that count as its failure."""

STUCK_AFTER = 60.0
"""Seconds between two visits of the service's slowest monitor, which completes what the
others have left."""

_TRANSIENT_ERRORS = (APIConnectionError, RateLimitError, ServerError)
"""Errors that the next poll may not meet."""


@attrs.define(eq=False)
class PollTarget:
    """A run test whose evaluations are under way.

    Attributes:
        run_test_id: the run test.
        run_test_name: its name, if it is known.
        execution_filter: the executions to read.
        scope: what to read of their calls.
        stuck_after: seconds without a change after which what one reading cannot prove
            is believed.
        reads_scores: whether executions are read with their scores.
        polls: how often it was polled.
        failures: how many polls in a row have failed.
        table: the results that were last read.
        left_out: the status of executions that are not evaluated for it.
        assessment: what was concluded from the results.
        unchanged_since: when they were first read as they are, by the loop's clock.
    """

    run_test_id: str
    run_test_name: str | None = None
    execution_filter: ExecutionFilter = ALL_EXECUTIONS
    scope: ResultScope = attrs.field(factory=ResultScope)
    stuck_after: float = STUCK_AFTER
    reads_scores: bool = True
    polls: int = 0
    failures: int = 0
    table: ResultTable = attrs.field(factory=ResultTable, kw_only=True)
    left_out: Mapping[str, ExecutionStatus] = attrs.field(factory=dict, kw_only=True)
    assessment: Assessment | None = attrs.field(default=None, kw_only=True)
    unchanged_since: float = attrs.field(default=0.0, kw_only=True)

    async def read_overview(self, read: SendRead) -> Overview:
        """Read the executions, with their scores if that is possible.

        Raises:
            APIError: they could not be read.
        """
        overview = None
        if self.reads_scores and self.run_test_name:
            overview = await read_scored_overview(
                read, self.run_test_name, self.execution_filter, self.scope
            )
            self.reads_scores = overview is not None
        if overview is None:
            overview = await read_overview(
                read, self.run_test_id, self.execution_filter
            )
        self.left_out = overview.left_out
        return overview

    def is_settled(self, now: float) -> bool:
        """Return whether nothing has changed for so long that nothing goes on."""
        return now - self.unchanged_since > self.stuck_after

    def store(self, table: ResultTable, now: float) -> EvaluationPhase | None:
        """Store what was read; return the phase if it is final."""
        if self.assessment is None or table.fingerprint != self.table.fingerprint:
            self.unchanged_since = now
        self.table = table
        self.assessment = found = assess(table)
        if found.phase is EvaluationPhase.UNDER_WAY:
            return None
        return found.phase if found.is_certain or self.is_settled(now) else None


TargetT = TypeVar("TargetT")


async def poll_once(
    read: SendRead, target: PollTarget, now: Callable[[], float]
) -> EvaluationPhase | FutureAGIError | None:
    """Poll once; return the final phase or error, or `None` while it is under way.

    Most polls only read the status of the executions. The results are read when one
    has changed, when it is time to believe what they were, and by every later poll
    whose number is a power of two.
    """
    target.polls += 1
    try:
        began = now()
        overview = await target.read_overview(read)
        if not _reads_results(target, overview.executions, began):
            target.failures = 0
            return None
        table = await read_results(read, target.run_test_id, overview, target.scope)
    except NotAttemptedError:
        return None  # the poller is about to stop, and knows why
    except FutureAGIError as error:
        target.failures += 1
        is_transient = (
            isinstance(error, _TRANSIENT_ERRORS) and target.failures < _MAX_FAILURES
        )
        return None if is_transient else error
    target.failures = 0
    return target.store(table, began)


def _reads_results(
    target: PollTarget, executions: Sequence[TestExecution], now: float
) -> bool:
    """Return whether the results are worth reading, beside the executions."""
    known = target.table.executions
    has_changed = known.keys() != {each.id for each in executions} or any(
        known[each.id].status != each.status for each in executions
    )
    found = target.assessment
    is_doubtful = found is None or found.phase is not EvaluationPhase.UNDER_WAY
    return (
        has_changed
        or _is_power_of_two(target.polls)
        or not any(each.is_evaluating for each in executions)
        or (is_doubtful and target.is_settled(now))
    )


def _is_power_of_two(number: int) -> bool:
    return number > 1 and not number & (number - 1)


class Poller(Generic[TargetT]):
    """Poller of all targets, in rounds with a growing pause between them.

    A round waits for its polls no longer than a pause lasts. Polls that take longer go
    on by themselves, and rounds skip their targets.

    Args:
        poll_one: polls one target, and removes it when it is finished.
        expire: removes a target that is not finished when the poller stops.
        pause: seconds of the first pause; it grows while nothing finishes.
        workers: how many targets are polled at a time.
        random: returns numbers from 0 to 1.
        sleep: waits so many seconds, or less once the poller is to stop.
    """

    def __init__(
        self,
        poll_one: Callable[[TargetT], Awaitable[None]],
        expire: Callable[[TargetT], None],
        *,
        pause: float,
        workers: int,
        random: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._poll_one = poll_one
        self._expire = expire
        self._first_pause = self._pause = pause
        self._slots = asyncio.Semaphore(workers)
        self._random = random
        self._wait = sleep
        self._targets: dict[TargetT, None] = {}
        self._polled: set[TargetT] = set()
        self._wakeup = asyncio.Event()
        self._any_finished = False
        self._closed = False
        self.stopped: bool = False
        """Whether no more polls are made, and all targets have expired."""

    def __len__(self) -> int:
        return len(self._targets)

    def add(self, target: TargetT) -> None:
        """Add a target; the next round polls it."""
        self._targets[target] = None
        self._wakeup.set()

    def remove(self, target: TargetT) -> None:
        """Remove a target that is finished; no-op if it is not there."""
        if target in self._targets:
            del self._targets[target]
            self._any_finished = True

    def close(self) -> None:
        """Announce that no target will be added: `run` returns when none is left."""
        self._closed = True
        self._wakeup.set()

    async def run(self, is_stopped: Callable[[], bool], deadline: float | None) -> None:
        """Poll until everything is finished, or until it is stopped.

        Then targets expire at once, except those that are being polled: they expire
        when their poll has not finished them.

        Args:
            is_stopped: returns whether nothing more is to be sent.
            deadline: when that is certain, by the clock of the loop.
        """
        async with asyncio.TaskGroup() as polls:
            while not is_stopped() and (self._targets or not self._closed):
                if not self._due_targets():
                    await self._wait_for_targets(deadline)
                    continue
                await self._sleep(deadline)
                if not is_stopped():
                    await self._poll_round(polls, is_stopped, deadline)
            self.stopped = True
            for target in self._due_targets():
                self._expire(target)

    def _due_targets(self) -> list[TargetT]:
        """Return the targets that are not being polled."""
        return [target for target in self._targets if target not in self._polled]

    async def _poll_round(
        self,
        polls: asyncio.TaskGroup,
        is_stopped: Callable[[], bool],
        deadline: float | None,
    ) -> None:
        under_way: set[asyncio.Task[None]] = set()
        for target in self._due_targets():
            if not await self._acquire_slot(deadline) or is_stopped():
                return
            self._polled.add(target)
            poll = polls.create_task(self._poll_target(target))
            under_way.add(poll)
            poll.add_done_callback(under_way.discard)
        if under_way:
            await asyncio.wait(under_way, timeout=_cap_at(deadline, self._pause))
        if self._any_finished:
            self._pause = self._first_pause
        else:
            longest = self._first_pause * _MAX_BACKOFF_FACTOR
            self._pause = min(self._pause * _BACKOFF_FACTOR, longest)
        self._any_finished = False

    async def _acquire_slot(self, deadline: float | None) -> bool:
        """Wait until another poll may begin; return whether that was in time."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            return False
        return True

    async def _poll_target(self, target: TargetT) -> None:
        try:
            await self._poll_one(target)
        finally:
            self._polled.discard(target)
            self._slots.release()
            self._wakeup.set()
        if self.stopped and target in self._targets:
            self._expire(target)

    async def _sleep(self, deadline: float | None) -> None:
        pause = self._pause * (1 + _JITTER * (2 * self._random() - 1))
        await self._wait(_cap_at(deadline, pause))

    async def _wait_for_targets(self, deadline: float | None) -> None:
        """Wait until a target is due, or none is to come."""
        self._wakeup.clear()
        try:
            async with asyncio.timeout_at(deadline):
                await self._wakeup.wait()
        except TimeoutError:
            pass


def _cap_at(deadline: float | None, seconds: float) -> float:
    """Return so many seconds, or fewer if the deadline comes before."""
    if deadline is None:
        return seconds
    return min(seconds, max(0.0, deadline - asyncio.get_running_loop().time()))
