"""Results of the calls of a run test, read execution by execution and counted."""

from __future__ import annotations

import array
import collections
import math
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import attrs

from futureagi_async.endpoints.eval_output import (
    CHOICES,
    EvalOutputStatus,
    choices_label,
)
from futureagi_async.endpoints.execution_calls import read_calls
from futureagi_async.endpoints.list_simulation_runs import ListSimulationRuns
from futureagi_async.endpoints.list_test_executions import (
    ListTestExecutions,
    TestExecution,
)
from futureagi_async.endpoints.scores import (
    ChoiceScores,
    NumericScores,
    PassFailScores,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import NotFoundError, ServerError, UnexpectedResponseError
from futureagi_async.model.page import Paginator


if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Hashable, Iterable, Sequence

    from futureagi_async.endpoints.eval_output import EvalOutput
    from futureagi_async.endpoints.get_eval_summary import ConfigSummary
    from futureagi_async.endpoints.get_simulation_runs import SimulationCall
    from futureagi_async.endpoints.list_simulation_runs import SimulationRun
    from futureagi_async.endpoints.scores import Scores
    from futureagi_async.model.page import SendRead


PERCENTILES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
"""The percentiles of the service's own summary."""

_MAX_SCORED = 10
"""Executions that are read with their scores: the service reads all of their calls."""

_SERVER_ERROR = 500

_PASSED = {"passed", "true"}
_FAILED = {"failed", "false"}

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


class ScoreAggregator:
    """Aggregator of the values of one eval config, as in the service's summary.

    The type of the first value decides on the form. A value without a type is left out.
    """

    def __init__(self) -> None:
        self._type: str | None = None
        self._count = 0
        self._words: collections.Counter[str] = collections.Counter()
        self._numbers = array.array("d")
        self._summed_up: Scores | None = None

    @classmethod
    def from_summary(cls, summary: ConfigSummary) -> Self | None:
        """Return the values of which the service has made scores.

        They are `None` if the scores do not add up to them. Numbers cannot be merged
        with others.
        """
        found, total = cls(), summary.total_cells
        match summary.scores:
            case PassFailScores(pass_count=passed, fail_count=failed):
                found._type = "Pass/Fail"
                found._words.update(passed=passed, failed=failed)
            case ChoiceScores(shares=shares):
                found._type = CHOICES
                found._words.update(
                    {word: round(share * total / 100) for word, share in shares.items()}
                )
            case NumericScores() as scores:
                found._summed_up = scores
            case None:
                return None
        found._count = total
        is_whole = found._words.total() == total or found._summed_up is not None
        return found if is_whole and found.scores() == summary.scores else None

    def add(self, output: EvalOutput) -> None:
        """Add one value."""
        if output.type is None:
            return
        if self._type is None:
            self._type = output.type
        self._count += 1
        value = output.value
        if self._type == "score":
            if isinstance(value, int | float):
                self._numbers.append(float(value) * 100)
        else:
            is_choices = isinstance(value, tuple)
            self._words[choices_label(value) if is_choices else str(value)] += 1

    @property
    def is_summed_up(self) -> bool:
        """Whether it has no values, but their scores."""
        return self._summed_up is not None

    def merge(self, other: ScoreAggregator) -> None:
        """Add the values of another one after those of this one."""
        if self._type is None:
            self._type = other._type
        self._count += other._count
        self._words.update(other._words)
        self._numbers.extend(other._numbers)
        self._summed_up = self._summed_up or other._summed_up

    def scores(self) -> Scores | None:
        """Return the scores of all values; `None` without any."""
        if self._summed_up is not None:
            return self._summed_up
        match self._type:
            case "Pass/Fail":
                return self._pass_fail_scores()
            case "score":
                return self._numeric_scores() if self._numbers else None
            case "choices":
                shares = {word: self._percent(n) for word, n in self._words.items()}
                return ChoiceScores(shares)
            case _:
                return None

    def _pass_fail_scores(self) -> PassFailScores:
        passed = failed = 0
        for word, count in self._words.items():
            passed += count if word.lower() in _PASSED else 0
            failed += count if word.lower() in _FAILED else 0
        return PassFailScores(
            self._percent(passed), self._percent(failed), passed, failed
        )

    def _numeric_scores(self) -> NumericScores:
        numbers = sorted(self._numbers)
        average = round(sum(numbers) / len(numbers), 2)  # as the service adds
        return NumericScores(
            average,
            {share: round(_percentile(numbers, share), 2) for share in PERCENTILES},
        )

    def _percent(self, part: int) -> float:
        return round(part / self._count * 100, 2)


def _percentile(numbers: Sequence[float], share: int) -> float:
    """Return the value below which a share of sorted numbers lies, interpolated."""
    index = (len(numbers) - 1) * share / 100
    low, high = numbers[math.floor(index)], numbers[math.ceil(index)]
    return low + (high - low) * (index % 1)


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
        keeps_calls: whether the results of each call are kept.
    """

    config_ids: tuple[str, ...] | None = None
    live_ids: tuple[str, ...] | None = None
    created_ids: frozenset[str] = frozenset()
    started_on: frozenset[str] = frozenset()
    keeps_calls: bool = False

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
        limit_reached: the reason of an evaluation that failed since a limit of the
            account was reached; empty if none did.
    """

    def __init__(self, execution: TestExecution, scope: ResultScope) -> None:
        self.execution = execution
        self.statuses: collections.Counter[ExecutionStatus] = collections.Counter()
        self._cells: collections.Counter[_Cell] = collections.Counter()
        self.calls: list[SimulationCall] = []
        self.names: dict[str, str] = {}
        self.failures: dict[str, str] = {}
        self.limit_reached = ""
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
        completed, failed = run.completed_calls, run.failed_calls
        if (
            execution.status is not ExecutionStatus.COMPLETED
            or scope.keeps_calls
            or not expected
            or not completed
            or run.total_calls != completed + failed
            or not expected <= configs.keys()
        ):
            return None
        found = cls(execution, scope)
        found.statuses[ExecutionStatus.COMPLETED] = completed
        if failed:
            found.statuses[ExecutionStatus.FAILED] = failed
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
            or not calls
            or not rate
        ):
            return None
        found = cls(execution, scope)
        found.statuses[ExecutionStatus.COMPLETED] = max(1, round(calls * rate / 100))
        return found

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
            if output.hit_limit and not self.limit_reached:
                self.limit_reached = output.reason

    def counts(self, config_id: str) -> ResultCounts:
        """Return the counts of one eval config."""
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
        return bool(self.pending or self.open_calls or is_partial)

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


