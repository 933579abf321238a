"""Early stops: deadlines, interruptions, cancellation, and closed clients."""

from __future__ import annotations

import asyncio
import signal
import threading
import time

import pytest

from futureagi_async import (
    ClientClosedError,
    Delivery,
    EvaluationInterruptedError,
    EvaluationStatus,
    NotAttemptedError,
    Timeout,
)
from futureagi_async.evaluation import pipeline


AT_ONCE = {"timeout": 60, "poll_interval": 0.01}
NEVER = {"timeout": 3600, "poll_interval": 600}
"""Whoever waits for the first round here waits too long."""

ENDLESS = Timeout(read=None, total=None)

SCORED = EvaluationStatus.SCORED
PENDING = EvaluationStatus.PENDING


def states(report):
    return [each.status for each in report]


@pytest.fixture
def under_way(leave):
    """Have evaluations that are started stay under way."""
    leave("accept")


@pytest.mark.parametrize("rerun", [False, True])
def test_after_the_deadline_nothing_is_started(
    call, emulator, run_test_ids, configs, rerun
):
    report = call("evaluate", run_test_ids, configs, timeout=1e-9, rerun=rerun)

    assert states(report) == [EvaluationStatus.NOT_ATTEMPTED] * 8
    assert {type(each.error) for each in report} == {NotAttemptedError}
    assert "the deadline of the batch has passed" in report[0].reason
    assert not emulator.log.counts


async def test_a_deadline_before_the_start_is_reported_with_what_was_done(
    connect, emulator, configs, leap_when_served
):
    leap_when_served("eval-configs")

    async with connect(timeout=ENDLESS) as client:
        (end,) = await client.evaluate(
            emulator.world.run_test_ids[:1], configs, timeout=500
        )

    assert end.status is EvaluationStatus.FAILED
    assert isinstance(end.error, NotAttemptedError)
    assert [each.eval_config_id is not None for each in end.configs] == [True] * 3
    assert end.requests == 0
    assert not emulator.log.runs


@pytest.mark.usefixtures("under_way")
async def test_run_tests_after_the_deadline_are_not_attempted(
    connect, emulator, configs, leap_when_served
):
    leap_when_served("run-new-evals")

    async with connect(timeout=ENDLESS) as client:
        report = await client.evaluate(
            iter(emulator.world.run_test_ids), configs, timeout=500, max_concurrency=1
        )

    assert states(report) == [PENDING] + [EvaluationStatus.NOT_ATTEMPTED] * 7
    assert report[0].requests == 1
    assert sum(emulator.log.runs.values()) == 1


@pytest.mark.usefixtures("under_way")
async def test_a_run_test_read_after_the_deadline_is_in_the_report(
    connect, emulator, configs, leap, eventually
):
    ids, go_on = emulator.world.run_test_ids, asyncio.Event()

    async def given():
        yield ids[0]
        await go_on.wait()
        yield ids[1]

    async with connect(timeout=ENDLESS) as client:
        task = asyncio.create_task(client.evaluate(given(), configs, **NEVER))
        await eventually(lambda: emulator.log.runs)
        leap(NEVER["timeout"])
        go_on.set()
        report = await task

    assert states(report) == [PENDING, EvaluationStatus.NOT_ATTEMPTED]


@pytest.mark.usefixtures("under_way")
async def test_a_start_in_flight_at_the_deadline_is_finished_and_pending(
    connect, emulator, leap, when_served, eventually
):
    configs = [{"template_id": emulator.world.template_ids[0]}]
    leapt, may_be_served = threading.Event(), threading.Event()

    def take_long(_):
        leap(1000)
        leapt.set()
        may_be_served.wait(60)

    when_served(take_long, "run-new-evals")

    async with connect(timeout=ENDLESS) as client:
        ids = emulator.world.run_test_ids[:1]
        task = asyncio.create_task(client.evaluate(ids, configs, timeout=500))
        await eventually(leapt.is_set)
        # Whatever waits for the deadline has its turn now.
        for _ in range(10):
            await asyncio.sleep(0)
        may_be_served.set()
        (end,) = await task

    assert end.status is PENDING
    assert end.requests == 1


@pytest.mark.usefixtures("under_way")
def test_an_iterable_that_raises_interrupts_and_the_report_has_everything_started(
    call, emulator, run_test_ids, configs
):
    def given():
        yield from run_test_ids[:3]
        raise ValueError("row 4 is broken")

    with pytest.raises(EvaluationInterruptedError, match="row 4 is broken") as caught:
        call("evaluate", given(), configs, **NEVER)

    report = caught.value.report
    assert isinstance(caught.value.__cause__, ValueError)
    assert [each.run_test_id for each in report] == run_test_ids[:3]
    assert set(states(report)) == {PENDING}
    assert "the evaluation was interrupted" in report[0].reason
    assert [each.requests for each in report] == [1, 1, 1]
    assert emulator.log.runs == dict.fromkeys(run_test_ids[:3], 1)


