"""What an earlier batch left in doubt: reconciled, sent again, or decided by a person."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from recorded_requests import (
    ADD,
    RUN,
    adds,
    arrived,
    config,
    entries,
    results,
    runs,
    states,
)

from futureagi_async import (
    AddEvalConfigs,
    ClientClosedError,
    Delivery,
    EvalConfig,
    Failure,
    Journal,
    NotAttempted,
    RetryPolicy,
    RunNewEvals,
    Success,
)
from futureagi_async.journal.writer import JournalWriter


SETTLING = RetryPolicy(reconcile_after=0.05)
UNSETTLED = RetryPolicy(reconcile=False)
AT_ALL_COSTS = RetryPolicy(reconcile=False, retry_unknown=True)


@pytest.fixture
def doubt(emulator, connect, journal):
    """Send requests whose answers get lost, with or without the work being done."""

    async def leave(requests, *, done):
        endpoint = ADD if isinstance(requests[0], AddEvalConfigs) else RUN
        fault = "drop_after" if done else "drop_before"
        emulator.faults.add(fault, endpoint=endpoint)
        batch = await connect(retry=UNSETTLED).send_many(requests, journal=journal)
        emulator.faults.clear()
        assert len(batch.unknown) == len(requests)
        assert set(states(journal).values()) == {"UNKNOWN"}
        return batch

    return leave


@pytest.mark.parametrize("make", [adds, runs])
async def test_what_had_been_done_is_a_reconciled_success(
    make, emulator, connect, journal, doubt
):
    requests = make(emulator)
    await doubt(requests, done=True)
    before = arrived(emulator)

    batch = await connect().send_many(requests, journal=journal)

    assert [each.result.reconciled for each in batch.successes] == [True] * 8
    assert not any(each.from_journal for each in batch)
    assert {each.attempts for each in batch} == {0}
    assert arrived(emulator) == before == 8
    assert [each.reconciled for each in entries(journal)] == [True] * 8


@pytest.mark.parametrize("make", [adds, runs])
async def test_a_reconciled_success_comes_back_whole(
    make, emulator, connect, journal, doubt
):
    requests = make(emulator)
    await doubt(requests, done=True)
    reconciled = await connect().send_many(requests, journal=journal)
    before = len(emulator.log.requests)

    again = await connect().send_many(requests, journal=journal)

    assert [each.from_journal for each in again] == [True] * 8
    assert results(again) == results(reconciled)
    assert all(each.result.reconciled for each in again)
    assert len(emulator.log.requests) == before


@pytest.mark.parametrize("make", [adds, runs])
async def test_what_had_not_been_done_is_sent(make, emulator, connect, journal, doubt):
    requests = make(emulator)
    await doubt(requests, done=False)

    batch = await connect().send_many(requests, journal=journal)

    assert [each.result.reconciled for each in batch.successes] == [False] * 8
    assert {each.attempts for each in batch} == {1}
    assert arrived(emulator) == 16
    assert set((emulator.log.configs + emulator.log.runs).values()) == {1}
    assert set(states(journal).values()) == {"DONE"}


async def test_what_had_been_done_in_part_is_completed(
    emulator, connect, journal, doubt
):
    run_test = emulator.world.run_test_ids[0]
    both = AddEvalConfigs(run_test, [config(emulator), config(emulator, "other")])
    await doubt([both], done=False)
    await connect().add_eval_configs(run_test, [config(emulator)])

    (outcome,) = await connect().send_many([both], journal=journal)

    created = outcome.result.created_eval_configs
    assert [each.name for each in created] == ["tone", "other"]
    (again,) = await connect().send_many([both], journal=journal)
    assert again.from_journal
    assert results([again]) == results([outcome])
    assert emulator.log.configs == {run_test: 2}


async def test_what_cannot_be_told_stays_unknown_and_says_what_was_seen(
    emulator, connect, journal, doubt
):
    requests = runs(emulator, 2)
    await doubt(requests, done=False)
    for each in requests:
        finish(emulator, each)
    before = arrived(emulator)

    for _ in range(2):
        batch = await connect().send_many(requests, journal=journal)

        assert [each.error.delivery for each in batch] == [Delivery.UNKNOWN] * 2
        for failure in batch.unknown:
            assert "an earlier batch sent this request" in str(failure.error)
            assert "of 2 results of these configs 0 are absent" in str(failure.error)
            assert failure.run_test_id in str(failure.error)
            assert failure.attempts == 0
        assert set(states(journal).values()) == {"UNKNOWN"}
    assert arrived(emulator) == before
    assert not emulator.log.runs


def finish(emulator, request):
    """Give all calls results, as earlier or later evaluations do."""
    run_test = emulator.world.run_tests.get(request.run_test_id)
    for execution, call in run_test.calls():
        execution.status = "completed"
        for each in request.eval_config_ids:
            call.eval_outputs[each] = {"output": "Passed"}


@pytest.mark.parametrize("done", [True, False])
async def test_without_reconciling_it_stays_unknown_and_is_not_sent(
    done, emulator, connect, journal, doubt
):
    requests = adds(emulator)
    await doubt(requests, done=done)
    before = len(emulator.log.requests)

    batch = await connect(retry=UNSETTLED).send_many(requests, journal=journal)

    assert len(batch.unknown) == 8
    assert {each.attempts for each in batch} == {0}
    assert len(emulator.log.requests) == before
    assert set(states(journal).values()) == {"UNKNOWN"}


@pytest.mark.parametrize("max_attempts", [1, 3])
async def test_whoever_asks_for_it_gets_it_sent_again(
    max_attempts, emulator, connect, journal, doubt
):
    requests = runs(emulator, 2)
    await doubt(requests, done=False)
    retry = RetryPolicy(reconcile=False, retry_unknown=True, max_attempts=max_attempts)

    batch = await connect(retry=retry).send_many(requests, journal=journal)

    assert len(batch.successes) == 2
    assert set(emulator.log.runs.values()) == {1}
    assert set(states(journal).values()) == {"DONE"}


async def test_a_refusal_of_what_is_sent_again_does_not_end_the_doubt(
    emulator, connect, journal, doubt
):
    requests = adds(emulator, 1)
    await doubt(requests, done=True)

    (outcome,) = await connect(retry=AT_ALL_COSTS).send_many(requests, journal=journal)

    assert "already exists" in str(outcome.error)
    assert outcome.error.delivery is Delivery.UNKNOWN
    assert states(journal) == {outcome.run_test_id: "UNKNOWN"}


async def test_what_a_person_calls_done_is_answered_from_the_journal(
    emulator, connect, journal, doubt
):
    requests = [*adds(emulator, 3)]
    batch = await doubt(requests, done=True)
    before = len(emulator.log.requests)
    with Journal.open(journal) as opened:
        for each in batch.unknown:
            opened.resolve(each, done=True)

    again = await connect().send_many(requests, journal=journal)

    for each in again:
        assert isinstance(each, Success)
        assert each.from_journal
        assert each.result.reconciled
        assert each.result.run_test_id == each.run_test_id
        assert "a person decided" in each.result.message
    assert len(emulator.log.requests) == before


async def test_what_a_person_calls_undone_is_sent_without_a_look(
    emulator, connect, journal, doubt
):
    requests = runs(emulator, 3)
    batch = await doubt(requests, done=False)
    emulator.log.clear()
    with Journal.open(journal) as opened:
        for each in batch:
            opened.resolve(each, done=False)

    again = await connect(retry=UNSETTLED).send_many(requests, journal=journal)

    assert len(again.successes) == 3
    assert {each.method for each in emulator.log.requests} == {"POST"}
    assert set(emulator.log.runs.values()) == {1}


async def added(emulator, connect, journal):
    """Configs that this journal saw created, and the requests that run them."""
    batch = await connect().add_eval_configs_many(
        emulator.world.run_test_ids[:2], [config(emulator)], journal=journal
    )
    return RunNewEvals.from_added(batch.raise_for_failures())


@pytest.fixture
def lose_answers(emulator, connect, journal):
    """Have runs done and finished without anybody learning of it."""

    async def lose(requests):
        emulator.faults.add("drop_after", endpoint=RUN)
        await connect(retry=UNSETTLED).send_many(requests, journal=journal)
        emulator.faults.clear()
        for each in requests:
            finish(emulator, each)

    return lose


async def test_finished_results_of_configs_made_through_the_journal_are_its_own(
    emulator, connect, journal, lose_answers
):
    requests = await added(emulator, connect, journal)
    await lose_answers(requests)

    batch = await connect().send_many(requests, journal=journal)

    assert [each.result.reconciled for each in batch.successes] == [True] * 2
    assert [each.result.call_execution_count for each in batch] == [2] * 2
    assert set(emulator.log.runs.values()) == {1}


async def test_finished_results_may_be_those_of_another_request_of_the_journal(
    emulator, connect, journal, lose_answers
):
    one, two = await added(emulator, connect, journal)
    other = RunNewEvals(
        one.run_test_id,
        one.eval_config_ids,
        select_all=True,
        enable_tool_evaluation=False,
    )
    await lose_answers([one, two])
    await connect().send_many([other], journal=journal)
    finish(emulator, other)

    batch = await connect().send_many([one, two], journal=journal)

    assert [type(each) for each in batch] == [Failure, Success]
    assert batch[0].error.delivery is Delivery.UNKNOWN


async def test_finished_results_of_configs_from_elsewhere_prove_nothing(
    emulator, connect, journal, lose_answers
):
    await added(emulator, connect, journal)
    requests = runs(emulator, 2)
    await lose_answers(requests)

    batch = await connect().send_many(requests, journal=journal)

    assert len(batch.unknown) == 2


@pytest.mark.parametrize("make", [adds, runs])
async def test_what_was_in_flight_when_it_was_cancelled_is_reconciled(
    make, emulator, connect, journal, eventually
):
    requests = make(emulator)
    emulator.faults.add("latency", seconds=60)
    work = asyncio.create_task(connect().send_many(requests, journal=journal))
    await eventually(lambda: emulator.log.in_flight == 8)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert set(states(journal).values()) == {"IN_FLIGHT"}
    emulator.faults.clear()

    batch = await connect().send_many(requests, journal=journal)

    assert len(batch.successes) == 8
    assert set((emulator.log.configs + emulator.log.runs).values()) == {1}


async def test_a_cancellation_while_the_outcome_is_written_loses_nothing(
    emulator, connect, journal, monkeypatch
):
    requests = adds(emulator, 1)
    record_outcome, writing = JournalWriter.record_outcome, asyncio.Event()

    async def slowly(*arguments):
        writing.set()
        await asyncio.sleep(60)
        await record_outcome(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(JournalWriter, "record_outcome", slowly)
        work = asyncio.create_task(connect().send_many(requests * 2, journal=journal))
        await writing.wait()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    (outcome,) = await connect().send_many(requests, journal=journal)

    assert outcome.result.reconciled
    assert set(emulator.log.configs.values()) == {1}


@pytest.fixture
def cancelled_with_four_in_flight(emulator, connect, journal, monkeypatch, eventually):
    """Cancel a batch of eight: half in flight, and half on disk before their turn."""
    intended = []
    intend = JournalWriter.record_intent

    async def counted(*args, **more):
        entry = await intend(*args, **more)
        intended.append(entry)
        return entry

    async def cancel(requests):
        emulator.faults.add("latency", seconds=60)
        with monkeypatch.context() as patch:
            patch.setattr(JournalWriter, "record_intent", counted)
            work = asyncio.create_task(
                connect().send_many(requests, journal=journal, max_concurrency=4)
            )
            await eventually(lambda: emulator.log.in_flight == 4 and len(intended) == 8)
            work.cancel()
            with pytest.raises(asyncio.CancelledError):
                await work
        emulator.faults.clear()

    return cancel


@pytest.mark.parametrize("make", [adds, runs])
async def test_what_was_cancelled_before_its_turn_is_in_no_doubt(
    make, emulator, connect, journal, cancelled_with_four_in_flight
):
    requests = make(emulator)
    await cancelled_with_four_in_flight(requests)

    left = Counter(each.state.name for each in entries(journal))
    assert left == {"IN_FLIGHT": 4, "FAILED": 4}
    assert {each.error for each in entries(journal)} == {
        None,
        "not sent: the batch was cancelled before it had a slot",
    }
    batch = await connect().send_many(requests, journal=journal)
    assert len(batch.successes) == 8
    assert set((emulator.log.configs + emulator.log.runs).values()) == {1}


async def test_a_doubt_outlives_a_cancellation_before_its_turn(
    emulator, journal, doubt, cancelled_with_four_in_flight
):
    requests = adds(emulator)
    await doubt(requests, done=True)

    await cancelled_with_four_in_flight(requests)

    assert set(states(journal).values()) == {"UNKNOWN"}


async def test_a_doubt_outlives_a_deadline_that_comes_before_its_turn(
    emulator, connect, journal, doubt, leap_when_served
):
    in_doubt = adds(emulator, 3)
    await doubt(in_doubt, done=True)
    client = connect(retry=UNSETTLED)
    leap_when_served(50.0)

    first = AddEvalConfigs(in_doubt[0].run_test_id, [config(emulator, "first")])
    batch = await client.send_many(
        [first, *in_doubt], journal=journal, max_concurrency=1, timeout=30
    )

    assert [type(each) for each in batch] == [Success] + [NotAttempted] * 3
    assert [each.state.name for each in entries(journal)] == ["UNKNOWN"] * 3 + ["DONE"]


@pytest.fixture
async def behind_another(emulator, doubt):
    """A request in doubt, behind one for the same run test that is never answered."""
    (in_doubt,) = adds(emulator, 1)
    await doubt([in_doubt], done=True)
    emulator.faults.add("latency", seconds=60)
    return [AddEvalConfigs(in_doubt.run_test_id, [config(emulator, "first")]), in_doubt]


@pytest.fixture
def until_one_waits(emulator, eventually):
    """Wait until one request is in flight and another waits for its turn."""

    async def wait(client):
        await eventually(lambda: emulator.log.in_flight == 1)
        await eventually(
            lambda: any(client._transport._resources.run_test_locks._waiting.values())
        )

    return wait


@pytest.mark.parametrize("retry", [SETTLING, AT_ALL_COSTS])
async def test_a_doubt_outlives_a_client_that_closes_before_its_turn(
    retry, connect, journal, behind_another, until_one_waits
):
    client = connect(retry=retry)
    work = asyncio.create_task(client.send_many(behind_another, journal=journal))
    await until_one_waits(client)

    await client.aclose()
    batch = await work

    assert isinstance(batch[0].error, ClientClosedError)
    assert len(batch.unknown) == 2
    assert [each.state.name for each in entries(journal)] == ["UNKNOWN"] * 2


async def test_what_was_found_undone_and_then_refused_is_known_not_to_be_done(
    emulator, connect, journal, doubt
):
    requests = adds(emulator, 1)
    await doubt(requests, done=False)
    emulator.faults.add("status", status=429, retry_after=99, endpoint=ADD)

    (outcome,) = await connect().send_many(requests, journal=journal)

    assert outcome.error.delivery is Delivery.REJECTED
    assert states(journal) == {outcome.run_test_id: "FAILED"}


async def test_an_equal_request_in_doubt_is_reconciled_once(
    emulator, connect, journal, doubt
):
    (request,) = adds(emulator, 1)
    await doubt([request], done=True)
    emulator.log.clear()

    batch = await connect().send_many([request] * 3, journal=journal)

    assert [each.result.reconciled for each in batch] == [True] * 3
    assert [each.from_journal for each in batch] == [False, True, True]
    assert len(emulator.log.requests) == 2


def test_the_blocking_client_reconciles_as_well(emulator, connect_blocking, journal):
    requests = adds(emulator)
    emulator.faults.add("drop_after", endpoint=ADD)
    lost = connect_blocking(retry=UNSETTLED).send_many(requests, journal=journal)
    assert len(lost.unknown) == 8
    emulator.faults.clear()

    with connect_blocking().stream(requests, journal=journal) as outcomes:
        reconciled = [each.result.reconciled for each in outcomes]

    assert reconciled == [True] * 8
    assert set(emulator.log.configs.values()) == {1}


async def test_a_name_that_somebody_else_took_meanwhile_is_a_conflict(
    emulator, connect, journal, doubt
):
    requests = adds(emulator, 1)
    await doubt(requests, done=False)
    other = EvalConfig(emulator.world.template_ids[1], "tone")
    await connect().add_eval_configs(requests[0].run_test_id, [other])

    (outcome,) = await connect().send_many(requests, journal=journal)

    assert outcome.error.existing == ("tone",)
    assert outcome.error.delivery is Delivery.REJECTED
    assert states(journal) == {outcome.run_test_id: "FAILED"}


async def test_a_look_waits_from_the_moment_the_journal_was_opened(
    emulator, connect, journal, doubt, when_served
):
    requests = adds(emulator, 1)
    await doubt(requests, done=True)
    loop, looks = asyncio.get_running_loop(), []
    when_served(lambda _: looks.append(loop.time()))

    begun = loop.time()
    await connect(retry=RetryPolicy(reconcile_after=0.3)).send_many(
        requests, journal=journal
    )

    assert looks[0] - begun >= 0.3
