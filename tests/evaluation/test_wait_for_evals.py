"""Waiting for evaluations, regardless of who started them."""

from __future__ import annotations

import uuid

import pytest

from futureagi_async import (
    Delivery,
    EvaluationStatus,
    NotFoundError,
    ServerError,
    Timeout,
)
from futureagi_async.emulator.rows import Call, Execution
from futureagi_async.emulator.rules.phases import start_pending_evaluations
from futureagi_async.endpoints import execution_calls
from futureagi_async.evaluation import poller


NOWHERE = "99999999-9999-4999-8999-999999999999"
LONG = {"timeout": 60, "poll_interval": 0.01}

ATTEMPTS = 3
"""How often each reading is tried before it is a failure."""


def states(report):
    return [each.status for each in report]


@pytest.fixture
def started(client, run_test_ids, configs, leave):
    """Evaluations of all run tests that take a moment."""
    leave("run", 0.03)
    client.evaluate(run_test_ids, configs, timeout=None, wait=False)
    return run_test_ids


def test_started_evaluations_are_waited_for_and_scored_as_by_the_service(
    call, client, started, configs
):
    report = call("wait_for_evals", started, **LONG)

    assert states(report) == [EvaluationStatus.SCORED] * 8
    for each in report:
        summary = client.get_eval_summary(each.run_test_id)
        assert {c.eval_config_id: c.scores for c in each.configs} == {
            c.id: c.scores for c in summary.configs
        }
        assert sorted(c.name for c in each.configs) == ["contains", "mood", "similar"]
        assert {c.origin for c in each.configs} == {None}
        assert (each.executions, each.requests) == (2, 0)
        assert (each.calls_counted, each.calls_not_counted) == (4, {})


@pytest.fixture
def only_the_list(monkeypatch):
    """Have calls read from their list, as where the lighter endpoint fails."""

    async def fail(*_):
        raise ServerError("no", status_code=500, delivery=Delivery.REJECTED)

    monkeypatch.setattr(execution_calls, "_read_light", fail)


@pytest.mark.usefixtures("only_the_list")
def test_calls_pushed_onto_later_pages_are_counted_once(
    call, client, run_tests, configs, when_served
):
    run_test = run_tests[0]
    old, new = run_test.executions[-1], []
    old.calls += [Call(str(uuid.uuid4())) for _ in range(250 - len(old.calls))]
    run_test.executions[:] = [old]
    client.evaluate([run_test.id], configs, **LONG)

    def begin_another(request):
        if "page=2" in request.query and not new:
            ongoing = [Call(str(uuid.uuid4()), status="ongoing") for _ in range(150)]
            new.append(Execution(str(uuid.uuid4()), status="running", calls=ongoing))
            run_test.executions.extend(new)

    when_served(begin_another, "call-executions", times=9)
    (end,) = call("wait_for_evals", [run_test.id], **LONG)

    assert len(new) == 1
    assert {each.evaluated for each in end.configs} == {250}
    summary = client.get_eval_summary(run_test.id)
    assert {each.eval_config_id: each.scores for each in end.configs} == {
        each.id: each.scores for each in summary.configs
    }


def test_every_run_test_is_named(call, client, started):
    given = [*client.list_run_tests(), client.get_run_test(started[0]), started[0]]

    report = call("wait_for_evals", given, **LONG)

    assert [each.run_test_name for each in report] == [
        *(f"run test {number}" for number in range(7, -1, -1)),
        "run test 0",
        "run test 0",
    ]


def test_nothing_is_written(call, emulator, started):
    emulator.log.clear()

    call("wait_for_evals", iter(started), **LONG)

    assert {each.method for each in emulator.log.requests} == {"GET"}


def test_progress_is_reported(call, started):
    told = []

    call("wait_for_evals", started, on_progress=told.append, **LONG)

    assert (told[-1].read, told[-1].finished, told[-1].scored) == (8, 8, 8)