@pytest.mark.usefixtures("under_way")
def test_an_async_iterable_that_raises_interrupts(call, run_test_ids, configs):
    async def given():
        for each in run_test_ids[:2]:
            yield each
        raise ValueError("row 3 is broken")

    with pytest.raises(EvaluationInterruptedError, match="row 3 is broken") as caught:
        call("evaluate", given(), configs, **NEVER)

    assert len(caught.value.report) == 2


def test_a_stream_whose_iterable_raises_returns_what_was_read_and_then_raises(
    client, run_test_ids, configs
):
    def given():
        yield from run_test_ids[:3]
        raise ValueError("row 4 is broken")

    ends = []
    with (
        pytest.raises(EvaluationInterruptedError, match="row 4 is broken"),
        client.stream_evaluations(given(), configs, **AT_ONCE) as stream,
    ):
        ends.extend(stream)

    assert len(ends) == 3


@pytest.mark.usefixtures("under_way")
def test_a_stream_whose_iterable_raises_reports_what_was_under_way(
    client, emulator, run_test_ids, configs
):
    def given():
        yield from run_test_ids[:3]
        raise ValueError("row 4 is broken")

    ends = []
    with (
        pytest.raises(EvaluationInterruptedError, match="row 4 is broken") as caught,
        client.stream_evaluations(given(), configs, **NEVER) as stream,
    ):
        ends.extend(stream)

    report = caught.value.report
    assert list(report) == ends
    assert {each.run_test_id for each in report} == set(run_test_ids[:3])
    assert {each.requests for each in report} == {1}
    assert isinstance(caught.value.__cause__, ValueError)


async def test_a_stream_that_is_interrupted_forgets_what_was_finished_before(
    connect, run_test_ids, configs
):
    may_raise = asyncio.Event()

    async def given():
        for each in run_test_ids[:3]:
            yield each
        await may_raise.wait()
        raise ValueError("row 4 is broken")

    ends = []
    async with connect() as client:
        with pytest.raises(EvaluationInterruptedError) as caught:
            async with client.stream_evaluations(given(), configs, **AT_ONCE) as stream:
                async for each in stream:
                    ends.append(each)
                    if len(ends) == 3:
                        may_raise.set()

    assert len(ends) == 3
    assert len(caught.value.report) == 0


@pytest.mark.parametrize("when", ["it begins to wait", "it ends"])
def test_on_progress_that_raises_interrupts(
    call, emulator, run_test_ids, configs, when
):
    def tell(progress):
        if (progress.latest is None) is (when == "it begins to wait"):
            raise ValueError("the bar is broken")

    with pytest.raises(EvaluationInterruptedError, match="the bar is broken") as caught:
        call("evaluate", iter(run_test_ids), configs, on_progress=tell, **AT_ONCE)

    assert isinstance(caught.value.__cause__, ValueError)
    told = {each.run_test_id: each.requests for each in caught.value.report}
    assert told == emulator.log.runs
    assert told


async def test_no_more_is_read_after_on_progress_raised(connect, run_test_ids, configs):
    read = []

    def given():
        for each in run_test_ids:
            read.append(each)
            yield each

    def tell(_):
        raise ValueError("the bar is broken")

    async with connect() as client:
        with pytest.raises(EvaluationInterruptedError) as caught:
            await client.evaluate(
                given(), configs, on_progress=tell, max_concurrency=1, **AT_ONCE
            )

    assert read == run_test_ids[:1]
    assert len(caught.value.report) == 1


@pytest.mark.usefixtures("under_way")
async def test_a_pause_is_cut_short_when_on_progress_raises(
    connect, run_test_ids, configs
):
    def tell(_):
        raise ValueError("the bar is broken")

    async with connect() as client, asyncio.timeout(60):
        with pytest.raises(EvaluationInterruptedError) as caught:
            await client.evaluate(run_test_ids[:2], configs, on_progress=tell, **NEVER)

    assert set(states(caught.value.report)) == {PENDING}


