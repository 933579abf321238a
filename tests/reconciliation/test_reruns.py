"""Reruns with unknown outcome: compared with the states before they were sent."""

from __future__ import annotations

import datetime as dt

import attrs
import pytest
from reconciling_service import client_of, failure, lost, on_a_jumping_clock
from simulating_service import RUN_TEST, Row, SimulatingService, ago

from futureagi_async import (
    BadRequestError,
    Delivery,
    EvalDispatchError,
    RerunDispatchError,
    RetryPolicy,
)
from futureagi_async.endpoints.get_simulation_metrics import (
    CallCounts,
    SimulationMetrics,
)
from futureagi_async.endpoints.rerun import (
    MAX_STATES,
    RerunEvidence,
    weigh_evidence,
)
from futureagi_async.types import ExecutionStatus, RerunCalls, RerunExecutions


KINDS = ["eval_only", "call_and_eval"]
NOBODY = "99999999-9999-4999-8999-999999999999"
CALL = "a357cdf4-b678-5ca3-900f-f637bb9addb1"
QUICK = RetryPolicy(reconcile_after=0.02)
LEFT_UNKNOWN = RetryPolicy(reconcile=False)


def rerun(service, kind="eval_only", ids=None, **options):
    ids = ids or [each.id for each in service.rows]
    return client_of(service, **options).rerun_executions(
        RUN_TEST, kind, test_execution_ids=ids
    )


def rerun_all(service, kind="eval_only"):
    return client_of(service).rerun_executions(RUN_TEST, kind, select_all=True)


def rerun_calls(service, kind="eval_only", **options):
    return client_of(service, **options).rerun_calls(
        RUN_TEST, service.rows[0].id, kind, call_execution_ids=[CALL]
    )


WAYS = [rerun, rerun_all, rerun_calls]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_one_that_is_answered_is_not_read_back(way, kind):
    service = SimulatingService()

    result = on_a_jumping_clock(way(service, kind))

    assert (result.rerun_type, result.reconciled) == (kind, False)
    assert service.sent[-1].method == "POST"
    assert len(service.writes) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_one_that_was_done_and_not_answered_is_found(way, kind, status):
    service = SimulatingService("after", rows=[Row(status=status)])

    result = on_a_jumping_clock(way(service, kind))

    assert result.reconciled
    assert result.rerun_type == kind
    assert result.warnings == ()
    assert len(service.writes) == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", WAYS)
def test_one_that_never_arrived_is_sent_again(way, kind):
    service = SimulatingService("before")

    result = on_a_jumping_clock(way(service, kind))

    assert not result.reconciled
    assert len(service.writes) == 2


def test_a_reconciled_result_has_the_calls_and_what_was_left_out():
    rows = [Row(), Row(status="running"), Row(calls=3)]
    service = SimulatingService("after", rows=rows)
    first, running, third = (each.id for each in rows)

    result = on_a_jumping_clock(rerun(service, ids=[first, running, third, NOBODY]))

    assert [each.success_count for each in result.results] == [4, 3]
    assert result.overall_success_count == 7
    assert result.left_out == (running, NOBODY)
    assert len(result.warnings) == 2
    assert result.reconciled


@pytest.mark.parametrize("way", [rerun, rerun_calls])
def test_one_that_was_completed_again_by_the_time_of_reading_is_found(way):
    service = SimulatingService()

    def completed_again(serve):
        serve()
        service.rows[0].status = "completed"
        service.rows[0].completed_at = ago(0)
        raise lost()

    service.trouble.append(completed_again)

    assert on_a_jumping_clock(way(service)).reconciled


@pytest.mark.parametrize("way", WAYS)
def test_an_execution_that_was_evaluating_before_proves_nothing(way):
    service = SimulatingService("after", rows=[Row(status="evaluating")])

    error = on_a_jumping_clock(failure(way(service)))

    assert error.delivery is Delivery.UNKNOWN
    assert f"read back: execution {service.rows[0].id} is evaluating" in str(error)
    assert len(service.writes) == 1


def test_executions_that_differ_prove_nothing():
    rows = [Row(), Row()]
    service = SimulatingService(rows=rows)

    def one_of_two(serve):
        rows[0].status = "evaluating"
        raise lost()

    service.trouble.append(one_of_two)

    error = on_a_jumping_clock(failure(rerun(service)))

    assert error.delivery is Delivery.UNKNOWN
    assert "is evaluating" in str(error)
    assert "is completed" in str(error)


def test_an_execution_that_was_deleted_meanwhile_proves_nothing():
    service = SimulatingService()

    def deleted(serve):
        service.rows.clear()
        raise lost()

    service.trouble.append(deleted)

    error = on_a_jumping_clock(failure(rerun(service)))

    assert error.delivery is Delivery.UNKNOWN
    assert "none of its executions exists" in str(error)


def test_executions_that_cannot_run_again_are_the_service_s_to_refuse():
    service = SimulatingService("before", rows=[Row(status="running")])

    error = on_a_jumping_clock(failure(rerun(service)))

    assert isinstance(error, BadRequestError)
    assert len(service.writes) == 2


@pytest.mark.parametrize("way", [rerun, rerun_all])
def test_the_states_of_too_many_executions_are_not_read(way):
    service = SimulatingService("after", rows=[Row() for _ in range(MAX_STATES + 1)])

    error = on_a_jumping_clock(failure(way(service)))

    assert error.delivery is Delivery.UNKNOWN
    assert "it is not known in which states its executions were" in str(error)
    assert len(service.reads) == (way is rerun_all)