def test_a_finished_run_test_is_read_once(call, client, emulator, started):
    client.wait_for_evals(started, **LONG)
    emulator.log.clear()

    call("wait_for_evals", started[:1], **LONG)

    counts = emulator.log.counts
    assert counts["executions", 200] <= 1
    assert counts["call_executions", 200] <= 1
    assert counts.total() <= 4


async def test_a_read_is_cut_off_at_the_deadline(
    connect, run_test_ids, leap_when_served
):
    leap_when_served("executions")

    async with connect(timeout=Timeout(read=None, total=None)) as client:
        (end,) = await client.wait_for_evals(run_test_ids[:1], timeout=500)

    assert end.status is EvaluationStatus.NOT_ATTEMPTED
    assert "before the response came" in end.reason


def test_a_run_test_under_way_at_the_deadline_is_pending(
    call, leap_when_seen, under_way
):
    leap_when_seen(1)

    (end,) = call("wait_for_evals", [under_way], timeout=3600, poll_interval=0.01)

    assert end.status is EvaluationStatus.PENDING
    assert end.reason.startswith(
        "not waited for any longer: the deadline of the batch has passed; execution "
    )
    assert end.reason.count("2 completed of 2 calls, 6 results pending") == 2
    assert {each.pending for each in end.configs} == {4}


def test_prepared_evaluations_that_were_never_started_are_not_waited_for(
    call, client, emulator, run_test_ids, configs
):
    emulator.faults.add("dispatch", endpoint="run_new_evals")
    client.evaluate(run_test_ids[:1], configs, **LONG)

    (end,) = call("wait_for_evals", run_test_ids[:1], **LONG)

    assert end.status is EvaluationStatus.NOT_STARTED
    assert "have no result, without a change for 0.05 s" in end.reason


def test_a_stuck_execution_is_not_waited_for(call, run_tests):
    for each in run_tests[0].executions:
        each.status = "evaluating"
        each.calls.clear()

    (end,) = call("wait_for_evals", [run_tests[0].id], **LONG)

    assert end.status is EvaluationStatus.STUCK


def test_a_contradiction_is_waited_for_as_long_as_it_is_set(call, run_tests):
    run_tests[0].executions[:] = run_tests[0].executions[:1]
    run_tests[0].executions[0].status = "evaluating"
    run_tests[0].executions[0].calls.clear()

    (end,) = call("wait_for_evals", [run_tests[0].id], stuck_after=0.2, **LONG)

    assert end.elapsed > 0.2
    assert end.status is EvaluationStatus.STUCK
    assert "without a change for 0.2 s" in end.reason


def test_a_stuck_run_test_with_results_has_its_scores(call, client, started, run_tests):
    client.wait_for_evals(started, **LONG)
    run_tests[0].executions[0].status = "evaluating"
    run_tests[0].executions[0].calls.clear()

    (end,) = call("wait_for_evals", [run_tests[0].id], **LONG)

    assert end.status is EvaluationStatus.STUCK
    assert {each.evaluated for each in end.configs} == {2}


def test_a_run_test_with_all_results_is_scored_though_its_status_is_evaluating(
    call, client, started, run_tests
):
    client.wait_for_evals(started, **LONG)
    for each in run_tests[0].executions:
        each.status = "evaluating"

    (end,) = call("wait_for_evals", [run_tests[0].id], **LONG)

    assert end.status is EvaluationStatus.SCORED


def test_without_a_completed_call_there_is_nothing_to_wait_for(call, run_tests):
    run_tests[0].executions.clear()

    (end,) = call("wait_for_evals", [run_tests[0].id], **LONG)

    assert end.status is EvaluationStatus.NOTHING_TO_EVALUATE


def test_a_missing_run_test_fails_alone(call, started):
    report = call("wait_for_evals", [NOWHERE, started[0]], **LONG)

    assert states(report) == [EvaluationStatus.FAILED, EvaluationStatus.SCORED]
    assert isinstance(report[0].error, NotFoundError)
    assert report[0].run_test_id == NOWHERE


