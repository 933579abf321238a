"""GET /simulate/test-executions/{id}/: an execution with its calls."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from emulator_busy_world import (
    ANN,
    BEN,
    CLEO,
    DAN,
    EVE,
    FAR,
    FORMER,
    GREETS,
    LINE,
    QUALITY,
    SPRING,
    SUMMER,
    VOID,
    BusyCaller,
)
from emulator_small_world import NOBODY


@pytest.fixture
def busy():
    """A service whose workers leave everything as it is."""
    return BusyCaller("accept")


def detail(busy, execution_id, query=""):
    """Return an execution in detail."""
    return busy.get(f"/simulate/test-executions/{execution_id}/{query}")


def ids(reply):
    """Return the ids of the calls of a page."""
    return [each["id"] for each in reply.json["results"]]


def filtered(busy, execution_id, column, kind, name, *value):
    """Return an execution with the calls that meet one condition."""
    config = {"filter_type": kind, "filter_op": name}
    if value:
        config["filter_value"] = value[0]
    filters = json.dumps([{"column_id": column, "filter_config": config}])
    return detail(busy, execution_id, f"?filters={quote(filters)}")


def test_an_execution_has_its_status_and_its_calls_newest_first(busy):
    reply = detail(busy, SUMMER)

    assert reply.status == 200
    assert (reply.json["count"], reply.json["status"]) == (3, "completed")
    assert (reply.json["agent_type"], reply.json["error_messages"]) == ("voice", [])
    assert ids(reply) == [EVE, DAN, CLEO]


def test_calls_have_shown_cells_of_live_configs_and_no_transcripts(busy):
    call = detail(busy, SPRING).json["results"][1]

    assert call["transcript"] == []
    assert set(call["eval_outputs"]) == {GREETS, QUALITY}
    assert call["eval_outputs"][QUALITY] == {
        "value": 0.8,
        "reason": "because",
        "type": "score",
        "name": "quality",
        "error": False,
        "status": "completed",
        "skipped": False,
    }


def test_columns_are_those_of_live_configs(busy):
    columns = detail(busy, SPRING).json["column_order"]

    assert [each["id"] for each in columns] == [QUALITY, GREETS]
    assert FORMER not in str(columns)


def test_snapshots_of_calls_that_were_made_again_are_under_them_newest_first(busy):
    busy.rerun_calls(SPRING, "call_and_eval", call_execution_ids=[BEN])
    busy.rerun_calls(SPRING, "call_and_eval", call_execution_ids=[BEN])
    busy.row(BEN).snapshots[0].eval_outputs = None

    (call, other) = detail(busy, SPRING).json["results"]

    assert other["rerun_snapshots"] == []
    assert [each["status"] for each in call["rerun_snapshots"]] == [
        "pending",
        "completed",
    ]
    assert call["rerun_snapshots"][1]["eval_outputs"] == {}
    assert call["rerun_snapshots"][0]["rerun_type"] == "call_and_eval"


def test_snapshots_of_evaluations_are_shown_nowhere(busy):
    busy.rerun_calls(SPRING, "call_and_eval", call_execution_ids=[BEN])
    busy.row(BEN).snapshots[0].rerun_type = "eval_only"

    assert detail(busy, SPRING).json["results"][0]["rerun_snapshots"] == []


def test_deleted_calls_are_left_out(busy):
    busy.row(BEN).deleted = True

    reply = detail(busy, SPRING)

    assert (reply.json["count"], ids(reply)) == (1, [ANN])


@pytest.mark.parametrize("execution_id", [NOBODY, FAR])
def test_an_execution_that_the_key_does_not_see_is_a_500(busy, execution_id):
    reply = detail(busy, execution_id)

    assert (reply.status, reply.message) == (
        500,
        "Failed to retrieve test execution: No TestExecution matches the given query.",
    )


@pytest.mark.parametrize(
    ("query", "pages", "number"),
    [("?page=2", 1, 2), ("?limit=2&page=3", 2, 3)],
)
def test_a_page_past_the_last_is_empty(busy, query, pages, number):
    reply = detail(busy, SUMMER, query)

    assert reply.status == 200
    assert reply.json["results"] == []
    assert (reply.json["count"], reply.json["total_pages"]) == (3, pages)
    assert reply.json["current_page"] == number


def test_an_execution_without_calls_has_no_page_past_the_last(busy):
    assert detail(busy, VOID, "?page=2").json["total_pages"] == 0


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("?limit=0", "limit: Ensure this value is greater than or equal to 1."),
        ("?page=x", "page: A valid integer is required."),
        ("?color=red", "color: Unknown field."),
        ("?filters=x", "filters: Filters must be valid JSON."),
        ("?filters=[1]", "filters: 0: Filter item must be an object."),
    ],
)
def test_a_bad_query_is_a_400(busy, query, problem):
    reply = detail(busy, SPRING, query)

    assert (reply.status, reply.message) == (400, problem)


@pytest.mark.parametrize(
    ("search", "found"),
    [("OPENING", [ANN]), ("+4930", [ANN]), ("good morning", [BEN, ANN]), ("xyz", [])],
)
def test_a_search_looks_at_scenarios_numbers_and_transcripts(busy, search, found):
    assert ids(detail(busy, SPRING, f"?search={quote(search)}")) == found


def test_a_search_copes_with_calls_without_scenario_and_transcript(busy):
    busy.world.run_tests.get(LINE).scenarios = ()
    busy.row(ANN).transcript = None

    assert ids(detail(busy, SPRING, "?search=hello")) == [BEN]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        (("status", "text", "equals", "Failed"), [DAN, CLEO]),
        (("status", "text", "not_equals", "failed"), [EVE]),
        (("status", "categorical", "in", ["failed", "x"]), [DAN, CLEO]),
        (("status", "categorical", "not_in", ["failed"]), [EVE]),
        (("status", "text", "contains", "CANC"), [EVE]),
        (("status", "text", "not_contains", "canc"), [DAN, CLEO]),
        (("scenario", "text", "equals", "opening hours"), [EVE, DAN, CLEO]),
        (("call_execution_id", "categorical", "in", [CLEO]), [CLEO]),
        (("duration", "number", "greater_than", 43), [EVE, DAN]),
        (("duration", "number", "greater_than_or_equal", "44"), [EVE, DAN]),
        (("duration_seconds", "number", "less_than", 44), [CLEO]),
        (("duration", "number", "less_than_or_equal", 44), [DAN, CLEO]),
        (("duration", "number", "equals", 44), [DAN]),
        (("duration", "number", "between", [43, 44]), [DAN, CLEO]),
        (("duration", "number", "not_between", [43, 44]), [EVE]),
    ],
)
def test_filters_look_at_the_fields_of_calls(busy, condition, found):
    assert ids(filtered(busy, SUMMER, *condition)) == found


def test_a_call_without_duration_meets_no_condition_on_it(busy):
    busy.row(DAN).duration_seconds = None

    found = ids(filtered(busy, SUMMER, "duration", "number", "less_than", 1000))

    assert found == [EVE, CLEO]


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ((QUALITY, "number", "greater_than", 50), [ANN]),
        ((QUALITY, "number", "between", [10, 30]), [BEN]),
        ((GREETS, "number", "greater_than", 0), []),
        ((GREETS, "text", "equals", "passed"), [ANN]),
        ((GREETS, "text", "contains", "ASS"), [ANN]),
        ((QUALITY, "text", "contains", "0.2"), [BEN]),
    ],
)
def test_filters_look_at_results_and_scores_in_percent(busy, condition, found):
    assert ids(filtered(busy, SPRING, *condition)) == found


@pytest.mark.parametrize("cells", [None, {}, {GREETS: {"status": "pending"}}])
def test_calls_without_a_result_meet_no_condition_on_it(busy, cells):
    busy.row(BEN).eval_outputs = cells

    found = ids(filtered(busy, SPRING, GREETS, "text", "not_equals", "nothing"))

    assert found == [ANN]


@pytest.mark.parametrize(
    ("column", "kind", "name", "value"),
    [
        ("nothing", "text", "equals", "x"),
        ("nothing", "number", "equals", 1),
        (FORMER, "text", "equals", "x"),
        ("status", "number", "equals", 1),
        ("status", "boolean", "equals", True),
        (GREETS, "categorical", "in", ["x"]),
        (QUALITY, "number", "not_equals", 1),
    ],
)
def test_filters_that_the_service_does_not_know_are_ignored(
    busy, column, kind, name, value
):
    reply = filtered(busy, SPRING, column, kind, name, value)

    assert (ids(reply), reply.json["error_messages"]) == ([BEN, ANN], [])


def test_a_filter_whose_value_cannot_be_used_is_ignored_with_a_message(busy):
    reply = filtered(busy, SPRING, QUALITY, "number", "greater_than", "much")

    assert ids(reply) == [BEN, ANN]
    assert reply.json["error_messages"] == [
        (
            f"Error applying filter for column {QUALITY}: "
            "could not convert string to float: 'much'"
        )
    ]
