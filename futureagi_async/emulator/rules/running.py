"""Running eval configs over completed executions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rules.envelope import error
from futureagi_async.emulator.rules.evaluations import prepare
from futureagi_async.emulator.rules.exchange import Answer, json_answer
from futureagi_async.emulator.rules.forms import RUN_NEW_EVALS


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.emulator.rows import Execution, RunTest
    from futureagi_async.emulator.rules.context import Context


STARTED = (
    "New evaluations dispatched successfully. Individual tasks will run in parallel."
)
NOT_STARTED = (
    "New evaluations marked pending; async dispatch failed and can be retried."
)


def run_new_evals(context: Context) -> Answer:
    """Starts evaluations; each step is kept when a later one refuses.

    So the tool setting is stored before anything is checked, executions without calls
    are evaluating for ever after a 400, and results are gone after a failed dispatch.
    """
    wanted = context.body(RUN_NEW_EVALS)
    run_test = context.run_test()
    if wanted["enable_tool_evaluation"] is not None:
        run_test.enable_tool_evaluation = wanted["enable_tool_evaluation"]
    config_ids = wanted["eval_config_ids"]
    executions = selected(run_test, wanted)
    problem = problem_with(run_test, executions, config_ids)
    if problem:
        return error(400, problem)
    set_status(executions, "evaluating")
    calls = sum(len(execution.calls) for execution in executions)
    if not calls:
        return error(400, "No call executions found in the selected test executions.")
    prepare(executions, config_ids)
    return json_answer(
        200,
        {
            "message": handed_over(context, run_test, executions, config_ids),
            "run_test_id": run_test.id,
            "call_execution_count": calls,
        },
    )


def problem_with(
    run_test: RunTest, executions: Sequence[Execution], config_ids: Sequence[str]
) -> str | None:
    """What keeps evaluations from being started; executions come before configs."""
    if not executions:
        return "No test executions found to run evaluations on."
    if any(execution.status != "completed" for execution in executions):
        return (
            "Only test executions with COMPLETED status can have new evaluations "
            "run on them."
        )
    if not all_found(run_test, config_ids):
        return "One or more eval configs not found or do not belong to this run test."
    return None


def handed_over(
    context: Context,
    run_test: RunTest,
    executions: Sequence[Execution],
    config_ids: Sequence[str],
) -> str:
    """Hands the evaluations over; returns what the answer says about it."""
    if context.evaluations.dispatch == "fail":
        # A failure that looks like success: the wording is all that tells it.
        set_status(executions, "completed")
        return NOT_STARTED
    context.evaluations.take(run_test, executions, config_ids, context.now)
    context.work.runs += 1
    return STARTED


def all_found(run_test: RunTest, config_ids: Sequence[str]) -> bool:
    """Rows found are counted against ids sent, so a repeated id counts as missing."""
    live = {config.id for config in run_test.live_configs()}
    return len(live.intersection(config_ids)) == len(config_ids)


def selected(run_test: RunTest, wanted: dict[str, Any]) -> list[Execution]:
    """The executions that are meant; ids that do not belong here are dropped.

    With `select_all` the ids are those to leave out, which no document says.
    """
    named = set(wanted.get("test_execution_ids", ()))
    everything_but = wanted["select_all"]
    return [
        execution
        for execution in run_test.executions
        if (execution.id in named) != everything_but
    ]


def set_status(executions: Sequence[Execution], status: str) -> None:
    """All of them at once."""
    for execution in executions:
        execution.status = status
