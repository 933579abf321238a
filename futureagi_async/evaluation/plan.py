"""Decisions from what was read: what to start, and how far the evaluations are."""

from __future__ import annotations

import collections
import enum
from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.evaluation.overview import can_be_evaluated


if TYPE_CHECKING:
    from collections.abc import Iterator

    from futureagi_async.endpoints.run_new_evals import RunNewEvals
    from futureagi_async.evaluation.results import ExecutionResults, ResultTable


@attrs.frozen
class StartGroup:
    """Evaluations that are started by one request.

    A request erases every result that its configs have on its executions. So executions
    share one only if exactly the same configs are to be run on them.
    """

    execution_ids: tuple[str, ...]
    config_ids: tuple[str, ...]


@attrs.frozen
class Plan:
    """The next steps of a run test.

    Attributes:
        starts: what is to be started.
        waits_for_running: whether something that was requested is being evaluated
            already, or can be started only after what is being evaluated.
        blocked_by_others: whether the second is the case: others have evaluations
            under way on the same execution.
        is_unsettled: whether something is started only if nothing changes for a while:
            an execution is completed, and results in it still seem to come.
        is_partial: whether an eval config has results for a part of an execution only,
            and is left so.
    """

    starts: tuple[StartGroup, ...]
    waits_for_running: bool
    blocked_by_others: bool
    is_unsettled: bool
    is_partial: bool


@attrs.define
class StartedPairs:
    """Pairs of execution and eval config that are not to be started once more."""

    _executions: dict[str, set[str]] = attrs.field(factory=dict)
    _all_executions: set[str] = attrs.field(factory=set)

    def add(self, request: RunNewEvals) -> None:
        """Add what a request has started."""
        for config_id in request.eval_config_ids:
            if request.select_all:
                self._all_executions.add(config_id)
            executions = self._executions.setdefault(config_id, set())
            executions.update(request.test_execution_ids or ())

    def has(self, execution_id: str, config_id: str) -> bool:
        """Return whether an eval config was started on an execution."""
        return (
            config_id in self._all_executions
            or execution_id in self._executions.get(config_id, ())
        )

    def overlaps(self, start: StartGroup) -> bool:
        """Return whether any eval config of a group was started on its executions."""
        return any(
            self.has(execution_id, config_id)
            for execution_id in start.execution_ids
            for config_id in start.config_ids
        )


def make_plan(
    table: ResultTable,
    started: StartedPairs,
    *,
    rerun: bool,
    is_settled: bool = False,
) -> Plan:
    """Decide what is to be started.

    Without `rerun`, that is what has no result at all: if an eval config has results
    for some calls of an execution, running it there would erase and bill them.

    Args:
        table: the results that were read.
        started: what was started already.
        rerun: whether to start also what has results.
        is_settled: whether the same was read a while ago.
    """
    groups: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
    waits_for_running = blocked_by_others = is_unsettled = is_partial = False
    for id_, results in table.results.items():
        is_running = is_busy(results) and not results.execution.is_evaluating
        if not (results.completed_calls or results.open_calls or is_running):
            continue  # the service would leave it evaluating for ever
        by_config = {config: results.counts(config) for config in table.config_ids}
        if is_busy(results):
            is_open = bool(results.open_calls) or is_running
            blocked_by_others |= any(
                (rerun or is_open or counts.not_prepared)
                and not started.has(id_, config)
                for config, counts in by_config.items()
            )
            waits_for_running |= (
                blocked_by_others
                or is_open
                or any(counts.unfinished for counts in by_config.values())
            )
            continue
        if not results.completed_calls or not can_be_evaluated(results.execution):
            continue
        is_partial |= any(c.unfinished and c.finished for c in by_config.values())
        wanted = [
            config
            for config, counts in by_config.items()
            if (rerun or not counts.finished) and not started.has(id_, config)
        ]
        may_start = rerun or is_settled or not results.is_uneven
        unstarted = table.scope.unstarted_ids(id_)
        to_start = tuple(c for c in wanted if may_start or c in unstarted)
        is_unsettled |= len(to_start) < len(wanted)
        if to_start:
            groups[to_start].append(id_)
    return Plan(
        tuple(StartGroup(tuple(ids), configs) for configs, ids in groups.items()),
        waits_for_running,
        blocked_by_others,
        is_unsettled,
        is_partial,
    )


_ENDED = {
    ExecutionStatus.COMPLETED,
    ExecutionStatus.FAILED,
    ExecutionStatus.CANCELLED,
}


