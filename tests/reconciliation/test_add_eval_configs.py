"""Adding eval configs over a bad network: whatever is in doubt is read back."""

from __future__ import annotations

import asyncio

import pytest
from reconciling_service import failure, while_time_flies

from futureagi_async import (
    AddEvalConfigs,
    APIConnectionError,
    BadRequestError,
    Delivery,
    NameConflictError,
    RetryPolicy,
    ServerError,
    Success,
    Timeout,
    UnexpectedResponseError,
)


ADD = "add_eval_configs"
READ = "run_test"


@pytest.fixture
def run_test(emulator):
    """The id of a run test without eval configs."""
    return emulator.world.run_test_ids[0]


def ids_by_name(emulator, run_test):
    """The eval configs that a run test has; no two of one name."""
    live = emulator.world.run_tests.get(run_test).live_configs()
    by_name = {each.name: each.id for each in live}
    assert len(by_name) == len(live)
    return by_name


def names(configs):
    return [each.effective_name for each in configs]


def requests(emulator, method):
    return [each for each in emulator.log.requests if each.method == method]


def assert_whole(result, emulator, run_test, configs):
    """The result is what the run test has, in the order of the request."""
    there = ids_by_name(emulator, run_test)
    created = result.created_eval_configs
    assert [each.name for each in created] == names(configs)
    assert [each.id for each in created] == [there[name] for name in names(configs)]
    assert emulator.log.configs == {run_test: len(configs)}


@pytest.mark.parametrize("fault", ["drop_after", "truncate", "garbage"])
async def test_configs_that_all_landed_are_a_reconciled_success(
    fault, emulator, connect, run_test, configs
):
    emulator.faults.add(fault, endpoint=ADD)

    result = await connect().add_eval_configs(run_test, configs)

    assert result.reconciled
    assert result.run_test_id == run_test
    assert result.warnings == ()
    assert_whole(result, emulator, run_test, configs)
    assert len(requests(emulator, "POST")) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "drop_before"},
        {"fault": "status", "status": 500},
        {"fault": "status", "status": 502},
        {"fault": "status", "status": 503},
        {"fault": "status", "status": 504},
    ],
    ids=lambda fault: f"{fault['fault']} {fault.get('status', '')}",
)
async def test_configs_of_which_none_landed_are_sent_again(
    fault, emulator, connect, run_test, configs
):
    emulator.faults.add(**fault, endpoint=ADD, times=1)

    (outcome,) = await connect().send_many([AddEvalConfigs(run_test, configs)])

    assert isinstance(outcome, Success)
    assert outcome.attempts == 2
    assert not outcome.result.reconciled
    assert_whole(outcome.result, emulator, run_test, configs)


async def test_only_the_missing_configs_are_sent_and_the_result_has_all_in_order(
    emulator, connect, run_test, configs
):
    client = connect()
    earlier = await client.add_eval_configs(run_test, configs[1:2])
    emulator.faults.add("drop_before", endpoint=ADD, times=1)

    result = await client.add_eval_configs(run_test, configs)

    assert result.reconciled
    assert result.created_eval_configs[1] == earlier.created_eval_configs[0]
    assert_whole(result, emulator, run_test, configs)


async def test_a_service_that_answers_too_late_is_waited_for(
    emulator, connect, run_test, configs, leap
):
    emulator.faults.add("latency", seconds=60, endpoint=ADD)
    client = connect(
        timeout=Timeout(read=30, total=None), retry=RetryPolicy(reconcile_after=100)
    )

    result = await while_time_flies(client.add_eval_configs(run_test, configs), leap)
    # What was sent again would be done by then.
    await while_time_flies(asyncio.sleep(200), leap)

    assert result.reconciled
    assert len(requests(emulator, "POST")) == 1
    assert_whole(result, emulator, run_test, configs)


