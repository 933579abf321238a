"""GET .../simulation/runs/ and .../simulation/metrics/: results without transcripts."""

from __future__ import annotations

import pytest
from emulator_busy_world import (
    ABROAD,
    ANN,
    BEN,
    CLOSING,
    FAR,
    FORMER,
    GREETS,
    GUS,
    LINE,
    METRICS,
    OPENING,
    QUALITY,
    RUNS,
    SPRING,
    SUMMER,
    VOID,
    BusyCaller,
    cell,
)
from emulator_small_world import NOBODY, path_of


SUMMARY = path_of(LINE, "eval-summary/")

BOTH = pytest.mark.parametrize("path", [RUNS, METRICS], ids=["runs", "metrics"])


@pytest.fixture
def busy():
    """A service whose workers leave everything as it is."""
    return BusyCaller("accept")


def test_an_execution_has_its_stored_numbers_and_the_summary_of_its_results(busy):
    result = busy.runs(SPRING)

    (quality, greets) = result.pop("eval_results")
    del result["call_results"]
    assert result == {
        "execution_id": SPRING,
        "status": "completed",
        "started_at": "2026-05-01T08:00:00Z",
        "completed_at": "2026-05-01T08:00:00Z",
        "total_calls": 2,
        "completed_calls": 2,
        "failed_calls": 0,
    }
    assert (quality["name"], quality["total_avg"]) == ("marks", 50.0)
    assert (greets["name"], greets["total_pass_rate"]) == ("greets", 50.0)


def test_calls_have_their_stored_cells_also_those_of_deleted_configs(busy):
    newest = busy.runs(SPRING)["call_results"]["results"][1]

    assert newest == {
        "call_execution_id": ANN,
        "scenario_id": OPENING,
        "scenario_name": "opening hours",
        "status": "completed",
        "duration_seconds": 41,
        "eval_outputs": busy.row(ANN).eval_outputs,
    }
    assert len(newest["eval_outputs"]) == 3


def test_calls_that_changed_last_are_first(busy):
    first = busy.runs(SPRING)["call_results"]["results"]
    busy.rerun_calls(SPRING, "eval_only", call_execution_ids=[ANN])
    then = busy.runs(SPRING)["call_results"]["results"]

    assert [each["call_execution_id"] for each in first] == [BEN, ANN]
    assert [each["call_execution_id"] for each in then] == [ANN, BEN]


def test_calls_come_in_pages_without_links(busy):
    reply = busy.get(f"{RUNS}?execution_id={SPRING}&limit=1&page=2")

    results = reply.json["result"]["call_results"]
    assert [each["call_execution_id"] for each in results.pop("results")] == [ANN]
    assert results == {"total_pages": 2, "current_page": 2, "count": 2}


def test_an_execution_without_calls_has_one_empty_page(busy):
    results = busy.runs(VOID)["call_results"]

    assert results == {
        "total_pages": 1,
        "current_page": 1,
        "count": 0,
        "results": [],
    }


def test_a_page_past_the_last_is_a_500(busy):
    reply = busy.get(f"{RUNS}?execution_id={SPRING}&page=2")

    assert (reply.status, reply.message) == (500, "Unable to fetch simulation runs.")


def test_a_result_without_summary_is_a_500(busy):
    busy.row(BEN).eval_outputs[GREETS] = cell(3, "greets", "numeric")

    reply = busy.get(f"{RUNS}?execution_id={SPRING}")

    assert (reply.status, reply.message) == (500, "Unable to fetch simulation runs.")


@pytest.mark.parametrize("path", [f"{RUNS}?execution_id={SPRING}", SUMMARY])
def test_a_cell_of_a_live_config_that_is_no_object_is_a_500(busy, path):
    busy.row(BEN).eval_outputs[GREETS] = "Passed"

    assert busy.get(path).status == 500


