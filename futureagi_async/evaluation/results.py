"""What the calls of a run test have of its eval configs, counted while it is read."""

from __future__ import annotations

import array
import collections
import math
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.endpoints.list_call_executions import EvalOutputStatus
from futureagi_async.endpoints.scores import (
    ChoiceScores,
    NumericScores,
    PassFailScores,
)
from futureagi_async.endpoints.status import ExecutionStatus


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from futureagi_async.endpoints.list_call_executions import (
        CallExecution,
        EvalOutput,
    )
    from futureagi_async.endpoints.list_test_executions import TestExecution
    from futureagi_async.endpoints.scores import Scores


PERCENTILES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)
"""The ones that the service's summary has."""

_PASSED = {"passed", "true"}
_FAILED = {"failed", "false"}


@attrs.define
class Cells:
    """How far an eval config is, counted over completed calls.

    Attributes:
        done: calls with a value.
        failed: calls whose evaluation ended without one.
        skipped: calls that the service left out.
        pending: calls for which it was prepared, and that have no result yet.
        absent: calls for which it was never prepared.
    """

    done: int = 0
    failed: int = 0
    skipped: int = 0
    pending: int = 0
    absent: int = 0

    def add(self, output: EvalOutput | None) -> None:
        """Count one call."""
        match output and output.state:
            case None:
                self.absent += 1
            case EvalOutputStatus.PENDING:
                self.pending += 1
            case EvalOutputStatus.FAILED:
                self.failed += 1
            case EvalOutputStatus.SKIPPED:
                self.skipped += 1
            case _:
                self.done += 1

    @property
    def ended(self) -> int:
        """Calls about which nothing more is to come."""
        return self.done + self.failed + self.skipped

    @property
    def open(self) -> int:
        """Calls that have no result."""
        return self.pending + self.absent


class ScoreKeeper:
    """Sums up the values of one eval config, as the service's summary does.

    The type of the first value decides on the form. A value without a type is left out.
    """

    def __init__(self) -> None:
        self._type: str | None = None
        self._count = 0
        self._words: collections.Counter[str] = collections.Counter()
        self._numbers = array.array("d")

    def add(self, output: EvalOutput) -> None:
        """Take in one value."""
        if output.type is None:
            return
        if self._type is None:
            self._type = output.type
        self._count += 1
        value = output.value
        if self._type != "score":
            self._words[str(value)] += 1
        elif isinstance(value, int | float):
            self._numbers.append(float(value) * 100)

    def scores(self) -> Scores | None:
        """Give what the values sum up to; `None` where there are none."""
        match self._type:
            case "Pass/Fail":
                return self._passes()
            case "score":
                return self._spread() if self._numbers else None
            case "choices":
                shares = {word: self._rate(n) for word, n in self._words.items()}
                return ChoiceScores(shares)
            case _:
                return None

    def _passes(self) -> PassFailScores:
        passed = failed = 0
        for word, count in self._words.items():
            passed += count if word.lower() in _PASSED else 0
            failed += count if word.lower() in _FAILED else 0
        return PassFailScores(self._rate(passed), self._rate(failed), passed, failed)

    def _spread(self) -> NumericScores:
        numbers = sorted(self._numbers)
        average = round(sum(numbers) / len(numbers), 2)  # as the service adds
        return NumericScores(
            average,
            {each: round(_percentile(numbers, each), 2) for each in PERCENTILES},
        )

    def _rate(self, part: int) -> float:
        return round(part / self._count * 100, 2)


def _percentile(numbers: Sequence[float], share: int) -> float:
    """The value below which a share of sorted numbers lies, between its neighbours."""
    place = (len(numbers) - 1) * share / 100
    low, high = numbers[math.floor(place)], numbers[math.ceil(place)]
    return low + (high - low) * (place % 1)


