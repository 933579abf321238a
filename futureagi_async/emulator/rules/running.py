"""Running eval configs over completed executions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rules.envelope import error_response
from futureagi_async.emulator.rules.evaluations import erase_results
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import RUN_NEW_EVALS
from futureagi_async.emulator.rules.phases import start_pending_evaluations


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.emulator.rows import Execution, RunTest
    from futureagi_async.emulator.rules.context import Context


_STARTED = (
    "New evaluations dispatched successfully. Individual tasks will run in parallel."
)
_NOT_STARTED = (
    "New evaluations marked pending; async dispatch failed and can be retried."
)


def run_new_evals(context: Context) -> Response:
    """Start evaluations; no step is undone when a later one rejects the request.

    So the tool setting is stored before anything is checked, executions without calls
    are evaluating for ever after a 400, and results are erased by a failed dispatch.
    """
    body = context.body(RUN_NEW_EVALS)
    run_test = context.run_test()
    if body["enable_tool_evaluation"] is not None:
        run_test.enable_tool_evaluation = body["enable_tool_evaluation"]
    config_ids = body["eval_config_ids"]
    executions = _select_executions(run_test, body)
    problem = _problem_with(run_test, executions, config_ids)
    if problem:
        return error_response(400, problem)
    _set_status(executions, "evaluating")
    calls = sum(len(execution.live_calls()) for execution in executions)
    if not calls:
        return error_response(
            400, "No call executions found in the selected test executions."
        )
    erase_results(executions, config_ids)
    return json_response(
        200,
        {
            "message": _dispatch(context, run_test, executions, config_ids),
            "run_test_id": run_test.id,
            "call_execution_count": calls,
        },
    )


def _problem_with(
    run_test: RunTest, executions: Sequence[Execution], config_ids: Sequence[str]
) -> str | None:
    """Return why evaluations cannot start; executions are checked before configs."""
    if not executions:
        return "No test executions found to run evaluations on."
    if any(execution.status != "completed" for execution in executions):
        return (
            "Only test executions with COMPLETED status can have new evaluations "
            "run on them."
        )
    if not _all_exist(run_test, config_ids):
        return "One or more eval configs not found or do not belong to this run test."
    return None


def _dispatch(
    context: Context,
    run_test: RunTest,
    executions: Sequence[Execution],
    config_ids: Sequence[str],
) -> str:
    """Submit the evaluations; return the message of the response."""
    if context.dispatch == "fail":
        # A failure that looks like success: nothing but the wording differs.
        _set_status(executions, "completed")
        return _NOT_STARTED
    start_pending_evaluations(context.workers, run_test, executions, config_ids)
    context.effects.runs += 1
    return _STARTED


def _all_exist(run_test: RunTest, config_ids: Sequence[str]) -> bool:
    """Compare the number of rows found to that of ids sent: a repeated id is missing."""
    live = {config.id for config in run_test.live_configs()}
    return len(live.intersection(config_ids)) == len(config_ids)


def _select_executions(run_test: RunTest, body: dict[str, Any]) -> list[Execution]:
    """Return the executions to evaluate; ids of other run tests are dropped.

    With `select_all` the ids are those to leave out, which no document mentions.
    """
    named = set(body.get("test_execution_ids", ()))
    all_but_named = body["select_all"]
    return [
        execution
        for execution in reversed(run_test.live_executions())
        if (execution.id in named) != all_but_named
    ]


def _set_status(executions: Sequence[Execution], status: str) -> None:
    """Set the status of all executions."""
    for execution in executions:
        execution.status = status
