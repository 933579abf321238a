"""Start what is missing of the evaluations of one run test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.eval_config import (
    EncodedEvalConfigs,
    validate_eval_configs,
)
from futureagi_async.endpoints.run_new_evals import RunNewEvals
from futureagi_async.errors import (
    APIError,
    Delivery,
    EvalDispatchError,
    ExecutionsNotCompletedError,
    FutureAGIError,
)
from futureagi_async.evaluation.ensure_configs import (
    EnsureEvalConfigs,
    OnConflict,
    validate_on_conflict,
)
from futureagi_async.evaluation.plan import Begun, make_plan
from futureagi_async.evaluation.reading import (
    EVERYTHING,
    Selection,
    read_executions,
    read_tally,
)
from futureagi_async.evaluation.recovery import Past
from futureagi_async.evaluation.results import Tally
from futureagi_async.model import validation
from futureagi_async.model.operation import Executor, Operation
from futureagi_async.model.request import Result


if TYPE_CHECKING:
    from futureagi_async.evaluation.ensure_configs import Changed, EnsuredEvalConfigs
    from futureagi_async.evaluation.plan import Plan, Start


_TRIES = 3
"""How often to plan anew when somebody else starts something at the same time."""


@attrs.define(kw_only=True)
class Progress:
    """What was found and started; filled in step by step, so that nothing is forgotten.

    Attributes:
        ensured: the eval configs, as soon as they are known to be there.
        tally: what was last read of the calls.
        plan: what was last decided by that.
        begun: what was started on which executions, by this or an earlier process.
        selection: the executions that it is about.
        requests: how many requests to start evaluations were carried out.
        doubt: an error that left open whether something was carried out.
        is_overcome: whether what was read afterwards made that unimportant.
        error: what ended it early.
        changed: which eval configs were added or changed.
        warnings: what the journal has in doubt, and what this had no part in.
    """

    ensured: EnsuredEvalConfigs | None = None
    tally: Tally = attrs.field(factory=lambda: Tally((), ()))
    plan: Plan | None = None
    begun: Begun = attrs.field(factory=Begun)
    selection: Selection = EVERYTHING
    requests: int = 0
    doubt: FutureAGIError | None = None
    is_overcome: bool = False
    error: FutureAGIError | None = None
    changed: Changed = attrs.field(factory=dict)
    warnings: list[str] = attrs.field(factory=list)

    @property
    def has_written(self) -> bool:
        """Whether anything was changed or started."""
        return bool(self.changed) or self.requests > 0

    @property
    def config_ids(self) -> list[str]:
        """The eval configs that it is about."""
        configs = self.ensured.eval_configs if self.ensured else ()
        return [each.eval_config.id for each in configs]


@attrs.frozen(kw_only=True)
class Started(Result):
    """What came of starting evaluations.

    Attributes:
        progress: what was found and started.
    """

    progress: Progress


@attrs.frozen
class StartEvaluations(Operation[Started]):
    """Have eval configs be there, and start them wherever they have no result.

    What an earlier process left in doubt is reconciled first. A failure does not raise:
    the result tells what had been done until then, and the error.
    """

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    evaluations_config: EncodedEvalConfigs = attrs.field(
        converter=validate_eval_configs
    )
    selection: Selection = attrs.field(default=EVERYTHING, kw_only=True)
    on_conflict: OnConflict = attrs.field(
        default="raise", converter=validate_on_conflict, kw_only=True
    )
    rerun: bool = attrs.field(default=False, kw_only=True)
    run_test_name: str | None = attrs.field(default=None, kw_only=True, eq=False)
    """Its name, where it is known beforehand."""
    enable_tool_evaluation: bool | None = attrs.field(default=None, kw_only=True)
    progress: Progress | None = attrs.field(default=None, kw_only=True, eq=False)
    """What was done before, where it is looked at once more."""

    async def run(self, executor: Executor) -> Started:
        """Do it."""
        done = self.progress or Progress(selection=self.selection)
        done.error = None
        try:
            if done.ensured is None:
                past = await Past.read(executor, self.run_test_id)
                done.ensured = await self._ensure(executor, done, past)
                await self._take_up(executor, done, past)
                done.warnings += past.warnings
            await self._start(executor, done)
            done.is_overcome = done.doubt is not None
        except FutureAGIError as error:
            done.error = _with_doubt(error, done)
        return Started(raw={}, progress=done)

    async def _ensure(
        self, executor: Executor, done: Progress, past: Past
    ) -> EnsuredEvalConfigs:
        configs = self.evaluations_config
        ensure = EnsureEvalConfigs(
            self.run_test_id, configs, on_conflict=self.on_conflict
        )
        return await ensure.ensure(executor, past, done.changed)

    async def _take_up(self, executor: Executor, done: Progress, past: Past) -> None:
        """Reconcile starts in doubt of what is asked for; only look at the others."""
        for started in past.begun:
            done.begun.add(started)
        if not past.starts:
            return
        chosen = await read_executions(executor.read, self.run_test_id, done.selection)
        ids = {each.id for each in chosen}
        for start in past.starts:
            is_chosen = (
                done.selection == EVERYTHING
                if start.select_all
                else ids.issuperset(start.test_execution_ids or ())
            )
            if is_chosen and set(done.config_ids).issuperset(start.eval_config_ids):
                await self._write_anew(executor, done, start)
            elif await past.is_done(executor, start):
                done.begun.add(start)

    async def _write_anew(
        self, executor: Executor, done: Progress, start: RunNewEvals
    ) -> None:
        """Reconcile a start. If it is refused, a reading decides what is to be started."""
        try:
            await self._write(executor, done, start)
        except FutureAGIError as error:
            if error.delivery is not Delivery.REJECTED or error.stops_batch:
                raise

    async def _start(self, executor: Executor, done: Progress) -> None:
        tries = 0
        while True:
            tries += 1
            plan = await self._planned(executor, done)
            if plan.rests_on_pending:
                # It may have been prepared a moment ago, and be started by now.
                plan = await self._planned(executor, done)
            if done.doubt is not None and plan.starts:
                raise done.doubt
            if not plan.starts:
                return
            try:
                for start in plan.starts:
                    await self._write(executor, done, self._request(start))
            except ExecutionsNotCompletedError:
                # Somebody else has started something since it was read.
                if tries == _TRIES:
                    raise
                continue
            if done.doubt is None:
                return

    async def _planned(self, executor: Executor, done: Progress) -> Plan:
        done.tally = await read_tally(
            executor.read, self.run_test_id, done.selection, done.config_ids
        )
        # From now on it is about these, whatever is executed meanwhile.
        done.selection = Selection(ids=frozenset(done.tally.executions))
        rerun = self.rerun
        done.plan = make_plan(done.tally, done.begun, rerun=rerun)
        return done.plan

    def _request(self, start: Start) -> RunNewEvals:
        return RunNewEvals(
            self.run_test_id,
            start.config_ids,
            start.execution_ids,
            enable_tool_evaluation=self.enable_tool_evaluation,
        )

    async def _write(
        self, executor: Executor, done: Progress, request: RunNewEvals
    ) -> None:
        """Start something. What stays in doubt is told by what is there afterwards.

        That holds for results that are to be there, by whomever. Whether they were made
        anew, which a re-run asks for, nobody can see.
        """
        try:
            await executor.write(request)
        except FutureAGIError as error:
            if _may_have_erased(error):
                _note_erased(done, request)
            if error.delivery is not Delivery.UNKNOWN or self.rerun:
                raise
            done.doubt, done.is_overcome = error, False
            return
        done.begun.add(request)
        done.requests += 1
        _note_erased(done, request)


def _may_have_erased(error: FutureAGIError) -> bool:
    """Tell if results may be gone: the service erases them before it can fail."""
    return isinstance(error, EvalDispatchError) or error.delivery is Delivery.UNKNOWN


def _note_erased(done: Progress, request: RunNewEvals) -> None:
    chosen = set(request.test_execution_ids or ()) & done.tally.executions.keys()
    done.tally.erase(chosen, request.eval_config_ids)


def _with_doubt(error: FutureAGIError, done: Progress) -> FutureAGIError:
    """Let no later error hide that something may have been carried out."""
    doubt = done.doubt
    if doubt is None or doubt is error or done.is_overcome:
        return error
    if isinstance(doubt, APIError):
        doubt.hint = "; ".join(filter(None, (doubt.hint, f"afterwards: {error}")))
    return doubt
