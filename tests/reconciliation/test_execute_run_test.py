"""Executions with unknown outcome: never started twice on a guess."""

from __future__ import annotations

import asyncio
import datetime as dt
import json

import attrs
import pytest
from reconciling_service import answered, client_of, failure, lost, on_a_jumping_clock
from simulating_service import RUN_TEST, Row, SimulatingService, ago

from futureagi_async import (
    APIConnectionError,
    Delivery,
    ExecutionStartError,
    FeatureNotIncludedError,
    Journal,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
)
from futureagi_async.journal.entry import JournalState
from futureagi_async.types import ExecuteRunTest, TestExecution


SCENARIO = "a357cdf4-b678-5ca3-900f-f637bb9addb1"
QUICK = RetryPolicy(reconcile_after=0.02)
LEFT_UNKNOWN = RetryPolicy(reconcile=False)


def execute(service, *, options=None, **arguments):
    return client_of(service, **(options or {})).execute_run_test(RUN_TEST, **arguments)


def executed(service, **arguments):
    return on_a_jumping_clock(execute(service, **arguments))


def unknown(service, **arguments):
    error = on_a_jumping_clock(failure(execute(service, **arguments)))
    assert error.delivery is Delivery.UNKNOWN
    return error


def test_one_that_is_answered_costs_one_small_read_before_it():
    service = SimulatingService()

    result = executed(service, scenario_ids=[SCENARIO])

    assert result.id == service.rows[0].id
    assert result.scenario_ids == (SCENARIO,)
    assert not result.reconciled
    assert [each.path.rpartition("/")[2] for each in service.reads] == [
        "?page=1&limit=1"
    ]
    assert len(service.writes) == 1


@pytest.mark.parametrize("rows", [[], [Row()], [Row(), Row(), Row()]])
def test_one_that_was_done_and_not_answered_is_found(rows):
    service = SimulatingService("after", rows=list(rows))

    result = executed(service, scenario_ids=[SCENARIO])

    assert result.reconciled
    assert result.execution_id == service.rows[0].id
    assert result.status == "pending"
    assert "if it stays pending, its start has failed" in result.message
    assert (result.total_scenarios, result.total_calls) == (1, None)
    assert len(service.writes) == 1


@pytest.mark.parametrize("rows", [[], [Row()]])
def test_one_that_never_arrived_is_sent_again(rows):
    service = SimulatingService("before", rows=list(rows))

    result = executed(service)

    assert not result.reconciled
    assert len(service.rows) == len(rows) + 1
    assert len(service.writes) == 2


def test_one_that_is_sent_again_is_compared_with_what_was_read_last():
    service = SimulatingService("before", "after")

    result = executed(service)

    assert result.reconciled
    assert result.execution_id == service.rows[0].id
    assert len(service.writes) == 2


def test_two_new_executions_prove_nothing():
    service = SimulatingService()

    def started_by_another(serve):
        service.add()
        serve()
        raise lost()

    service.trouble.append(started_by_another)

    error = unknown(service)

    mine, other, _ = service.rows
    assert f"{mine.id} (pending), execution {other.id} (pending) may have" in str(error)
    assert len(service.writes) == 1


def test_an_execution_without_a_readable_start_counts_as_new():
    service = SimulatingService("after", rows=[Row()])
    service.on_read = lambda number: (
        number == 2 and setattr(service.rows[0], "started_at", None)
    )

    assert executed(service).execution_id == service.rows[0].id


def test_an_execution_that_was_deleted_meanwhile_hides_nothing():
    service = SimulatingService(rows=[Row(started_at=ago(60)), Row()])

    def newest_deleted(serve):
        del service.rows[0]
        serve()
        raise lost()

    service.trouble.append(newest_deleted)

    assert executed(service).execution_id == service.rows[0].id


def test_the_order_of_the_list_comes_before_what_the_clock_of_the_service_shows():
    service = SimulatingService("after", rows=[Row(started_at=ago(-90_000))])

    assert executed(service).execution_id == service.rows[0].id


