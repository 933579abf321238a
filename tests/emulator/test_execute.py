"""POST .../execute/ and .../cancel/: simulations that begin, and that are given up."""

from __future__ import annotations

import pytest
from emulator_busy_world import (
    ANN,
    BARE,
    BEN,
    CHAT,
    CHATTING,
    CLOSING,
    DRAFT,
    FAR,
    GREETS,
    LINE,
    OPENING,
    SPRING,
    UNREADY,
    VOID,
    BusyCaller,
)
from emulator_small_world import NOBODY, path_of


@pytest.fixture
def busy():
    """A service whose workers leave everything as it is."""
    return BusyCaller("accept")


@pytest.fixture
def failing():
    """A service that cannot hand anything over."""
    return BusyCaller("fail")


def test_a_voice_run_begins_without_calls(busy):
    reply = busy.execute(LINE)

    execution_id = reply.json["execution_id"]
    assert reply.status == 200
    assert reply.json == {
        "message": "Test execution started successfully",
        "execution_id": execution_id,
        "run_test_id": LINE,
        "status": "started",
        "total_scenarios": 2,
        "total_calls": 0,
        "scenario_ids": [CLOSING, OPENING],
    }
    assert busy.phase(execution_id) == ("pending", [])


def test_a_text_run_begins_with_a_pending_call_for_every_row(busy):
    reply = busy.execute(CHAT)

    assert reply.json["total_calls"] == 2
    execution = busy.runs(reply.json["execution_id"])
    calls = execution["call_results"]["results"]
    assert execution["total_calls"] == 2
    assert [each["status"] for each in calls] == ["pending", "pending"]
    assert [each["scenario_id"] for each in calls] == [CHATTING, CHATTING]
    assert [each["eval_outputs"] for each in calls] == [{}, {}]


def test_the_newest_execution_is_that_of_the_status(busy):
    execution_id = busy.execute(LINE, scenario_ids=[OPENING]).json["execution_id"]

    status = busy.get(path_of(LINE, "status/")).json

    assert status["execution_id"] == execution_id
    assert (status["status"], status["total_scenarios"]) == ("pending", 1)
    assert status["end_time"] is None


def test_the_status_counts_analyzing_calls_as_completed(busy):
    busy.execution_row(VOID).deleted = True
    busy.cancel(NOBODY)
    run_test = busy.world.run_tests.get(LINE)
    run_test.executions.reverse()
    busy.row(ANN).status = "analyzing"

    status = busy.get(path_of(LINE, "status/")).json

    assert (status["execution_id"], status["completed_calls"]) == (SPRING, 2)
    assert status["success_rate"] == 100.0


@pytest.mark.parametrize("body", [{}, {"scenario_ids": []}, {"simulator_id": None}])
def test_without_scenarios_all_of_the_run_test_are_played(busy, body):
    assert busy.execute(LINE, **body).json["scenario_ids"] == [CLOSING, OPENING]


def test_unknown_and_repeated_scenarios_are_accepted_and_unknown_ones_not_played(busy):
    asked = [CHATTING, NOBODY, CHATTING]

    reply = busy.execute(CHAT, scenario_ids=asked, simulator_id=NOBODY)

    assert reply.json["scenario_ids"] == asked
    assert (reply.json["total_scenarios"], reply.json["total_calls"]) == (3, 2)


def test_no_repeat_is_recognised(busy):
    first, second = busy.execute(LINE), busy.execute(LINE)

    assert first.json["execution_id"] != second.json["execution_id"]


def test_a_run_test_without_scenarios_cannot_be_executed(busy):
    reply = busy.execute(BARE)

    assert (reply.status, reply.message) == (
        400,
        "At least one scenario is required to execute the test.",
    )


def test_a_scenario_that_is_not_completed_is_a_400_with_an_object(busy):
    reply = busy.execute(UNREADY)

    text = (
        "1 scenario(s) are not completed. Wait for them to finish or remove them from "
        "the selection."
    )
    assert reply.status == 400
    assert reply.json == {
        "status": False,
        "type": "validation_error",
        "code": "invalid",
        "detail": text,
        "message": text,
        "error": text,
        "result": {
            "error": "Scenarios incomplete",
            "detail": text,
            "scenarios": [{"id": DRAFT, "name": "draft", "status": "Processing"}],
        },
        "attr": "scenarios",
        "details": {
            "error": ["Scenarios incomplete"],
            "detail": [text],
            "scenarios": [f"id: {DRAFT}; name: draft; status: Processing"],
        },
    }
    assert busy.states(UNREADY) == {}


