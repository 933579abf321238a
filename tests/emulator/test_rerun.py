"""POST .../rerun-test-executions/ and .../rerun-calls/: what is emptied, and when."""

from __future__ import annotations

import pytest
from emulator_busy_world import (
    ANN,
    BEN,
    CHAT,
    CHATTED,
    CLEO,
    DAN,
    EVE,
    FAR,
    FAY,
    GREETS,
    LINE,
    SPRING,
    SUMMER,
    VOID,
    BusyCaller,
    cell,
)
from emulator_small_world import NOBODY, path_of


REASON = "Async dispatch failed: no Temporal server"
NOT_FOR_TEXT = "Text/Chat agents only support 'eval_only' rerun type."


@pytest.fixture
def busy():
    """A service whose workers leave everything as it is."""
    return BusyCaller("accept")


@pytest.fixture
def failing():
    """A service that cannot hand anything over."""
    return BusyCaller("fail")


def test_a_rerun_of_evaluations_makes_all_cells_absent_at_once(busy):
    reply = busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])

    assert reply.status == 200
    assert reply.json == {
        "message": (
            "Bulk test execution rerun prepared and initiated successfully (eval_only)"
        ),
        "run_test_id": LINE,
        "rerun_type": "eval_only",
        "total_test_executions": 1,
        "results": [
            {
                "test_execution_id": SPRING,
                "success_count": 2,
                "failure_count": 0,
                "successful_reruns": [BEN, ANN],
                "failed_reruns": [],
                "dispatch_error": None,
            }
        ],
        "overall_success_count": 2,
        "overall_failure_count": 0,
    }
    assert busy.phase(SPRING) == ("evaluating", ["completed", "completed"])
    assert [busy.row(each).eval_outputs for each in (ANN, BEN)] == [{}, {}]


def test_a_rerun_of_evaluations_leaves_the_tool_outputs(busy):
    busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])

    assert busy.row(BEN).tool_outputs == {"look_up": {"value": "Passed"}}


def test_a_rerun_of_calls_empties_them_and_keeps_snapshots(busy):
    before = busy.row(BEN)
    cells, transcript = before.eval_outputs, before.transcript

    busy.rerun(LINE, "call_and_eval", test_execution_ids=[SPRING])

    row = busy.row(BEN)
    assert busy.phase(SPRING) == ("running", ["pending", "pending"])
    assert (row.started_at, row.completed_at, row.duration_seconds) == (None,) * 3
    assert (row.eval_outputs, row.tool_outputs, row.transcript) == ({}, {}, None)
    (snapshot,) = row.snapshots
    assert snapshot.eval_outputs == cells
    assert snapshot.transcript == transcript
    assert (snapshot.rerun_type, snapshot.status) == ("call_and_eval", "completed")
    assert snapshot.duration_seconds == 42


def test_failed_and_cancelled_calls_are_made_again_too(busy):
    busy.rerun(LINE, "call_and_eval", test_execution_ids=[SUMMER])

    assert busy.phase(SUMMER) == ("running", ["pending"] * 3)
    statuses = [busy.row(each).snapshots[0].status for each in (CLEO, DAN, EVE)]
    assert statuses == ["failed", "failed", "cancelled"]


def test_the_stored_numbers_of_an_execution_stay_when_its_calls_are_made_again(busy):
    busy.rerun(LINE, "call_and_eval", test_execution_ids=[SPRING])

    assert busy.runs(SPRING)["completed_calls"] == 2


@pytest.mark.parametrize("status", ["pending", "running", "cancelling"])
def test_executions_that_are_under_way_are_left_out(busy, status):
    busy.execution_row(SUMMER).status = status

    reply = busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING, SUMMER])

    listed = [each["test_execution_id"] for each in reply.json["results"]]
    assert listed == [SPRING]
    assert busy.status(SUMMER) == status


@pytest.mark.parametrize("status", ["evaluating", "completed", "failed", "cancelled"])
def test_all_other_executions_are_rerun(busy, status):
    busy.execution_row(SPRING).status = status

    busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])

    assert busy.status(SPRING) == "evaluating"