def is_busy(results: ExecutionResults) -> bool:
    """Return whether an execution runs, again if need be, or is being evaluated.

    One in a state that this package does not know has not ended for all that is known.
    """
    return results.execution.status not in _ENDED


class EvaluationPhase(enum.Enum):
    """Phase of the evaluations of a run test."""

    FINISHED = enum.auto()
    """Every completed call has its results."""

    UNDER_WAY = enum.auto()
    """Something is being evaluated, or can be for all that is known."""

    NOT_STARTED = enum.auto()
    """Something was prepared in an execution that is completed."""

    MISSING = enum.auto()
    """Something has no result and was not prepared, and nothing is evaluated."""

    STUCK = enum.auto()
    """An execution has the status "evaluating" and all its calls have ended, and none is
    completed, or all that was to be evaluated has its result: it accepts no more."""

    ABANDONED = enum.auto()
    """An execution was cancelled or has failed after it was chosen."""


@attrs.frozen
class Assessment:
    """A phase, and whether one reading is enough to conclude it.

    Otherwise what was read can be a moment between two steps of the service, and is
    believed once it has not changed for longer than those are apart.
    """

    phase: EvaluationPhase
    is_certain: bool


_PRECEDENCE = (
    EvaluationPhase.UNDER_WAY,
    EvaluationPhase.ABANDONED,
    EvaluationPhase.NOT_STARTED,
    EvaluationPhase.MISSING,
    EvaluationPhase.STUCK,
)
"""The phases of which one decides, if any execution is in it."""


def assess(table: ResultTable) -> Assessment:
    """Conclude from executions and calls that were just read how far they are."""
    found = [_assess_execution(table, each) for each in table.results.values()]
    phases = {each.phase for each in found}
    phase = next((p for p in _PRECEDENCE if p in phases), EvaluationPhase.FINISHED)
    is_certain = phase is EvaluationPhase.UNDER_WAY or all(e.is_certain for e in found)
    return Assessment(phase, is_certain)


def _assess_execution(table: ResultTable, results: ExecutionResults) -> Assessment:
    if is_busy(results):
        return _assess_busy(table, results)
    counts = [results.counts(config_id) for config_id in table.config_ids]
    if not can_be_evaluated(results.execution):
        unfinished = results.open_calls + sum(each.unfinished for each in counts)
        is_open = bool(unfinished) or not counts
        phase = EvaluationPhase.ABANDONED if is_open else EvaluationPhase.FINISHED
        return Assessment(phase, is_certain=True)
    if any(each.pending for each in counts):
        return Assessment(EvaluationPhase.NOT_STARTED, is_certain=False)
    if any(each.not_prepared for each in counts):
        return Assessment(EvaluationPhase.MISSING, is_certain=not results.is_uneven)
    is_coming = results.open_calls or results.awaits_first
    return Assessment(EvaluationPhase.FINISHED, is_certain=not is_coming)


def _assess_busy(table: ResultTable, results: ExecutionResults) -> Assessment:
    """Assess an execution that is being evaluated, or that runs.

    It becomes completed last, up to a minute after its last result; some never do.
    """
    expected = table.scope.expected_ids or tuple(table.config_ids)
    is_open = {id_ for id_ in expected if results.counts(id_).unfinished}
    is_evaluating = results.execution.is_evaluating
    if not is_evaluating or results.open_calls or results.pending:
        return Assessment(EvaluationPhase.UNDER_WAY, is_certain=True)
    if is_open - table.scope.unstarted_ids(results.execution.id):
        return Assessment(EvaluationPhase.UNDER_WAY, is_certain=True)
    if is_open or not results.completed_calls:
        return Assessment(EvaluationPhase.STUCK, is_certain=False)
    return Assessment(EvaluationPhase.FINISHED, is_certain=False)


def describe_busy(table: ResultTable) -> Iterator[str]:
    """Return what each execution that is not finished seems to wait for."""
    for id_, results in table.results.items():
        if not is_busy(results) and not results.is_uneven:
            continue
        statuses = {s: n for s, n in results.statuses.items() if n}
        total = sum(statuses.values())
        listed = ", ".join(f"{n} {s.value}" for s, n in sorted(statuses.items()))
        yield (
            f"execution {id_} was {results.execution.status.value} when last read"
            + (f" with {listed} of {total} calls" if total else "")
            + (f", {results.pending} results pending" if results.pending else "")
        )
