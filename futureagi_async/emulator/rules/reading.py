"""The reads around run tests, with the odd errors that some of them have."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from futureagi_async.emulator.rules import presentation
from futureagi_async.emulator.rules.content import query_of
from futureagi_async.emulator.rules.envelope import error
from futureagi_async.emulator.rules.exchange import Answer, json_answer
from futureagi_async.emulator.rules.forms import (
    EVAL_SUMMARY,
    EVAL_SUMMARY_COMPARISON,
    RUN_TESTS,
)
from futureagi_async.emulator.rules.pagination import PageError, page_of, slice_of
from futureagi_async.emulator.rules.summaries import SummaryError, summary


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.emulator.rows import Call, Execution, RunTest
    from futureagi_async.emulator.rules.context import Context


WITH_FULL_STOP = "Run test not found."
"""Some views end the sentence with a full stop, others do not."""

NO_SUMMARY = "Unable to fetch evaluation summary. Please try again"

CANNOT_SEARCH = (
    "Field TestExecution.agent_definition cannot be both deferred and traversed "
    "using select_related at the same time."
)


def word_in(context: Context, name: str) -> str:
    """A query parameter that is not checked, trimmed."""
    return query_of(context.request).get(name, [""])[-1].strip()


def run_tests(context: Context) -> Answer:
    """The run tests that the key sees."""
    wanted = context.query(RUN_TESTS)
    # Run tests made from prompts are not part of a world.
    from_prompts = wanted["simulation_type"] == "prompt"
    found: Sequence[RunTest] = ()
    if not from_prompts and not wanted.get("prompt_template_id"):
        found = context.world.run_tests.seen_by(context.key, wanted["search"])
    try:
        page = page_of(context.request, found)
    except PageError as problem:
        return error(500, f"Failed to retrieve run tests: {problem}")
    return json_answer(200, page.shown(presentation.run_test))


def run_test(context: Context) -> Answer:
    """One run test."""
    return json_answer(200, presentation.run_test(context.run_test()))


def run_test_id_by_name(context: Context) -> Answer:
    """The id behind an exact name; workspaces do not matter here."""
    (name,) = context.ids
    found = context.world.run_tests.named(name, context.key.organization)
    if found is None:
        return error(400, "Run test not found")
    result = {"run_test_id": found.id, "run_test_name": found.name}
    return json_answer(200, {"status": True, "result": result})


def status(context: Context) -> Answer:
    """The state of the newest execution."""
    return json_answer(200, presentation.newest_state(context.run_test()))


def scenarios(context: Context) -> Answer:
    """The scenarios of a run test."""
    row = context.run_test()
    wanted = word_in(context, "search").lower()
    kinds = (presentation.SCENARIO_SOURCE, presentation.SCENARIO_TYPE)
    found = [
        each
        for each in reversed(row.scenarios)
        if any(wanted in text for text in (each.name.lower(), *kinds))
    ]
    try:
        page = page_of(context.request, found)
    except PageError as problem:
        return error(500, f"Failed to retrieve scenarios: {problem}")
    return json_answer(200, page.shown(presentation.scenario))


def executions(context: Context) -> Answer:
    """The executions of a run test; a search that finds something is a 500."""
    row = context.run_test(WITH_FULL_STOP)
    search = word_in(context, "search").lower()
    state = word_in(context, "status")
    if search and search in presentation.scenario_names(row).lower():
        return error(500, f"Failed to retrieve test executions: {CANNOT_SEARCH}")
    found = [
        each
        for each in reversed(row.executions)
        if not search and state in ("", each.status)
    ]
    try:
        page = page_of(context.request, found)
    except PageError as problem:
        return error(500, f"Failed to retrieve test executions: {problem}")
    return json_answer(200, page.shown(lambda each: presentation.execution(row, each)))


def call_executions(context: Context) -> Answer:
    """The calls of all executions of a run test."""
    row = context.run_test()
    search = word_in(context, "search").lower()
    state = word_in(context, "status")
    found = [
        (execution, call)
        for execution, call in row.calls()
        if search in presentation.scenario_names(row).lower()
        and state in ("", call.status)
    ]
    try:
        page = slice_of(context.request, found)
    except PageError as problem:
        return error(500, f"Failed to retrieve call executions: {problem}")
    return json_answer(200, page.shown(lambda pair: presentation.call(row, *pair)))


def call_execution(context: Context) -> Answer:
    """One call."""
    (call_id,) = context.ids
    row = context.world.run_tests.of_call(call_id)
    if row is None or not row.visible_to(context.key):
        return error(404, "Call execution not found")
    pair = next(pair for pair in row.calls() if pair[1].id == call_id)
    return json_answer(200, presentation.call(row, *pair))


def execution_calls(context: Context) -> Answer:
    """The calls of one execution; an unknown one is a 500 that is really a 404."""
    (execution_id,) = context.ids
    row = context.world.run_tests.of_execution(execution_id)
    found = row and row.visible_to(context.key) and row.execution(execution_id)
    if not row or not found:
        return no_execution("No TestExecution matches the given query.")
    calls: list[tuple[Execution, Call]] = [
        (found, call) for call in reversed(found.calls)
    ]
    try:
        page = page_of(context.request, calls)
    except PageError as problem:
        return no_execution(str(problem))
    shown = page.shown(lambda pair: presentation.call(row, *pair))
    return json_answer(200, {**shown, "status": found.status})


def no_execution(reason: str) -> Answer:
    """What the view of one execution answers to everything that goes wrong."""
    return error(500, f"Failed to retrieve test execution: {reason}")


def eval_summary(context: Context) -> Answer:
    """The results of a run test or of one of its executions, summed up."""
    wanted = context.query(EVAL_SUMMARY)
    row = context.run_test(WITH_FULL_STOP)
    try:
        result = summary(context.world, row, wanted.get("execution_id"))
    except SummaryError:
        return error(500, NO_SUMMARY)
    return json_answer(200, {"status": True, "result": result})


def eval_summary_comparison(context: Context) -> Answer:
    """The summaries of several executions side by side."""
    wanted = context.query(EVAL_SUMMARY_COMPARISON)["execution_ids"]
    row = context.run_test(WITH_FULL_STOP)
    result: dict[str, Any] = {}
    # Without configs the ids are never looked at, whatever they are.
    if row.live_configs():
        try:
            result = {
                str(each): summary(context.world, row, as_id(each)) for each in wanted
            }
        except (SummaryError, ValueError, TypeError, AttributeError):
            return error(500, NO_SUMMARY)
    return json_answer(200, {"status": True, "result": result})


def as_id(value: Any) -> str | None:
    """An id as the database takes it: numbers are UUIDs, null means all executions.

    Raises:
        ValueError: It is no UUID.
        TypeError: It could not be one.
        AttributeError: Neither.
    """
    if value is None:
        return None
    if isinstance(value, int):
        return str(uuid.UUID(int=value))
    return str(uuid.UUID(hex=value))
