"""Results of the calls of a run test, read execution by execution and counted."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import attrs

from futureagi_async.endpoints.eval_output import EvalOutputStatus
from futureagi_async.endpoints.execution_calls import read_calls
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.evaluation.scoring import ScoreAggregator


if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable

    from futureagi_async.endpoints.eval_output import EvalOutput
    from futureagi_async.endpoints.get_simulation_runs import SimulationCall
    from futureagi_async.endpoints.list_simulation_runs import SimulationRun
    from futureagi_async.endpoints.list_test_executions import TestExecution
    from futureagi_async.endpoints.scores import Scores
    from futureagi_async.evaluation.overview import Overview
    from futureagi_async.model.page import SendRead


_ENDED_CALL = {
    ExecutionStatus.COMPLETED,
    ExecutionStatus.FAILED,
    ExecutionStatus.CANCELLED,
}
"""States of a call in which nothing happens to it any more."""


@attrs.define
class ResultCounts:
    """Numbers of completed calls by what they have of an eval config.

    Attributes:
        completed: calls with a value.
        failed: calls whose evaluation ended without a value.
        skipped: calls that the service left out, or for which the evaluator had no
            answer.
        pending: calls for which it was prepared, and that have no result yet.
        not_prepared: calls for which it was never prepared.
    """

    completed: int = 0
    failed: int = 0
    skipped: int = 0
    pending: int = 0
    not_prepared: int = 0

    def add(self, output: EvalOutput) -> None:
        """Count one call that has anything of the eval config."""
        match output.status:
            case EvalOutputStatus.PENDING:
                self.pending += 1
            case EvalOutputStatus.FAILED:
                self.failed += 1
            case EvalOutputStatus.COMPLETED if output.has_value:
                self.completed += 1
            case _:
                self.skipped += 1

    @property
    def finished(self) -> int:
        """Calls whose result is final."""
        return self.completed + self.failed + self.skipped

    @property
    def unfinished(self) -> int:
        """Calls that have no result."""
        return self.pending + self.not_prepared


@attrs.frozen
class ResultScope:
    """Scope of what is read of the calls.

    Attributes:
        config_ids: the eval configs that were requested; `None` for all live ones.
        live_ids: all eval configs of the run test. Calls have results of deleted ones
            as well, of which a pending one stays so for ever. `None` if unknown: then
            all count.
        created_ids: eval configs that were created just now: nobody else can have
            started them.
        started_on: the executions on which something was started since.
        watched: the executions that were under way when they were read: their results
            can come in after they have ended.
        keeps_calls: whether the results of each call are kept.
        counts_calls: whether calls are counted where nothing else is to be known of
            them.
    """

    config_ids: tuple[str, ...] | None = None
    live_ids: tuple[str, ...] | None = None
    created_ids: frozenset[str] = frozenset()
    started_on: frozenset[str] = frozenset()
    watched: frozenset[str] = frozenset()
    keeps_calls: bool = False
    counts_calls: bool = False

    @property
    def expected_ids(self) -> tuple[str, ...] | None:
        """The eval configs that every call is expected to have; `None` if unknown."""
        return self.live_ids if self.config_ids is None else self.config_ids

    @property
    def is_new(self) -> bool:
        """Whether nothing was started of any eval config that is expected."""
        return (
            not self.started_on
            and bool(self.expected_ids)
            and self.created_ids.issuperset(self.expected_ids or ())
        )

    def unstarted_ids(self, execution_id: str) -> frozenset[str]:
        """Return the eval configs that nobody can have started on an execution."""
        return frozenset() if execution_id in self.started_on else self.created_ids

    def is_live(self, config_id: str) -> bool:
        """Return whether an eval config was not deleted."""
        return (
            self.live_ids is None
            or config_id in self.live_ids
            or config_id in (self.config_ids or ())
        )


_Cell: TypeAlias = tuple[str, ExecutionStatus, EvalOutputStatus]
"""An eval config, the status of a call, and that of its result in it."""


class ExecutionResults:
    """Table of counts and scores of eval configs, over the calls of one execution.

    Attributes:
        execution: the execution.
        statuses: the number of its calls by their status.
        calls: what was read of each completed call, if it is kept.
        names: the name of each eval config in the first of its results: calls are read
            newest first, and an eval config can have been renamed.
        failures: one reason why an evaluation failed, by eval config id.
        limits: the reason of an evaluation that failed since a limit of the account was
            reached, by eval config id.
    """

    def __init__(self, execution: TestExecution, scope: ResultScope) -> None:
        self.execution = execution
        self.statuses: collections.Counter[ExecutionStatus] = collections.Counter()
        self._cells: collections.Counter[_Cell] = collections.Counter()
        self.calls: list[SimulationCall] = []
        self.names: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        self.limits: dict[str, str] = {}
        self._scope = scope
        self._counts: dict[str, ResultCounts] = {}
        self._scores: dict[str, ScoreAggregator] = {}

    @classmethod
    def from_summary(
        cls, run: SimulationRun, execution: TestExecution, scope: ResultScope
    ) -> Self | None:
        """Return the results of an execution whose scores alone show that all are there.

        The number of its completed calls was stored when it ended, and can be another
        one since: then it does not fit the number of the results, and `None` is
        returned.
        """
        expected, configs = set(scope.expected_ids or ()), run.configs
        completed = run.completed_calls
        if (
            execution.status is not ExecutionStatus.COMPLETED
            or scope.keeps_calls
            or not expected
            or not completed
            or run.total_calls != completed
            or not expected <= configs.keys()
        ):
            return None
        found = cls(execution, scope)
        found.statuses[ExecutionStatus.COMPLETED] = completed
        for config_id in expected:
            scores = ScoreAggregator.from_summary(configs[config_id])
            if scores is None or configs[config_id].total_cells != completed:
                return None
            found._scores[config_id] = scores
            found._counts[config_id] = ResultCounts(completed=completed)
            done = config_id, ExecutionStatus.COMPLETED, EvalOutputStatus.COMPLETED
            found._cells[done] = completed
            found.names[config_id] = configs[config_id].name or config_id
        return found

    @classmethod
    def without_results(
        cls, execution: TestExecution, scope: ResultScope
    ) -> Self | None:
        """Return the results of an execution that can have none of what is expected.

        That is certain of eval configs that were created just now. `None` is returned if
        it may have no completed call: then it must not be evaluated.
        """
        calls, rate = execution.calls_attempted, execution.success_rate
        if (
            execution.status is not ExecutionStatus.COMPLETED
            or not scope.is_new
            or scope.counts_calls
            or not calls
            or not rate
        ):
            return None
        found = cls(execution, scope)
        found.statuses[ExecutionStatus.COMPLETED] = max(1, round(calls * rate / 100))
        return found

    @property
    def limit_reached(self) -> str:
        """The first of these reasons; empty if there is none."""
        return next(iter(self.limits.values()), "")

    @property
    def has_merged_numbers(self) -> bool:
        """Whether it has scores of numbers that were not read one by one."""
        return any(each.is_summed_up for each in self._scores.values())

    @property
    def completed_calls(self) -> int:
        """The number of its completed calls, which are those that count."""
        return self.statuses[ExecutionStatus.COMPLETED]

    @property
    def pending(self) -> int:
        """The number of results being prepared, of any config, in calls of any status."""
        return sum(
            n
            for (_, _, status), n in self._cells.items()
            if status is EvalOutputStatus.PENDING
        )

    @property
    def open_calls(self) -> int:
        """The number of its calls that have not ended."""
        return sum(
            n for status, n in self.statuses.items() if status not in _ENDED_CALL
        )

    def add(self, call: SimulationCall) -> None:
        """Add one call; each may be added only once."""
        self.statuses[call.status] += 1
        live = [
            (config_id, output)
            for config_id, output in call.eval_outputs.items()
            if self._scope.is_live(config_id)
        ]
        self._cells.update((id_, call.status, output.status) for id_, output in live)
        if call.status is not ExecutionStatus.COMPLETED:
            return
        for config_id, output in live:
            self._counts.setdefault(config_id, ResultCounts()).add(output)
            self._add_output(config_id, output)
        if self._scope.keeps_calls:
            self.calls.append(call)

    def _add_output(self, config_id: str, output: EvalOutput) -> None:
        if output.name:
            self.names.setdefault(config_id, output.name)
        if output.status is EvalOutputStatus.COMPLETED and output.has_value:
            self._scores.setdefault(config_id, ScoreAggregator()).add(output)
        elif output.status is EvalOutputStatus.FAILED and output.reason:
            self.failures.setdefault(config_id, output.reason)
            if output.hit_limit:
                self.limits.setdefault(config_id, output.reason)

    def counts(self, config_id: str) -> ResultCounts:
        """Return the counts of one eval config.

        Where none was requested, one that was never run on a completed execution is not
        missed there.
        """
        is_over = (
            self.execution.status is ExecutionStatus.COMPLETED and not self.awaits_first
        )
        if self._scope.config_ids is None and is_over and config_id not in self._counts:
            return ResultCounts()
        found = self._counts.get(config_id) or ResultCounts()
        present = found.finished + found.pending
        return attrs.evolve(found, not_prepared=self.completed_calls - present)

    def score_of(self, config_id: str) -> ScoreAggregator | None:
        """Return the values of one eval config."""
        return self._scores.get(config_id)

    @property
    def seen_ids(self) -> list[str]:
        """The eval configs of which a completed call has anything."""
        return list(self._counts)

    @property
    def is_uneven(self) -> bool:
        """Whether something seems to go on in it, whatever its status.

        The service completes executions whose calls are done without checking their
        results, which can come in later.
        """
        counts = map(self.counts, self._counts)
        is_partial = any(each.finished and each.unfinished for each in counts)
        is_coming = self.pending or self.open_calls or self.awaits_first
        return bool(is_coming or is_partial)

    @property
    def awaits_first(self) -> bool:
        """Whether it was under way when it was read before, and has no result at all."""
        return self.execution.id in self._scope.watched and not self._counts

    def expect_nothing(self) -> None:
        """Note that no first result comes in any more."""
        self._scope = attrs.evolve(self._scope, watched=frozenset())

    def mark_pending(self, config_ids: Collection[str]) -> None:
        """Count as pending what was started after it was read: the results are gone."""
        self.execution = attrs.evolve(self.execution, status=ExecutionStatus.EVALUATING)
        for cell in [cell for cell in self._cells if cell[0] in config_ids]:
            del self._cells[cell]
        for config_id in config_ids:
            pending = config_id, ExecutionStatus.COMPLETED, EvalOutputStatus.PENDING
            self._cells[pending] = self.completed_calls
            self._counts[config_id] = ResultCounts(pending=self.completed_calls)
            self._scores.pop(config_id, None)
            self.failures.pop(config_id, None)

    @property
    def fingerprint(self) -> Hashable:
        """What changes whenever anything happens to it that can be read."""
        return (
            self.execution.id,
            self.execution.status,
            frozenset(self.statuses.items()),
            frozenset(self._cells.items()),
        )


class ResultTable:
    """Table of counts and scores of eval configs, over completed calls of executions.

    Attributes:
        results: what was read of each execution, by its id, the newest first.
        scope: what was to be read.
    """

    def __init__(
        self,
        results: Iterable[ExecutionResults] = (),
        scope: ResultScope | None = None,
    ) -> None:
        self.results: dict[str, ExecutionResults] = {
            each.execution.id: each for each in results
        }
        self.scope = scope or ResultScope()

    @property
    def executions(self) -> dict[str, TestExecution]:
        """The executions, by id."""
        return {id_: each.execution for id_, each in self.results.items()}

    @property
    def completed_calls(self) -> dict[str, int]:
        """The number of completed calls, by execution id."""
        return {id_: each.completed_calls for id_, each in self.results.items()}

    @property
    def statuses(self) -> collections.Counter[ExecutionStatus]:
        """The number of calls by their status."""
        total: collections.Counter[ExecutionStatus] = collections.Counter()
        for each in self.results.values():
            total.update(each.statuses)
        return total

    @property
    def names(self) -> dict[str, str]:
        """The name of each eval config in the newest of its results."""
        return self._first("names")

    @property
    def failures(self) -> dict[str, str]:
        """One reason why an evaluation failed, by eval config id."""
        return self._first("failures")

    def _first(self, attribute: str) -> dict[str, str]:
        oldest_first = reversed(self.results.values())
        return {
            k: v for each in oldest_first for k, v in getattr(each, attribute).items()
        }

    def mark_pending(
        self, execution_ids: Collection[str], config_ids: Collection[str]
    ) -> None:
        """Count as pending what was started after it was read: the results are gone."""
        for execution_id in execution_ids:
            self.results[execution_id].mark_pending(config_ids)

    def counts(self, execution_id: str, config_id: str) -> ResultCounts:
        """Return the counts of one eval config in one execution."""
        return self.results[execution_id].counts(config_id)

    def config_counts(self, config_id: str) -> ResultCounts:
        """Return the counts of one eval config in all executions."""
        total: collections.Counter[str] = collections.Counter()
        for each in self.results.values():
            values: dict[str, Any] = attrs.asdict(each.counts(config_id))
            total.update(values)
        return ResultCounts(**total)

    def scores(self, config_id: str) -> Scores | None:
        """Return the scores of one eval config in all executions."""
        merged = ScoreAggregator()
        for each in self.results.values():
            found = each.score_of(config_id)
            if found is not None:
                merged.merge(found)
        return merged.scores()

    @property
    def config_ids(self) -> list[str]:
        """The eval configs that count: the requested ones, or those that were seen."""
        if self.scope.config_ids is not None:
            return list(self.scope.config_ids)
        seen = (id_ for each in self.results.values() for id_ in each.seen_ids)
        return list(dict.fromkeys(seen))

    @property
    def fingerprint(self) -> Hashable:
        """What changes whenever anything happens that can be read."""
        return frozenset(each.fingerprint for each in self.results.values())


def _known_results(
    overview: Overview, scope: ResultScope
) -> dict[str, ExecutionResults]:
    """Return the results of those executions whose calls need not be read."""
    found: dict[str, ExecutionResults] = {}
    for execution in overview.executions:
        run = overview.runs.get(execution.id)
        results = (
            ExecutionResults.without_results(execution, scope)
            if run is None
            else ExecutionResults.from_summary(run, execution, scope)
        )
        if results is not None:
            found[execution.id] = results
    if len(overview.executions) > 1:
        # Averages and percentiles of several executions are of all their numbers.
        return {id_: r for id_, r in found.items() if not r.has_merged_numbers}
    return found


async def read_results(
    read: SendRead, run_test_id: str, overview: Overview, scope: ResultScope
) -> ResultTable:
    """Read the results of executions, as far as their scores do not show them.

    Raises:
        APIError: something could not be read.
    """
    known = _known_results(overview, scope)
    results = {
        each.id: known.get(each.id) or ExecutionResults(each, scope)
        for each in overview.executions
    }
    unknown = [id_ for id_ in results if id_ not in known]
    async for found in read_calls(read, run_test_id, unknown):
        result = results[found.execution_id]
        if found.status is not None:
            result.execution = attrs.evolve(result.execution, status=found.status)
        for call in found.calls:
            result.add(call)
    return ResultTable(results.values(), scope)