@pytest.mark.parametrize("ids", [[NOBODY], [CHATTED], [SUMMER]])
def test_without_an_execution_to_rerun_it_is_a_400(busy, ids):
    busy.execution_row(SUMMER).status = "running"

    reply = busy.rerun(LINE, "eval_only", test_execution_ids=ids)

    assert (reply.status, reply.message) == (
        400,
        (
            "No test executions found that can be rerun. "
            "Executions in pending, running, or cancelling status cannot be rerun."
        ),
    )


def test_with_select_all_the_named_executions_are_excluded(busy):
    reply = busy.rerun(LINE, "eval_only", select_all=True, test_execution_ids=[SPRING])

    listed = [each["test_execution_id"] for each in reply.json["results"]]
    assert listed == [VOID, SUMMER]
    assert busy.status(SPRING) == "completed"


def test_an_execution_without_calls_is_skipped(busy):
    reply = busy.rerun(LINE, "eval_only", test_execution_ids=[VOID])

    assert reply.json["results"] == [
        {
            "test_execution_id": VOID,
            "success_count": 0,
            "failure_count": 0,
            "successful_reruns": [],
            "failed_reruns": [],
            "skipped": True,
            "reason": "No call executions found",
        }
    ]
    assert busy.status(VOID) == "completed"


@pytest.mark.parametrize(
    ("path", "ids"),
    [
        (path_of(CHAT, "rerun-test-executions/"), {"test_execution_ids": [CHATTED]}),
        (
            f"/simulate/test-executions/{CHATTED}/rerun-calls/",
            {"call_execution_ids": [FAY]},
        ),
    ],
)
def test_calls_of_text_agents_cannot_be_made_again(busy, path, ids):
    reply = busy("POST", path, {"rerun_type": "call_and_eval", **ids})

    assert (reply.status, reply.message) == (400, NOT_FOR_TEXT)
    assert busy.phase(CHATTED) == ("completed", ["completed"])


def test_a_rerun_of_evaluations_that_cannot_be_handed_over_changes_nothing(failing):
    cells = failing.row(ANN).eval_outputs

    reply = failing.rerun(LINE, "eval_only", test_execution_ids=[SPRING])

    assert reply.status == 200
    assert reply.json["message"] == (
        "Bulk test execution rerun prepared; 1 async dispatches failed and can be "
        "retried (eval_only)"
    )
    assert reply.json["results"] == [
        {
            "test_execution_id": SPRING,
            "success_count": 0,
            "failure_count": 2,
            "successful_reruns": [],
            "failed_reruns": [
                {"call_execution_id": BEN, "error": REASON},
                {"call_execution_id": ANN, "error": REASON},
            ],
            "dispatch_error": "no Temporal server",
        }
    ]
    assert (
        reply.json["overall_success_count"],
        reply.json["overall_failure_count"],
    ) == (0, 2)
    assert failing.phase(SPRING) == ("completed", ["completed", "completed"])
    assert failing.row(ANN).eval_outputs == cells


def test_a_rerun_of_calls_that_cannot_be_handed_over_fails_them_and_the_execution(
    failing,
):
    failing.rerun(LINE, "call_and_eval", test_execution_ids=[SPRING])

    assert failing.phase(SPRING) == ("failed", ["failed", "failed"])
    assert failing.row(BEN).eval_outputs == {}
    assert failing.row(BEN).snapshots[0].eval_outputs[GREETS] == cell(
        "Failed", "greets"
    )


def test_single_calls_are_rerun_while_the_others_keep_their_cells(busy):
    reply = busy.rerun_calls(SPRING, "eval_only", call_execution_ids=[BEN])

    assert reply.status == 200
    assert reply.json == {
        "message": (
            "Bulk call execution rerun prepared and initiated successfully (eval_only)"
        ),
        "test_execution_id": SPRING,
        "rerun_type": "eval_only",
        "total_processed": 1,
        "successful_reruns": [BEN],
        "failed_reruns": [],
        "success_count": 1,
        "failure_count": 0,
        "dispatch_error": None,
    }
    assert busy.status(SPRING) == "evaluating"
    assert busy.row(BEN).eval_outputs == {}
    assert busy.row(ANN).eval_outputs != {}


