"""Start of the evaluations of one run test that have no result."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.execute_run_test import (
    ExecuteRunTest,
    ExecutionStarted,
)
from futureagi_async.endpoints.run_new_evals import RunNewEvals
from futureagi_async.errors import (
    APIError,
    BadRequestError,
    Delivery,
    EvalDispatchError,
    ExecutionsNotCompletedError,
    FutureAGIError,
)
from futureagi_async.evaluation.directory import RunTestDirectory
from futureagi_async.evaluation.ensure_configs import EnsureEvalConfigs
from futureagi_async.evaluation.overview import ALL_EXECUTIONS, ExecutionFilter
from futureagi_async.evaluation.plan import StartedPairs, make_plan
from futureagi_async.evaluation.poller import PollTarget
from futureagi_async.evaluation.recovery import Recovery
from futureagi_async.evaluation.results import read_results
from futureagi_async.model.operation import Executor, Operation


if TYPE_CHECKING:
    from futureagi_async.endpoints.get_run_test import RunTest
    from futureagi_async.evaluation.ensure_configs import (
        ConfigChanges,
        EnsuredEvalConfigs,
    )
    from futureagi_async.evaluation.inputs import EvaluationSpec
    from futureagi_async.evaluation.plan import EvaluationPhase, Plan, StartGroup
    from futureagi_async.model.page import SendRead


_MAX_REPLANS = 2
"""How often to plan again when others start something at the same time."""


@attrs.define(kw_only=True, eq=False)
class RunTestState(PollTarget):
    """State of one run test: what was found and started so far.

    It is filled step by step, so that no failure loses what was done.

    Attributes:
        directory: where run tests are found.
        is_listed: whether its eval configs are known from a list that can be older.
        ensured: the eval configs, once they exist.
        plan: what was last decided.
        started: what was started on which executions, by this or an earlier process.
        requests: how many requests to start evaluations were applied.
        unknown_error: an error that left unknown whether something was applied.
        maybe_started: what was started then, if it was applied.
        is_resolved: whether what was read afterwards answered that.
        changes: which eval configs were added or changed.
        warnings: requests in the journal that stay unknown, and are no part of this.
        config_names: the names of its eval configs by their ids, if it was read.
        executed: the execution that was started for it.
        blocked_by: why its eval configs cannot be changed yet.
        is_quiet: whether nothing is evaluated in it, as its evaluations have ended or
            have not changed for long.
    """

    directory: RunTestDirectory = attrs.field(factory=RunTestDirectory)
    is_listed: bool = False
    ensured: EnsuredEvalConfigs | None = None
    plan: Plan | None = None
    started: StartedPairs = attrs.field(factory=StartedPairs)
    requests: int = 0
    unknown_error: FutureAGIError | None = None
    maybe_started: StartedPairs = attrs.field(factory=StartedPairs)
    is_resolved: bool = False
    changes: ConfigChanges = attrs.field(factory=dict)
    warnings: list[str] = attrs.field(factory=list)
    config_names: dict[str, str] = attrs.field(factory=dict)
    executed: ExecutionStarted | None = None
    blocked_by: FutureAGIError | None = None
    is_quiet: bool = False

    @property
    def has_written(self) -> bool:
        """Whether anything was changed or started."""
        return bool(self.changes or self.executed) or self.requests > 0

    @property
    def limit_reached(self) -> str:
        """Why evaluations that were started now have failed at a limit; empty if none."""
        if not self.requests and self.executed is None:
            return ""
        return next(
            (
                reason
                for id_, results in self.table.results.items()
                for config_id, reason in results.limits.items()
                if self.executed is not None or self.started.has(id_, config_id)
            ),
            "",
        )

    @property
    def has_shown_outcome(self) -> bool:
        """Whether what was read after an unknown outcome shows what became of it."""
        is_open = self.plan is not None and self.plan.is_unsettled
        return self.unknown_error is not None and not is_open

    def mark_started(self, request: RunNewEvals) -> None:
        """Note that the results of what a request starts are gone."""
        chosen = set(request.test_execution_ids or ()) & self.table.results.keys()
        self.scope = attrs.evolve(self.scope, started_on=self.scope.started_on | chosen)
        self.table.mark_pending(chosen, request.eval_config_ids)
        self.read_at = asyncio.get_running_loop().time()

    async def read(self, read: SendRead) -> EvaluationPhase | None:
        """Read everything; return the phase if it is final.

        Raises:
            FutureAGIError: it could not be read.
        """
        now = asyncio.get_running_loop().time
        began = now()
        overview = await self.read_overview(read)
        table = await read_results(read, self.run_test_id, overview, self.scope)
        phase = self.store(table, began, now())
        # From now on only these count, whatever is executed meanwhile.
        self.execution_filter = ExecutionFilter(ids=frozenset(table.results))
        return phase


@attrs.frozen
class ReadEvaluations(Operation[None]):
    """Reading of the results of a run test, regardless of who started them."""

    run_test_id: str  # pyright: ignore[reportIncompatibleMethodOverride] - a field of attrs
    state: RunTestState = attrs.field(eq=False, repr=False)

    async def run(self, executor: Executor) -> None:
        """Read everything into the state.

        Raises:
            FutureAGIError: it could not be read.
        """
        state = self.state
        run_test, _ = await state.directory.find(executor.read, self.run_test_id)
        configs = run_test.simulate_eval_configs_detail
        state.run_test_name = run_test.name
        state.config_names = {each.id: each.name or "" for each in configs}
        state.scope = attrs.evolve(state.scope, live_ids=tuple(state.config_names))
        await state.read(executor.read)


@attrs.frozen
class StartEvaluations(Operation[None]):
    """Creation of eval configs, and start of those evaluations that have no result.

    Requests of an earlier process with unknown outcome are reconciled first. The state
    holds what was done, also after a failure.
    """

    run_test_id: str  # pyright: ignore[reportIncompatibleMethodOverride] - a field of attrs
    spec: EvaluationSpec
    state: RunTestState = attrs.field(eq=False, repr=False)

    async def run(self, executor: Executor) -> None:
        """Start what is missing.

        Raises:
            FutureAGIError: a call failed. An earlier error that left unknown whether
                something was started is raised in its place.
        """
        state = self.state
        try:
            if state.ensured is None:
                await self._ensure(executor)
            if self.spec.execute and state.executed is None:
                await self._execute(executor)
                return  # the poller reads it: nothing can be missing yet
            await self._start_missing(executor)
            state.is_resolved = state.has_shown_outcome
        except FutureAGIError as error:
            unknown = state.unknown_error
            if unknown is None or unknown is error or state.is_resolved:
                raise
            if isinstance(unknown, APIError):
                hints = filter(None, (unknown.hint, f"afterwards: {error}"))
                unknown.hint = "; ".join(hints)
            raise unknown from unknown.__cause__

    async def _ensure(self, executor: Executor) -> None:
        state, spec = self.state, self.spec
        recovery = await Recovery.read(executor, self.run_test_id)
        ensure = EnsureEvalConfigs(
            self.run_test_id, spec.configs, on_conflict=spec.on_conflict
        )
        known: RunTest | None = None
        is_first, state.is_listed = state.ensured is None, False
        if is_first and not recovery.changes:
            find = state.directory.find
            known, is_read_now = await find(executor.read, self.run_test_id)
            state.is_listed = not is_read_now
        state.ensured = await ensure.ensure(
            executor, recovery, state.changes, known, is_settled=state.is_quiet
        )
        state.run_test_name = state.ensured.run_test_name
        config_ids = tuple(each.eval_config.id for each in state.ensured.eval_configs)
        state.scope = attrs.evolve(
            state.scope,
            config_ids=config_ids,
            live_ids=state.ensured.all_config_ids,
            created_ids=frozenset(each.id for each in state.ensured.created),
        )
        await self._recover_starts(executor, recovery, config_ids)
        state.warnings += recovery.warnings

    async def _execute(self, executor: Executor) -> None:
        """Execute the run test; only that execution counts from now on."""
        state = self.state
        executed = await ExecuteRunTest(self.run_test_id).run(executor)
        if not executed.execution_id:
            raise FutureAGIError(
                f"run test {self.run_test_id}: the journal has its execution as resolved "
                "by a person, without an id; evaluate with another journal and without "
                "execute=True"
            )
        state.executed = executed
        ids = frozenset({executed.execution_id.lower()})
        state.execution_filter = ExecutionFilter(ids=ids)
        state.scope = attrs.evolve(state.scope, started_on=ids)

    async def _recover_starts(
        self, executor: Executor, recovery: Recovery, config_ids: tuple[str, ...]
    ) -> None:
        """Reconcile unknown starts of what is requested now; probe the others."""
        state = self.state
        for request in recovery.started:
            state.started.add(request)
        if not recovery.starts:
            return
        overview = await state.read_overview(executor.read)
        chosen = {execution.id for execution in overview.executions}
        for start in recovery.starts:
            is_chosen = (
                state.execution_filter == ALL_EXECUTIONS
                if start.select_all
                else chosen.issuperset(start.test_execution_ids or ())
            )
            if is_chosen and set(config_ids).issuperset(start.eval_config_ids):
                await self._resend(executor, start)
            elif await recovery.is_applied(executor, start):
                state.started.add(start)

    async def _resend(self, executor: Executor, start: RunNewEvals) -> None:
        """Reconcile a start. If it is rejected, what is read next decides."""
        try:
            await self._write(executor, start)
        except FutureAGIError as error:
            if error.delivery is not Delivery.REJECTED or error.stops_batch:
                raise

    async def _start_missing(self, executor: Executor) -> None:
        state, replans = self.state, 0
        while True:
            plan = await self._replan(executor)
            is_lost = any(map(state.maybe_started.overlaps, plan.starts))
            if state.unknown_error is not None and is_lost:
                raise state.unknown_error
            if not plan.starts:
                return
            try:
                for start in plan.starts:
                    await self._write(executor, self._request(start))
            except ExecutionsNotCompletedError:
                # Others have started something since it was read.
                if replans == _MAX_REPLANS:
                    raise
                replans += 1
                continue
            except BadRequestError:
                if not state.is_listed:
                    raise
                # Others have changed its eval configs since it was listed.
                await self._ensure(executor)
                continue
            if state.unknown_error is None:
                return

    async def _replan(self, executor: Executor) -> Plan:
        state = self.state
        await state.read(executor.read)
        state.plan = plan = make_plan(
            state.table,
            state.started,
            rerun=self.spec.rerun,
            is_settled=state.is_settled,
        )
        return plan

    def _request(self, start: StartGroup) -> RunNewEvals:
        return RunNewEvals(
            self.run_test_id,
            start.config_ids,
            start.execution_ids,
            enable_tool_evaluation=self.spec.enable_tool_evaluation,
        )

    async def _write(self, executor: Executor, request: RunNewEvals) -> None:
        """Start evaluations. What is read afterwards can answer an unknown outcome.

        That holds for results that may come from anywhere. A re-run erases results
        first, and nothing that can be read shows whether it did: its error is raised.
        """
        state = self.state
        try:
            await executor.write(request)
        except FutureAGIError as error:
            if _may_have_reset_results(error):
                state.mark_started(request)
            if error.delivery is not Delivery.UNKNOWN or self.spec.rerun:
                raise
            state.unknown_error, state.is_resolved = error, False
            state.maybe_started.add(request)
            return
        state.started.add(request)
        state.requests += 1
        state.mark_started(request)


def _may_have_reset_results(error: FutureAGIError) -> bool:
    """Return whether results may be gone: the service erases them before it can fail."""
    return isinstance(error, EvalDispatchError) or error.delivery is Delivery.UNKNOWN