@pytest.mark.parametrize("started_at", [None, ago(60)])
def test_without_a_time_of_start_a_deleted_execution_proves_nothing(started_at):
    service = SimulatingService(rows=[Row(started_at=started_at), Row(), Row()])

    def newest_deleted(serve):
        del service.rows[0]
        service.rows[0].started_at = None
        serve()
        raise lost()

    service.trouble.append(newest_deleted)

    unknown(service)

    assert len(service.writes) == 1


def test_pages_are_read_until_an_old_execution_comes():
    service = SimulatingService()

    def many_started(serve):
        for _ in range(14):
            service.add()
        raise lost()

    service.trouble.append(many_started)

    error = unknown(service)

    assert str(error).count("(pending)") == 14
    assert service.reads[-1].path.endswith("?page=2&limit=10")


def test_an_execution_that_begins_between_two_reads_is_awaited():
    service = SimulatingService("before")

    def begun(number):
        if number == 3:
            service.add(status="running")

    service.on_read = begun

    result = executed(service)

    assert result.reconciled
    assert result.status == "running"
    assert len(service.writes) == 1


def test_what_is_not_read_before_is_not_sent():
    service = SimulatingService()

    def fails(number):
        raise lost()

    service.on_read = fails

    error = on_a_jumping_clock(failure(execute(service)))

    assert isinstance(error, APIConnectionError)
    assert error.delivery is Delivery.NOT_SENT
    assert not service.writes


def test_with_reconciling_off_it_stays_unknown():
    service = SimulatingService("after")

    unknown(service, options={"retry": LEFT_UNKNOWN})

    assert len(service.reads) == len(service.writes) == 1


def test_at_all_costs_it_is_sent_again():
    service = SimulatingService("after")
    at_all_costs = RetryPolicy(reconcile=False, retry_unknown=True)

    result = executed(service, options={"retry": at_all_costs})

    assert not result.reconciled
    assert len(service.rows) == 3


def test_a_start_that_fails_names_the_execution_that_nobody_runs():
    service = SimulatingService()
    service.dispatch_fails = True

    error = on_a_jumping_clock(failure(execute(service)))

    assert isinstance(error, ExecutionStartError)
    assert error.delivery is Delivery.REJECTED
    assert error.execution_id == service.rows[0].id
    assert f"left behind, and run by nobody: execution {error.execution_id}" in str(
        error
    )
    assert len(service.writes) == 1


def test_of_several_executions_left_behind_all_are_named():
    service = SimulatingService()
    service.dispatch_fails = True

    def another_too(serve):
        service.add()
        service.add(status="running")
        return serve()

    service.trouble.append(another_too)

    error = on_a_jumping_clock(failure(execute(service)))

    assert error.execution_id is None
    assert all(each.id in str(error) for each in service.rows[:1] + service.rows[2:3])
    assert service.rows[1].id not in str(error)


def test_a_failed_start_that_left_nothing_behind_keeps_its_warning():
    service = SimulatingService(
        lambda serve: answered(400, b'{"message": "Failed to start test execution"}')
    )

    error = on_a_jumping_clock(failure(execute(service)))

    assert error.execution_id is None
    assert "may have been left behind" in str(error)


OTHER = "116b391d-70d3-54fc-a34d-b481317665ee"
DENIED = {
    "status": False,
    "type": "entitlement_error",
    "code": "ENTITLEMENT_DENIED",
    **dict.fromkeys(
        ("detail", "message", "error", "result"), "Voice simulation is not available."
    ),
    "upgrade_required": True,
    "feature": "voice_sim",
}