def test_single_calls_are_made_again(busy):
    busy.rerun_calls(SPRING, "call_and_eval", call_execution_ids=[BEN])

    assert busy.phase(SPRING) == ("running", ["completed", "pending"])


def test_with_select_all_the_named_calls_are_excluded(busy):
    reply = busy.rerun_calls(
        SUMMER, "eval_only", select_all=True, call_execution_ids=[DAN]
    )

    assert reply.json["successful_reruns"] == [EVE, CLEO]


@pytest.mark.parametrize("status", ["running", "evaluating", "failed", "cancelled"])
def test_calls_of_an_execution_under_way_are_rerun(busy, status):
    busy.execution_row(SPRING).status = status

    assert busy.rerun_calls(SPRING, "eval_only", select_all=True).status == 200


@pytest.mark.parametrize("status", ["pending", "cancelling"])
def test_calls_of_an_execution_that_begins_or_is_cancelled_are_not_rerun(busy, status):
    busy.execution_row(SPRING).status = status

    reply = busy.rerun_calls(SPRING, "eval_only", select_all=True)

    assert (reply.status, reply.message) == (
        400,
        (
            f"Cannot rerun calls while test execution is in '{status}' status. "
            "Wait for it to complete or cancel it first."
        ),
    )


def test_without_a_call_to_rerun_it_is_a_400(busy):
    reply = busy.rerun_calls(SPRING, "eval_only", call_execution_ids=[EVE])

    assert (reply.status, reply.message) == (
        400,
        "No call executions found that can be rerun.",
    )


def test_single_calls_that_cannot_be_handed_over_are_told_in_a_200(failing):
    reply = failing.rerun_calls(SPRING, "eval_only", call_execution_ids=[ANN])

    assert reply.status == 200
    assert reply.json["message"] == (
        "Bulk call execution rerun prepared; async dispatch failed and can be retried "
        "(eval_only)"
    )
    assert reply.json["dispatch_error"] == "no Temporal server"
    assert reply.json["failed_reruns"] == [{"call_execution_id": ANN, "error": REASON}]
    assert failing.status(SPRING) == "completed"


def test_a_rerun_of_single_calls_moves_them_to_the_front_even_if_it_fails(failing):
    failing.rerun_calls(SPRING, "eval_only", call_execution_ids=[ANN])

    calls = failing.runs(SPRING)["call_results"]["results"]
    assert [each["call_execution_id"] for each in calls] == [ANN, BEN]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({}, "rerun_type: This field is required."),
        ({"rerun_type": "evals"}, 'rerun_type: "evals" is not a valid choice.'),
        (
            {"rerun_type": "eval_only"},
            "Either 'select_all' must be True or 'test_execution_ids' must be provided",
        ),
        ({"rerun_type": "eval_only", "force": True}, "force: Unknown field."),
    ],
)
def test_a_bad_body_reruns_nothing(busy, body, problem):
    reply = busy("POST", path_of(LINE, "rerun-test-executions/"), body)

    assert (reply.status, reply.message) == (400, problem)


def test_the_ids_of_calls_are_asked_for_by_their_own_name(busy):
    reply = busy.rerun_calls(SPRING, "eval_only")

    assert reply.message == (
        "Either 'select_all' must be True or 'call_execution_ids' must be provided"
    )


def test_unknown_run_tests_and_executions_are_404(busy):
    ids = {"select_all": True}

    run_test = busy.rerun(NOBODY, "eval_only", **ids)
    execution = busy.rerun_calls(FAR, "eval_only", **ids)

    assert (run_test.status, run_test.message) == (404, "Run test not found")
    assert (execution.status, execution.message) == (404, "Test execution not found")


def test_a_rerun_counts_as_a_start_of_evaluations(busy):
    assert busy.rerun(LINE, "eval_only", select_all=True).served.effects.runs == 2


def test_a_rerun_that_cannot_be_handed_over_does_not_count_as_a_start(failing):
    reply = failing.rerun(LINE, "eval_only", select_all=True)

    assert reply.served.effects.runs == 0