@pytest.mark.parametrize(
    ("run_test_id", "message"),
    [
        (LINE, "Failed to start test execution: no Temporal server"),
        (CHAT, "Failed to start hosted test execution: no Temporal server"),
    ],
)
def test_a_start_that_fails_leaves_a_pending_execution(failing, run_test_id, message):
    before = set(failing.states(run_test_id))

    reply = failing.execute(run_test_id)

    assert (reply.status, reply.message) == (400, message)
    states = failing.states(run_test_id)
    (left,) = set(states) - before
    assert states[left] == "Pending"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"scenario_ids": ["abc"]}, "scenario_ids: 0: Must be a valid UUID."),
        ({"select_all": "perhaps"}, "select_all: Must be a valid boolean."),
        ({"scenarios": []}, "scenarios: Unknown field."),
    ],
)
def test_a_bad_body_starts_nothing(busy, body, problem):
    reply = busy.execute(LINE, **body)

    assert (reply.status, reply.message) == (400, problem)
    assert len(busy.states(LINE)) == 3


def test_a_run_test_of_another_workspace_cannot_be_executed(busy):
    reply = busy("POST", path_of(LINE, "execute/"), {}, key="away")

    assert (reply.status, reply.message) == (404, "Run test not found")


def test_a_completed_execution_can_be_cancelled_and_keeps_its_results(busy):
    reply = busy.cancel(SPRING)

    assert reply.status == 200
    assert reply.json == {
        "success": True,
        "message": "Test execution cancellation initiated",
        "test_execution_id": SPRING,
    }
    result = busy.runs(SPRING)
    assert result["status"] == "cancelled"
    assert result["completed_at"] != "2026-05-01T08:00:00Z"
    assert result["call_results"]["results"][0]["eval_outputs"]
    assert busy.run(LINE, [GREETS], test_execution_ids=[SPRING]).status == 400


@pytest.mark.parametrize(
    ("status", "cancelled"),
    [
        ("pending", "cancelled"),
        ("queued", "cancelled"),
        ("ongoing", "cancelled"),
        ("analyzing", "analyzing"),
        ("failed", "failed"),
    ],
)
def test_only_calls_that_were_not_talked_to_the_end_are_cancelled(
    busy, status, cancelled
):
    busy.row(BEN).status = status

    busy.cancel(SPRING)

    assert busy.row(BEN).status == cancelled


def test_the_workflow_of_a_run_is_signalled_again_and_again(busy):
    execution_id = busy.execute(LINE).json["execution_id"]

    first, second = busy.cancel(execution_id), busy.cancel(execution_id)

    assert first.json == second.json
    assert first.json["message"] == "Cancellation signal sent to workflow"
    assert busy.status(execution_id) == "cancelling"


def test_the_workflow_of_a_rerun_is_signalled(busy):
    busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])

    reply = busy.cancel(SPRING)

    assert reply.json["message"] == "Cancellation signal sent to workflow"


@pytest.mark.parametrize("execution_id", [NOBODY, FAR])
def test_unknown_executions_and_those_of_others_cannot_be_cancelled(busy, execution_id):
    reply = busy.cancel(execution_id)

    assert (reply.status, reply.message) == (404, "Test execution not found")


def test_a_deleted_execution_cannot_be_cancelled(busy):
    busy.execution_row(SPRING).deleted = True

    assert busy.cancel(SPRING).status == 404


def test_cancelling_takes_no_fields(busy):
    path = f"/simulate/test-executions/{SPRING}/cancel/"

    reply = busy("POST", path, {"reason": "tired"})

    message = "This endpoint does not accept a request body."
    assert (reply.status, reply.message) == (400, message)
    assert reply.json["details"] == {
        "non_field_errors": [message],
        "reason": ["Unknown field."],
    }
    assert busy.status(SPRING) == "completed"


def test_cancelling_takes_an_object(busy):
    path = f"/simulate/test-executions/{SPRING}/cancel/"

    reply = busy("POST", path, ["now"])

    assert reply.message == "Invalid data. Expected a dictionary, but got list."