@pytest.mark.parametrize("way", [rerun, rerun_calls])
def test_an_execution_that_cannot_be_read_is_run_again_all_the_same(way):
    service = SimulatingService()

    def broken(number):
        service.metrics_status = 500

    service.on_read = broken

    assert on_a_jumping_clock(way(service)).rerun_type == "eval_only"
    assert service.rows[0].status == "evaluating"


def test_a_rerun_of_nothing_that_exists_stays_unknown_when_it_is_lost():
    service = SimulatingService("after")

    error = on_a_jumping_clock(failure(rerun(service, ids=[NOBODY])))

    assert error.delivery is Delivery.UNKNOWN


@pytest.mark.parametrize("way", WAYS)
def test_evaluations_that_could_not_be_dispatched_are_tried_again(way):
    service = SimulatingService()
    service.dispatch_fails = True

    error = on_a_jumping_clock(failure(way(service)))

    assert isinstance(error, EvalDispatchError)
    assert error.delivery is Delivery.REJECTED
    assert error.attempts == len(service.writes) == 3
    assert service.rows[0].status == "completed"


@pytest.mark.parametrize("way", WAYS)
def test_calls_that_could_not_be_dispatched_are_not_emptied_once_more(way):
    service = SimulatingService()
    service.dispatch_fails = True

    error = on_a_jumping_clock(failure(way(service, "call_and_eval")))

    assert isinstance(error, RerunDispatchError)
    assert error.delivery is Delivery.REJECTED
    assert len(service.writes) == 1
    assert service.rows[0].status == "failed"


@pytest.mark.parametrize("way", WAYS)
def test_a_lost_answer_about_a_failed_dispatch_proves_nothing(way):
    service = SimulatingService("after")
    service.dispatch_fails = True

    error = on_a_jumping_clock(failure(way(service, "call_and_eval")))

    assert error.delivery is Delivery.UNKNOWN
    assert "is failed" in str(error)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "reruns.db"


async def batch(service, path, request, retry=QUICK):
    async with client_of(service, retry=retry) as client:
        (outcome,) = await client.send_many([request], journal=path)
    return outcome


def requests_of(service):
    id_ = service.rows[0].id
    return [
        RerunExecutions(RUN_TEST, "eval_only", [id_]),
        RerunCalls(RUN_TEST, id_, "eval_only", [CALL]),
    ]


@pytest.mark.parametrize("number", range(2))
async def test_a_journal_runs_nothing_again_a_second_time(path, number):
    service = SimulatingService()
    request = requests_of(service)[number]
    first = await batch(service, path, request)
    service.sent.clear()

    second = await batch(service, path, request)

    assert second.result == first.result
    assert not service.sent


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("trouble", ["before", "after"])
async def test_what_an_earlier_batch_left_unknown_stays_so(path, number, trouble):
    service = SimulatingService(trouble)
    request = requests_of(service)[number]
    await batch(service, path, request, retry=LEFT_UNKNOWN)
    service.rows[0].status, service.rows[0].completed_at = "completed", ago(0)
    service.sent.clear()

    outcome = await batch(service, path, request)

    assert outcome.error.delivery is Delivery.UNKNOWN
    assert not service.sent


async def test_reports_about_executions_come_back_from_a_journal(path):
    service = SimulatingService(rows=[Row(), Row(status="running")])
    ids = [each.id for each in service.rows]
    request = RerunExecutions(RUN_TEST, "eval_only", ids)
    await batch(service, path, request)

    outcome = await batch(service, path, request)

    assert outcome.result.left_out == (ids[1],)
    assert outcome.result.warnings


NOON = dt.datetime(2026, 8, 9, 12, tzinfo=dt.UTC)


def state(status, hours=0):
    return SimulationMetrics(
        raw={},
        execution_id=CALL,
        calls=CallCounts(total=4, completed=4, failed=0, pending=0),
        status=ExecutionStatus(status),
        completed_at=NOON + dt.timedelta(hours=hours),
    )


@pytest.mark.parametrize(
    ("kind", "before", "after", "evidence"),
    [
        ("eval_only", state("completed"), state("evaluating"), "STARTED"),
        ("eval_only", state("failed"), state("evaluating"), "STARTED"),
        ("eval_only", state("completed"), state("completed", 1), "STARTED"),
        ("eval_only", state("completed"), state("completed"), "NOT_STARTED"),
        ("eval_only", state("cancelled"), state("cancelled"), "NOT_STARTED"),
        ("eval_only", state("completed"), state("cancelled", 1), "OPEN"),
        ("eval_only", state("completed"), state("running"), "OPEN"),
        ("eval_only", state("evaluating"), state("evaluating"), "OPEN"),
        ("eval_only", state("evaluating"), state("completed", 1), "OPEN"),
        ("eval_only", state("evaluating"), state("running"), "OPEN"),
        ("eval_only", state("completed"), None, "OPEN"),
        ("call_and_eval", state("completed"), state("running"), "STARTED"),
        ("call_and_eval", state("evaluating"), state("running"), "STARTED"),
        ("call_and_eval", state("completed"), state("completed", 1), "STARTED"),
        ("call_and_eval", state("failed"), state("failed"), "NOT_STARTED"),
        ("call_and_eval", state("running"), state("running"), "OPEN"),
        ("call_and_eval", state("completed"), state("evaluating"), "OPEN"),
        ("call_and_eval", state("completed"), state("failed"), "OPEN"),
    ],
)
def test_two_states_prove_a_rerun(kind, before, after, evidence):
    assert weigh_evidence(before, after, kind) is RerunEvidence[evidence]


def test_other_counts_of_calls_prove_nothing():
    before = state("failed")
    counts = attrs.evolve(before.calls, completed=0, failed=4)
    after = attrs.evolve(before, calls=counts)

    assert weigh_evidence(before, after, "call_and_eval") is RerunEvidence.OPEN
