"""The results of executions and calls without transcripts, in their stored form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rules import lookups
from futureagi_async.emulator.rules.envelope import (
    error_response,
    sdk_validation_error,
)
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import RUNS
from futureagi_async.emulator.rules.pagination import PageError, paginate
from futureagi_async.emulator.rules.summaries import SummaryError, summarize
from futureagi_async.emulator.rules.times import show_time


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from futureagi_async.emulator.rows import Call, Execution, RunTest
    from futureagi_async.emulator.rules.context import Context


def runs(context: Context) -> Response:
    """Return one call, one execution with its calls, or all executions of a name."""
    query = context.query(RUNS, reject=sdk_validation_error)
    names = query.get("eval_name")
    try:
        if "call_execution_id" in query:
            found = lookups.call(context, query["call_execution_id"])
            result = _call_detail(*found, names)
        elif "execution_id" in query:
            result = _execution_detail(context, query, names)
        else:
            result = _executions(context, query["run_test_name"], names)
    except (PageError, SummaryError, AttributeError):
        # A name that is null breaks the comparison of names.
        return error_response(500, "Unable to fetch simulation runs.")
    return json_response(200, {"status": True, "result": result})


def _execution_detail(
    context: Context, query: Mapping[str, Any], names: Collection[str] | None
) -> dict[str, Any]:
    """Return an execution with one page of its calls."""
    run_test, execution = lookups.execution(context, query["execution_id"])
    result = _execution(context, run_test, execution, names)
    page = paginate(context.request, execution.newest_calls())
    result["call_results"] = page.without_links(
        lambda call: _call(run_test, call, names)
    )
    if query["summary"]:
        # Nobody explains the results of an emulator.
        result["eval_explanation_summary"] = None
        result["eval_explanation_summary_status"] = "pending"
    return result


def _executions(
    context: Context, name: str, names: Collection[str] | None
) -> dict[str, Any]:
    """Return one page of the executions of all run tests with a name."""
    page = paginate(context.request, lookups.executions(context, name))
    return page.without_links(lambda pair: _execution(context, *pair, names))


def _execution(
    context: Context,
    run_test: RunTest,
    execution: Execution,
    names: Collection[str] | None,
) -> dict[str, Any]:
    """Return an execution with the summary of its results."""
    results = summarize(context.world, run_test, execution.id, names)
    return {**lookups.show_execution(execution), "eval_results": results}


def _call(
    run_test: RunTest, call: Call, names: Collection[str] | None
) -> dict[str, Any]:
    """Return a call with its results."""
    scenario = run_test.scenario_of(call)
    return {
        "call_execution_id": call.id,
        "scenario_id": scenario and scenario.id,
        "scenario_name": scenario and scenario.name,
        "status": call.status,
        "duration_seconds": call.duration_seconds,
        "eval_outputs": _cells(call, names),
    }


def _call_detail(
    run_test: RunTest, execution: Execution, call: Call, names: Collection[str] | None
) -> dict[str, Any]:
    """Return a call with all that is told of one."""
    return {
        **_call(run_test, call, names),
        "execution_id": execution.id,
        "started_at": show_time(call.started_at),
        "completed_at": show_time(call.ended_at),
        "ended_reason": None,
        "call_summary": None,
        **lookups.show_costs(),
    }


def _cells(call: Call, names: Collection[str] | None) -> dict[str, Any]:
    """Return the stored cells of a call whose names are asked for, in any case."""
    cells = call.eval_outputs or {}
    if not names:
        return cells
    wanted = {name.lower() for name in names}
    return {
        config_id: cell
        for config_id, cell in cells.items()
        if isinstance(cell, dict) and cell.get("name", "").lower() in wanted
    }
