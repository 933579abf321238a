"""Running evaluations over a bad network: what the calls show decides."""

from __future__ import annotations

import asyncio

import pytest
from reconciling_service import RESULT, failure, fill, small_world, while_time_flies

from futureagi_async import (
    APIConnectionError,
    APITimeoutError,
    Delivery,
    EvalDispatchError,
    ExecutionsNotCompletedError,
    RetryPolicy,
    RunNewEvals,
    ServerError,
    Success,
    Timeout,
    UnexpectedResponseError,
)
from futureagi_async.emulator import Emulator


RUN = "run_new_evals"
CALLS = 6
"""How many calls a run test of the small world has, in two executions."""


@pytest.fixture
def run_test(emulator):
    """The id of a run test."""
    return emulator.world.run_test_ids[0]


@pytest.fixture
async def config_ids(emulator, connect, run_test, configs):
    """The ids of its eval configs."""
    added = await connect().add_eval_configs(run_test, configs)
    emulator.log.clear()
    return [each.id for each in added.created_eval_configs]


def executions(emulator, run_test):
    return emulator.world.run_tests.get(run_test).executions


def sent(emulator, method):
    return [each for each in emulator.log.requests if each.method == method]


@pytest.mark.parametrize("fault", ["drop_after", "truncate", "garbage"])
async def test_evaluations_under_way_are_a_reconciled_success(
    fault, emulator, connect, run_test, config_ids
):
    emulator.faults.add(fault, endpoint=RUN)

    result = await connect().run_new_evals(
        run_test, eval_config_ids=config_ids, select_all=True
    )

    assert result.reconciled
    assert result.run_test_id == run_test
    assert result.call_execution_count == CALLS
    assert emulator.log.runs == {run_test: 1}
    assert len(sent(emulator, "POST")) == 1


@pytest.mark.parametrize(
    "fault",
    [{"fault": "drop_before"}]
    + [{"fault": "status", "status": status} for status in (500, 502, 504)],
    ids=lambda fault: f"{fault['fault']} {fault.get('status', '')}",
)
async def test_evaluations_that_were_not_started_are_sent_again(
    fault, emulator, connect, run_test, config_ids
):
    emulator.faults.add(**fault, endpoint=RUN, times=1)

    (outcome,) = await connect().send_many(
        [RunNewEvals(run_test, config_ids, select_all=True)]
    )

    assert isinstance(outcome, Success)
    assert outcome.attempts == 2
    assert not outcome.result.reconciled
    assert outcome.result.call_execution_count == CALLS
    assert emulator.log.runs == {run_test: 1}


async def test_a_service_that_answers_too_late_is_waited_for(
    emulator, connect, run_test, config_ids, leap
):
    emulator.faults.add("latency", seconds=60, endpoint=RUN)
    client = connect(
        timeout=Timeout(read=30, total=None), retry=RetryPolicy(reconcile_after=100)
    )

    call = client.run_new_evals(run_test, eval_config_ids=config_ids, select_all=True)
    result = await while_time_flies(call, leap)
    # What was sent again would be done by then.
    await while_time_flies(asyncio.sleep(200), leap)

    assert len(sent(emulator, "POST")) == 1
    assert result.reconciled
    assert emulator.log.runs == {run_test: 1}


async def test_a_timeout_stays_unknown_without_reconciling(
    emulator, connect, run_test, config_ids
):
    emulator.faults.add("latency", seconds=0.1, endpoint=RUN)
    client = connect(timeout=Timeout(read=0.03), retry=RetryPolicy(reconcile=False))

    error = await failure(
        client.run_new_evals(run_test, eval_config_ids=config_ids, select_all=True)
    )

    assert type(error) is APITimeoutError
    assert error.delivery is Delivery.UNKNOWN
    assert sent(emulator, "GET") == []


async def test_only_the_chosen_executions_count(
    emulator, connect, run_test, config_ids
):
    first, second = executions(emulator, run_test)
    emulator.faults.add("drop_after", endpoint=RUN, times=1)
    client = connect()

    result = await client.run_new_evals(
        run_test, eval_config_ids=config_ids, test_execution_ids=[first.id]
    )

    assert result.reconciled
    assert result.call_execution_count == CALLS / 2
    emulator.faults.add("drop_before", endpoint=RUN, times=1)
    result = await client.run_new_evals(
        run_test, eval_config_ids=config_ids, test_execution_ids=[second.id]
    )
    assert not result.reconciled
    assert emulator.log.runs == {run_test: 2}


