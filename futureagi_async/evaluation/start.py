"""Start of the evaluations of one run test that have no result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.run_new_evals import RunNewEvals
from futureagi_async.errors import (
    APIError,
    Delivery,
    EvalDispatchError,
    ExecutionsNotCompletedError,
    FutureAGIError,
)
from futureagi_async.evaluation.ensure_configs import EnsureEvalConfigs
from futureagi_async.evaluation.plan import StartedPairs, make_plan
from futureagi_async.evaluation.poller import PollTarget
from futureagi_async.evaluation.recovery import Recovery
from futureagi_async.evaluation.results import (
    ALL_EXECUTIONS,
    ExecutionFilter,
    read_executions,
    read_results,
)
from futureagi_async.model.operation import Executor, Operation


if TYPE_CHECKING:
    from futureagi_async.evaluation.ensure_configs import (
        ConfigChanges,
        EnsuredEvalConfigs,
    )
    from futureagi_async.evaluation.inputs import EvaluationSpec
    from futureagi_async.evaluation.plan import Plan, StartGroup


_MAX_REPLANS = 2
"""How often to plan again when others start something at the same time."""


@attrs.define(kw_only=True, eq=False)
class RunTestState(PollTarget):
    """State of one run test: what was found and started so far.

    It is filled step by step, so that no failure loses what was done.

    Attributes:
        run_test_name: its name, if the input had it.
        ensured: the eval configs, once they exist.
        plan: what was last decided.
        started: what was started on which executions, by this or an earlier process.
        requests: how many requests to start evaluations were applied.
        unknown_error: an error that left unknown whether something was applied.
        is_resolved: whether what was read afterwards answered that.
        changes: which eval configs were added or changed.
        warnings: requests in the journal that stay unknown, and are no part of this.
    """

    run_test_name: str | None = None
    ensured: EnsuredEvalConfigs | None = None
    plan: Plan | None = None
    started: StartedPairs = attrs.field(factory=StartedPairs)
    requests: int = 0
    unknown_error: FutureAGIError | None = None
    is_resolved: bool = False
    changes: ConfigChanges = attrs.field(factory=dict)
    warnings: list[str] = attrs.field(factory=list)

    @property
    def has_written(self) -> bool:
        """Whether anything was changed or started."""
        return bool(self.changes) or self.requests > 0

    def mark_reset(self, request: RunNewEvals) -> None:
        """Note that the results of what a request starts are gone."""
        chosen = set(request.test_execution_ids or ()) & self.table.executions.keys()
        self.table.mark_pending(chosen, request.eval_config_ids)


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
        self.state.table = await read_results(
            executor.read, self.run_test_id, self.state.execution_filter, None
        )


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
            await self._start_missing(executor)
            state.is_resolved = state.unknown_error is not None
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
        state.ensured = await ensure.ensure(executor, recovery, state.changes)
        state.config_ids = [each.eval_config.id for each in state.ensured.eval_configs]
        await self._recover_starts(executor, recovery, state.config_ids)
        state.warnings += recovery.warnings

    async def _recover_starts(
        self, executor: Executor, recovery: Recovery, config_ids: list[str]
    ) -> None:
        """Reconcile unknown starts of what is requested now; probe the others."""
        state = self.state
        for request in recovery.started:
            state.started.add(request)
        if not recovery.starts:
            return
        chosen = {
            execution.id
            for execution in await read_executions(
                executor.read, self.run_test_id, state.execution_filter
            )
        }
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
            if plan.relies_on_prepared:
                # It may have been prepared a moment ago, and be started by now.
                plan = await self._replan(executor)
            if state.unknown_error is not None and plan.starts:
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
            if state.unknown_error is None:
                return

    async def _replan(self, executor: Executor) -> Plan:
        state = self.state
        state.table = await read_results(
            executor.read, self.run_test_id, state.execution_filter, state.config_ids
        )
        # From now on only these count, whatever is executed meanwhile.
        state.execution_filter = ExecutionFilter(ids=frozenset(state.table.executions))
        plan = make_plan(state.table, state.started, rerun=self.spec.rerun)
        state.plan = plan
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
                state.mark_reset(request)
            if error.delivery is not Delivery.UNKNOWN or self.spec.rerun:
                raise
            state.unknown_error, state.is_resolved = error, False
            return
        state.started.add(request)
        state.requests += 1
        state.mark_reset(request)


def _may_have_reset_results(error: FutureAGIError) -> bool:
    """Return whether results may be gone: the service erases them before it can fail."""
    return isinstance(error, EvalDispatchError) or error.delivery is Delivery.UNKNOWN
