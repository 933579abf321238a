"""Changing, running again and deleting one eval config."""

from __future__ import annotations

import pytest
from emulator_small_world import (
    CHOICES,
    CONTAINS,
    COUNTED,
    DONE,
    FIRST_CALL,
    MIXED,
    MIXED_CONFIG,
    MONDAY,
    NOBODY,
    POLITE,
    REMOVED,
    RUNNING,
    SCORE,
    SECOND_CALL,
    SHOP,
    SHORT,
    SILENT,
    SILENT_CONFIG,
    THEIRS,
    TUESDAY,
    WITHOUT_CALLS,
    path_of,
)


UNABLE = "Unable to update and run evaluation. Please try again."


def config(ask, config_id=POLITE, run_test_id=SHOP):
    """Return a config as the run test shows it."""
    listed = ask.get(path_of(run_test_id)).json["simulate_eval_configs_detail"]
    return next(each for each in listed if each["id"] == config_id)


def test_fields_that_are_sent_are_changed(ask):
    reply = ask.update(
        SHOP,
        POLITE,
        name="kind",
        model="m",
        error_localizer=True,
        config={"params": {}},
        mapping={"text": "x"},
    )

    assert reply.json == {
        "message": "Evaluation config updated successfully",
        "eval_config_id": POLITE,
        "run_test_id": SHOP,
        "test_execution_id": None,
        "call_execution_count": None,
        "note": None,
    }
    changed = config(ask)
    assert (changed["name"], changed["model"]) == ("kind", "m")
    assert changed["error_localizer"] is True
    assert changed["config"] == {"params": {}}
    assert changed["mapping"] == {"text": "x"}


def test_null_means_something_else_for_every_field(ask):
    ask.update(SHOP, POLITE, filters=None, mapping=None, config=None, model=None)

    changed = config(ask)
    assert changed["filters"] == []
    assert changed["mapping"] is None
    assert changed["config"] == {"params": {"keyword": "hello"}}


def test_a_new_template_must_fit_the_stored_config(ask):
    assert ask.update(SHOP, POLITE, template_id=SCORE).status == 200
    assert config(ask)["template_id"] == SCORE


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"template_id": NOBODY}, "Evaluation template not found"),
        ({"template_id": THEIRS}, "Evaluation template not found"),
        (
            {"template_id": CHOICES},
            (
                "Keys ['text'] are not valid input variables for the selected template. "
                "Valid keys: ['output']"
            ),
        ),
        (
            {"template_id": COUNTED},
            (
                "Cannot switch template: existing config is incompatible with new "
                "template. Unknown function params: keyword"
            ),
        ),
        (
            {"template_id": COUNTED, "config": {"params": {"most": 0}}},
            "most must be >= 1",
        ),
        (
            {"name": "short"},
            (
                "An evaluation config with the name 'short' already exists in this run "
                "test. Please use a different name."
            ),
        ),
        ({"kb_id": NOBODY}, "Knowledge base not found"),
        ({"name": ""}, "name: This field may not be blank."),
        (
            {"run": True},
            "test_execution_id: test_execution_id is required when run is true",
        ),
        ({"what": 1}, "what: Unknown field."),
    ],
)
def test_an_update_rejects_invalid_fields(ask, fields, message):
    before = config(ask)

    reply = ask.update(SHOP, POLITE, **fields)

    assert (reply.status, reply.message) == (400, message)
    assert config(ask) == before


def test_a_new_mapping_is_not_compared_with_the_new_template(ask):
    reply = ask.update(SHOP, POLITE, template_id=CHOICES, mapping={"anything": "x"})

    assert reply.status == 200


def test_a_config_can_be_updated_with_its_own_name(ask):
    assert ask.update(SHOP, POLITE, name="polite").status == 200


@pytest.mark.parametrize(
    ("run_test_id", "config_id", "fields"),
    [
        (SHOP, NOBODY, {"name": "x"}),
        (NOBODY, POLITE, {"name": "x"}),
        (SHOP, REMOVED, {"name": "x"}),
        (SHOP, MIXED_CONFIG, {"name": "x"}),
        (SHOP, POLITE, {"name": "n" * 256}),
    ],
)
def test_an_update_returns_500_instead_of_404_or_400(
    ask, run_test_id, config_id, fields
):
    reply = ask.update(run_test_id, config_id, **fields)

    assert (reply.status, reply.message) == (500, UNABLE)
    assert reply.json["type"] == reply.json["code"] == "server_error"


