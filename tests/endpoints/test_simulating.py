"""Simulations from both clients, on the emulator, in good weather and in bad."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from futureagi_async import (
    AsyncFutureAGI,
    BadRequestError,
    Delivery,
    EvalDispatchError,
    ExecutionCompletedError,
    ExecutionStartError,
    FutureAGI,
    NotFoundError,
    RerunDispatchError,
    RetryPolicy,
    ServerError,
)
from futureagi_async.emulator import Emulator, World
from futureagi_async.types import ExecuteRunTest, ExecutionStatus


NOBODY = "99999999-9999-4999-8999-999999999999"
QUICK = RetryPolicy(reconcile_after=0.05)
WAIT = 20.0
LIVED_IN = Path(__file__).parents[1] / "recordings" / "lived" / "world.json"


@pytest.fixture
def run_test(emulator):
    """A run test of the emulator, with three completed executions of two calls."""
    return emulator.world.run_tests.get(emulator.world.run_test_ids[0])


def statuses(run_test):
    return [each.status for each in run_test.executions]


def posts(emulator):
    return [each for each in emulator.log.requests if each.method == "POST"]


def test_a_run_test_is_executed_and_its_status_read(call, run_test):
    started = call("execute_run_test", run_test.id)
    newest = call("get_execution_status", run_test.id)

    assert started.execution_id == newest.execution_id == run_test.executions[-1].id
    assert newest.exists
    assert not newest.is_over
    assert len(run_test.executions) == 4


def test_chosen_scenarios_are_executed(call, run_test):
    chosen = run_test.scenarios[0].id

    started = call("execute_run_test", run_test.id, [chosen])

    assert started.scenario_ids == (chosen,)
    assert started.total_scenarios == 1


def test_an_execution_is_cancelled(call, run_test):
    started = call("execute_run_test", run_test.id)

    cancelled = call("cancel_execution", started)

    assert cancelled.is_cancelling
    assert run_test.executions[-1].status in {"cancelling", "cancelled"}


def test_a_completed_execution_is_cancelled_on_purpose_only(call, run_test):
    completed = run_test.executions[0]

    with pytest.raises(ExecutionCompletedError):
        call("cancel_execution", completed.id)
    before = completed.status
    cancelled = call("cancel_execution", completed.id, even_if_completed=True)

    assert (before, completed.status) == ("completed", "cancelled")
    assert not cancelled.is_cancelling


@pytest.mark.parametrize(
    "arguments",
    [
        ("execute_run_test", NOBODY),
        ("get_execution_status", NOBODY),
        ("cancel_execution", NOBODY),
        ("rerun_executions", NOBODY, "eval_only"),
    ],
)
def test_what_does_not_exist_is_not_found(call, arguments):
    options = {"select_all": True} if arguments[0] == "rerun_executions" else {}

    with pytest.raises(NotFoundError):
        call(*arguments, **options)


def test_executions_are_evaluated_again(call, run_test):
    first, second, third = run_test.executions
    second.status = "running"

    again = call(
        "rerun_executions",
        run_test.id,
        "eval_only",
        test_execution_ids=[first.id, second.id, NOBODY],
    )

    assert [each.test_execution_id for each in again.results] == [first.id]
    assert again.overall_success_count == len(first.calls)
    assert again.left_out == (second.id, NOBODY)
    assert (first.status, third.status) == ("evaluating", "completed")


def test_calls_are_evaluated_again(call, run_test):
    execution = run_test.executions[0]
    one, other = execution.calls

    again = call(
        "rerun_calls",
        run_test.id,
        execution.id,
        "eval_only",
        call_execution_ids=[one.id, NOBODY],
    )

    assert again.successful_reruns == (one.id,)
    assert again.left_out == (NOBODY,)
    assert other.id not in str(again)


def test_an_execution_without_calls_is_reported(call, run_test):
    empty, full, _ = run_test.executions
    empty.calls.clear()

    again = call(
        "rerun_executions",
        run_test.id,
        "eval_only",
        test_execution_ids=[empty.id, full.id],
    )

    assert again.warnings == (f"execution {empty.id}: No call executions found",)


def test_calls_of_a_text_agent_cannot_run_again(call, run_test):
    with pytest.raises(BadRequestError, match="only support 'eval_only'"):
        call("rerun_executions", run_test.id, "call_and_eval", select_all=True)


LOST = ["drop_before", "drop_after", "garbage", "truncate"]


@pytest.mark.parametrize("fault", LOST)
def test_an_execution_whose_answer_is_lost_is_started_once(
    call, emulator, run_test, fault
):
    emulator.faults.add(fault, endpoint="execute", times=1)

    started = call("execute_run_test", run_test.id)

    assert started.reconciled is (fault != "drop_before")
    assert started.execution_id == run_test.executions[-1].id
    assert len(run_test.executions) == 4
    assert len(posts(emulator)) == (2 if fault == "drop_before" else 1)


@pytest.mark.parametrize("fault", LOST)
def test_a_cancellation_whose_answer_is_lost_is_found(call, emulator, run_test, fault):
    started = call("execute_run_test", run_test.id)
    emulator.faults.add(fault, endpoint="cancel", times=1)

    cancelled = call("cancel_execution", started)

    assert cancelled.reconciled is (fault != "drop_before")
    assert run_test.executions[-1].status in {"cancelling", "cancelled"}


@pytest.mark.parametrize("fault", LOST)
@pytest.mark.parametrize("endpoint", ["rerun_executions", "rerun_calls"])
def test_a_rerun_whose_answer_is_lost_is_sent_once(
    call, emulator, run_test, fault, endpoint
):
    execution = run_test.executions[0]
    emulator.faults.add(fault, endpoint=endpoint, times=1)
    arguments = (
        (execution.id, "eval_only") if endpoint == "rerun_calls" else ("eval_only",)
    )

    again = call(endpoint, run_test.id, *arguments, select_all=True)

    assert again.reconciled is (fault != "drop_before")
    assert execution.status == "evaluating"
    assert len(posts(emulator)) == (2 if fault == "drop_before" else 1)


def failing(world=None):
    return Emulator(world or World.synthetic(run_tests=1), dispatch="fail")


def test_a_start_that_fails_names_what_it_leaves_behind():
    with failing() as emulator:
        run_test = emulator.world.run_tests.get(emulator.world.run_test_ids[0])
        with (
            FutureAGI(
                emulator.api_key, emulator.secret_key, base_url=emulator.url
            ) as client,
            pytest.raises(ExecutionStartError) as caught,
        ):
            client.execute_run_test(run_test.id)

    error = caught.value
    assert error.execution_id == run_test.executions[-1].id
    assert error.delivery is Delivery.REJECTED
    assert run_test.executions[-1].status == "pending"


@pytest.mark.parametrize("endpoint", ["rerun_executions", "rerun_calls"])
def test_evaluations_that_cannot_be_dispatched_are_an_error(endpoint):
    with failing() as emulator:
        run_test = emulator.world.run_tests.get(emulator.world.run_test_ids[0])
        execution = run_test.executions[0]
        arguments = (
            (execution.id, "eval_only") if endpoint == "rerun_calls" else ("eval_only",)
        )
        keys = emulator.api_key, emulator.secret_key
        retry = RetryPolicy(max_attempts=1)
        with (
            FutureAGI(*keys, base_url=emulator.url, retry=retry) as client,
            pytest.raises(EvalDispatchError, match="results are as before"),
        ):
            getattr(client, endpoint)(run_test.id, *arguments, select_all=True)

    assert execution.status == "completed"


async def ended(client, run_test_id):
    """The state of the newest execution once it is over."""
    deadline = time.monotonic() + WAIT
    while not (newest := await client.get_execution_status(run_test_id)).is_over:
        assert time.monotonic() < deadline, newest
        await asyncio.sleep(0.02)
    return newest


async def test_an_execution_runs_to_its_end():
    world = World.synthetic(run_tests=1)
    working = Emulator(
        world, dispatch="run", run_seconds=0.02, call_seconds=0.02, monitor_seconds=0.02
    )
    async with (
        working as emulator,
        AsyncFutureAGI(
            emulator.api_key, emulator.secret_key, base_url=emulator.url
        ) as client,
    ):
        (run_test_id,) = world.run_test_ids
        started = await client.execute_run_test(run_test_id)
        newest = await ended(client, run_test_id)

    assert newest.execution_id == started.execution_id
    assert newest.status is ExecutionStatus.COMPLETED
    assert newest.completed_calls == newest.total_calls > 0


async def test_many_run_tests_are_executed_once_though_answers_are_lost(tmp_path):
    world = World.synthetic(run_tests=40)
    async with Emulator(world) as emulator:
        for fault in ("drop_before", "drop_after", "truncate"):
            emulator.faults.add(fault, endpoint="execute", probability=0.2, seed=7)
        async with AsyncFutureAGI(
            emulator.api_key, emulator.secret_key, base_url=emulator.url, retry=QUICK
        ) as client:
            requests = [ExecuteRunTest(each) for each in world.run_test_ids]
            batch = await client.send_many(requests, journal=tmp_path / "a.db")

        known = {each.run_test_id: each.result.execution_id for each in batch.successes}
        for run_test_id in world.run_test_ids:
            new = emulator.world.run_tests.get(run_test_id).executions[1:]
            assert len(new) <= 1 or run_test_id not in known
            if run_test_id in known:
                assert [each.id for each in new] == [known[run_test_id]]

    assert len(known) >= 35
    assert all(
        isinstance(each.error, ServerError)
        or each.error.delivery in {Delivery.UNKNOWN, Delivery.REJECTED}
        for each in batch.failures
    )


VOICE, FINISHED = (
    "1215b657-d0e9-5770-b234-6e0093673167",
    "8e326e6f-9276-5e09-b6b5-ef3b2e1251db",
)


@pytest.mark.parametrize("fault", [None, "drop_before", "drop_after"])
def test_calls_of_a_voice_agent_run_again(fault):
    with Emulator(World.load(LIVED_IN)) as emulator:
        execution = emulator.world.run_tests.get(VOICE).execution(FINISHED)
        if fault:
            emulator.faults.add(fault, endpoint="rerun_executions", times=1)
        keys = emulator.api_key, emulator.secret_key
        with FutureAGI(*keys, base_url=emulator.url, retry=QUICK) as client:
            again = client.rerun_executions(
                VOICE, "call_and_eval", test_execution_ids=[FINISHED]
            )

    assert again.reconciled is (fault == "drop_after")
    assert again.overall_success_count == len(execution.calls) == 5
    assert execution.status == "running"
    assert {len(each.snapshots) for each in execution.calls} <= {1, 2}


def test_calls_that_cannot_be_dispatched_are_failed():
    with failing(World.load(LIVED_IN)) as emulator:
        execution = emulator.world.run_tests.get(VOICE).execution(FINISHED)
        keys = emulator.api_key, emulator.secret_key
        with (
            FutureAGI(*keys, base_url=emulator.url) as client,
            pytest.raises(RerunDispatchError, match="in snapshots only"),
        ):
            client.rerun_executions(
                VOICE, "call_and_eval", test_execution_ids=[FINISHED]
            )

    assert execution.status == "failed"