async def test_one_execution_under_way_does_not_prove_the_others(
    emulator, connect, run_test, config_ids
):
    first, _ = executions(emulator, run_test)
    client = connect()
    await client.run_new_evals(
        run_test, eval_config_ids=config_ids[:1], test_execution_ids=[first.id]
    )
    emulator.faults.add("drop_before", endpoint=RUN)
    error = await failure(
        client.run_new_evals(run_test, eval_config_ids=config_ids, select_all=True)
    )

    assert type(error) is APIConnectionError
    assert error.delivery is Delivery.UNKNOWN
    assert f"of {3 * CALLS} results" in str(error)
    assert "15 are absent and 3 pending" in str(error)
    assert "an execution is being evaluated" in str(error)
    assert emulator.log.runs == {run_test: 1}


async def test_results_that_may_be_older_stay_unknown_with_what_was_seen(
    emulator, connect, run_test, config_ids
):
    fill(emulator.world, run_test, config_ids, RESULT)
    emulator.faults.add("drop_before", endpoint=RUN)

    error = await failure(
        connect().run_new_evals(run_test, eval_config_ids=config_ids, select_all=True)
    )

    assert type(error) is APIConnectionError
    assert error.delivery is Delivery.UNKNOWN
    assert error.attempts == 1
    assert (
        f"of {3 * CALLS} results of these configs 0 are absent and 0 pending, and no "
        "execution is being evaluated"
    ) in str(error)
    assert len(sent(emulator, "POST")) == 1


@pytest.fixture
async def finishing():
    """An emulator that finishes evaluations at once."""
    async with Emulator(small_world(), dispatch="run", run_seconds=0) as emulator:
        yield emulator


@pytest.mark.parametrize("journaled", [False, True])
async def test_finished_results_are_a_success_only_if_a_journal_saw_their_configs_made(
    journaled, tmp_path, finishing, make_client, configs
):
    run_test = finishing.world.run_test_ids[0]
    client = make_client(finishing, retry=RetryPolicy(reconcile_after=0.05))
    journal = tmp_path / "evals.db" if journaled else None
    added = await client.add_eval_configs_many([run_test], configs, journal=journal)
    finishing.faults.add("drop_after", endpoint=RUN)

    (outcome,) = await client.send_many(RunNewEvals.from_added(added), journal=journal)

    assert finishing.log.runs == {run_test: 1}
    assert isinstance(outcome, Success) is journaled
    if journaled:
        assert outcome.result.reconciled
        assert outcome.result.call_execution_count == CALLS
    else:
        assert outcome.error.delivery is Delivery.UNKNOWN


async def test_a_start_through_another_address_of_the_service_proves_nothing(
    finishing, make_client, configs, tmp_path
):
    run_test, journal = finishing.world.run_test_ids[0], tmp_path / "evals.db"
    retry = RetryPolicy(reconcile_after=0.05, max_attempts=1)
    client = make_client(finishing, retry=retry)
    elsewhere = make_client(
        finishing, retry=retry, base_url=finishing.url.replace("127.0.0.1", "localhost")
    )
    added = await client.add_eval_configs_many([run_test], configs, journal=journal)
    requests = RunNewEvals.from_added(added)
    await elsewhere.send_many(requests, journal=journal)
    finishing.faults.add("drop_before", endpoint=RUN)

    (outcome,) = await client.send_many(requests, journal=journal)

    assert outcome.error.delivery is Delivery.UNKNOWN
    assert finishing.log.runs == {run_test: 1}


async def test_evaluations_that_were_prepared_and_never_started_are_sent_again(
    emulator, connect, run_test, config_ids
):
    emulator.faults.add("dispatch", endpoint=RUN, times=1)
    emulator.faults.add("drop_after", endpoint=RUN, times=1)

    result = await connect().run_new_evals(
        run_test, eval_config_ids=config_ids, select_all=True
    )

    assert not result.reconciled
    assert emulator.log.runs == {run_test: 1}
    assert len(sent(emulator, "POST")) == 2


async def test_evaluations_of_others_prove_nothing(
    emulator, connect, run_test, config_ids
):
    client = connect()
    await client.run_new_evals(
        run_test, eval_config_ids=config_ids[:1], select_all=True
    )
    emulator.faults.add("drop_before", endpoint=RUN)

    error = await failure(
        client.run_new_evals(run_test, eval_config_ids=config_ids[1:], select_all=True)
    )

    assert error.delivery is Delivery.UNKNOWN
    assert "an execution is being evaluated" in str(error)
    assert emulator.log.runs == {run_test: 1}