@pytest.mark.parametrize(("config_id", "value"), [(FORMER, "Passed"), (GREETS, None)])
def test_a_cell_that_does_not_count_may_be_no_object(busy, config_id, value):
    busy.row(BEN).eval_outputs[config_id] = value

    assert busy.get(SUMMARY).status == 200


def test_eval_names_choose_cells_in_any_case_and_the_summary_exactly(busy):
    result = busy.runs(SPRING, "&eval_name=GREETS, former,")

    cells = [each["eval_outputs"] for each in result["call_results"]["results"]]
    assert [len(each) for each in cells] == [1, 2]
    assert result["eval_results"] == []
    assert [
        each["name"] for each in busy.runs(SPRING, "&eval_name=quality")["eval_results"]
    ] == ["marks"]


def test_eval_names_leave_out_cells_that_are_no_objects(busy):
    busy.row(BEN).eval_outputs = {GREETS: "Passed"}

    path = f"{RUNS}?call_execution_id={BEN}&eval_name=greets"

    assert busy.get(path).json["result"]["eval_outputs"] == {}


def test_eval_names_beside_a_cell_without_a_name_are_a_500(busy):
    busy.row(ANN).eval_outputs[QUALITY]["name"] = None

    reply = busy.get(f"{RUNS}?execution_id={SPRING}&eval_name=greets")

    assert (reply.status, reply.message) == (500, "Unable to fetch simulation runs.")


def test_the_summary_of_explanations_is_added_when_it_is_asked_for(busy):
    result = busy.runs(SPRING, "&summary=true")

    assert result["eval_explanation_summary"] is None
    assert result["eval_explanation_summary_status"] == "pending"
    assert "eval_explanation_summary" not in busy.runs(SPRING)


def test_one_call_has_its_times_and_costs(busy):
    result = busy.get(f"{RUNS}?call_execution_id={BEN}").json["result"]

    assert result == {
        "call_execution_id": BEN,
        "execution_id": SPRING,
        "scenario_id": CLOSING,
        "scenario_name": "closing time",
        "status": "completed",
        "started_at": "2026-05-02T08:00:00Z",
        "completed_at": "2026-05-02T08:00:42Z",
        "duration_seconds": 42,
        "ended_reason": None,
        "call_summary": None,
        "eval_outputs": busy.row(BEN).eval_outputs,
        "latency": {"avg_agent_latency_ms": None, "response_time_ms": None},
        "cost": {
            "total_cost_cents": None,
            "stt_cost_cents": None,
            "llm_cost_cents": None,
            "tts_cost_cents": None,
        },
    }


@BOTH
def test_a_call_wins_over_an_execution(busy, path):
    query = f"call_execution_id={BEN}&execution_id={NOBODY}"

    result = busy.get(f"{path}?{query}").json["result"]

    assert (result["call_execution_id"], result["execution_id"]) == (BEN, SPRING)


@BOTH
def test_executions_of_other_workspaces_are_found_by_their_ids(busy, path):
    reply = busy.get(f"{path}?execution_id={FAR}")

    assert reply.json["result"]["execution_id"] == FAR


@BOTH
def test_executions_of_deleted_run_tests_are_found_by_their_ids(busy, path):
    busy.world.run_tests.get(LINE).deleted = True

    assert busy.get(f"{path}?execution_id={SPRING}").status == 200
    assert busy.get(f"{path}?call_execution_id={BEN}").status == 200


@BOTH
@pytest.mark.parametrize("execution_id", [NOBODY, ABROAD, SUMMER])
def test_unknown_foreign_and_deleted_executions_are_404(busy, path, execution_id):
    busy.execution_row(SUMMER).deleted = True

    reply = busy.get(f"{path}?execution_id={execution_id}")

    assert (reply.status, reply.message) == (404, "Test execution not found.")


@BOTH
@pytest.mark.parametrize("call_id", [NOBODY, GUS, BEN])
def test_unknown_foreign_and_deleted_calls_are_404(busy, path, call_id):
    busy.row(BEN).deleted = True

    reply = busy.get(f"{path}?call_execution_id={call_id}")

    assert (reply.status, reply.message) == (404, "Call execution not found.")