@pytest.mark.parametrize(
    ("status", "expected"),
    [(402, FeatureNotIncludedError), (403, PermissionDeniedError)],
)
async def test_a_plan_without_voice_leaves_the_text_agents_of_a_batch(status, expected):
    service = SimulatingService(
        lambda serve: answered(status, json.dumps(DENIED).encode())
    )
    async with client_of(service, retry=QUICK) as client:
        denied, started = await client.send_many(
            [ExecuteRunTest(RUN_TEST), ExecuteRunTest(OTHER)], max_concurrency=1
        )

    assert type(denied.error) is expected
    assert denied.error.code == "ENTITLEMENT_DENIED"
    assert denied.error.delivery is Delivery.REJECTED
    assert started.result.run_test_id == OTHER


def test_another_refusal_is_not_enriched():
    service = SimulatingService(lambda serve: answered(404, b'{"message": "no"}'))

    error = on_a_jumping_clock(failure(execute(service)))

    assert isinstance(error, NotFoundError)
    assert len(service.reads) == 1


def without_a_read(service):
    """Send a request by itself, as no operation does."""
    client = client_of(service)
    return client._transport.call(ExecuteRunTest(RUN_TEST), client._options)


def test_without_a_read_before_it_only_an_empty_list_proves_something():
    some = SimulatingService("after", rows=[Row(), Row()])
    none = SimulatingService("before", rows=[])

    error = on_a_jumping_clock(failure(without_a_read(some)))
    result, attempts = on_a_jumping_clock(without_a_read(none))

    assert error.delivery is Delivery.UNKNOWN
    assert f"execution {some.rows[0].id} (pending) may have been" in str(error)
    assert (result.reconciled, attempts) == (False, 2)


def test_a_failed_start_without_a_read_before_it_is_not_enriched():
    service = SimulatingService()
    service.dispatch_fails = True

    error = on_a_jumping_clock(failure(without_a_read(service)))

    assert isinstance(error, ExecutionStartError)
    assert not service.reads


async def batch(service, path, *requests, retry=QUICK):
    """Send requests in a journaled batch, and return their outcomes."""
    requests = requests or (ExecuteRunTest(RUN_TEST),)
    async with client_of(service, retry=retry) as client:
        return await client.send_many(requests, journal=path)


async def left_unknown(service, path, trouble, *requests):
    """Send a request whose outcome stays unknown in the journal, as a kill leaves it."""
    service.trouble.append(trouble)
    outcomes = await batch(service, path, *requests, retry=LEFT_UNKNOWN)
    assert len(outcomes.unknown) == 1
    service.sent.clear()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "executions.db"


async def test_a_journal_starts_nothing_a_second_time(path):
    service = SimulatingService()
    (first,) = await batch(service, path)
    service.sent.clear()

    (second,) = await batch(service, path)

    assert second.result == first.result
    assert (first.from_journal, second.from_journal) == (False, True)
    assert not service.sent


async def test_what_an_earlier_batch_started_is_found_by_the_time_of_sending(path):
    service = SimulatingService(rows=[Row(), Row(started_at=ago(90_000))])
    await left_unknown(service, path, "after")

    (outcome,) = await batch(service, path)

    assert outcome.result.reconciled
    assert outcome.result.execution_id == service.rows[0].id
    assert not service.writes
    with Journal.open(path) as journal:
        assert [each.state for each in journal] == [JournalState.DONE]


async def test_what_an_earlier_batch_could_not_deliver_is_sent_again(path):
    service = SimulatingService(rows=[Row(started_at=ago(7200))])
    await left_unknown(service, path, "before")

    (outcome,) = await batch(service, path)

    assert not outcome.result.reconciled
    assert len(service.rows) == 2


async def test_what_is_sent_again_and_lost_once_more_is_not_sent_a_third_time(path):
    service = SimulatingService(rows=[Row(started_at=ago(7200))])
    await left_unknown(service, path, "before")
    service.trouble.append("after")

    (outcome,) = await batch(service, path)

    assert outcome.result.reconciled
    assert len(service.rows) == 2
    assert len(service.writes) == 1


