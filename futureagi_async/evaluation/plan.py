"""What is to be started, and what has come of it: decided from what was read."""

from __future__ import annotations

import collections
import enum
from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.status import ExecutionStatus


if TYPE_CHECKING:
    from futureagi_async.endpoints.list_test_executions import TestExecution
    from futureagi_async.endpoints.run_new_evals import RunNewEvals
    from futureagi_async.evaluation.results import Tally


@attrs.frozen
class Start:
    """Evaluations that go into one request.

    A request erases every result that its configs have on its executions. So executions
    share one only where just the same configs are to be run on them.
    """

    execution_ids: tuple[str, ...]
    config_ids: tuple[str, ...]


@attrs.frozen
class Plan:
    """What is to be done for a run test.

    Attributes:
        starts: what is to be started.
        is_awaited: whether something that was asked for is being evaluated already, or
            can be started only when what is being evaluated has ended.
        is_blocked: whether that is so: it is not started, since others have evaluations
            under way on the same execution.
        rests_on_pending: whether something is to be started because it was prepared and
            seems never to have been started.
        is_partial: whether an eval config has results for a part of an execution only,
            and is left so.
    """

    starts: tuple[Start, ...]
    is_awaited: bool
    is_blocked: bool
    rests_on_pending: bool
    is_partial: bool


@attrs.define
class Begun:
    """What was started already, and is not to be started again."""

    _executions: dict[str, set[str]] = attrs.field(factory=dict)
    _everywhere: set[str] = attrs.field(factory=set)

    def add(self, request: RunNewEvals) -> None:
        """Note what a request has started."""
        for config_id in request.eval_config_ids:
            if request.select_all:
                self._everywhere.add(config_id)
            executions = self._executions.setdefault(config_id, set())
            executions.update(request.test_execution_ids or ())

    def has(self, execution_id: str, config_id: str) -> bool:
        """Tell if an eval config was started on an execution."""
        return config_id in self._everywhere or execution_id in self._executions.get(
            config_id, ()
        )


def can_be_evaluated(execution: TestExecution) -> bool:
    """Tell executions that are or will be completed from those that never ran well."""
    return execution.is_evaluating or execution.status is ExecutionStatus.COMPLETED


def make_plan(tally: Tally, begun: Begun, *, rerun: bool) -> Plan:
    """Decide what is to be started.

    Without `rerun`, that is what has no result at all: where an eval config has results
    for some calls of an execution, running it there again would erase and bill them.

    Args:
        tally: what is there.
        begun: what was started already.
        rerun: start also what has results.
    """
    groups: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
    is_awaited = is_blocked = rests_on_pending = is_partial = False
    for id_, execution in tally.executions.items():
        calls = tally.completed_calls[id_]
        if not calls:
            continue  # the service would have it evaluating for ever
        cells = {config: tally.of(id_, config) for config in tally.config_ids}
        if execution.is_evaluating:
            is_blocked |= any(
                (rerun or each.absent) and not begun.has(id_, config)
                for config, each in cells.items()
            )
            is_awaited |= is_blocked or any(each.open for each in cells.values())
            continue
        is_partial = is_partial or any(
            each.open and each.ended for each in cells.values()
        )
        wanted = tuple(
            config
            for config, each in cells.items()
            if (rerun or not each.ended) and not begun.has(id_, config)
        )
        if wanted:
            groups[wanted].append(id_)
            rests_on_pending |= not rerun and any(cells[c].pending for c in wanted)
    return Plan(
        tuple(Start(tuple(ids), configs) for configs, ids in groups.items()),
        is_awaited,
        is_blocked,
        rests_on_pending,
        is_partial,
    )


class EvaluationPhase(enum.Enum):
    """How far the evaluations of a run test are."""

    FINISHED = enum.auto()
    """Every completed call has its results."""

    UNDER_WAY = enum.auto()
    """Something is being evaluated."""

    NOT_STARTED = enum.auto()
    """Something was prepared, and nothing evaluates it."""

    MISSING = enum.auto()
    """Something has no result and was not even prepared, and nothing is evaluated."""

    STUCK = enum.auto()
    """An execution says that it is being evaluated, and nothing of it is: it has no
    completed call, or all that was prepared has ended. So it can stay for ever."""


@attrs.frozen
class Assessment:
    """A verdict, and whether one reading is enough to believe it.

    What contradicts itself, as an execution that is being evaluated while all its
    results are there, can be a moment between two steps of the service.
    """

    verdict: EvaluationPhase
    is_certain: bool


def assess(tally: Tally) -> Assessment:
    """Judge how far the evaluations are, whose executions and calls were just read."""
    evaluating = {id_ for id_, e in tally.executions.items() if e.is_evaluating}
    cells = {id_: tally.of_execution(id_) for id_ in tally.executions}
    at_rest = [each for id_, each in cells.items() if id_ not in evaluating]
    if any(cells[id_].pending or tally.is_busy(id_) for id_ in evaluating):
        return Assessment(EvaluationPhase.UNDER_WAY, is_certain=True)
    if any(each.pending for each in at_rest):
        return Assessment(EvaluationPhase.NOT_STARTED, is_certain=False)
    if any(each.absent for each in at_rest):
        return Assessment(EvaluationPhase.MISSING, is_certain=True)
    if any(cells[id_].absent or not tally.completed_calls[id_] for id_ in evaluating):
        return Assessment(EvaluationPhase.STUCK, is_certain=False)
    return Assessment(EvaluationPhase.FINISHED, is_certain=not evaluating)
