"""Evaluation of many run tests, each from eval configs to scores by itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.batch.failures import (
    is_own_cancellation,
    outcome_of_error,
    wrap_unexpected_error,
)
from futureagi_async.batch.worker_pool import CallerCodeError, WorkerPool
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import (
    EvaluationsUnderWayError,
    FutureAGIError,
    NotAttemptedError,
)
from futureagi_async.evaluation import conclusion
from futureagi_async.evaluation.directory import RunTestDirectory
from futureagi_async.evaluation.mappings import check_mappings
from futureagi_async.evaluation.overview import ALL_EXECUTIONS
from futureagi_async.evaluation.plan import (
    EvaluationPhase,
    Plan,
    assess,
    describe_busy,
    make_plan,
)
from futureagi_async.evaluation.poll_schedule import PollSchedule
from futureagi_async.evaluation.poller import Poller, poll_once
from futureagi_async.evaluation.report import (
    EvaluationProgress,
    EvaluationStatus,
    RunTestEvaluation,
)
from futureagi_async.evaluation.results import ResultScope
from futureagi_async.evaluation.start import (
    ReadEvaluations,
    RunTestState,
    StartEvaluations,
)
from futureagi_async.model.request import InvalidItem


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from futureagi_async.batch.batch_executor import BatchExecutor
    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.evaluation.inputs import EvaluationSettings, RunTestInput
    from futureagi_async.model.operation import Operation


_STUCK_EXECUTION = (
    'an execution has the status "evaluating" although all its results are there; the '
    "service does not run it again"
)

_TOO_MANY_RESTARTS = (
    "others evaluate its executions again and again, so that not everything that was "
    "requested could be started; evaluate again"
)

_BLOCKED_BY_OTHERS = (
    "others have evaluations under way on its executions, and the service accepts no "
    "more until those are finished, so that not everything was started; evaluate again "
    "then"
)

_UNSETTLED = (
    "results of a completed execution seem to come in still, and to start them again "
    "would erase and bill them; with wait=True they are started once nothing has changed "
    "for a while (stuck_after)"
)

_OPEN_CALLS = (
    "an execution is completed although calls of it have not ended; with wait=True that "
    "is believed once nothing has changed for a while (stuck_after)"
)

_MAX_RESTARTS = 3
"""How often a run test starts over after what others had started is finished."""


@attrs.define(eq=False, kw_only=True)
class _RunTestTask:
    """A run test that was read from the input.

    Attributes:
        item: the run test.
        requested: the eval configs to report on.
        index: its index in the input.
        started_at: when it was read.
        state: what was found and started.
        restarts: how often it started over.
        is_duplicate: whether it gets the evaluation of an equal run test.
        is_finished: whether its evaluation was delivered.
    """

    item: RunTestInput | InvalidItem
    requested: Sequence[EvalConfig] = ()
    index: int
    started_at: float
    state: RunTestState
    restarts: int = 0
    is_duplicate: bool = False
    is_finished: bool = False


class EvaluationPipeline:
    """Evaluation of run tests that delivers each one when it is finished.

    A re-run starts a run test that the input has several times only once: duplicates
    get the evaluation of the first.

    Args:
        batch: sends the requests.
        options: how they are evaluated.
        deliver: called with the index in the input and the evaluation.
        on_progress: called with the counts whenever they change.
        slots: acquired for each run test before it is read; the receiver of its
            evaluation releases it.
        remembers_all: whether a run test is a duplicate also after the first is
            finished, which takes memory for each.
    """

    _pool: WorkerPool[Any, _RunTestTask]

    def __init__(
        self,
        batch: BatchExecutor,
        options: EvaluationSettings,
        deliver: Callable[[int, RunTestEvaluation], object],
        on_progress: Callable[[EvaluationProgress], object] | None = None,
        slots: asyncio.Semaphore | None = None,
        *,
        remembers_all: bool,
    ) -> None:
        self._batch = batch
        self._poll_executor = batch.new_executor(continues=True)
        self._options = options
        self._spec = options.spec
        self._deliver = deliver
        self._on_progress = on_progress
        self._slots = slots
        self._remembers_all = remembers_all
        self._now = asyncio.get_running_loop().time
        self._directory = RunTestDirectory()
        self._poller = Poller(
            self._poll,
            self._expire,
            schedule=PollSchedule(options.poll_interval),
            workers=options.batch.max_concurrency,
            wait=batch.wait,
        )
        self._read = self._finished = self._scored = 0
        self._unchecked = ""
        self._duplicates: dict[str, list[_RunTestTask]] = {}
        self._reruns: dict[str, RunTestEvaluation] = {}
        self._failure: BaseException | None = None

    async def run(self, items: Any) -> None:
        """Evaluate every run test.

        Raises:
            InvalidRequestError: a mapping does not fit its template; nothing was sent.
            CallerCodeError: the input or `on_progress` has raised; everything that was
                under way was delivered.
        """
        workers = self._options.batch.workers
        if self._spec is not None and self._spec.check_mappings:
            self._unchecked = await check_mappings(
                self._poll_executor.read, self._spec.configs, self._options.templates
            )
        self._directory.expected = len(items) if isinstance(items, list) else None
        # A worker that finds no more input keeps the slot that it acquired.
        self._pool = WorkerPool(
            items,
            self._start_run_test,
            self._hand_to_poller,
            workers=min(workers, self._options.max_in_progress or workers),
            acquire_slot=None if self._slots is None else self._slots.acquire,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poller.run(self._is_stopped, self._batch.deadline))
            try:
                await self._pool.run()
            except CallerCodeError as error:
                self._interrupt(error.__cause__)
            self._poller.close()
        if self._failure is not None:
            raise CallerCodeError(self._read) from self._failure

    @property
    def is_interrupted(self) -> bool:
        """Whether the caller's code has raised."""
        return self._failure is not None or self._pool.failed

    def _interrupt(self, failure: BaseException | None) -> None:
        """Stop, since the caller's code has raised."""
        self._failure = self._failure or failure
        self._poller.wake()

    def _is_stopped(self) -> bool:
        return self._stop_reason() is not None

    def _stop_reason(self) -> str | None:
        if self._failure is not None:
            return "the evaluation was interrupted"
        if self._batch.is_closed:
            return "the client was closed"
        return self._batch.stop_reason()

    async def _start_run_test(self, item: RunTestInput | InvalidItem) -> _RunTestTask:
        state = RunTestState(run_test_id="", directory=self._directory)
        task = _RunTestTask(
            item=item, index=self._read, started_at=self._now(), state=state
        )
        self._read += 1
        if isinstance(item, InvalidItem):
            self._fail(task, item.error)
            return task
        state.run_test_id, state.run_test_name = item.run_test_id, item.name
        state.stuck_after = self._options.stuck_after
        state.scope = ResultScope(
            keeps_calls=self._options.includes_calls,
            counts_calls=not self._options.waits,
        )
        if self._spec is None:
            await self._start(task)
            return task
        task.requested = self._spec.configs
        state.execution_filter = self._spec.execution_filter
        if self._unchecked:
            state.warnings.append(self._unchecked)
        if not self._spec.spends_each_time or self._is_first(task):
            await self._start(task)
        return task

    def _is_first(self, task: _RunTestTask) -> bool:
        """Return whether a run test has to be run again, as no equal one was before."""
        run_test_id = task.state.run_test_id
        if run_test_id in self._reruns:
            self._complete_duplicate(task, self._reruns[run_test_id])
        elif run_test_id in self._duplicates:
            task.is_duplicate = True
            self._duplicates[run_test_id].append(task)
        else:
            self._duplicates[run_test_id] = []
            return True
        return False

    def _hand_to_poller(self, _index: int, task: _RunTestTask) -> None:
        """Add a run test to the poller, unless it needs no polling."""
        if not task.is_finished and not task.is_duplicate:
            if self._poller.stopped:
                self._expire(task)
            else:
                self._poller.add(task)
                self._report_progress(None)
        if self._failure is not None:
            raise self._failure  # so that no more of the input is read

    def _expire(self, task: _RunTestTask) -> None:
        seen = [f"not waited for any longer: {self._stop_reason()}"]
        seen += describe_busy(task.state.table)
        status = EvaluationStatus.PENDING
        if task.state.blocked_by is not None:
            status = EvaluationStatus.NOT_STARTED
            seen.append(str(task.state.blocked_by))
        self._finish(task, status, "; ".join(seen))

    async def _start(self, task: _RunTestTask) -> None:
        """Do everything before the wait; finish the run test if there is none."""
        state, spec = task.state, self._spec
        error = await self._run(
            ReadEvaluations(state.run_test_id, state)
            if spec is None
            else StartEvaluations(state.run_test_id, spec, state)
        )
        if isinstance(error, EvaluationsUnderWayError) and self._options.waits:
            state.blocked_by = error
            state.execution_filter = ALL_EXECUTIONS  # each of them can block it
            return  # the poller continues with it when they have ended
        if error is not None:
            self._fail(task, error)
            return
        if state.executed is not None and state.assessment is None:
            if not self._options.waits:
                self._finish(task, EvaluationStatus.STARTED)
            return
        plan = state.plan
        if plan is not None and (
            plan.starts or plan.waits_for_running or plan.is_unsettled
        ):
            if not self._options.waits:
                self._finish_without_waiting(task, plan)
            return
        found = assess(state.table)
        if found.is_certain and found.phase is not EvaluationPhase.UNDER_WAY:
            self._conclude(task, found.phase, plan)
        elif not self._options.waits:
            self._conclude_now(task, found.phase, plan)

    def _conclude_now(
        self, task: _RunTestTask, phase: EvaluationPhase, plan: Plan | None
    ) -> None:
        """Finish a run test of which nothing is to be started, without confirmation."""
        results = task.state.table.results.values()
        if any(each.open_calls for each in results):
            self._finish(task, EvaluationStatus.PENDING, _OPEN_CALLS)
        elif phase in {EvaluationPhase.UNDER_WAY, EvaluationPhase.FINISHED}:
            # All that was requested has results; others evaluate something else.
            self._conclude(task, EvaluationPhase.FINISHED, plan)
        else:
            self._finish(task, EvaluationStatus.NOT_STARTED, _UNSETTLED)

    async def _run(self, operation: Operation[Any]) -> FutureAGIError | None:
        """Run an operation; return the error if it fails."""
        stop = self._batch.stop_reason()
        if stop is not None:
            await asyncio.sleep(0)  # an input without end can still be cancelled
            return NotAttemptedError(f"not sent: {stop}")
        try:
            async with self._batch.exclusive(operation.run_test_id):
                await operation.run(self._batch.new_executor())
        except (Exception, asyncio.CancelledError) as error:
            if is_own_cancellation(error):
                raise
            return outcome_of_error(operation, error, attempts=1, elapsed=0.0).error
        return None

    def _finish_without_waiting(self, task: _RunTestTask, plan: Plan) -> None:
        unknown = task.state.unknown_error
        if unknown is not None and not task.state.is_resolved:
            self._fail(task, unknown)
        elif plan.blocked_by_others and task.state.executed is None:
            self._finish(task, EvaluationStatus.NOT_STARTED, _BLOCKED_BY_OTHERS)
        elif plan.is_unsettled:
            self._finish(task, EvaluationStatus.NOT_STARTED, _UNSETTLED)
        else:
            self._finish(task, EvaluationStatus.STARTED)

    async def _poll(self, task: _RunTestTask) -> None:
        """Poll a run test that waits; finish it if nothing more is to be done.

        The deadline cuts off the reading. It does not cut off a start: what that writes
        must not be lost.
        """
        state = task.state
        limit = asyncio.timeout_at(self._batch.deadline)
        try:
            async with limit:
                found = await poll_once(self._poll_executor.read, state, self._now)
        except (Exception, asyncio.CancelledError) as error:
            if is_own_cancellation(error):
                raise
            if limit.expired():
                return
            operation = ReadEvaluations(state.run_test_id, state)
            found = wrap_unexpected_error(error, operation)
        if isinstance(found, FutureAGIError):
            self._fail(task, found)
        elif found is not None:
            await self._continue(task, found)

    async def _continue(self, task: _RunTestTask, phase: EvaluationPhase) -> None:
        """Start what could not be started before, or finish the run test."""
        state, spec = task.state, self._spec
        if spec is None:
            if phase is EvaluationPhase.FINISHED or task.restarts:
                self._conclude(task, phase, None)
            else:  # what is missing can be of an eval config that was deleted since
                task.restarts += 1
                await self._start(task)
            return
        if state.blocked_by is not None:
            if ExecutionStatus.RUNNING not in state.left_out.values():
                state.blocked_by, state.is_quiet = None, state.is_settled
                state.execution_filter = spec.execution_filter
                await self._start(task)
            return
        plan = make_plan(state.table, state.started, rerun=spec.rerun, is_settled=True)
        if spec.rerun and plan.waits_for_running:
            self._finish(task, EvaluationStatus.STUCK, _STUCK_EXECUTION)
        elif not plan.starts:
            state.is_resolved = state.unknown_error is not None
            self._conclude(task, phase, plan)
        elif task.restarts == _MAX_RESTARTS:
            self._finish(task, EvaluationStatus.NOT_STARTED, _TOO_MANY_RESTARTS)
        else:
            task.restarts += 1
            self._poller.add(task)
            await self._start(task)

    def _conclude(
        self, task: _RunTestTask, phase: EvaluationPhase, plan: Plan | None
    ) -> None:
        status = conclusion.final_status(phase, task.state.table, plan)
        self._finish(task, status)

    def _fail(self, task: _RunTestTask, error: FutureAGIError) -> None:
        status = conclusion.failure_status(error, task.state)
        self._finish(task, status, str(error), error)

    def _finish(
        self,
        task: _RunTestTask,
        status: EvaluationStatus,
        reason: str = "",
        error: FutureAGIError | None = None,
    ) -> None:
        self._complete(
            task,
            conclusion.conclude(
                task.item.run_test_id,
                task.requested,
                task.state,
                status,
                self._now() - task.started_at,
                reason=reason,
                error=error,
            ),
        )

    def _note_limit(self, state: RunTestState) -> None:
        """Start nothing more once an evaluation has failed at a limit of the account."""
        if reason := state.limit_reached:
            self._batch.stop_writes(f"a limit of the account was reached: {reason}")

    def _complete(self, task: _RunTestTask, evaluation: RunTestEvaluation) -> None:
        """Deliver an evaluation, and that of the duplicates."""
        self._note_limit(task.state)
        duplicates = self._duplicates.pop(task.state.run_test_id, None)
        if duplicates is not None and self._remembers_all:
            self._reruns[task.state.run_test_id] = evaluation
        self._deliver_one(task, evaluation)
        for duplicate in duplicates or ():
            self._complete_duplicate(duplicate, evaluation)

    def _complete_duplicate(
        self, task: _RunTestTask, evaluation: RunTestEvaluation
    ) -> None:
        elapsed = self._now() - task.started_at
        self._deliver_one(task, attrs.evolve(evaluation, requests=0, elapsed=elapsed))

    def _deliver_one(self, task: _RunTestTask, evaluation: RunTestEvaluation) -> None:
        task.is_finished = True
        self._poller.remove(task)
        self._finished += 1
        self._scored += evaluation.is_scored
        if self._is_stopped():
            self._poller.wake()  # a pause would be in vain
        self._deliver(task.index, evaluation)
        self._report_progress(evaluation)

    def _report_progress(self, latest: RunTestEvaluation | None) -> None:
        if self._on_progress is None or self._failure is not None:
            return
        try:
            self._on_progress(
                EvaluationProgress(
                    read=self._read,
                    waiting=len(self._poller),
                    finished=self._finished,
                    scored=self._scored,
                    latest=latest,
                )
            )
        except Exception as error:  # noqa: BLE001 - raised again by run()
            self._interrupt(error)
