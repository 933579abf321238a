"""Reruns of executions and of single calls: their evaluations, or the calls as well."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rows import Snapshot
from futureagi_async.emulator.rules.envelope import error_response
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import RERUN_CALLS, RERUN_EXECUTIONS
from futureagi_async.emulator.rules.phases import start_calls, start_evaluations
from futureagi_async.emulator.rules.workers import HAND_OVER_ERROR


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.emulator.rows import Call, Execution, RunTest
    from futureagi_async.emulator.rules.context import Context
    from futureagi_async.emulator.rules.workers import Workers


_EVAL_ONLY, _CALL_AND_EVAL = "eval_only", "call_and_eval"

_NOT_FOR_TEXT = "Text/Chat agents only support 'eval_only' rerun type."


def rerun_executions(context: Context) -> Response:
    """Rerun all calls of executions; those that are under way are left out."""
    body = context.body(RERUN_EXECUTIONS)
    run_test = context.run_test()
    kind = body["rerun_type"]
    if kind == _CALL_AND_EVAL and run_test.is_text:
        return error_response(400, _NOT_FOR_TEXT)
    named = set(body.get("test_execution_ids", ()))
    executions = [
        execution
        for execution in run_test.live_executions()
        if (execution.id in named) != body["select_all"]
        and execution.status not in ("pending", "running", "cancelling")
    ]
    if not executions:
        return error_response(
            400,
            "No test executions found that can be rerun. "
            "Executions in pending, running, or cancelling status cannot be rerun.",
        )
    results = [_rerun_all(context, run_test, each, kind) for each in executions]
    failed = sum(bool(result.get("dispatch_error")) for result in results)
    what = (
        f"; {failed} async dispatches failed and can be retried"
        if failed
        else " and initiated successfully"
    )
    return json_response(
        200,
        {
            "message": f"Bulk test execution rerun prepared{what} ({kind})",
            "run_test_id": run_test.id,
            "rerun_type": kind,
            "total_test_executions": len(results),
            "results": results,
            "overall_success_count": sum(each["success_count"] for each in results),
            "overall_failure_count": sum(each["failure_count"] for each in results),
        },
    )


def rerun_calls(context: Context) -> Response:
    """Rerun some calls of an execution, which can be under way."""
    body = context.body(RERUN_CALLS)
    run_test, execution = context.execution()
    kind = body["rerun_type"]
    if execution.status in ("pending", "cancelling"):
        return error_response(
            400,
            f"Cannot rerun calls while test execution is in '{execution.status}' "
            "status. Wait for it to complete or cancel it first.",
        )
    if kind == _CALL_AND_EVAL and run_test.is_text:
        return error_response(400, _NOT_FOR_TEXT)
    named = set(body.get("call_execution_ids", ()))
    calls = [
        call
        for call in reversed(execution.live_calls())
        if (call.id in named) != body["select_all"]
    ]
    if not calls:
        return error_response(400, "No call executions found that can be rerun.")
    for call in calls:
        # Each row is saved by itself, which a rerun of executions avoids.
        call.updated_at = context.workers.stamp()
    result = _rerun(context, run_test, execution, calls, kind)
    what = (
        "; async dispatch failed and can be retried"
        if result["dispatch_error"]
        else " and initiated successfully"
    )
    return json_response(
        200,
        {
            "message": f"Bulk call execution rerun prepared{what} ({kind})",
            "test_execution_id": execution.id,
            "rerun_type": kind,
            "total_processed": len(calls),
            **result,
        },
    )


def _rerun_all(
    context: Context, run_test: RunTest, execution: Execution, kind: str
) -> dict[str, Any]:
    """Rerun all calls of one execution; return what the response says of it."""
    calls = list(reversed(execution.live_calls()))
    if not calls:
        return {
            "test_execution_id": execution.id,
            "success_count": 0,
            "failure_count": 0,
            "successful_reruns": [],
            "failed_reruns": [],
            "skipped": True,
            "reason": "No call executions found",
        }
    result = _rerun(context, run_test, execution, calls, kind)
    return {"test_execution_id": execution.id, **result}


def _rerun(
    context: Context,
    run_test: RunTest,
    execution: Execution,
    calls: Sequence[Call],
    kind: str,
) -> dict[str, Any]:
    """Prepare calls and hand them over; return which of them are rerun.

    When that fails, evaluations are as before, but calls and their execution failed.
    """
    workers = context.workers
    if kind == _CALL_AND_EVAL:
        _empty(workers, calls)
    ids = [call.id for call in calls]
    if context.dispatch == "fail":
        if kind == _CALL_AND_EVAL:
            _fail(workers, execution, calls)
        return _result([], ids)
    context.effects.runs += 1
    workers.begin_workflow(execution)
    if kind == _CALL_AND_EVAL:
        execution.status = "running"
        start_calls(workers, run_test, execution, calls)
    else:
        execution.status = "evaluating"
        for call in calls:
            call.eval_outputs = {}
        start_evaluations(workers, run_test, execution, calls)
    return _result(ids, [])


def _result(rerun: Sequence[str], failed: Sequence[str]) -> dict[str, Any]:
    """Return what a response says of the calls that are rerun, and of the others."""
    error = f"Async dispatch failed: {HAND_OVER_ERROR}"
    return {
        "success_count": len(rerun),
        "failure_count": len(failed),
        "successful_reruns": rerun,
        "failed_reruns": [
            {"call_execution_id": call_id, "error": error} for call_id in failed
        ],
        "dispatch_error": HAND_OVER_ERROR if failed else None,
    }


def _empty(workers: Workers, calls: Sequence[Call]) -> None:
    """Move what calls left behind to snapshots, so that they can be made again."""
    for call in calls:
        call.snapshots.append(
            Snapshot(
                str(uuid.uuid4()),
                _CALL_AND_EVAL,
                workers.stamp(),
                call.status,
                call.duration_seconds,
                call.eval_outputs,
                call.transcript,
            )
        )
        call.status, call.eval_outputs, call.tool_outputs = "pending", {}, {}
        call.started_at = call.completed_at = None
        call.duration_seconds = call.transcript = None


def _fail(workers: Workers, execution: Execution, calls: Sequence[Call]) -> None:
    """Have emptied calls and their execution fail."""
    execution.status = "failed"
    time = workers.stamp()
    for call in calls:
        call.status, call.completed_at, call.updated_at = "failed", time, time
