"""Results of the calls of a run test, read page by page and counted."""

from __future__ import annotations

import array
import collections
import math
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.endpoints.eval_output import EvalOutputStatus, choices_label
from futureagi_async.endpoints.list_call_executions import ListCallExecutions
from futureagi_async.endpoints.list_test_executions import ListTestExecutions
from futureagi_async.endpoints.scores import (
    ChoiceScores,
    NumericScores,
    PassFailScores,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.model.page import Paginator


if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

    from futureagi_async.endpoints.eval_output import EvalOutput
    from futureagi_async.endpoints.list_call_executions import CallExecution
    from futureagi_async.endpoints.list_test_executions import TestExecution
    from futureagi_async.endpoints.scores import Scores
    from futureagi_async.model.page import SendRead


PERCENTILES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
"""The percentiles of the service's own summary."""

_PASSED = {"passed", "true"}
_FAILED = {"failed", "false"}


@attrs.define
class ResultCounts:
    """Numbers of completed calls by what they have of an eval config.

    Attributes:
        completed: calls with a value.
        failed: calls whose evaluation ended without a value.
        skipped: calls that the service left out.
        pending: calls for which it was prepared, and that have no result yet.
        not_prepared: calls for which it was never prepared.
    """

    completed: int = 0
    failed: int = 0
    skipped: int = 0
    pending: int = 0
    not_prepared: int = 0

    def add(self, output: EvalOutput | None) -> None:
        """Count one call."""
        match output and output.status:
            case None:
                self.not_prepared += 1
            case EvalOutputStatus.PENDING:
                self.pending += 1
            case EvalOutputStatus.FAILED:
                self.failed += 1
            case EvalOutputStatus.SKIPPED:
                self.skipped += 1
            case _:
                self.completed += 1

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

    def add(self, output: EvalOutput) -> None:
        """Add one value."""
        if output.type is None or not output.has_value:
            return
        if self._type is None:
            self._type = output.type
        self._count += 1
        value = output.value
        if self._type != "score":
            is_choices = isinstance(value, tuple)
            self._words[choices_label(value) if is_choices else str(value)] += 1
        elif isinstance(value, int | float):
            self._numbers.append(float(value) * 100)

    def scores(self) -> Scores | None:
        """Return the scores of all values; `None` without any."""
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


class ResultTable:
    """Table of counts and scores of eval configs, over completed calls of executions.

    Args:
        executions: the executions that count.
        config_ids: the eval configs that count; `None` for all that the calls have.

    Attributes:
        executions: the executions, by id.
        completed_calls: the number of completed calls, by execution id.
        names: the name of each eval config in the first of its results: calls are read
            newest first, and an eval config can have been renamed.
        failures: one reason why an evaluation failed, by eval config id.
    """

    def __init__(
        self, executions: Iterable[TestExecution], config_ids: Sequence[str] | None
    ) -> None:
        self.executions: dict[str, TestExecution] = {
            execution.id: execution for execution in executions
        }
        self.completed_calls: dict[str, int] = dict.fromkeys(self.executions, 0)
        self._config_ids = config_ids
        self._counts: dict[str, dict[str, ResultCounts]] = {
            execution_id: {} for execution_id in self.executions
        }
        self._scores: dict[str, ScoreAggregator] = {}
        self._with_pending: set[str] = set()
        self.names: dict[str, str] = {}
        self.failures: dict[str, str] = {}

    def includes(self, call: CallExecution) -> bool:
        """Return whether a call counts: only completed ones are evaluated."""
        return (
            call.status is ExecutionStatus.COMPLETED
            and call.test_execution_id in self.executions
        )

    def add(self, call: CallExecution) -> None:
        """Add one call, if it counts; each may be added only once."""
        if call.test_execution_id is None or not self.includes(call):
            return
        by_config = self._counts[call.test_execution_id]
        self.completed_calls[call.test_execution_id] += 1
        outputs = call.eval_outputs
        for config_id in outputs if self._config_ids is None else self._config_ids:
            output = outputs.get(config_id)
            counts = by_config.get(config_id)
            if counts is None:
                counts = by_config[config_id] = ResultCounts()
            counts.add(output)
            if output is not None:
                self._add_output(config_id, output)
        if any(each.status is EvalOutputStatus.PENDING for each in outputs.values()):
            self._with_pending.add(call.test_execution_id)

    def _add_output(self, config_id: str, output: EvalOutput) -> None:
        if output.name is not None:
            self.names.setdefault(config_id, output.name)
        if output.status is EvalOutputStatus.COMPLETED:
            self._scores.setdefault(config_id, ScoreAggregator()).add(output)
        elif output.status is EvalOutputStatus.FAILED and output.reason:
            self.failures.setdefault(config_id, output.reason)

    def mark_pending(
        self, execution_ids: Collection[str], config_ids: Collection[str]
    ) -> None:
        """Count as pending what was started after it was read: the results are gone."""
        for execution_id in execution_ids:
            calls = self.completed_calls.get(execution_id, 0)
            for config_id in config_ids:
                self._counts[execution_id][config_id] = ResultCounts(pending=calls)
        for config_id in config_ids:
            self._scores.pop(config_id, None)
            self.failures.pop(config_id, None)

    def has_pending(self, execution_id: str) -> bool:
        """Return whether a call waits for a result, of any eval config."""
        return execution_id in self._with_pending

    def counts(self, execution_id: str, config_id: str) -> ResultCounts:
        """Return the counts of one eval config in one execution."""
        return self._counts[execution_id].get(config_id) or ResultCounts()

    def execution_counts(self, execution_id: str) -> ResultCounts:
        """Return the counts of all eval configs in one execution."""
        return _sum(self._counts[execution_id].values())

    def config_counts(self, config_id: str) -> ResultCounts:
        """Return the counts of one eval config in all executions."""
        return _sum(
            counts[config_id] for counts in self._counts.values() if config_id in counts
        )

    def scores(self, config_id: str) -> Scores | None:
        """Return the scores of one eval config in all executions."""
        aggregator = self._scores.get(config_id)
        return aggregator.scores() if aggregator else None

    @property
    def config_ids(self) -> list[str]:
        """The eval configs that count, or those that were seen."""
        if self._config_ids is not None:
            return list(self._config_ids)
        return list(dict.fromkeys(c for each in self._counts.values() for c in each))


def _sum(parts: Iterable[ResultCounts]) -> ResultCounts:
    total: collections.Counter[str] = collections.Counter()
    for part in parts:
        values: dict[str, Any] = attrs.asdict(part)
        total.update(values)
    return ResultCounts(**total)


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

    def includes(self, execution: TestExecution) -> bool:
        """Return whether an execution fits, regardless of their number."""
        if self.ids is not None:
            return execution.id in self.ids
        if not can_be_evaluated(execution):
            return False
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


async def read_executions(
    read: SendRead, run_test_id: str, execution_filter: ExecutionFilter
) -> list[TestExecution]:
    """Read the executions that fit, the newest first.

    Raises:
        APIError: they could not be read.
    """
    found: dict[str, TestExecution] = {}
    pages: Paginator[TestExecution] = Paginator(read, ListTestExecutions(run_test_id))
    async for execution in pages:
        if execution_filter.includes(execution):
            found[execution.id] = execution
            if execution_filter.limit_reached(len(found)):
                break
    return list(found.values())


async def read_results(
    read: SendRead,
    run_test_id: str,
    execution_filter: ExecutionFilter,
    config_ids: Sequence[str] | None,
) -> ResultTable:
    """Read the results of the executions that fit.

    An execution of many calls that begins between two pages pushes calls that were read
    already onto later pages: their ids are remembered, so that each counts once.

    Raises:
        APIError: something could not be read.
    """
    executions = await read_executions(read, run_test_id, execution_filter)
    table = ResultTable(executions, config_ids)
    if not executions:
        return table
    counted: set[str] = set()
    pages: Paginator[CallExecution] = Paginator(read, ListCallExecutions(run_test_id))
    async for call in pages:
        if table.includes(call) and call.id not in counted:
            counted.add(call.id)
            table.add(call)
    return table


async def is_evaluating(read: SendRead, run_test_id: str) -> bool:
    """Read, with one small request, whether an execution is being evaluated.

    Raises:
        APIError: it could not be read.
    """
    request = ListTestExecutions(
        run_test_id, limit=1, status=ExecutionStatus.EVALUATING
    )
    return (await read(request)).count > 0
