"""The views that read run tests, with the odd errors that some of them have."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.emulator.rules import presentation
from futureagi_async.emulator.rules.content import parse_query
from futureagi_async.emulator.rules.envelope import error_response
from futureagi_async.emulator.rules.exchange import Response, json_response
from futureagi_async.emulator.rules.forms import (
    EVAL_SUMMARY,
    EVAL_SUMMARY_COMPARISON,
    RUN_TESTS,
)
from futureagi_async.emulator.rules.pagination import (
    PageError,
    paginate,
    paginate_rows,
)
from futureagi_async.emulator.rules.search import like
from futureagi_async.emulator.rules.summaries import SummaryError, summarize


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from futureagi_async.emulator.rows import Place, RunTest
    from futureagi_async.emulator.rules.context import Context


_WITH_FULL_STOP = "Run test not found."
"""Some views end the sentence with a full stop, others do not."""

_NO_CALL = "Call execution not found"

_NO_SUMMARY = "Unable to fetch evaluation summary. Please try again"

_NUL = "\0"
_NO_NUL = "PostgreSQL text fields cannot contain NUL (0x00) bytes"

_CANNOT_SEARCH = (
    "Field TestExecution.agent_definition cannot be both deferred and traversed "
    "using select_related at the same time."
)


def _parameter(context: Context, name: str) -> str:
    """Return a query parameter that no form checks, trimmed."""
    return parse_query(context.request).get(name, [""])[-1].strip()


def _page(
    context: Context, items: Sequence[Any], show: Callable[[Any], Any], what: str
) -> Response:
    """Return the page of the items that the query asks for."""
    try:
        page = paginate(context.request, items)
    except PageError as error:
        return _failed(what, error)
    return json_response(200, page.to_json(show))


def _failed(what: str, reason: object) -> Response:
    """Return the 500 of a view that catches every error of its own."""
    return error_response(500, f"Failed to retrieve {what}: {reason}")


def run_tests(context: Context) -> Response:
    """List the run tests that the key sees."""
    query = context.query(RUN_TESTS)
    # Run tests made from prompts are not part of a world.
    from_prompts = query["simulation_type"] == "prompt"
    found: Sequence[RunTest] = ()
    if not from_prompts and not query.get("prompt_template_id"):
        found = context.world.run_tests.visible_to(context.key, query["search"])
    return _page(context, found, presentation.run_test, "run tests")


def run_test(context: Context) -> Response:
    """Return one run test."""
    return json_response(200, presentation.run_test(context.run_test()))


def run_test_id_by_name(context: Context) -> Response:
    """Return the id behind an exact name; workspaces do not matter here."""
    (name,) = context.ids
    if _NUL in name:
        return error_response(500, "Failed to get run test id by name")
    found = context.world.run_tests.find(name, context.key.organization)
    if found is None:
        return error_response(400, "Run test not found")
    result = {"run_test_id": found.id, "run_test_name": found.name}
    return json_response(200, {"status": True, "result": result})


def status(context: Context) -> Response:
    """Return the state of the newest execution."""
    return json_response(200, presentation.status(context.run_test()))


def scenarios(context: Context) -> Response:
    """List the scenarios of a run test."""
    row = context.run_test()
    search = _parameter(context, "search").lower()
    kinds = (presentation.SCENARIO_SOURCE, presentation.SCENARIO_TYPE)
    found = [
        scenario
        for scenario in reversed(row.scenarios)
        if any(search in text for text in (scenario.name.lower(), *kinds))
    ]
    return _page(context, found, presentation.scenario, "scenarios")


def executions(context: Context) -> Response:
    """List the executions of a run test.

    A search is about their status; one that finds the name of a scenario is a 500.
    """
    row = context.run_test(_WITH_FULL_STOP)
    search = _parameter(context, "search").lower()
    state = _parameter(context, "status")
    if _NUL in search or _NUL in state:
        return _failed("test executions", _NO_NUL)
    if search and search in presentation.scenario_names(row).lower():
        return _failed("test executions", _CANNOT_SEARCH)
    found = [
        execution
        for execution in row.live_executions()
        if search in execution.status and state in ("", execution.status)
    ]
    return _page(
        context,
        found,
        lambda execution: presentation.execution(row, execution),
        "test executions",
    )


def call_executions(context: Context) -> Response:
    """List the calls of all executions of a run test, among them snapshots.

    What is deleted is counted and has a place in the pages, which stays empty.
    """
    row = context.run_test()
    search, state = _parameter(context, "search"), _parameter(context, "status")
    if _NUL in search or _NUL in state:
        return _failed("call executions", _NO_NUL)
    places = [place for place in row.places() if state in ("", place.status)]
    if search:
        matches = like(search)
        places = [place for place in places if _is_found(row, place, matches)]
    try:
        page = paginate_rows(context.request, places)
    except PageError as error:
        return _failed("call executions", error)
    shown = attrs.evolve(page, items=[each for each in page.items if not each.is_empty])
    return json_response(
        200, shown.to_json(lambda place: presentation.listed_place(row, place))
    )


def _is_found(row: RunTest, place: Place, matches: Callable[[str], bool]) -> bool:
    """Return whether a search matches the scenario or the telephone number of a call."""
    scenario = row.scenario_of(place.call)
    names = (scenario.name if scenario else "", place.call.phone_number or "")
    return any(map(matches, names))


def call_execution(context: Context) -> Response:
    """Return one call."""
    (call_id,) = context.ids
    row = context.world.run_tests.of_call(call_id)
    pair = row.call(call_id) if row and row.is_visible_to(context.key) else None
    if row is None or pair is None:
        return error_response(404, _NO_CALL)
    return json_response(200, presentation.call(row, *pair))


def delete_call(context: Context) -> Response:
    """Delete one call; its place in the list moves to the front and stays empty."""
    (call_id,) = context.ids
    row = context.world.run_tests.of_call(call_id)
    pair = row.call(call_id) if row and row.is_visible_to(context.key) else None
    if pair is None:
        return error_response(404, _NO_CALL)
    pair[1].deleted = True
    pair[1].updated_at = context.stamp()
    return Response(204)


def eval_summary(context: Context) -> Response:
    """Summarize the results of a run test or of one of its executions."""
    query = context.query(EVAL_SUMMARY)
    row = context.run_test(_WITH_FULL_STOP)
    try:
        result = summarize(context.world, row, query.get("execution_id"))
    except SummaryError:
        return error_response(500, _NO_SUMMARY)
    return json_response(200, {"status": True, "result": result})


def eval_summary_comparison(context: Context) -> Response:
    """Return the summaries of several executions side by side."""
    execution_ids = context.query(EVAL_SUMMARY_COMPARISON)["execution_ids"]
    row = context.run_test(_WITH_FULL_STOP)
    # Without configs the ids are not checked, whatever they are.
    if not row.live_configs():
        return json_response(200, {"status": True, "result": {}})
    try:
        result = {
            str(execution_id): summarize(context.world, row, _parse_id(execution_id))
            for execution_id in execution_ids
        }
    except (SummaryError, ValueError, TypeError, AttributeError):
        return error_response(500, _NO_SUMMARY)
    return json_response(200, {"status": True, "result": result})


def _parse_id(value: Any) -> str | None:
    """Return an id as the database reads it: numbers are UUIDs, null is all executions.

    Raises:
        ValueError: the value is no UUID.
        TypeError: it could not be one.
        AttributeError: neither.
    """
    if value is None:
        return None
    if isinstance(value, int):
        return str(uuid.UUID(int=value))
    return str(uuid.UUID(hex=value))