@pytest.mark.usefixtures("under_way")
async def test_a_pause_is_cut_short_when_the_keys_stop_working(
    connect, emulator, run_test_ids, configs
):
    async def given():
        yield run_test_ids[0]
        while not emulator.log.runs:
            await asyncio.sleep(0.001)
        emulator.faults.add("status", status=401)
        yield run_test_ids[1]

    async with connect() as client, asyncio.timeout(60):
        report = await client.evaluate(given(), configs, **NEVER)

    assert states(report) == [PENDING, EvaluationStatus.FAILED]
    assert "the batch was stopped by: 401" in report[0].reason


@pytest.mark.usefixtures("under_way")
async def test_closing_the_client_ends_the_wait_and_reports_what_was_started(
    connect, emulator, run_test_ids, configs, eventually
):
    client, told = connect(), []
    task = asyncio.create_task(
        client.evaluate(run_test_ids[:2], configs, on_progress=told.append, **NEVER)
    )
    await eventually(lambda: told and told[-1].waiting == 2)

    await client.aclose()
    async with asyncio.timeout(60):
        report = await task

    assert states(report) == [PENDING, PENDING]
    assert report[0].reason.startswith(
        "not waited for any longer: the client was closed"
    )
    assert emulator.log.runs == dict.fromkeys(run_test_ids[:2], 1)


async def test_on_a_closed_client_nothing_is_paused_for(connect):
    client = connect()
    await client.aclose()

    async with asyncio.timeout(60):
        await client._transport.wait(asyncio.Event(), 3600)


async def test_a_start_in_flight_when_the_client_is_closed_stays_unknown(
    connect, emulator, run_test_ids, configs, eventually
):
    fault = emulator.faults.add("latency", seconds=600, endpoint="run_new_evals")
    client = connect()
    task = asyncio.create_task(client.evaluate(run_test_ids[:1], configs, **NEVER))
    await eventually(lambda: fault.hits)

    await client.aclose()
    async with asyncio.timeout(60):
        (end,) = await task

    assert end.status is EvaluationStatus.FAILED
    assert isinstance(end.error, ClientClosedError)
    assert end.error.delivery is Delivery.UNKNOWN


@pytest.mark.usefixtures("under_way")
def test_closing_the_blocking_client_ends_the_wait_of_another_thread(
    client, emulator, run_test_ids, configs
):
    waits, reports = threading.Event(), []

    def tell(progress):
        if progress.waiting == 2:
            waits.set()

    def evaluate():
        reports.append(
            client.evaluate(run_test_ids[:2], configs, on_progress=tell, **NEVER)
        )

    thread = threading.Thread(target=evaluate, daemon=True)
    thread.start()
    assert waits.wait(60)

    client.close()
    thread.join(60)

    assert states(reports[0]) == [PENDING, PENDING]


@pytest.mark.usefixtures("under_way")
def test_closing_the_blocking_client_ends_a_stream(
    client, emulator, run_test_ids, configs
):
    with client.stream_evaluations(iter(run_test_ids), configs, **NEVER) as stream:

        def close_when_all_are_under_way():
            while (
                len(emulator.log.runs) < len(run_test_ids) or not stream._source._ended
            ):
                time.sleep(0.002)
            client.close()

        threading.Thread(target=close_when_all_are_under_way, daemon=True).start()

        ends = list(stream)

    assert set(states(ends)) <= {
        PENDING,
        EvaluationStatus.FAILED,
        EvaluationStatus.NOT_ATTEMPTED,
    }
    assert all(each.reason for each in ends)


def test_a_client_that_is_closed_evaluates_nothing(
    call, client, connect, run_test_ids, configs
):
    client.close()
    with pytest.raises(ClientClosedError):
        client.evaluate(run_test_ids, configs, **AT_ONCE)

    async def closed():
        async with connect() as twin:
            pass
        await twin.evaluate(run_test_ids, configs, **AT_ONCE)

    with pytest.raises(ClientClosedError):
        asyncio.run(closed())


@pytest.mark.usefixtures("under_way")
async def test_cancelling_leaves_nothing_running(
    connect, emulator, run_test_ids, configs, eventually
):
    async with connect() as client:
        task = asyncio.create_task(
            client.evaluate(run_test_ids, configs, timeout=60, poll_interval=0.005)
        )
        await eventually(lambda: len(emulator.log.runs) == 8)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: emulator.log.in_flight == 0)

        assert asyncio.all_tasks() == {asyncio.current_task()}
        # The client works on, and what was started is only waited for.
        report = await client.evaluate(run_test_ids, configs, timeout=None, wait=False)

    assert {each.status for each in report} == {EvaluationStatus.STARTED}
    assert emulator.log.runs == dict.fromkeys(run_test_ids, 1)


