"""Starting a simulation: a new execution of a run test."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from futureagi_async.emulator.rows import Execution
from futureagi_async.emulator.rules.envelope import error_response, object_error
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import EXECUTE
from futureagi_async.emulator.rules.phases import add_calls, start_run
from futureagi_async.emulator.rules.workers import HAND_OVER_ERROR


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.emulator.rows import RunTest, Scenario
    from futureagi_async.emulator.rules.context import Context


def execute(context: Context) -> Response:
    """Start an execution; no repeat is recognised, and a failed start leaves a row.

    The calls of a text agent exist at once, those of a voice agent come later.
    """
    body = context.body(EXECUTE)
    run_test = context.run_test()
    scenario_ids = body.get("scenario_ids") or [
        scenario.id for scenario in reversed(run_test.scenarios)
    ]
    if not scenario_ids:
        return error_response(
            400, "At least one scenario is required to execute the test."
        )
    incomplete = [
        scenario
        for scenario in run_test.scenarios
        if scenario.id in scenario_ids and scenario.status != "Completed"
    ]
    if incomplete:
        return _incomplete(incomplete)
    execution = _new_execution(context, run_test, scenario_ids)
    if context.dispatch == "fail":
        hosted = "hosted " if run_test.is_text else ""
        return error_response(
            400, f"Failed to start {hosted}test execution: {HAND_OVER_ERROR}"
        )
    start_run(context.workers, run_test, execution)
    return json_response(
        200,
        {
            "message": "Test execution started successfully",
            "execution_id": execution.id,
            "run_test_id": run_test.id,
            "status": "started",
            "total_scenarios": len(scenario_ids),
            "total_calls": execution.total_calls,
            "scenario_ids": scenario_ids,
        },
    )


def _new_execution(
    context: Context, run_test: RunTest, scenario_ids: Sequence[str]
) -> Execution:
    """Add a pending execution; of a text agent with its calls."""
    workers = context.workers
    time = workers.stamp()
    execution = Execution(
        str(uuid.uuid4()),
        "pending",
        created_at=time,
        started_at=time,
        scenarios=scenario_ids,
    )
    run_test.executions.append(execution)
    workers.world.run_tests.adopt(run_test, execution)
    if run_test.is_text:
        add_calls(workers, run_test, execution)
    return execution


def _incomplete(scenarios: Sequence[Scenario]) -> Response:
    """Return the 400 for scenarios that cannot be played yet."""
    return object_error(
        {
            "error": "Scenarios incomplete",
            "detail": (
                f"{len(scenarios)} scenario(s) are not completed. Wait for them to "
                "finish or remove them from the selection."
            ),
            "scenarios": [
                {"id": each.id, "name": each.name, "status": each.status}
                for each in scenarios
            ],
        }
    )
