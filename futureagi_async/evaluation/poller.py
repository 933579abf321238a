"""Polling of evaluations that are under way."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from typing import TYPE_CHECKING, Generic, TypeVar

import attrs

from futureagi_async.errors import (
    APIConnectionError,
    FutureAGIError,
    NotAttemptedError,
    RateLimitError,
    ServerError,
)
from futureagi_async.evaluation.overview import (
    ALL_EXECUTIONS,
    ExecutionFilter,
    Overview,
    read_overview,
    read_scored_overview,
)
from futureagi_async.evaluation.plan import Assessment, EvaluationPhase, assess, is_busy
from futureagi_async.evaluation.results import ResultScope, ResultTable, read_results


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from futureagi_async.endpoints.status import ExecutionStatus
    from futureagi_async.evaluation.poll_schedule import PollSchedule
    from futureagi_async.model.page import SendRead


_LONG = 3600.0
"""Seconds to wait while there is no target."""

_MAX_FAILURES = 3
"""Failed polls of a run test in a row that count as its failure."""

STUCK_AFTER = 60.0
"""Seconds between two visits of the service's slowest monitor, which completes what the
others have left."""

_UNSETTLED_READS = 4
"""How often results that seem to come in are read within that time."""

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
        failures: how many polls in a row have failed.
        table: the results that were last read.
        left_out: the status of executions that are not evaluated for it.
        assessment: what was concluded from the results.
        numbers_of_results: how many results the scores were of when they were read.
        unchanged_since: when they were first read as they are, by the loop's clock.
        read_at: when they were last read, or what they are now was started.
    """

    run_test_id: str
    run_test_name: str | None = None
    execution_filter: ExecutionFilter = ALL_EXECUTIONS
    scope: ResultScope = attrs.field(factory=ResultScope)
    stuck_after: float = STUCK_AFTER
    reads_scores: bool = True
    failures: int = 0
    table: ResultTable = attrs.field(factory=ResultTable, kw_only=True)
    left_out: Mapping[str, ExecutionStatus] = attrs.field(factory=dict, kw_only=True)
    assessment: Assessment | None = attrs.field(default=None, kw_only=True)
    numbers_of_results: Mapping[str, Mapping[str, int]] = attrs.field(
        factory=dict, kw_only=True
    )
    unchanged_since: float = attrs.field(default=0.0, kw_only=True)
    read_at: float = attrs.field(default=0.0, kw_only=True)

    async def read_overview(self, read: SendRead) -> Overview:
        """Read the executions, with their scores if that is possible.

        Raises:
            APIError: they could not be read.
        """
        overview = None
        expected = () if self.scope.is_new else self.scope.expected_ids
        if self.reads_scores and self.run_test_name and expected:
            overview = await read_scored_overview(
                read, self.run_test_name, self.execution_filter, expected
            )
            self.reads_scores = overview is not None
        if overview is None:
            overview = await read_overview(
                read, self.run_test_id, self.execution_filter
            )
        if self.execution_filter.ids is None:  # of chosen ones, none is left out
            self.left_out = overview.left_out
        return overview

    @property
    def is_settled(self) -> bool:
        """Whether nothing had changed for so long, when last read, that nothing goes on."""
        return self.read_at - self.unchanged_since > self.stuck_after

    def store(
        self, table: ResultTable, began: float, ended: float
    ) -> EvaluationPhase | None:
        """Store what was read from one moment to another; return the phase if final."""
        if self.assessment is None or table.fingerprint != self.table.fingerprint:
            self.unchanged_since = ended
        self.table, self.read_at = table, began
        busy = {id_ for id_, each in table.results.items() if is_busy(each)}
        self.scope = attrs.evolve(self.scope, watched=self.scope.watched | busy)
        if self.is_settled:
            for each in table.results.values():
                each.expect_nothing()
        self.assessment = found = assess(table)
        if found.phase is EvaluationPhase.UNDER_WAY:
            return None
        return found.phase if found.is_certain or self.is_settled else None


TargetT = TypeVar("TargetT")


async def poll_once(
    read: SendRead, target: PollTarget, now: Callable[[], float]
) -> EvaluationPhase | FutureAGIError | None:
    """Poll once; return the final phase or error, or `None` while it is under way.

    Most polls only read the status of the executions. The results are read when one
    has changed, when none is being evaluated, and when they could be believed or were
    not read for as long: an execution can have the status "evaluating" for ever.
    """
    try:
        began = now()
        overview = await target.read_overview(read)
        if not _reads_results(target, overview, began):
            target.failures = 0
            return None
        target.numbers_of_results = overview.numbers_of_results
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
    return target.store(table, began, now())


