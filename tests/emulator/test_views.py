"""The reads: pages, filters, summaries, and the errors with a wrong status."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from emulator_small_world import (
    AWAY_CALL,
    AWAY_TEST,
    CHOICES,
    CONTAINS,
    DONE,
    EMPTY,
    FIRST_CALL,
    GONE,
    MIXED,
    MONDAY,
    NOBODY,
    NUMERIC,
    OURS,
    POLITE,
    REMOVED,
    RUNNING,
    SCORE,
    SECOND_CALL,
    SHOP,
    SHORT,
    SILENT,
    THEIRS,
    TUESDAY,
    Caller,
    path_of,
)

from futureagi_async.emulator import World


LIST = "/simulate/run-tests/"


def ids(reply):
    """Return the ids on a page."""
    return [each["id"] for each in reply.json["results"]]


def test_run_tests_are_listed_newest_first_and_only_the_keys_own(ask):
    assert ids(ask.get(LIST)) == [SILENT, MIXED, EMPTY, SHOP]
    assert ids(ask.get(LIST, key="away")) == [AWAY_TEST]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("search=SHO", [SHOP]),
        ("search=ada&limit=1", [SILENT]),
        ("search=nothing", []),
        ("simulation_type=prompt", []),
        ("simulation_type=", [SILENT, MIXED, EMPTY, SHOP]),
        (f"prompt_template_id={NOBODY}", []),
        ("prompt_template_id=", [SILENT, MIXED, EMPTY, SHOP]),
        ("search=", [SILENT, MIXED, EMPTY, SHOP]),
        ("page=", [SILENT, MIXED, EMPTY, SHOP]),
    ],
)
def test_the_list_can_be_searched(ask, query, found):
    assert ids(ask.get(f"{LIST}?{query}")) == found


def test_links_between_pages_have_sorted_parameters(ask):
    middle = ask.get(f"{LIST}?search=a&page=2&limit=1").json
    first = ask.get(f"{LIST}?page=1&limit=3").json

    link = f"http://emulator{LIST}?limit=1"
    assert middle["next"] == f"{link}&page=3&search=a"
    assert middle["previous"] == f"{link}&search=a"
    assert (middle["total_pages"], middle["current_page"]) == (4, 2)
    assert (first["count"], first["previous"]) == (4, None)


def test_the_link_to_the_first_page_has_no_query():
    ask = Caller(World.synthetic(11))

    second = ask.get(f"{LIST}?page=2", headers=synthetic_keys(ask), key=None).json

    assert second["previous"] == f"http://emulator{LIST}"
    assert second["next"] is None


def synthetic_keys(ask):
    """Return the headers for a synthetic world."""
    return {"X-Api-Key": ask.world.api_key, "X-Secret-Key": ask.world.secret_key}


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("page=0", "page: Ensure this value is greater than or equal to 1."),
        ("page=x", "page: A valid integer is required."),
        ("page=" + "1" * 1001, "page: String value too large."),
        ("limit=0", "limit: Ensure this value is greater than or equal to 1."),
        ("simulation_type=x", 'simulation_type: "x" is not a valid choice.'),
        ("prompt_template_id=x", "prompt_template_id: Must be a valid UUID."),
        ("more=1", "more: Unknown field."),
    ],
)
def test_parameters_of_the_list_are_checked(ask, query, problem):
    reply = ask.get(f"{LIST}?{query}")

    assert (reply.status, reply.message) == (400, problem)


@pytest.mark.parametrize(
    ("path", "what"),
    [
        (f"{LIST}?page=9", "run tests"),
        (f"{LIST}?page=1.0", "run tests"),
        (path_of(SHOP, "executions/?page=0"), "test executions"),
        (path_of(SHOP, "executions/?page=x"), "test executions"),
        (path_of(SHOP, "scenarios/?page=2"), "scenarios"),
    ],
)
def test_a_page_that_does_not_exist_is_a_500(ask, path, what):
    reply = ask.get(path)

    assert reply.status == 500
    assert reply.message == f"Failed to retrieve {what}: Invalid page."


def test_a_run_test_shows_its_configs_four_times(ask):
    body = ask.get(path_of(SHOP)).json

    configs = body["simulate_eval_configs_detail"]
    assert body["simulate_eval_configs"] == [SHORT, POLITE]
    assert body["evals_detail"] == body["evals"] == configs
    assert [each["name"] for each in configs] == ["short", "polite"]
    assert body["agent_definition_detail"]["agent_name"] == "Ada"
    assert body["last_run_at"] is not None
    assert ask.get(path_of(EMPTY)).json["last_run_at"] is None


@pytest.mark.parametrize("run_test_id", [NOBODY, GONE, AWAY_TEST])
@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("", "Run test not found"),
        ("scenarios/", "Run test not found"),
        ("status/", "Run test not found"),
        ("call-executions/", "Run test not found"),
        ("executions/", "Run test not found."),
        ("eval-summary/", "Run test not found."),
        ("eval-summary-comparison/?execution_ids=[1]", "Run test not found."),
    ],
)
def test_unknown_deleted_and_foreign_run_tests_are_not_found(
    ask, run_test_id, rest, message
):
    reply = ask.get(path_of(run_test_id, rest))

    assert (reply.status, reply.message) == (404, message)
    assert reply.json["code"] == "not_found"


def test_a_run_test_id_is_found_by_name_in_any_workspace(ask):
    found = ask.get(f"{LIST}get-id-by-name/away/")
    missing = ask.get(f"{LIST}get-id-by-name/gone/")

    assert found.json == {
        "status": True,
        "result": {"run_test_id": AWAY_TEST, "run_test_name": "away"},
    }
    assert (missing.status, missing.message) == (400, "Run test not found")


def test_executions_are_listed_with_a_capitalized_status(ask):
    reply = ask.get(path_of(MIXED, "executions/"))

    assert ids(reply) == [RUNNING, DONE]
    newest = reply.json["results"][0]
    assert (newest["status"], newest["calls"]) == ("Running", 0)
    assert (newest["success_rate"], newest["scenarios"]) == (0.0, "Angry buyer")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=running", [RUNNING]),
        ("status=Running", []),
        ("search=zzz", []),
        ("limit=0", [RUNNING, DONE]),
        ("limit=x", [RUNNING, DONE]),
        ("page=last&limit=1", [DONE]),
    ],
)
def test_executions_can_be_filtered(ask, query, found):
    assert ids(ask.get(path_of(MIXED, f"executions/?{query}"))) == found


def test_a_search_for_a_scenario_makes_the_execution_list_a_500(ask):
    reply = ask.get(path_of(SHOP, "executions/?search=ANGRY"))

    assert reply.status == 500
    assert "cannot be both deferred and traversed" in reply.message


def test_calls_are_listed_over_all_executions(ask):
    reply = ask.get(path_of(SHOP, "call-executions/"))

    assert ids(reply)[1:] == [SECOND_CALL, FIRST_CALL]
    assert list(reply.json["results"][2]["eval_outputs"]) == [POLITE, REMOVED]
    assert reply.json["results"][0]["test_execution_id"] == TUESDAY


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=failed", 0),
        ("status=completed", 3),
        ("search=buyer", 3),
        ("search=zzz", 0),
        ("limit=0", 0),
        ("page=9", 0),
    ],
)
def test_calls_can_be_filtered(ask, query, found):
    assert len(ids(ask.get(path_of(SHOP, f"call-executions/?{query}")))) == found


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("page=x", "invalid literal for int() with base 10: 'x'"),
        ("limit=", "invalid literal for int() with base 10: ''"),
        ("page=0", "OFFSET must not be negative"),
        ("limit=-1", "LIMIT must not be negative"),
    ],
)
def test_invalid_page_numbers_make_the_call_list_a_500(ask, query, reason):
    reply = ask.get(path_of(SHOP, f"call-executions/?{query}"))

    assert reply.status == 500
    assert reply.message == f"Failed to retrieve call executions: {reason}"


def test_links_between_call_pages_preserve_the_order_of_parameters(ask):
    body = ask.get(path_of(SHOP, "call-executions/?page=2&limit=1&more=1")).json
    past = ask.get(path_of(SHOP, "call-executions/?page=2")).json

    link = f"http://emulator{path_of(SHOP, 'call-executions/')}"
    assert body["next"] == f"{link}?page=3&limit=1&more=1"
    assert body["previous"] == f"{link}?limit=1&more=1"
    assert past["previous"] == f"{link}?"
    assert (past["total_pages"], past["current_page"]) == (1, 2)


def test_a_list_without_calls_has_no_pages(ask):
    assert ask.get(path_of(EMPTY, "call-executions/")).json["total_pages"] == 0


def test_one_call_is_found_by_its_id(ask):
    body = ask.get(f"/simulate/call-executions/{SECOND_CALL}/").json

    assert (body["id"], body["test_execution_id"]) == (SECOND_CALL, MONDAY)
    assert body["scenario"] == "Angry buyer"
    assert body["eval_outputs"][POLITE]["value"] == "Passed"


@pytest.mark.parametrize("call_id", [NOBODY, AWAY_CALL, MONDAY])
def test_unknown_and_foreign_calls_are_not_found(ask, call_id):
    reply = ask.get(f"/simulate/call-executions/{call_id}/")

    assert (reply.status, reply.message) == (404, "Call execution not found")


def test_an_execution_shows_its_calls(ask):
    assert ids(ask.get(f"/simulate/test-executions/{MONDAY}/")) == [
        SECOND_CALL,
        FIRST_CALL,
    ]


def test_an_unknown_execution_is_a_500(ask):
    reply = ask.get(f"/simulate/test-executions/{NOBODY}/")

    assert reply.status == 500
    assert reply.message.endswith("No TestExecution matches the given query.")


def test_the_state_is_that_of_the_newest_execution(ask):
    body = ask.get(path_of(SHOP, "status/")).json

    assert (body["execution_id"], body["status"]) == (TUESDAY, "completed")
    assert body["message"] == (
        "Test execution completed with 1 successful and 0 failed calls"
    )
    assert ask.get(path_of(EMPTY, "status/")).json["status"] == "not_found"


def test_scenarios_are_searched_by_name_and_kind(ask):
    found = ask.get(path_of(SHOP, "scenarios/?search=dataset"))
    missed = ask.get(path_of(SHOP, "scenarios/?search=zzz"))

    assert found.json["results"] == [
        {
            "id": "5c000000-0000-4000-8000-000000000001",
            "name": "Angry buyer",
            "row_count": 0,
        }
    ]
    assert missed.json["count"] == 0


def summary(ask, run_test_id=SHOP, query=""):
    return ask.get(path_of(run_test_id, f"eval-summary/{query}")).json["result"]


def put(ask, config_id, *values, output_type):
    """Put results of one type into the calls of Monday."""
    execution = ask.world.run_tests.get(SHOP).execution(MONDAY)
    for call, value in zip(execution.calls, values, strict=True):
        call.eval_outputs[config_id] = {"output": value, "output_type": output_type}


def test_passes_are_counted(ask):
    put(ask, POLITE, "Failed", True, output_type="Pass/Fail")

    assert summary(ask)[1] == {
        "name": "contains",
        "id": CONTAINS,
        "output_type": "Pass/Fail",
        "result": [
            {
                "name": "polite",
                "id": POLITE,
                "total_cells": 2,
                "output": {
                    "pass": 50.0,
                    "fail": 50.0,
                    "pass_count": 1,
                    "fail_count": 1,
                },
            }
        ],
        "total_pass_rate": 50.0,
    }


def test_scores_have_percentiles_and_a_mean(ask):
    put(ask, SHORT, 0.2, 0.6, output_type="score")

    entry = summary(ask)[0]

    assert entry["total_avg"] == 40.0
    assert entry["result"][0]["avg_score"] == 40.0
    assert entry["result"][0]["output"]["p5"] == 22.0
    assert entry["result"][0]["output"]["p50"] == 40.0
    assert entry["result"][0]["output"]["p100"] == 60.0


def test_scores_that_are_no_numbers_have_no_output(ask):
    put(ask, SHORT, "high", "low", output_type="score")

    entry = summary(ask)[0]["result"][0]

    assert (entry["total_cells"], entry["output"]) == (2, {})


def test_choices_are_summarized_in_percent(ask):
    ask.update(SHOP, SHORT, template_id=CHOICES, mapping={})
    put(ask, SHORT, "glad", "sad", output_type="choices")

    entry = summary(ask)[0]

    assert entry["result"][0]["output"] == {"glad": 50.0, "sad": 50.0}
    assert entry["total_choices_avg"] == {"glad": 50.0, "sad": 50.0}


def test_without_results_the_totals_are_empty(ask):
    ask.add(EMPTY, *({"template_id": t} for t in (SCORE, CHOICES, NUMERIC, CONTAINS)))

    totals = {
        each["output_type"]: {k: v for k, v in each.items() if k.startswith("total")}
        for each in summary(ask, EMPTY)
    }

    assert totals == {
        "score": {"total_avg": 0},
        "choices": {"total_choices_avg": {}},
        "numeric": {},
        "Pass/Fail": {"total_pass_rate": 0},
    }


def test_a_result_of_an_unknown_type_makes_the_summary_a_500(ask):
    put(ask, SHORT, 1, 2, output_type="numeric")
    compared = quote(json.dumps([MONDAY]))

    for rest in ("eval-summary/", f"eval-summary-comparison/?execution_ids={compared}"):
        reply = ask.get(path_of(SHOP, rest))
        assert reply.status == 500
        assert reply.message == ("Unable to fetch evaluation summary. Please try again")


def test_pending_results_do_not_count(ask):
    ask.run(SHOP, [POLITE], test_execution_ids=[MONDAY])

    entry = summary(ask)[1]

    assert (entry["total_pass_rate"], entry["result"][0]["output"]) == (0, {})


def test_results_of_failed_calls_do_not_count(ask):
    ask.world.run_tests.get(SHOP).execution(MONDAY).calls[0].status = "failed"

    assert summary(ask)[1]["result"][0]["total_cells"] == 1


def test_a_summary_can_be_of_one_execution(ask):
    assert summary(ask, query=f"?execution_id={MONDAY}")[1]["total_pass_rate"] == 100.0
    assert summary(ask, query=f"?execution_id={TUESDAY}")[1]["total_pass_rate"] == 0
    assert len(summary(ask, query="?execution_id=")) == 2


def comparison(ask, value, run_test_id=SHOP):
    text = quote(value if isinstance(value, str) else json.dumps(value))
    return ask.get(
        path_of(run_test_id, f"eval-summary-comparison/?execution_ids={text}")
    )


def test_executions_are_compared_under_their_ids_as_sent(ask):
    result = comparison(ask, [MONDAY.upper(), 1, None]).json["result"]

    assert list(result) == [MONDAY.upper(), "1", "None"]
    assert result[MONDAY.upper()][1]["total_pass_rate"] == 100.0
    assert result["1"][1]["total_pass_rate"] == 0
    assert result["None"] == summary(ask)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("x", "execution_ids must be valid JSON"),
        ("{}", "execution_ids must be a JSON array"),
        ("[]", "execution_ids list is required"),
        ("", "This field may not be blank."),
    ],
)
def test_the_comparison_requires_a_list_of_ids(ask, value, problem):
    assert comparison(ask, value).message == f"execution_ids: {problem}"


@pytest.mark.parametrize("value", [["x"], [1.5], [[]], [-1]])
def test_invalid_ids_make_the_comparison_a_500(ask, value):
    assert comparison(ask, value).status == 500


def test_without_configs_the_ids_of_the_comparison_are_not_checked(ask):
    assert comparison(ask, ["x"], EMPTY).json == {"status": True, "result": {}}


def test_all_usable_templates_are_in_the_sdk_list(ask):
    listed = ask.get("/sdk/api/v1/get-evals/").json["result"]

    assert listed[0]["id"] == OURS
    assert NUMERIC in [each["id"] for each in listed]
    assert THEIRS not in [each["id"] for each in listed]


def templates(ask, **fields):
    """Return the names in the paged list."""
    reply = ask("POST", "/model-hub/eval-templates/list/", fields)
    return [each["name"] for each in reply.json["result"]["items"]]


def test_the_paged_list_hides_some_templates(ask):
    assert templates(ask) == ["ours", "word_count", "tone", "similarity", "contains"]


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"page_size": 2, "page": 1}, ["tone", "similarity"]),
        ({"page": 9}, []),
        ({"search": "TO"}, ["tone"]),
        ({"search": None, "owner_filter": "user"}, ["ours"]),
        ({"owner_filter": "system", "page_size": 1}, ["word_count"]),
        ({"sort_by": "name", "sort_order": "asc", "page_size": 1}, ["contains"]),
        ({"sort_by": "created_at", "sort_order": "asc", "page_size": 1}, ["contains"]),
        ({"unknown": "is ignored", "page_size": 1}, ["ours"]),
    ],
)
def test_the_paged_list_can_be_searched_and_sorted(ask, fields, names):
    assert templates(ask, **fields) == names


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"page": -1}, "page: Ensure this value is greater than or equal to 0."),
        ({"page": None}, "page: This field may not be null."),
        (
            {"page_size": 101},
            "page_size: Ensure this value is less than or equal to 100.",
        ),
        ({"sort_by": "age"}, 'sort_by: "age" is not a valid choice.'),
    ],
)
def test_the_paged_list_checks_its_body(ask, fields, problem):
    reply = ask("POST", "/model-hub/eval-templates/list/", fields)

    assert (reply.status, reply.message) == (400, problem)
