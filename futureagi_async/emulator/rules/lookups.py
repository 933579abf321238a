"""What the SDK's endpoints find by an id or a name, and how they begin to show it.

By an id they find whatever belongs to the organization, in any workspace, also of a
deleted run test; by a name only what the key sees.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rules.envelope import RejectedError, error_response
from futureagi_async.emulator.rules.times import show_time


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import Call, Execution, RunTest
    from futureagi_async.emulator.rules.context import Context


def execution(context: Context, execution_id: str) -> tuple[RunTest, Execution]:
    """Return an execution with its run test.

    Raises:
        RejectedError: there is none.
    """
    run_test = context.world.run_tests.of_execution(execution_id)
    if run_test and run_test.organization == context.key.organization:
        found = run_test.execution(execution_id)
        if found:
            return run_test, found
    raise RejectedError(error_response(404, "Test execution not found."))


def call(context: Context, call_id: str) -> tuple[RunTest, Execution, Call]:
    """Return a call with its run test and its execution.

    Raises:
        RejectedError: there is none.
    """
    run_test = context.world.run_tests.of_call(call_id)
    if run_test and run_test.organization == context.key.organization:
        found = run_test.call(call_id)
        if found:
            return run_test, *found
    raise RejectedError(error_response(404, "Call execution not found."))


def executions(context: Context, name: str) -> list[tuple[RunTest, Execution]]:
    """Return the executions of all run tests with exactly this name, newest first.

    Raises:
        RejectedError: there is no such run test.
    """
    run_tests = [
        run_test
        for run_test in context.world.run_tests.visible_to(context.key, name)
        if run_test.name == name
    ]
    if not run_tests:
        raise RejectedError(error_response(404, "Run test not found."))
    found = [(each, row) for each in run_tests for row in each.live_executions()]
    return sorted(found, key=lambda pair: pair[1].created_at, reverse=True)


def show_execution(row: Execution) -> dict[str, Any]:
    """Return an execution with its stored numbers, which its calls need not have."""
    return {
        "execution_id": row.id,
        "status": row.status,
        "started_at": show_time(row.started_at),
        "completed_at": show_time(row.completed_at),
        "total_calls": row.total_calls,
        "completed_calls": row.completed_calls,
        "failed_calls": row.failed_calls,
    }


def show_costs() -> dict[str, Any]:
    """Return the times and costs of a call, which nobody measures here."""
    return {
        "latency": dict.fromkeys(("avg_agent_latency_ms", "response_time_ms")),
        "cost": dict.fromkeys(
            ("total_cost_cents", "stt_cost_cents", "llm_cost_cents", "tts_cost_cents")
        ),
    }