async def test_a_name_with_other_content_is_a_conflict(
    emulator, connect, run_test, configs
):
    client = connect()
    await client.add_eval_configs(
        run_test, [{"template_id": configs[0].template_id, "name": "whole"}]
    )
    emulator.faults.add("drop_before", endpoint=ADD, times=1)

    error = await failure(client.add_eval_configs(run_test, configs))

    assert type(error) is NameConflictError
    assert error.delivery is Delivery.REJECTED
    assert error.run_test_id == run_test
    assert error.status_code == 400
    assert error.attempts == 1
    assert "'whole'" in str(error)
    assert "with other content" in str(error)
    assert type(error.__cause__) is APIConnectionError
    assert emulator.log.configs == {run_test: 1}


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        ("drop_after", APIConnectionError),
        ("truncate", APIConnectionError),
        ("garbage", UnexpectedResponseError),
        ("status", ServerError),
    ],
)
async def test_without_reconciling_it_stays_unknown_and_nothing_is_read(
    fault, error_class, emulator, connect, run_test
):
    emulator.faults.add(fault, endpoint=ADD)
    client = connect(retry=RetryPolicy(reconcile=False))
    template = {"template_id": emulator.world.template_ids[0]}

    error = await failure(client.add_eval_configs(run_test, [template]))

    assert type(error) is error_class
    assert error.delivery is Delivery.UNKNOWN
    assert len(emulator.log.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "status", "status": 500},
        {"fault": "status", "status": 403},
        {"fault": "garbage"},
        {"fault": "drop_before"},
    ],
    ids=lambda fault: f"{fault['fault']} {fault.get('status', '')}",
)
async def test_a_failing_read_does_not_replace_the_error(
    fault, emulator, connect, run_test, configs
):
    emulator.faults.add("status", status=502, endpoint=ADD)
    emulator.faults.add(**fault, endpoint=READ)

    error = await failure(connect().add_eval_configs(run_test, configs))

    assert type(error) is ServerError
    assert error.status_code == 502
    assert error.delivery is Delivery.UNKNOWN
    assert error.attempts == 1
    assert error.request_id == requests(emulator, "POST")[0].request_id
    assert "could not be read back" in str(error)
    assert len(requests(emulator, "POST")) == 1


async def test_a_rejected_name_says_which_of_the_names_exist(
    emulator, connect, run_test, configs
):
    client = connect()
    await client.add_eval_configs(run_test, configs[1:2])

    error = await failure(client.add_eval_configs(run_test, configs))

    assert type(error) is NameConflictError
    assert error.existing == tuple(names(configs[:2]))
    assert error.delivery is Delivery.REJECTED
    assert error.attempts == 1
    assert "now has 'tone', 'Eval-" in error.hint
    assert "may have been created by this request" in str(error)
    assert len(requests(emulator, "GET")) == 1


async def test_a_rejected_name_is_not_read_back_without_reconciling(
    emulator, connect, run_test, configs
):
    client = connect(retry=RetryPolicy(reconcile=False))
    await client.add_eval_configs(run_test, configs[1:2])

    error = await failure(client.add_eval_configs(run_test, configs))

    assert type(error) is NameConflictError
    assert error.existing is None
    assert requests(emulator, "GET") == []


async def test_a_rejected_name_stands_when_it_cannot_be_read_back(
    emulator, connect, run_test, configs
):
    client = connect()
    await client.add_eval_configs(run_test, configs[1:2])
    emulator.faults.add("status", status=500, endpoint=READ)

    error = await failure(client.add_eval_configs(run_test, configs))

    assert type(error) is NameConflictError
    assert error.existing is None
    assert error.delivery is Delivery.REJECTED
    assert "may have been created" in str(error)


async def test_another_rejection_is_not_read_back(emulator, connect, run_test):
    nobody = {"template_id": "99999999-9999-4999-8999-999999999999"}

    error = await failure(connect().add_eval_configs(run_test, [nobody]))

    assert type(error) is BadRequestError
    assert error.hint == ""
    assert requests(emulator, "GET") == []


async def test_many_are_reconciled_side_by_side(emulator, connect, configs):
    faults = ("drop_before", "drop_after", "truncate", "garbage", "status")
    for seed, fault in enumerate(faults):
        emulator.faults.add(fault, endpoint=ADD, probability=0.3, seed=seed)
    client = connect(retry=RetryPolicy(reconcile_after=0.05, max_attempts=20))

    batch = await client.add_eval_configs_many(emulator.world.run_test_ids, configs)

    assert len(batch.successes) == len(batch) == 30
    assert set(emulator.log.configs.values()) == {3}
    assert any(each.result.reconciled for each in batch)
    assert any(each.attempts > 1 for each in batch)
    for each in batch:
        created = [one.name for one in each.result.created_eval_configs]
        assert created == names(configs)
