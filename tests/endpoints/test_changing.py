"""Updates and deletions from both clients, in good weather and in bad."""

from __future__ import annotations

import pytest

from futureagi_async import (
    BadRequestError,
    EvalConfig,
    FutureAGI,
    NotFoundError,
    RetryPolicy,
    ServerError,
    UpdateEvalConfig,
)
from futureagi_async.types import DeleteEvalConfigResult, UpdateEvalConfigResult


NOBODY = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def run_test(emulator):
    """A run test of the emulator with two eval configs."""
    keys = emulator.api_key, emulator.secret_key
    run_test_id = emulator.world.run_test_ids[0]
    tone, contains = emulator.world.template_ids[:2]
    configs = [
        {"template_id": tone, "name": "tone"},
        {"template_id": contains, "name": "contains"},
    ]
    with FutureAGI(*keys, base_url=emulator.url) as client:
        client.add_eval_configs(run_test_id, configs)
    emulator.log.clear()
    return emulator.world.run_tests.get(run_test_id)


def test_an_eval_config_is_changed_where_it_was_requested(call, run_test):
    first, second = run_test.eval_configs

    result = call(
        "update_eval_config",
        run_test.id,
        first.id.upper(),
        name="renamed",
        mapping={"output": "transcript"},
        filters=[],
        error_localizer=True,
        model="turing_small",
        config={"params": {"k": 1}},
    )

    assert type(result) is UpdateEvalConfigResult
    assert (result.run_test_id, result.eval_config_id) == (run_test.id, first.id)
    assert (first.name, first.model, first.error_localizer) == (
        "renamed",
        "turing_small",
        True,
    )
    assert first.mapping == {"output": "transcript"}
    assert first.config == {"params": {"k": 1}}
    assert (second.name, second.model) == ("contains", None)


def test_a_config_is_brought_to_what_is_wanted(client, emulator, run_test):
    kept = client.get_run_test(run_test.id).simulate_eval_configs_detail[0]
    wanted = EvalConfig(
        emulator.world.template_ids[2],
        "contains",
        mapping={"text": "transcript"},
        model="turing_small",
    )

    client.send(UpdateEvalConfig.to_match(run_test.id, kept, wanted))

    changed = client.get_run_test(run_test.id).simulate_eval_configs_detail[0]
    assert changed.id == kept.id
    assert wanted.matches(changed)


def test_an_eval_config_is_deleted(call, run_test):
    first, second = run_test.eval_configs

    result = call("delete_eval_config", run_test.id, first.id)

    assert type(result) is DeleteEvalConfigResult
    assert result.message == "Evaluation config deleted successfully"
    assert (first.deleted, second.deleted) == (True, False)


def test_the_last_eval_config_is_not_deleted(call, run_test):
    first, second = run_test.eval_configs
    call("delete_eval_config", run_test.id, first.id)

    with pytest.raises(BadRequestError, match="add another eval config first"):
        call("delete_eval_config", run_test.id, second.id)

    assert not second.deleted


@pytest.mark.parametrize("ids", ["config", "run test"])
def test_what_is_not_there_cannot_be_changed(call, emulator, run_test, ids):
    run_test_id = run_test.id if ids == "config" else NOBODY

    with pytest.raises(NotFoundError) as caught:
        call("update_eval_config", run_test_id, NOBODY, name="x")

    assert caught.value.attempts == 1
    assert emulator.log.counts["update_eval_config", 500] == 1


def test_what_is_not_there_cannot_be_deleted(call, run_test):
    with pytest.raises(NotFoundError):
        call("delete_eval_config", run_test.id, NOBODY)


LOST = ["drop_before", "drop_after", "garbage", "truncate"]


@pytest.mark.parametrize("fault", LOST)
def test_an_update_whose_answer_is_lost_is_done_once(call, emulator, run_test, fault):
    emulator.faults.add(fault, endpoint="update_eval_config", times=1)

    result = call(
        "update_eval_config", run_test.id, run_test.eval_configs[0].id, name="renamed"
    )

    assert result.reconciled is (fault != "drop_before")
    assert run_test.eval_configs[0].name == "renamed"
    sent = [each for each in emulator.log.requests if each.method == "POST"]
    assert len(sent) == (2 if fault == "drop_before" else 1)


@pytest.mark.parametrize("fault", LOST)
def test_a_deletion_whose_answer_is_lost_is_done_once(call, emulator, run_test, fault):
    emulator.faults.add(fault, endpoint="delete_eval_config", times=1)

    result = call("delete_eval_config", run_test.id, run_test.eval_configs[0].id)

    assert result.reconciled is (fault != "drop_before")
    assert [each.deleted for each in run_test.eval_configs] == [True, False]


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("endpoint", ["update_eval_config", "delete_eval_config"])
def test_a_change_that_is_throttled_is_sent_again(
    call, emulator, run_test, endpoint, status
):
    fault = emulator.faults.add(
        "status", status=status, retry_after=0.01, endpoint=endpoint, times=1
    )
    options = {"name": "renamed"} if endpoint == "update_eval_config" else {}

    result = call(endpoint, run_test.id, run_test.eval_configs[0].id, **options)

    assert not result.reconciled
    assert fault.hits == 1


def test_a_change_that_fails_for_good_says_that_it_was_not_done(
    client, emulator, run_test
):
    emulator.faults.add("status", status=502, endpoint="update_eval_config")
    patient = client.with_options(
        retry=RetryPolicy(reconcile_after=0.01, max_attempts=1)
    )

    with pytest.raises(ServerError, match="read back: it was not applied"):
        patient.update_eval_config(
            run_test.id, run_test.eval_configs[0].id, name="renamed"
        )

    assert run_test.eval_configs[0].name == "tone"