async def test_the_calls_of_every_execution_are_read(make_client, configs):
    world = small_world(run_tests=1, executions=3, calls=70)
    async with Emulator(world) as emulator:
        client = make_client(emulator)
        (run_test,) = world.run_test_ids
        added = await client.add_eval_configs(run_test, configs[:1])
        emulator.faults.add("drop_after", endpoint=RUN)

        result = await client.send(RunNewEvals.from_added(added))

    assert result.reconciled
    assert result.call_execution_count == 210
    assert emulator.log.counts["runs", 200] == 2 * 3
    assert emulator.log.counts["call_executions", 200] == 0
    assert emulator.log.counts["executions", 200] == 2


async def test_a_single_call_without_our_results_on_a_later_page_is_seen(
    make_client, configs
):
    world = small_world(run_tests=1, executions=1, calls=150)
    async with Emulator(world) as emulator:
        client = make_client(emulator)
        (run_test,) = world.run_test_ids
        added = await client.add_eval_configs(run_test, configs[:1])
        (execution,) = world.run_tests.get(run_test).executions
        config_ids = [each.id for each in added.created_eval_configs]
        fill(world, run_test, config_ids, RESULT)
        execution.calls[0].eval_outputs.clear()  # the oldest is the last
        emulator.faults.add("drop_before", endpoint=RUN)

        error = await failure(client.send(RunNewEvals.from_added(added)))

    assert "of 150 results of these configs 1 are absent" in str(error)


async def test_without_reconciling_it_stays_unknown_and_nothing_is_read(
    emulator, connect, run_test, config_ids
):
    emulator.faults.add("garbage", endpoint=RUN)

    error = await failure(
        connect(retry=RetryPolicy(reconcile=False)).run_new_evals(
            run_test, eval_config_ids=config_ids, select_all=True
        )
    )

    assert type(error) is UnexpectedResponseError
    assert error.delivery is Delivery.UNKNOWN
    assert len(emulator.log.requests) == 1


@pytest.mark.parametrize("failing", [["executions"], ["runs", "call_executions"]])
async def test_a_failing_read_does_not_replace_the_error(
    failing, emulator, connect, run_test, config_ids
):
    emulator.faults.add("status", status=504, endpoint=RUN)
    for endpoint in failing:
        emulator.faults.add("status", status=500, endpoint=endpoint)

    error = await failure(
        connect().run_new_evals(run_test, eval_config_ids=config_ids, select_all=True)
    )

    assert type(error) is ServerError
    assert error.status_code == 504
    assert error.delivery is Delivery.UNKNOWN
    assert "could not be read back (500" in str(error)
    assert len(sent(emulator, "POST")) == 1


async def test_rejections_are_not_reconciled(emulator, connect, run_test, config_ids):
    executions(emulator, run_test)[0].status = "running"
    client = connect()

    error = await failure(
        client.run_new_evals(run_test, eval_config_ids=config_ids, select_all=True)
    )

    assert type(error) is ExecutionsNotCompletedError
    assert sent(emulator, "GET") == []
    executions(emulator, run_test)[0].status = "completed"
    emulator.faults.add("dispatch", endpoint=RUN)
    error = await failure(
        client.run_new_evals(run_test, eval_config_ids=config_ids, select_all=True)
    )
    assert type(error) is EvalDispatchError
    assert error.attempts == 3
    assert sent(emulator, "GET") == []


async def test_many_are_reconciled_side_by_side(emulator, connect, configs):
    ids = emulator.world.run_test_ids
    client = connect(retry=RetryPolicy(reconcile_after=0.05, max_attempts=20))
    batch = await client.add_eval_configs_many(ids, configs[:1])
    for seed, fault in enumerate(("drop_before", "drop_after", "truncate", "garbage")):
        emulator.faults.add(fault, endpoint=RUN, probability=0.3, seed=seed)
    emulator.faults.add("dispatch", endpoint=RUN, probability=0.3, seed=9)

    batch = await client.send_many(RunNewEvals.from_added(batch))

    assert len(batch.successes) == len(batch) == 30
    assert {each.result.call_execution_count for each in batch} == {CALLS}
    assert emulator.log.runs == dict.fromkeys(ids, 1)
    assert any(each.result.reconciled for each in batch)