@pytest.fixture
def under_way(client, run_test_ids, configs, leave):
    """A run test whose evaluations stay under way."""
    leave("accept")
    client.evaluate(run_test_ids[:1], configs, timeout=None, wait=False)
    return run_test_ids[0]


@pytest.fixture
def trouble_while_waiting(emulator, monkeypatch):
    """Have polls fail, so many times, as soon as something waits."""

    async def nothing(*_):
        return None

    monkeypatch.setattr(poller, "read_scored_overview", nothing)

    def install(times):
        fault = emulator.faults.add("status", status=500, endpoint="executions")
        fault.times = 0

        def tell(progress):
            if progress.waiting:
                fault.times = times

        return fault, tell

    return install


def test_a_failed_poll_is_repeated_in_the_next_round(
    call, emulator, under_way, when_served, trouble_while_waiting
):
    run_test = emulator.world.run_tests.get(under_way)
    fault, tell = trouble_while_waiting(times=2 * ATTEMPTS)

    def finish_after_the_trouble(_):
        if fault.hits == 2 * ATTEMPTS:
            workers = emulator.state.service.workers
            workers.dispatch = "run"
            ids = [each.id for each in run_test.eval_configs]
            start_pending_evaluations(workers, run_test, run_test.executions, ids)

    when_served(finish_after_the_trouble, "executions", times=-1)

    (end,) = call("wait_for_evals", [under_way], on_progress=tell, **LONG)

    assert fault.hits == 2 * ATTEMPTS
    assert end.status is EvaluationStatus.SCORED


def test_the_third_failed_poll_is_final(call, under_way, trouble_while_waiting):
    fault, tell = trouble_while_waiting(times=None)

    (end,) = call("wait_for_evals", [under_way], on_progress=tell, **LONG)

    assert fault.hits == 3 * ATTEMPTS
    assert end.status is EvaluationStatus.FAILED
    assert isinstance(end.error, ServerError)
    assert end.error.delivery is Delivery.NOT_SENT


def test_a_failed_first_read_is_final(call, emulator, started):
    emulator.faults.add("status", status=500)

    report = call("wait_for_evals", started[:2], **LONG)

    assert states(report) == [EvaluationStatus.FAILED] * 2


def test_results_are_those_of_every_execution_that_could_be_evaluated(
    call, client, started, run_tests
):
    client.wait_for_evals(started, **LONG)
    run_tests[0].executions[0].status = "failed"

    (end,) = call("wait_for_evals", [run_tests[0].id], **LONG)

    assert end.executions == 1
    assert {each.evaluated for each in end.configs} == {2}


def test_the_same_run_test_can_be_waited_for_twice(call, started):
    report = call("wait_for_evals", [started[0], started[0].upper()], **LONG)

    assert states(report) == [EvaluationStatus.SCORED] * 2
    assert report[0].run_test_id == report[1].run_test_id


def test_a_run_test_on_which_nothing_was_run_is_not_scored(call, run_test_ids):
    (end,) = call("wait_for_evals", run_test_ids[:1], **LONG)

    assert end.status is EvaluationStatus.NOTHING_TO_EVALUATE
    assert end.reason == "no eval config was ever run on a completed call"


def test_an_eval_config_that_was_run_on_the_newest_execution_alone_is_not_missed(
    call, client, run_tests, configs
):
    one = run_tests[0]
    client.evaluate([one.id], configs[:1], **LONG)
    client.evaluate([one.id], configs[:2], latest_executions=1, **LONG)

    (end,) = call("wait_for_evals", [one.id], **LONG)

    assert end.status is EvaluationStatus.SCORED
    assert {each.name: each.evaluated for each in end.configs} == {
        configs[0]["name"]: 4,
        configs[1]["name"]: 2,
    }
    assert {each.pending for each in end.configs} == {0}