def can_be_evaluated(execution: TestExecution) -> bool:
    """Return whether an execution is completed or evaluating."""
    return execution.is_evaluating or execution.status is ExecutionStatus.COMPLETED


@attrs.frozen
class ExecutionFilter:
    """Criteria by which executions of a run test are chosen.

    Attributes:
        latest_executions: the number of executions, the newest of those that are
            completed or evaluating.
        started_after: only executions that started after this time.
        ids: only these executions.
    """

    latest_executions: int | None = None
    started_after: dt.datetime | None = None
    ids: frozenset[str] | None = None

    @property
    def is_set(self) -> bool:
        """Whether it chooses fewer than all executions."""
        return self != ALL_EXECUTIONS

    def includes(self, execution: TestExecution) -> bool:
        """Return whether an execution fits, regardless of their number."""
        if self.ids is not None:
            return execution.id in self.ids
        return can_be_evaluated(execution) and self.has_time_of(execution)

    def has_time_of(self, execution: TestExecution) -> bool:
        """Return whether an execution has started as late as it should."""
        started = execution.start_time
        return self.started_after is None or (
            started is not None and started > self.started_after
        )

    def limit_reached(self, count: int) -> bool:
        """Return whether no execution can fit beside so many others."""
        limit = self.latest_executions if self.ids is None else len(self.ids)
        return limit is not None and count >= limit


ALL_EXECUTIONS = ExecutionFilter()
"""Every execution that is completed or evaluating."""


@attrs.frozen
class Overview:
    """The executions of a run test, without their calls.

    Attributes:
        executions: those that fit, the newest first.
        left_out: the status of those that cannot be evaluated.
        runs: their scores by execution id, if those were read with them.
    """

    executions: list[TestExecution]
    left_out: dict[str, ExecutionStatus]
    runs: dict[str, SimulationRun] = attrs.field(factory=dict)


async def read_overview(
    read: SendRead, run_test_id: str, execution_filter: ExecutionFilter
) -> Overview:
    """Read the executions that fit; those older than the last that can fit are not read.

    Raises:
        APIError: they could not be read.
    """
    request = ListTestExecutions(run_test_id)
    pages: Paginator[TestExecution] = Paginator(read, request)
    overview = Overview([], {})
    async for execution in pages:
        if _add(overview, execution, execution_filter):
            break
    return overview


async def read_scored_overview(
    read: SendRead,
    name: str,
    execution_filter: ExecutionFilter,
    scope: ResultScope,
) -> Overview | None:
    """Read the executions that fit with their scores; `None` where that is impossible.

    They are read by the name of the run test, which others can have as well: ids of eval
    configs show whose an execution is.

    Raises:
        APIError: they could not be read, and reading them otherwise cannot help.
    """
    expected = set(scope.expected_ids or ())
    if not expected:
        return None
    try:
        page = await read(ListSimulationRuns(name, limit=_MAX_SCORED))
    except (NotFoundError, UnexpectedResponseError):
        return None
    except ServerError as error:
        if error.status_code != _SERVER_ERROR:
            raise  # of a proxy
        return None
    overview = Overview([], {})
    is_complete = page.total_pages <= 1
    for run in page.results:
        if not expected <= run.configs.keys():
            continue
        execution = TestExecution(
            id=run.id,
            status=run.status,
            start_time=run.started_at,
            calls=run.total_calls,
        )
        overview.runs[execution.id] = run
        if _add(overview, execution, execution_filter):
            is_complete = True
            break
    return overview if is_complete and overview.executions else None


def _add(
    overview: Overview, execution: TestExecution, execution_filter: ExecutionFilter
) -> bool:
    """Add an execution where it belongs; return whether no older one can fit."""
    if execution_filter.includes(execution):
        if all(each.id != execution.id for each in overview.executions):
            overview.executions.append(execution)
        return execution_filter.limit_reached(len(overview.executions))
    if (
        execution_filter.ids is None
        and not can_be_evaluated(execution)
        and execution_filter.has_time_of(execution)
    ):
        overview.left_out[execution.id] = execution.status
    return False


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