class Tally:
    """What the completed calls of some executions have of some eval configs.

    Args:
        executions: the executions that are looked at.
        config_ids: the eval configs; `None` for whatever the calls have.

    Attributes:
        executions: the executions, by id.
        completed_calls: how many completed calls each of them has.
        names: the names of eval configs, as the first of their results have them: calls
            are read newest first, and an eval config can have been renamed.
        failures: why an evaluation failed, one reason an eval config.
    """

    def __init__(
        self, executions: Iterable[TestExecution], config_ids: Sequence[str] | None
    ) -> None:
        self.executions: dict[str, TestExecution] = {
            each.id: each for each in executions
        }
        self.completed_calls: dict[str, int] = dict.fromkeys(self.executions, 0)
        self._config_ids = config_ids
        self._cells: dict[str, dict[str, Cells]] = {
            execution_id: {} for execution_id in self.executions
        }
        self._scores: dict[str, ScoreKeeper] = {}
        self._busy: set[str] = set()
        self.names: dict[str, str] = {}
        self.failures: dict[str, str] = {}

    def counts(self, call: CallExecution) -> bool:
        """Tell if a call is one of these: only completed ones are evaluated."""
        return (
            call.status is ExecutionStatus.COMPLETED
            and call.test_execution_id in self.executions
        )

    def add(self, call: CallExecution) -> None:
        """Take in one call, if it counts; each may come only once."""
        if not self.counts(call):
            return
        of_execution = self._cells[call.test_execution_id]
        self.completed_calls[call.test_execution_id] += 1
        outputs = call.eval_outputs
        for config_id in outputs if self._config_ids is None else self._config_ids:
            output = outputs.get(config_id)
            cells = of_execution.get(config_id)
            if cells is None:
                cells = of_execution[config_id] = Cells()
            cells.add(output)
            if output is not None:
                self._take_in(config_id, output)
        if any(each.state is EvalOutputStatus.PENDING for each in outputs.values()):
            self._busy.add(call.test_execution_id)

    def _take_in(self, config_id: str, output: EvalOutput) -> None:
        if output.name is not None:
            self.names.setdefault(config_id, output.name)
        if output.state is EvalOutputStatus.COMPLETED:
            self._scores.setdefault(config_id, ScoreKeeper()).add(output)
        elif output.state is EvalOutputStatus.FAILED and output.reason:
            self.failures.setdefault(config_id, output.reason)

    def erase(
        self, execution_ids: Collection[str], config_ids: Collection[str]
    ) -> None:
        """Count as pending what was started after it was read: that is erased."""
        for execution_id in execution_ids:
            calls = self.completed_calls.get(execution_id, 0)
            for config_id in config_ids:
                self._cells[execution_id][config_id] = Cells(pending=calls)
        for config_id in config_ids:
            self._scores.pop(config_id, None)
            self.failures.pop(config_id, None)

    def is_busy(self, execution_id: str) -> bool:
        """Tell if a call waits for a result, of whichever eval config."""
        return execution_id in self._busy

    def of(self, execution_id: str, config_id: str) -> Cells:
        """Give the counts of one eval config in one execution."""
        return self._cells[execution_id].get(config_id) or Cells()

    def of_execution(self, execution_id: str) -> Cells:
        """Give the counts of all eval configs in one execution."""
        return _sum(self._cells[execution_id].values())

    def of_config(self, config_id: str) -> Cells:
        """Give the counts of one eval config in all executions."""
        return _sum(
            each[config_id] for each in self._cells.values() if config_id in each
        )

    def scores(self, config_id: str) -> Scores | None:
        """Give what the values of one eval config sum up to, in all executions."""
        keeper = self._scores.get(config_id)
        return keeper.scores() if keeper else None

    @property
    def config_ids(self) -> list[str]:
        """The eval configs that are looked at, or that were seen."""
        if self._config_ids is not None:
            return list(self._config_ids)
        return list(dict.fromkeys(c for each in self._cells.values() for c in each))


def _sum(parts: Iterable[Cells]) -> Cells:
    total: collections.Counter[str] = collections.Counter()
    for part in parts:
        values: dict[str, Any] = attrs.asdict(part)
        total.update(values)
    return Cells(**total)