@BOTH
def test_a_name_finds_the_executions_of_the_keys_workspace_newest_first(busy, path):
    ours = busy.get(f"{path}?run_test_name=line").json["result"]
    theirs = busy.get(f"{path}?run_test_name=line", key="away").json["result"]

    found = [each["execution_id"] for each in ours.pop("results")]
    assert found == [VOID, SUMMER, SPRING]
    assert ours == {"total_pages": 1, "current_page": 1, "count": 3}
    assert [each["execution_id"] for each in theirs["results"]] == [FAR]


def test_executions_that_are_found_by_a_name_have_no_calls(busy):
    (newest, *_) = busy.get(f"{RUNS}?run_test_name=line").json["result"]["results"]

    assert "call_results" not in newest
    assert {each["name"] for each in newest["eval_results"]} == {"greets", "marks"}


@BOTH
def test_a_name_without_executions_is_an_empty_page(busy, path):
    assert busy.get(f"{path}?run_test_name=bare").json["result"]["count"] == 0


@BOTH
@pytest.mark.parametrize("name", ["lin", "LINE", "nothing"])
def test_a_name_that_no_run_test_has_is_a_404(busy, path, name):
    reply = busy.get(f"{path}?run_test_name={name}")

    assert (reply.status, reply.message) == (404, "Run test not found.")


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (RUNS, "Unable to fetch simulation runs."),
        (METRICS, "Unable to fetch simulation metrics."),
    ],
)
def test_a_page_of_a_name_past_the_last_is_a_500(busy, path, message):
    reply = busy.get(f"{path}?run_test_name=line&page=9")

    assert (reply.status, reply.message) == (500, message)


@BOTH
@pytest.mark.parametrize(
    ("query", "details"),
    [
        (
            "",
            {
                "non_field_errors": [
                    (
                        "At least one of 'run_test_name', 'execution_id', or "
                        "'call_execution_id' is required."
                    )
                ]
            },
        ),
        ("execution_id=abc", {"execution_id": ["Must be a valid UUID."]}),
        ("execution_id=abc&color=red", {"color": ["Unknown field."]}),
    ],
)
def test_a_bad_query_is_a_400_whose_message_says_nothing(busy, path, query, details):
    reply = busy.get(f"{path}?{query}")

    assert (reply.status, reply.message) == (400, "Validation failed")
    assert reply.json["details"] == reply.json["errors"] == details
    attr = next(iter(details))
    assert reply.json.get("attr") == (None if attr == "non_field_errors" else attr)


def test_metrics_do_not_know_eval_names(busy):
    reply = busy.get(f"{METRICS}?execution_id={SPRING}&eval_name=greets")

    assert reply.json["details"] == {"eval_name": ["Unknown field."]}


def test_metrics_of_an_execution_ignore_pages(busy):
    reply = busy.get(f"{METRICS}?execution_id={SPRING}&page=x&limit=0")

    assert reply.status == 200


def test_metrics_count_rows_also_of_deleted_calls(busy):
    for call_id, status in ((ANN, "pending"), (BEN, "analyzing")):
        busy.row(call_id).status = status
    busy.row(ANN).deleted = True

    result = busy.get(f"{METRICS}?execution_id={SPRING}").json["result"]

    assert result["completed_calls"] == 2
    assert result["metrics"]["calls"] == {
        "total": 2,
        "completed": 0,
        "failed": 0,
        "pending": 1,
    }
    assert result["metrics"]["cost"] == {"total_duration_seconds": 83}


def test_metrics_of_a_call_are_its_own(busy):
    result = busy.get(f"{METRICS}?call_execution_id={BEN}").json["result"]

    assert result["duration_seconds"] == 42
    assert result["chat_metrics"] is None
    assert set(result["conversation"].values()) == {None}
