"""Decisions from what was read: what to start, and how far the evaluations are."""

from __future__ import annotations

import collections
import enum
from typing import TYPE_CHECKING

import attrs


if TYPE_CHECKING:
    from futureagi_async.endpoints.run_new_evals import RunNewEvals
    from futureagi_async.evaluation.results import ResultTable


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
        relies_on_prepared: whether something is to be started because it was prepared
            and seems never to have been started.
        is_partial: whether an eval config has results for a part of an execution only,
            and is left so.
    """

    starts: tuple[StartGroup, ...]
    waits_for_running: bool
    blocked_by_others: bool
    relies_on_prepared: bool
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


def make_plan(table: ResultTable, started: StartedPairs, *, rerun: bool) -> Plan:
    """Decide what is to be started.

    Without `rerun`, that is what has no result at all: if an eval config has results
    for some calls of an execution, running it there would erase and bill them.

    Args:
        table: the results that were read.
        started: what was started already.
        rerun: whether to start also what has results.
    """
    groups: dict[tuple[str, ...], list[str]] = collections.defaultdict(list)
    waits_for_running = blocked_by_others = relies_on_prepared = is_partial = False
    for id_, execution in table.executions.items():
        if not table.completed_calls[id_]:
            continue  # the service would leave it evaluating for ever
        by_config = {config: table.counts(id_, config) for config in table.config_ids}
        if execution.is_evaluating:
            blocked_by_others |= any(
                (rerun or counts.not_prepared) and not started.has(id_, config)
                for config, counts in by_config.items()
            )
            waits_for_running |= blocked_by_others or any(
                counts.unfinished for counts in by_config.values()
            )
            continue
        is_partial |= any(c.unfinished and c.finished for c in by_config.values())
        to_start = tuple(
            config
            for config, counts in by_config.items()
            if (rerun or not counts.finished) and not started.has(id_, config)
        )
        if to_start:
            groups[to_start].append(id_)
            relies_on_prepared |= not rerun and any(
                by_config[config].pending for config in to_start
            )
    return Plan(
        tuple(StartGroup(tuple(ids), configs) for configs, ids in groups.items()),
        waits_for_running,
        blocked_by_others,
        relies_on_prepared,
        is_partial,
    )


class EvaluationPhase(enum.Enum):
    """Phase of the evaluations of a run test."""

    FINISHED = enum.auto()
    """Every completed call has its results."""

    UNDER_WAY = enum.auto()
    """Something is being evaluated."""

    NOT_STARTED = enum.auto()
    """Something was prepared, and nothing evaluates it."""

    MISSING = enum.auto()
    """Something has no result and was not prepared, and nothing is evaluated."""

    STUCK = enum.auto()
    """An execution has the status "evaluating", and nothing of it is evaluated: it has
    no completed call, or all that was prepared is finished. It can stay so for ever."""


@attrs.frozen
class Assessment:
    """A phase, and whether one reading is enough to conclude it.

    A contradiction, such as an execution that is being evaluated while all its results
    are there, can be a moment between two steps of the service.
    """

    phase: EvaluationPhase
    is_certain: bool


def assess(table: ResultTable) -> Assessment:
    """Conclude from executions and calls that were just read how far they are."""
    evaluating = {id_ for id_, e in table.executions.items() if e.is_evaluating}
    by_execution = {id_: table.execution_counts(id_) for id_ in table.executions}
    idle = [counts for id_, counts in by_execution.items() if id_ not in evaluating]
    if any(by_execution[id_].pending or table.has_pending(id_) for id_ in evaluating):
        return Assessment(EvaluationPhase.UNDER_WAY, is_certain=True)
    if any(counts.pending for counts in idle):
        return Assessment(EvaluationPhase.NOT_STARTED, is_certain=False)
    if any(counts.not_prepared for counts in idle):
        return Assessment(EvaluationPhase.MISSING, is_certain=True)
    if any(
        by_execution[id_].not_prepared or not table.completed_calls[id_]
        for id_ in evaluating
    ):
        return Assessment(EvaluationPhase.STUCK, is_certain=False)
    return Assessment(EvaluationPhase.FINISHED, is_certain=not evaluating)
