"""A journaled batch that ends before its time: nothing runs on, the journal is true."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import urllib.request

import pytest
from recorded_requests import ADD, adds, states

from futureagi_async import (
    BatchInterruptedError,
    ClientClosedError,
    Delivery,
    JournalError,
    RetryPolicy,
    Success,
)


PATIENT = RetryPolicy(reconcile_after=0.2)
"""Reconciling that leaves time to arrive for what was on the wire when it was cut off."""


class StopError(Exception):
    """What a caller raises."""


@pytest.fixture
def half_stuck(emulator):
    """Have the service never answer for half of the run tests, nor do the work."""
    stuck = emulator.world.run_test_ids[4:]
    for each in stuck:
        emulator.faults.add("latency", seconds=60, run_test_id=each)
    return stuck


@pytest.fixture
def assert_true(emulator, journal, half_stuck, connect_blocking):
    """Hold the journal against what was done, and do the rest."""

    def check():
        told = states(journal)
        assert {each for each in told if told[each] == "DONE"} == set(
            emulator.log.configs
        )
        assert not {"DONE", "FAILED"} & {told.get(each) for each in half_stuck}
        emulator.faults.clear()
        # The journal is free at once, and what is missing gets done.
        batch = connect_blocking().send_many(adds(emulator), journal=journal)
        assert len(batch.successes) == 8
        assert emulator.log.configs == dict.fromkeys(emulator.world.run_test_ids, 1)

    return check


def nothing_runs(client):
    resources = client._transport._resources  # none before the first call
    return asyncio.all_tasks() == {asyncio.current_task()} and not (
        resources and (resources.timeouts._active or resources.run_test_locks._waiting)
    )


async def test_cancelling_a_batch_leaves_nothing_running_and_a_true_journal(
    emulator, connect, journal, eventually, assert_true
):
    client, seen = connect(), []
    work = asyncio.create_task(
        client.send_many(adds(emulator), journal=journal, on_outcome=seen.append)
    )
    await eventually(lambda: len(seen) == 4 and emulator.log.in_flight == 4)

    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert nothing_runs(client)
    assert_true()


async def test_a_timeout_around_a_batch_is_such_a_cancellation(
    emulator, connect, journal, eventually, assert_true
):
    client, seen = connect(), []
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(None) as limit:

            def end(outcome):
                seen.append(outcome)
                if len(seen) == 4:
                    limit.reschedule(0)

            await client.send_many(adds(emulator), journal=journal, on_outcome=end)

    assert nothing_runs(client)
    assert_true()


async def test_cancelling_twice_leaves_nothing_running_either(
    emulator, connect, journal, eventually, assert_true
):
    client, seen = connect(), []
    work = asyncio.create_task(
        client.send_many(adds(emulator), journal=journal, on_outcome=seen.append)
    )
    await eventually(lambda: len(seen) == 4 and emulator.log.in_flight == 4)

    work.cancel()
    await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert nothing_runs(client)
    # Nobody waited for the thread of the journal, so it may need a moment.
    await eventually(
        lambda: "futureagi-journal" not in {each.name for each in threading.enumerate()}
    )
    assert_true()


async def test_a_batch_may_be_cancelled_in_any_round_of_the_loop(
    emulator, connect, journal
):
    client = connect(retry=PATIENT)
    for rounds in range(0, 40, 2):
        work = asyncio.create_task(
            client.send_many(adds(emulator), journal=journal, max_concurrency=2)
        )
        for _ in range(rounds):
            await asyncio.sleep(0)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert nothing_runs(client)
        # One that was cancelled before it held the journal lets go of it later.
        await asyncio.to_thread(wait_for_journal_threads)
        await asyncio.to_thread(wait_for_what_was_sent, emulator)

    batch = await client.send_many(adds(emulator), journal=journal)

    assert len(batch.successes) == 8
    assert emulator.log.configs == dict.fromkeys(emulator.world.run_test_ids, 1)


def wait_for_what_was_sent(emulator):
    """Wait until the service has taken what was cut off on its way to it.

    It takes connections, and what comes through them, one after the other.
    """
    urllib.request.urlopen(f"{emulator.url}/health/").close()


def wait_for_journal_threads():
    for each in threading.enumerate():
        if each.name == "futureagi-journal":
            each.join(60)


async def test_leaving_a_stream_early_leaves_a_true_journal(
    emulator, connect, journal, eventually, assert_true
):
    client = connect()
    async with client.stream(adds(emulator), journal=journal) as outcomes:
        for _ in range(4):
            assert isinstance(await anext(outcomes), Success)
        await eventually(lambda: emulator.log.in_flight == 4)

    assert nothing_runs(client)
    assert_true()


async def test_an_exception_in_the_body_comes_through_and_leaves_a_true_journal(
    emulator, connect, journal, eventually, assert_true
):
    client, seen = connect(), []
    with pytest.raises(StopError):
        async with client.stream(adds(emulator), journal=journal) as outcomes:
            async for outcome in outcomes:
                seen.append(outcome)
                if len(seen) == 4:
                    raise StopError

    assert nothing_runs(client)
    assert_true()


async def test_outcomes_that_nobody_read_are_in_the_journal(
    emulator, connect, journal, eventually
):
    async with connect().stream(adds(emulator), journal=journal) as outcomes:
        await anext(outcomes)
        await eventually(lambda: list(states(journal).values()).count("DONE") == 8)

    batch = await connect().send_many(adds(emulator), journal=journal)
    assert [each.from_journal for each in batch] == [True] * 8


async def test_cancelling_the_reader_of_a_stream_leaves_a_true_journal(
    emulator, connect, journal, eventually, assert_true
):
    client, seen = connect(), []

    async def read():
        async with client.stream(adds(emulator), journal=journal) as outcomes:
            while True:
                seen.append(await anext(outcomes))

    work = asyncio.create_task(read())
    await eventually(lambda: len(seen) == 4 and emulator.log.in_flight == 4)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    assert nothing_runs(client)
    assert_true()


async def test_closing_the_client_ends_a_batch_with_a_true_journal(
    emulator, connect, journal, eventually, assert_true
):
    client, seen = connect(), []
    work = asyncio.create_task(
        client.send_many(adds(emulator), journal=journal, on_outcome=seen.append)
    )
    await eventually(lambda: len(seen) == 4 and emulator.log.in_flight == 4)

    await client.aclose()
    batch = await work

    assert_cut_off(batch)
    assert nothing_runs(client)
    await asyncio.to_thread(assert_true)


def assert_cut_off(outcomes):
    failures = [each for each in outcomes if not isinstance(each, Success)]
    assert len(outcomes) == 8
    assert {type(each.error) for each in failures} == {ClientClosedError}
    assert [each.error.delivery for each in failures] == [Delivery.UNKNOWN] * 4


async def test_an_exception_of_on_outcome_lets_what_is_in_flight_end_in_the_journal(
    emulator, connect, journal
):
    def stop(outcome):
        raise StopError

    requests = (each for each in adds(emulator))
    with pytest.raises(BatchInterruptedError) as caught:
        await connect().send_many(
            requests, journal=journal, on_outcome=stop, max_concurrency=2
        )

    told = states(journal)
    assert set(told.values()) == {"DONE"}
    assert set(told) == set(emulator.log.configs)
    assert {each.run_test_id for each in caught.value.batch.successes} == set(told)
    again = await connect().send_many(adds(emulator), journal=journal)
    assert len(again.successes) == 8
    assert set(emulator.log.configs.values()) == {1}


async def test_an_input_that_raises_leaves_the_journal_free(emulator, connect, journal):
    def requests():
        yield from adds(emulator, 3)
        raise StopError

    with pytest.raises(BatchInterruptedError):
        await connect().send_many(requests(), journal=journal)

    batch = await connect().send_many(adds(emulator), journal=journal)
    assert [each.from_journal for each in batch] == [True] * 3 + [False] * 5


def closing_in_a_thread(client, wait, condition):
    def close():
        wait(condition)
        client.close()

    thread = threading.Thread(target=close)
    thread.start()
    return thread


def test_closing_from_another_thread_ends_a_batch_with_a_true_journal(
    emulator, connect_blocking, journal, eventually_blocking, assert_true
):
    client, seen = connect_blocking(), []
    thread = closing_in_a_thread(
        client,
        eventually_blocking,
        lambda: len(seen) == 4 and emulator.log.in_flight == 4,
    )

    batch = client.send_many(adds(emulator), journal=journal, on_outcome=seen.append)
    thread.join()

    assert_cut_off(batch)
    assert_true()


def test_closing_from_another_thread_ends_a_stream_with_a_true_journal(
    emulator, connect_blocking, journal, eventually_blocking, assert_true
):
    client, seen = connect_blocking(), []
    note = seen.append
    thread = closing_in_a_thread(
        client,
        eventually_blocking,
        lambda: len(seen) == 4 and emulator.log.in_flight == 4,
    )

    # It depends on the moment whether the end of the input was seen by then.
    with (
        contextlib.suppress(BatchInterruptedError),
        client.stream(adds(emulator), journal=journal) as outcomes,
    ):
        for outcome in outcomes:
            note(outcome)
    thread.join()

    assert_cut_off(seen)
    assert_true()


@pytest.mark.parametrize("error", [StopError, None])
def test_leaving_a_blocking_stream_leaves_a_true_journal(
    error, emulator, connect_blocking, journal, assert_true
):
    client, seen = connect_blocking(), []

    def read():
        with client.stream(adds(emulator), journal=journal) as outcomes:
            for outcome in outcomes:
                seen.append(outcome)
                if len(seen) == 4:
                    if error is not None:
                        raise error
                    break

    if error is None:
        read()
    else:
        with pytest.raises(error):
            read()

    assert all(isinstance(each, Success) for each in seen)
    assert_true()


async def test_a_journal_that_is_held_is_free_when_its_batch_is_cancelled(
    emulator, connect, journal, eventually
):
    emulator.faults.add("latency", seconds=60, endpoint=ADD)
    client = connect()
    work = asyncio.create_task(client.send_many(adds(emulator), journal=journal))
    await eventually(lambda: emulator.log.in_flight == 8)
    with pytest.raises(JournalError, match="being written already"):
        await client.send_many(adds(emulator), journal=journal)

    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work

    emulator.faults.clear()
    batch = await client.send_many(adds(emulator), journal=journal)
    assert len(batch.successes) == 8
