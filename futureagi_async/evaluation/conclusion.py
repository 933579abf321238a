"""Conclusion of the evaluation of a run test: its status, the reason, and its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import NotAttemptedError
from futureagi_async.evaluation.plan import EvaluationPhase, is_busy
from futureagi_async.evaluation.report import (
    CallResults,
    ConfigScores,
    EvaluationStatus,
    RunTestEvaluation,
)


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.errors import FutureAGIError
    from futureagi_async.evaluation.plan import Plan
    from futureagi_async.evaluation.results import ResultTable
    from futureagi_async.evaluation.start import RunTestState


_REASONS = {
    EvaluationStatus.STARTED: (
        "it was started, or was under way already, and wait=False"
    ),
    EvaluationStatus.NOTHING_TO_EVALUATE: "no completed execution has a completed call",
    EvaluationStatus.PARTIAL: (
        "some completed calls have results of an eval config and others have none, and "
        "none is under way; rerun=True evaluates and bills all of them"
    ),
    EvaluationStatus.NOT_STARTED: (
        "an execution is completed, and evaluations that were prepared or started have "
        "no result, without a change for {stuck_after:g} s; evaluate again, with another "
        "journal if there is one, to start them"
    ),
    EvaluationStatus.STUCK: (
        'an execution has the status "evaluating", without a change for {stuck_after:g} '
        "s, and has no completed call, or nothing more to evaluate; it accepts no "
        "further evaluations until it is rerun"
    ),
    EvaluationStatus.CANCELLED: (
        "an execution was cancelled, or has failed, before its evaluations were finished"
    ),
    EvaluationStatus.NOT_CREATED: "not every eval config could be created",
}

_MISSING = (
    "an execution is completed, and eval configs that were started have no result in it, "
    "and none is prepared: what was started was undone, or never ran; evaluate again, "
    "with another journal if there is one"
)

_NO_VALUE = (
    "each call's evaluation by {name!r} failed or was skipped{why}; rerun=True "
    "runs it again"
)

_NEVER_RUN = "no eval config was ever run on a completed call"

_MAX_NAMED = 3

_NOT_IF_CONFIG_MISSING = {EvaluationStatus.SCORED, EvaluationStatus.STARTED}
"""Statuses that are impossible while a requested eval config does not exist."""


def final_status(
    phase: EvaluationPhase, table: ResultTable, plan: Plan | None
) -> EvaluationStatus:
    """Return the status of a run test of which nothing more is to be started.

    Args:
        phase: how far the evaluations are.
        table: the results that were read.
        plan: what was decided from them; `None` if nothing was to be started.
    """
    is_empty = not any(table.completed_calls.values()) or not table.config_ids
    has_unfinished = any(
        table.config_counts(id_).unfinished for id_ in table.config_ids
    )
    match phase:
        case EvaluationPhase.STUCK if is_empty or has_unfinished or plan is None:
            return EvaluationStatus.STUCK
        case EvaluationPhase.ABANDONED:
            return EvaluationStatus.CANCELLED
        case EvaluationPhase.FINISHED | EvaluationPhase.STUCK:
            return (
                EvaluationStatus.NOTHING_TO_EVALUATE
                if is_empty
                else EvaluationStatus.SCORED
            )
        case EvaluationPhase.MISSING if plan is None:
            return EvaluationStatus.PARTIAL
        case _ if plan is not None and plan.is_partial:
            return EvaluationStatus.PARTIAL
        case _:
            return EvaluationStatus.NOT_STARTED


def failure_status(error: FutureAGIError, state: RunTestState) -> EvaluationStatus:
    """Return the status of a run test after an error."""
    if isinstance(error, NotAttemptedError) and not state.has_written:
        return EvaluationStatus.NOT_ATTEMPTED
    return EvaluationStatus.FAILED


def conclude(
    run_test_id: str | None,
    requested: Sequence[EvalConfig],
    state: RunTestState,
    status: EvaluationStatus,
    elapsed: float,
    *,
    reason: str = "",
    error: FutureAGIError | None = None,
) -> RunTestEvaluation:
    """Return the evaluation of a run test.

    Args:
        run_test_id: the run test.
        requested: the requested eval configs; none if it was only waited for.
        state: what was found and started.
        status: how far it came.
        elapsed: seconds since it was read from the input.
        reason: why it came no further, if the status does not explain it.
        error: what went wrong, if something did.
    """
    ensured, table = state.ensured, state.table
    configs = tuple(_configs(requested, state))
    if status in _NOT_IF_CONFIG_MISSING and any(
        config.eval_config_id is None for config in configs
    ):
        status = EvaluationStatus.NOT_CREATED
    if status is EvaluationStatus.SCORED:
        without_value = next(filter(_has_no_value, configs), None)
        if without_value is not None:
            status = EvaluationStatus.NO_RESULT
            why = f" ({without_value.reason})" if without_value.reason else ""
            reason = _NO_VALUE.format(name=without_value.name, why=why)
    if status is EvaluationStatus.NOTHING_TO_EVALUATE and any(
        table.completed_calls.values()
    ):
        reason = _NEVER_RUN
    found = state.assessment
    if (
        status is EvaluationStatus.NOT_STARTED
        and not reason
        and found is not None
        and found.phase is EvaluationPhase.MISSING
    ):
        reason = _MISSING
    if not reason:
        reason = _REASONS.get(status, "").format(stuck_after=state.stuck_after)
    statuses = table.statuses
    return RunTestEvaluation(
        run_test_id=run_test_id,
        run_test_name=ensured.run_test_name if ensured else state.run_test_name,
        status=status,
        configs=configs,
        reason=reason,
        error=error,
        requests=state.requests,
        executions=len(table.results),
        calls_counted=statuses.pop(ExecutionStatus.COMPLETED, 0),
        calls_not_counted={each.value: n for each, n in sorted(statuses.items())},
        calls=tuple(_calls(configs, table)),
        warnings=tuple(_warnings(state)),
        elapsed=elapsed,
    )


def _calls(
    configs: Iterable[ConfigScores], table: ResultTable
) -> Iterator[CallResults]:
    for execution_id, results in table.results.items():
        for call in results.calls:
            yield CallResults(
                call_execution_id=call.id,
                test_execution_id=execution_id,
                scenario_name=call.scenario_name,
                results={
                    config.name: call.eval_outputs[config.eval_config_id]
                    for config in configs
                    if config.eval_config_id in call.eval_outputs
                },
            )


def _has_no_value(config: ConfigScores) -> bool:
    """Return whether an eval config is finished, and has no value."""
    return not config.evaluated and config.failed + config.skipped > 0


def _configs(
    requested: Sequence[EvalConfig], state: RunTestState
) -> Iterator[ConfigScores]:
    table, ensured = state.table, state.ensured
    by_name = {e.eval_config.name: e for e in ensured.eval_configs} if ensured else {}
    for config in requested:
        name = config.effective_name
        found = by_name.get(name)
        if found is None:
            why = _missing_reason(config, ensured.warnings) if ensured else ""
            yield ConfigScores(name=name, reason=why and f"not created: {why}")
        else:
            scores = _scores(table, found.eval_config.id, name)
            yield attrs.evolve(scores, origin=found.origin)
    if not requested:
        names = table.names | {k: v for k, v in state.config_names.items() if v}
        for config_id in table.config_ids:
            yield _scores(table, config_id, names.get(config_id, config_id))


def _missing_reason(config: EvalConfig, warnings: Sequence[str]) -> str:
    """Return the messages that name an eval config, or else its template, or else all."""
    by_name = [each for each in warnings if repr(config.effective_name) in each]
    by_template = [each for each in warnings if config.template_id in each]
    return "; ".join(dict.fromkeys(by_name or by_template or warnings))


def _scores(table: ResultTable, config_id: str, name: str) -> ConfigScores:
    counts = table.config_counts(config_id)
    return ConfigScores(
        name=name,
        eval_config_id=config_id,
        scores=table.scores(config_id),
        evaluated=counts.completed,
        failed=counts.failed,
        skipped=counts.skipped,
        pending=counts.unfinished,
        reason=table.failures.get(config_id, ""),
    )


def _warnings(state: RunTestState) -> Iterator[str]:
    if state.ensured is not None:
        yield from state.ensured.warnings
        for stored in state.ensured.updated:
            yield (
                f"{stored.name!r} was changed; its earlier results are of its earlier "
                "content, unless they were run again (rerun=True)"
            )
    yield from state.warnings
    if state.unknown_error is not None and state.is_resolved:
        yield f"{state.unknown_error}; what was read afterwards shows the outcome"
    for id_, results in state.table.results.items():
        if not results.completed_calls and not (
            is_busy(results) and results.open_calls
        ):
            yield f"execution {id_} has no completed call, and was left out"
    limits = (each.limit_reached for each in state.table.results.values())
    for reason in dict.fromkeys(filter(None, limits)):
        yield f"a limit of the account was reached: {reason}"
    for status in dict.fromkeys(state.left_out.values()):
        ids = [id_ for id_, each in state.left_out.items() if each == status]
        yield _left_out(status, ids)


def _left_out(status: ExecutionStatus, ids: Sequence[str]) -> str:
    """Return which executions were not evaluated; the newest three are named."""
    named = ", ".join(ids[:_MAX_NAMED]) + (", ..." if len(ids) > _MAX_NAMED else "")
    are = "execution was" if len(ids) == 1 else "executions were"
    return f"{len(ids)} {status.value} {are} left out: {named}"
