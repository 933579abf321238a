"""POST .../run-new-evals/: what is started, and what a rejected request changes."""

from __future__ import annotations

import pytest
from emulator_small_world import (
    BROKEN,
    DONE,
    EMPTY,
    FIRST_CALL,
    MIXED,
    MIXED_CONFIG,
    MONDAY,
    NOBODY,
    POLITE,
    REMOVED,
    RUNNING,
    SECOND_CALL,
    SHOP,
    SHORT,
    SILENT,
    SILENT_CONFIG,
    TUESDAY,
    WITHOUT_CALLS,
    path_of,
)


STARTED = (
    "New evaluations dispatched successfully. Individual tasks will run in parallel."
)
NOT_COMPLETED = (
    "Only test executions with COMPLETED status can have new evaluations run on them."
)


def test_select_all_starts_every_execution(ask):
    reply = ask.run(SHOP, [POLITE], select_all=True)

    assert reply.status == 200
    assert reply.json == {
        "message": STARTED,
        "run_test_id": SHOP,
        "call_execution_count": 3,
    }
    assert ask.states(SHOP) == {MONDAY: "Evaluating", TUESDAY: "Evaluating"}


def test_earlier_results_of_the_config_are_erased_at_once(ask):
    ask.run(SHOP, [POLITE], test_execution_ids=[MONDAY])

    assert ask.outputs(FIRST_CALL) == {POLITE: {}}


def test_with_select_all_the_named_executions_are_excluded(ask):
    ask.run(SHOP, [POLITE], select_all=True, test_execution_ids=[MONDAY])

    assert ask.states(SHOP) == {MONDAY: "Completed", TUESDAY: "Evaluating"}


def test_ids_of_other_run_tests_are_ignored(ask):
    reply = ask.run(SHOP, [POLITE], test_execution_ids=[MONDAY, DONE, NOBODY])

    assert reply.json["call_execution_count"] == 2


@pytest.mark.parametrize("ids", [[NOBODY], [DONE]])
def test_ids_of_other_run_tests_alone_are_a_400(ask, ids):
    reply = ask.run(SHOP, [POLITE], test_execution_ids=ids)

    assert reply.status == 400
    assert reply.message == "No test executions found to run evaluations on."


def test_one_execution_that_is_not_completed_rejects_the_request(ask):
    reply = ask.run(MIXED, [MIXED_CONFIG], select_all=True)

    assert (reply.status, reply.message) == (400, NOT_COMPLETED)
    assert ask.states(MIXED) == {DONE: "Completed", RUNNING: "Running"}


def test_a_second_run_is_rejected_while_the_first_is_evaluating(ask):
    ask.run(SHOP, [POLITE], select_all=True)

    assert ask.run(SHOP, [POLITE], select_all=True).message == NOT_COMPLETED


@pytest.mark.parametrize("ids", [[POLITE, POLITE], [MIXED_CONFIG], [REMOVED], [NOBODY]])
def test_config_ids_must_exist_and_be_unique(ask, ids):
    reply = ask.run(SHOP, ids, select_all=True)

    assert reply.message == (
        "One or more eval configs not found or do not belong to this run test."
    )
    assert ask.states(SHOP) == {MONDAY: "Completed", TUESDAY: "Completed"}


def test_executions_without_calls_stay_evaluating_after_the_400(ask):
    reply = ask.run(SILENT, [SILENT_CONFIG], test_execution_ids=[WITHOUT_CALLS])

    assert reply.message == "No call executions found in the selected test executions."
    assert ask.states(SILENT)[WITHOUT_CALLS] == "Evaluating"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {},
            "Either 'select_all' must be True or 'test_execution_ids' must be provided",
        ),
        (
            {"select_all": True, "eval_config_ids": []},
            "eval_config_ids cannot be empty",
        ),
    ],
)
def test_executions_and_configs_are_required(ask, fields, message):
    reply = ask.run(SHOP, [POLITE], **{"select_all": False, **fields})
    if "eval_config_ids" in fields:
        reply = ask("POST", path_of(SHOP, "run-new-evals/"), fields)

    assert reply.message == message
    assert reply.json["details"] == {"non_field_errors": [message]}
    assert "attr" not in reply.json


def test_unknown_fields_are_reported_after_known_ones(ask):
    reply = ask("POST", path_of(SHOP, "run-new-evals/"), {"selectAll": True})

    assert reply.json["code"] == "required"
    assert reply.message == (
        "eval_config_ids: This field is required.; selectAll: Unknown field."
    )


def test_an_unknown_field_alone_has_no_code_of_its_own(ask):
    reply = ask.run(SHOP, [POLITE], select_all=True, more=1)

    assert reply.json["code"] == "invalid"
    assert reply.message == "more: Unknown field."