@pytest.mark.usefixtures("under_way")
async def test_cancelling_during_a_poll_cancels_the_evaluation(
    connect, run_test_ids, configs, monkeypatch
):
    polled = asyncio.Event()

    async def look_for_ever(read, watched, now):
        polled.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(pipeline, "poll_once", look_for_ever)
    async with connect() as client:
        task = asyncio.create_task(client.evaluate(run_test_ids, configs, **AT_ONCE))
        await polled.wait()
        task.cancel()

        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.fixture
def interruptible():
    """Have Ctrl-C interrupt, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("under_way", "interruptible")
def test_ctrl_c_ends_a_blocking_evaluation(client, emulator, run_test_ids, configs):
    def tell(progress):
        if progress.waiting == 8:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        client.evaluate(run_test_ids, configs, on_progress=tell, **NEVER)

    assert emulator.log.runs == dict.fromkeys(run_test_ids, 1)
    assert len(list(client.list_run_tests())) == 8


async def test_leaving_a_stream_early_cancels_what_is_in_flight(
    connect, emulator, run_test_ids, configs, eventually
):
    async with connect() as client:
        async with client.stream_evaluations(
            run_test_ids, configs, max_in_progress=2, **AT_ONCE
        ) as ends:
            first = await anext(ends)
        await eventually(lambda: emulator.log.in_flight == 0)
        with pytest.raises(StopAsyncIteration):
            while True:
                await anext(ends)

    assert first.status is SCORED
    assert len(emulator.log.runs) < 8


def test_leaving_a_blocking_stream_early_cancels_what_is_in_flight(
    client, emulator, run_test_ids, configs
):
    with client.stream_evaluations(
        run_test_ids, configs, max_in_progress=2, **AT_ONCE
    ) as ends:
        assert next(ends).status is SCORED

    assert len(emulator.log.runs) < 8


async def test_a_stream_that_is_not_read_starts_no_more_than_max_in_progress(
    connect, emulator, run_test_ids, configs, eventually
):
    read = []

    def given():
        for each in run_test_ids:
            read.append(each)
            yield each

    async with (
        connect() as client,
        client.stream_evaluations(
            given(), configs, max_in_progress=2, **AT_ONCE
        ) as ends,
    ):
        await eventually(lambda: len(emulator.log.runs) == 2)
        await eventually(lambda: len(ends._buffer) == 2)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(read) == 2
        assert len([each async for each in ends]) == 8


def test_a_blocking_stream_with_one_slot_is_read_to_its_end(
    client, run_test_ids, configs
):
    with client.stream_evaluations(
        iter(run_test_ids), configs, max_in_progress=1, **AT_ONCE
    ) as ends:
        assert [each.status for each in ends] == [SCORED] * 8


@pytest.mark.parametrize("options", [{}, {"rerun": True}, {"latest_executions": 1}])
def test_a_stream_has_the_evaluations_of_a_report(
    call, emulator, run_test_ids, configs, options
):
    ends = call("stream_evaluations", run_test_ids, configs, **options, **AT_ONCE)

    assert {each.run_test_id for each in ends} == set(run_test_ids)
    assert {each.status for each in ends} == {SCORED}
    assert emulator.log.runs == dict.fromkeys(run_test_ids, 1)


def test_a_stream_without_wait_returns_what_was_started(call, run_test_ids, configs):
    ends = call("stream_evaluations", run_test_ids, configs, timeout=None, wait=False)

    assert {each.status for each in ends} == {EvaluationStatus.STARTED}


def test_a_stream_with_a_journal_runs_nothing_twice(
    call, emulator, run_test_ids, configs, journal
):
    options = {"journal": journal, "rerun": True, **AT_ONCE}

    call("stream_evaluations", run_test_ids, configs, **options)
    call("stream_evaluations", run_test_ids, configs, **options)

    assert emulator.log.runs == dict.fromkeys(run_test_ids, 1)


@pytest.mark.parametrize("error", [ZeroDivisionError, asyncio.CancelledError])
def test_an_unexpected_exception_fails_one_run_test_only(
    call, run_test_ids, configs, monkeypatch, *, leave, error
):
    leave("run", 0.01)
    look = pipeline.poll_once

    async def look_or_break(read, watched, now):
        if watched.run_test_id == run_test_ids[1]:
            raise error("a defect")
        return await look(read, watched, now)

    monkeypatch.setattr(pipeline, "poll_once", look_or_break)

    report = call("evaluate", run_test_ids[:3], configs, **AT_ONCE)

    assert states(report) == [SCORED, EvaluationStatus.FAILED, SCORED]
    assert f"{error.__name__}: a defect" in report[1].reason
    assert report[1].error.delivery is Delivery.UNKNOWN
