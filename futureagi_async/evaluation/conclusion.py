"""How a run test ends: its state, the reason, and its scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from futureagi_async.errors import FutureAGIError, NotAttemptedError
from futureagi_async.evaluation.plan import EvaluationPhase
from futureagi_async.evaluation.report import (
    ConfigScores,
    EvaluationStatus,
    RunTestEvaluation,
)


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.evaluation.plan import Plan
    from futureagi_async.evaluation.results import Tally
    from futureagi_async.evaluation.start import Progress


_REASONS = {
    EvaluationStatus.STARTED: (
        "it was started, or was under way already, and was not to be waited for"
    ),
    EvaluationStatus.NOTHING_TO_EVALUATE: "no completed execution has a completed call",
    EvaluationStatus.PARTIAL: (
        "some calls of an execution have results and others have none; "
        "rerun=True evaluates and bills all of them"
    ),
    EvaluationStatus.NOT_STARTED: (
        "the service prepared evaluations, and nothing works on them; evaluate again, "
        "with another journal if there is one, to start them"
    ),
    EvaluationStatus.STUCK: (
        "an execution says that it is being evaluated and nothing of it is, as the "
        "service leaves one without a completed call; it takes no further evaluations"
    ),
    EvaluationStatus.NOT_CREATED: "not every eval config could be created",
}


_BARREN = (
    "each call's evaluation by {name!r} failed or was skipped{why}; rerun=True "
    "runs it again"
)

_NEVER_RUN = "no eval config was ever run on a completed call"

_AS_IF_WHOLE = {EvaluationStatus.SCORED, EvaluationStatus.STARTED}
"""What a run test is not, where an eval config that was asked for is not there."""


def state_of(
    verdict: EvaluationPhase, tally: Tally, plan: Plan | None
) -> EvaluationStatus:
    """Say what a verdict means, where nothing more is to be started.

    Args:
        verdict: how far the evaluations are.
        tally: what there is of them.
        plan: what was decided by that; `None` where nothing was to be started.
    """
    is_nothing = not any(tally.completed_calls.values()) or not tally.config_ids
    is_open = any(tally.of_config(each).open for each in tally.config_ids)
    match verdict:
        case EvaluationPhase.STUCK if is_nothing or is_open or plan is None:
            return EvaluationStatus.STUCK
        case EvaluationPhase.FINISHED | EvaluationPhase.STUCK:
            return (
                EvaluationStatus.NOTHING_TO_EVALUATE
                if is_nothing
                else EvaluationStatus.SCORED
            )
        case _ if plan is not None and plan.is_partial:
            return EvaluationStatus.PARTIAL
        case _:
            return EvaluationStatus.NOT_STARTED


def failed(
    run_test_id: str | None,
    asked: Sequence[EvalConfig],
    progress: Progress,
    error: FutureAGIError,
    elapsed: float,
) -> RunTestEvaluation:
    """Give the end of a run test after an error."""
    was_begun = progress.ensured is not None or progress.has_written
    is_untouched = isinstance(error, NotAttemptedError) and not was_begun
    state = EvaluationStatus.NOT_ATTEMPTED if is_untouched else EvaluationStatus.FAILED
    progress.error = error
    return ended(run_test_id, asked, progress, state, elapsed, reason=str(error))


def ended(
    run_test_id: str | None,
    asked: Sequence[EvalConfig],
    progress: Progress,
    state: EvaluationStatus,
    elapsed: float,
    *,
    reason: str = "",
) -> RunTestEvaluation:
    """Give the end of a run test.

    Args:
        run_test_id: the run test.
        asked: the eval configs that were asked for; none where it was to be watched
            only.
        progress: what was found and started.
        state: how far it came.
        elapsed: seconds since its turn came.
        reason: why it did not come further, where the state does not say it.
    """
    ensured, tally = progress.ensured, progress.tally
    configs = tuple(_configs(asked, progress))
    if state in _AS_IF_WHOLE and any(each.eval_config_id is None for each in configs):
        state = EvaluationStatus.NOT_CREATED
    if state is EvaluationStatus.SCORED:
        barren = next(filter(_is_barren, configs), None)
        if barren is not None:
            state = EvaluationStatus.NO_RESULT
            why = f" ({barren.reason})" if barren.reason else ""
            reason = _BARREN.format(name=barren.name, why=why)
    if state is EvaluationStatus.NOTHING_TO_EVALUATE and any(
        tally.completed_calls.values()
    ):
        reason = _NEVER_RUN
    return RunTestEvaluation(
        run_test_id=run_test_id,
        run_test_name=ensured.run_test_name if ensured else None,
        state=state,
        configs=configs,
        reason=reason or _REASONS.get(state, ""),
        error=progress.error,
        requests=progress.requests,
        executions=len(tally.executions),
        warnings=tuple(_warnings(progress)),
        elapsed=elapsed,
    )


def _is_barren(config: ConfigScores) -> bool:
    """Tell if nothing more is to come of an eval config, and nothing has come."""
    return not config.evaluated and config.failed + config.skipped > 0


def _configs(asked: Sequence[EvalConfig], progress: Progress) -> Iterator[ConfigScores]:
    tally, ensured = progress.tally, progress.ensured
    there = {e.eval_config.name: e for e in ensured.eval_configs} if ensured else {}
    for config in asked:
        name = config.effective_name
        found = there.get(name)
        if found is None:
            why = _why_missing(config, ensured.warnings) if ensured else ""
            yield ConfigScores(name=name, reason=why and f"not created: {why}")
        else:
            scores = _scores(tally, found.eval_config.id, name)
            yield attrs.evolve(scores, origin=found.origin)
    if not asked:
        for config_id in tally.config_ids:
            yield _scores(tally, config_id, tally.names.get(config_id, config_id))


def _why_missing(config: EvalConfig, warnings: Sequence[str]) -> str:
    """Give the messages that name an eval config, or else its template, or else all."""
    by_name = [each for each in warnings if repr(config.effective_name) in each]
    by_template = [each for each in warnings if config.template_id in each]
    return "; ".join(dict.fromkeys(by_name or by_template or warnings))


def _scores(tally: Tally, config_id: str, name: str) -> ConfigScores:
    cells = tally.of_config(config_id)
    return ConfigScores(
        name=name,
        eval_config_id=config_id,
        scores=tally.scores(config_id),
        evaluated=cells.done,
        failed=cells.failed,
        skipped=cells.skipped,
        pending=cells.open,
        reason=tally.failures.get(config_id, ""),
    )


def _warnings(progress: Progress) -> Iterator[str]:
    if progress.ensured is not None:
        yield from progress.ensured.warnings
        for kept in progress.ensured.updated:
            yield (
                f"{kept.name!r} was changed; results that it had before are of its "
                "earlier content, unless they were run again (rerun=True)"
            )
    yield from progress.warnings
    if progress.doubt is not None and progress.is_overcome:
        yield f"{progress.doubt}; what was read afterwards shows how it came out"
    if progress.plan is not None:
        for id_, calls in progress.tally.completed_calls.items():
            if not calls:
                yield f"execution {id_} has no completed call, and was left out"