def test_run_evaluates_one_execution(ask_running):
    ask = ask_running

    reply = ask.update(SHOP, SHORT, run=True, test_execution_id=MONDAY, name="brief")

    assert reply.json["message"] == (
        "Evaluation config updated and rerun triggered successfully"
    )
    assert reply.json["call_execution_count"] == 2
    assert (
        reply.json["note"] == "2 parallel tasks will be spawned to process evaluations"
    )
    assert ask.states(SHOP) == {MONDAY: "Evaluating", TUESDAY: "Completed"}
    ask.now += 11
    assert ask.states(SHOP)[MONDAY] == "Completed"
    assert ask.outputs(SECOND_CALL)[SHORT]["name"] == "brief"


@pytest.mark.parametrize(
    ("execution_id", "status", "message"),
    [
        (
            RUNNING,
            400,
            (
                "Only test executions with COMPLETED, CANCELLED, or FAILED status can "
                "have evaluations rerun"
            ),
        ),
        (NOBODY, 500, UNABLE),
        (MONDAY, 500, UNABLE),
    ],
)
def test_the_change_is_saved_though_the_run_is_rejected(
    ask, execution_id, status, message
):
    reply = ask.update(
        MIXED, MIXED_CONFIG, name="saved", run=True, test_execution_id=execution_id
    )

    assert (reply.status, reply.message) == (status, message)
    assert config(ask, MIXED_CONFIG, MIXED)["name"] == "saved"
    assert ask.states(MIXED)[DONE] == "Completed"


def test_an_execution_without_calls_is_not_run(ask):
    reply = ask.update(SILENT, SILENT_CONFIG, run=True, test_execution_id=WITHOUT_CALLS)

    assert reply.json["message"] == (
        "Evaluation config updated successfully. No call executions found to rerun."
    )
    assert reply.json["test_execution_id"] == WITHOUT_CALLS
    assert ask.states(SILENT)[WITHOUT_CALLS] == "Completed"


def test_a_failed_dispatch_is_a_500_and_nothing_is_undone(ask_failing):
    ask = ask_failing

    reply = ask.update(SHOP, POLITE, name="kind", run=True, test_execution_id=MONDAY)

    assert (reply.status, reply.message) == (500, UNABLE)
    assert config(ask)["name"] == "kind"
    assert ask.states(SHOP)[MONDAY] == "Evaluating"
    assert ask.outputs(FIRST_CALL) == {POLITE: {}}


def test_a_deleted_config_is_hidden_with_its_results(ask):
    reply = ask("DELETE", path_of(SHOP, f"eval-configs/{POLITE}/"))

    assert reply.json == {"message": "Evaluation config deleted successfully"}
    assert ask.get(path_of(SHOP)).json["simulate_eval_configs"] == [SHORT]
    assert ask.outputs(FIRST_CALL) == {}


@pytest.mark.parametrize("config_id", [MIXED_CONFIG, NOBODY])
def test_the_last_config_cannot_be_deleted_whatever_the_id(ask, config_id):
    reply = ask("DELETE", path_of(MIXED, f"eval-configs/{config_id}/"))

    assert reply.status == 400
    assert reply.message == (
        "Cannot delete the last evaluation config. "
        "At least one evaluation config must remain."
    )


@pytest.mark.parametrize(
    ("run_test_id", "config_id", "message"),
    [
        (SHOP, REMOVED, "Evaluation config not found"),
        (SHOP, MIXED_CONFIG, "Evaluation config not found"),
        (NOBODY, POLITE, "Run test not found."),
    ],
)
def test_deleting_an_unknown_config_is_a_404(ask, run_test_id, config_id, message):
    reply = ask("DELETE", path_of(run_test_id, f"eval-configs/{config_id}/"))

    assert (reply.status, reply.message) == (404, message)


def test_a_deleted_config_can_be_added_again(ask):
    ask("DELETE", path_of(SHOP, f"eval-configs/{POLITE}/"))

    assert ask.add(SHOP, {"template_id": CONTAINS, "name": "polite"}).status == 201