def test_a_general_message_hides_unknown_fields(ask):
    reply = ask.run(SHOP, [POLITE], testExecutionIds=[MONDAY])

    assert reply.message.startswith("Either 'select_all' must be True")
    assert reply.json["attr"] == "testExecutionIds"
    assert list(reply.json["details"]) == ["non_field_errors", "testExecutionIds"]


def test_invalid_ids_are_reported_by_index(ask):
    reply = ask.run(SHOP, [POLITE], test_execution_ids=[MONDAY, "x", None])

    assert reply.message == (
        "test_execution_ids: 1: Must be a valid UUID.; 2: This field may not be null."
    )


@pytest.mark.parametrize(
    ("sent", "stored"), [(True, True), (False, False), ("on", True)]
)
def test_the_tool_setting_is_stored_even_when_the_run_is_rejected(ask, sent, stored):
    ask.world.run_tests.get(EMPTY).enable_tool_evaluation = not stored

    reply = ask.run(EMPTY, [POLITE], select_all=True, enable_tool_evaluation=sent)

    assert reply.status == 400
    assert ask.get(path_of(EMPTY)).json["enable_tool_evaluation"] is stored


def test_without_the_field_the_tool_setting_stays(ask):
    ask.world.run_tests.get(SHOP).enable_tool_evaluation = True

    ask.run(SHOP, [POLITE], select_all=True)

    assert ask.get(path_of(SHOP)).json["enable_tool_evaluation"] is True


def test_a_null_tool_setting_is_rejected(ask):
    reply = ask.run(SHOP, [POLITE], select_all=True, enable_tool_evaluation=None)

    assert reply.message == "enable_tool_evaluation: This field may not be null."


def test_a_failed_dispatch_looks_like_success(ask_failing):
    ask = ask_failing

    reply = ask.run(SHOP, [POLITE], select_all=True)

    assert reply.status == 200
    assert reply.json["message"] == (
        "New evaluations marked pending; async dispatch failed and can be retried."
    )
    assert ask.states(SHOP) == {MONDAY: "Completed", TUESDAY: "Completed"}
    assert ask.outputs(FIRST_CALL) == {POLITE: {}}
    assert reply.served.effects.runs == 0


def test_accepted_evaluations_never_finish(ask):
    ask.run(SHOP, [POLITE], select_all=True)

    ask.now += 1e9

    assert ask.states(SHOP) == {MONDAY: "Evaluating", TUESDAY: "Evaluating"}


def test_running_evaluations_finish_when_they_are_due(ask_running):
    ask = ask_running
    ask.run(SHOP, [POLITE, SHORT], test_execution_ids=[MONDAY])

    ask.now += 9.9
    assert ask.states(SHOP)[MONDAY] == "Evaluating"
    ask.now += 0.2
    assert ask.states(SHOP)[MONDAY] == "Completed"

    result = ask.outputs(SECOND_CALL)
    assert result[POLITE]["reason"] == "polite enough"
    assert result[POLITE]["name"] == "polite"
    assert result[SHORT]["type"] == "score"
    assert 0 <= result[SHORT]["value"] <= 1
    assert ask.run(SHOP, [POLITE], select_all=True).status == 200


def test_synthetic_results_are_reproducible(ask_running):
    values = []
    for _ in range(2):
        ask_running.run(SHOP, [SHORT], test_execution_ids=[MONDAY])
        ask_running.now += 11
        values.append(ask_running.outputs(FIRST_CALL)[SHORT])

    assert values[0] == values[1]


def test_a_config_deleted_during_the_run_gets_no_result(ask_running):
    ask = ask_running
    ask.run(SHOP, [SHORT, POLITE], test_execution_ids=[MONDAY])
    ask("DELETE", path_of(SHOP, f"eval-configs/{SHORT}/"))

    ask.now += 11

    assert ask.states(SHOP)[MONDAY] == "Completed"
    assert ask.listed_outputs(SHOP, FIRST_CALL)[SHORT] == {}


def test_an_execution_whose_configs_are_all_deleted_stays_evaluating(ask_running):
    ask = ask_running
    ask.run(SHOP, [SHORT], test_execution_ids=[MONDAY])
    ask("DELETE", path_of(SHOP, f"eval-configs/{SHORT}/"))

    ask.now += 11

    assert ask.states(SHOP)[MONDAY] == "Evaluating"


def test_an_execution_without_a_completed_call_stays_evaluating(ask_running):
    ask = ask_running
    ask.run(SILENT, [SILENT_CONFIG], test_execution_ids=[BROKEN])

    ask.now += 11

    assert ask.states(SILENT)[BROKEN] == "Evaluating"
    calls = ask.get(path_of(SILENT, "call-executions/")).json["results"]
    assert calls[0]["eval_outputs"][SILENT_CONFIG]["status"] == "Completed"