@pytest.mark.parametrize("seconds", [-2000, 60, 1800])
async def test_another_time_of_start_within_an_hour_proves_nothing(path, seconds):
    service = SimulatingService(rows=[])
    await left_unknown(service, path, "before")
    service.add(started_at=ago(seconds))

    (outcome,) = await batch(service, path)

    assert outcome.error.delivery is Delivery.UNKNOWN
    assert service.rows[0].id in str(outcome.error)
    assert not service.writes


async def test_an_execution_without_a_readable_start_proves_nothing(path):
    service = SimulatingService(rows=[])
    await left_unknown(service, path, "after")
    service.rows[0].started_at = None

    (outcome,) = await batch(service, path)

    assert outcome.error.delivery is Delivery.UNKNOWN
    assert not service.writes


async def test_an_execution_of_another_request_in_the_journal_is_no_candidate(path):
    service = SimulatingService()
    other = ExecuteRunTest(RUN_TEST, [SCENARIO])
    await batch(service, path, other)
    await left_unknown(service, path, "before")

    (outcome,) = await batch(service, path)

    assert not outcome.result.reconciled
    assert len(service.rows) == 3


async def test_one_that_failed_in_an_earlier_batch_is_preceded_by_a_read(path):
    service = SimulatingService()
    service.dispatch_fails = True
    (failed,) = (await batch(service, path)).failures
    service.dispatch_fails = False
    service.sent.clear()
    service.trouble.append("after")

    (outcome,) = await batch(service, path)

    assert failed.error.execution_id == service.rows[1].id
    assert outcome.result.execution_id == service.rows[0].id
    assert service.sent[0].method == "GET"


async def test_a_person_decides_that_it_was_started(path):
    service = SimulatingService()
    await left_unknown(service, path, "after")
    with Journal.open(path) as journal:
        (entry,) = journal
        journal.resolve(entry, done=True)

    (outcome,) = await batch(service, path)

    assert outcome.result.execution_id == ""
    assert "a person decided" in outcome.result.message
    assert not service.sent


async def test_a_person_decides_that_it_was_not_started(path):
    service = SimulatingService()
    await left_unknown(service, path, "before")
    with Journal.open(path) as journal:
        (entry,) = journal
        journal.resolve(entry, done=False)

    (outcome,) = await batch(service, path)

    assert outcome.result.execution_id == service.rows[0].id
    assert [each.method for each in service.sent] == ["GET", "POST"]


async def test_one_run_test_is_executed_once_at_a_time():
    service = SimulatingService()
    running = []

    async def slowly(serve):
        running.append(len(running))
        await asyncio.sleep(0.01)
        assert len(service.sent) == 2 * len(running)
        return serve()

    class Slow(SimulatingService):
        async def send(self, attempt):
            answer = await super().send(attempt)
            return await answer if asyncio.iscoroutine(answer) else answer

    service = Slow(slowly, slowly, slowly)
    async with client_of(service, retry=QUICK) as client:
        batch = await client.send_many([ExecuteRunTest(RUN_TEST)] * 3)

    assert len({each.result.execution_id for each in batch.successes}) == 3


async def test_an_error_of_the_service_is_reconciled_as_well():
    service = SimulatingService()

    def broken(serve):
        serve()
        return answered(502)

    service.trouble.append(broken)
    async with client_of(service, retry=QUICK) as client:
        result = await client.execute_run_test(RUN_TEST)

    assert result.execution_id == service.rows[0].id
    assert not isinstance(result, ServerError)


def test_times_are_compared_with_their_zone():
    zone = dt.timezone(dt.timedelta(hours=5))
    old = Row()
    service = SimulatingService("after", rows=[old])
    old.started_at = old.started_at.astimezone(zone)

    assert executed(service).reconciled


def test_what_was_read_before_can_be_passed():
    newest = TestExecution(id=SCENARIO, status="completed")
    request = attrs.evolve(ExecuteRunTest(RUN_TEST), before=(newest,))

    assert request.before == (newest,)
    assert "before" not in repr(request)