def _reads_results(target: PollTarget, overview: Overview, now: float) -> bool:
    """Return whether the results are worth reading, beside the executions."""
    executions = overview.executions
    known = target.table.executions
    has_changed = known.keys() != {each.id for each in executions} or any(
        known[each.id].status != each.status for each in executions
    )
    found = target.assessment
    is_doubtful = found is None or found.phase is not EvaluationPhase.UNDER_WAY
    return (
        has_changed
        or now - target.read_at > target.stuck_after
        or (
            not any(each.is_evaluating for each in executions)
            and (
                overview.numbers_of_results != target.numbers_of_results
                or (now - target.read_at) * _UNSETTLED_READS > target.stuck_after
            )
        )
        or (is_doubtful and now - target.unchanged_since > target.stuck_after)
    )


@attrs.define(eq=False)
class _Waiting:
    """A target that waits, since when, and how it is polled."""

    since: float
    is_scout: bool
    is_polled: bool = False
    polls: int = 0


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Poller(Generic[TargetT]):
    """Poller of all targets, each when its schedule wants it.

    Args:
        poll_one: polls one target, and removes it when it is finished.
        expire: removes a target that is not finished when the poller stops.
        schedule: when a target is polled.
        workers: how many targets are polled at a time.
        wait: waits for an event, or so many seconds.
    """

    def __init__(
        self,
        poll_one: Callable[[TargetT], Awaitable[None]],
        expire: Callable[[TargetT], None],
        *,
        schedule: PollSchedule,
        workers: int,
        wait: Callable[[asyncio.Event, float], Awaitable[None]] = _wait,
    ) -> None:
        self._poll_one = poll_one
        self._expire = expire
        self._schedule = schedule
        self._slots = asyncio.Semaphore(workers)
        self._wait = wait
        self._now = asyncio.get_running_loop().time
        self._targets: dict[TargetT, _Waiting] = {}
        self._due: list[tuple[float, int, TargetT]] = []
        self._order = itertools.count()
        self._scouts = 0
        self._wakeup = asyncio.Event()
        self._closed = False
        self.stopped: bool = False
        """Whether no more polls are made, and all targets have expired."""

    def __len__(self) -> int:
        return len(self._targets)

    def add(self, target: TargetT) -> None:
        """Add a target whose evaluations were started now, or were started again."""
        waiting = self._targets.get(target)
        if waiting is not None:
            waiting.since, waiting.polls = self._now(), 0
            return
        is_scout = self._schedule.needs_scout(self._scouts, len(self._targets))
        self._scouts += is_scout
        self._targets[target] = _Waiting(self._now(), is_scout)
        self._plan(target)

    def remove(self, target: TargetT) -> None:
        """Remove a target that is finished; no-op if it is not there."""
        waiting = self._targets.pop(target, None)
        if waiting is None:
            return
        self._scouts -= waiting.is_scout
        if waiting.polls and self._schedule.learn(self._now() - waiting.since):
            self._due.clear()
            for each, others in self._targets.items():
                if not others.is_polled:
                    self._plan(each)

    def close(self) -> None:
        """Announce that no target will be added: `run` returns when none is left."""
        self._closed = True
        self.wake()

    def wake(self) -> None:
        """Check at once whether the poller is to stop."""
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
                self._wakeup.clear()
                if (pause := self._pause()) > 0:
                    await self._wait(self._wakeup, _cap_at(deadline, pause))
                else:
                    await self._poll_next(polls, is_stopped, deadline)
            self.stopped = True
            for target, waiting in list(self._targets.items()):
                if not waiting.is_polled:
                    self._expire(target)

    def _plan(self, target: TargetT) -> None:
        """Plan the next poll of a target."""
        waiting, now = self._targets[target], self._now()
        pause = self._schedule.pause_after(
            now - waiting.since, is_scout=waiting.is_scout
        )
        heapq.heappush(self._due, (now + pause, next(self._order), target))
        self.wake()

    def _pause(self) -> float:
        """Return the seconds until the next poll."""
        while self._due and self._due[0][2] not in self._targets:
            heapq.heappop(self._due)
        return self._due[0][0] - self._now() if self._due else _LONG

    async def _poll_next(
        self,
        polls: asyncio.TaskGroup,
        is_stopped: Callable[[], bool],
        deadline: float | None,
    ) -> None:
        """Poll the target that is due, if there still is one when a slot is free."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._slots.acquire()
        except TimeoutError:
            return
        if is_stopped() or self._pause() > 0:
            self._slots.release()
            return
        _, _, target = heapq.heappop(self._due)
        self._targets[target].is_polled = True
        polls.create_task(self._poll_target(target))

    async def _poll_target(self, target: TargetT) -> None:
        waiting = self._targets[target]
        waiting.polls += 1
        try:
            await self._poll_one(target)
        finally:
            waiting.is_polled = False
            self._slots.release()
            self.wake()
        if target not in self._targets:
            return
        if self.stopped:
            self._expire(target)
        else:
            self._plan(target)


def _cap_at(deadline: float | None, seconds: float) -> float:
    """Return so many seconds, or fewer if the deadline comes before."""
    if deadline is None:
        return seconds
    return min(seconds, max(0.0, deadline - asyncio.get_running_loop().time()))
