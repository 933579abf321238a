"""Cancellations: guarded where they would do harm, and reconciled by the status."""

from __future__ import annotations

import asyncio

import pytest
from reconciling_service import answered, client_of, failure, lost, on_a_jumping_clock
from simulating_service import Row, SimulatingService

from futureagi_async import (
    Delivery,
    ExecutionCompletedError,
    NotFoundError,
    ServerError,
)
from futureagi_async.types import CancelExecution


NOBODY = "99999999-9999-4999-8999-999999999999"


def having(status, *trouble):
    return SimulatingService(*trouble, rows=[Row(status=status)])


def cancel(service, id_=None, **arguments):
    return client_of(service).cancel_execution(id_ or service.rows[0].id, **arguments)


def cancelled(service, *arguments, **options):
    return on_a_jumping_clock(cancel(service, *arguments, **options))


def error_of(service, *arguments, **options):
    return on_a_jumping_clock(failure(cancel(service, *arguments, **options)))


@pytest.mark.parametrize(
    "status", ["pending", "running", "evaluating", "failed", "cancelled", "cancelling"]
)
def test_an_execution_that_is_not_completed_is_cancelled(status):
    service = having(status)

    result = cancelled(service)

    assert service.rows[0].status == "cancelled"
    assert (result.is_cancelling, result.reconciled) == (False, False)
    assert (len(service.reads), len(service.writes)) == (1, 1)


def test_a_completed_execution_is_not_cancelled():
    service = having("completed")

    error = error_of(service)

    assert isinstance(error, ExecutionCompletedError)
    assert error.delivery is Delivery.NOT_SENT
    assert error.execution_id == service.rows[0].id
    assert "even_if_completed=True" in str(error)
    assert not service.writes


def test_a_completed_execution_is_cancelled_on_purpose_without_a_read():
    service = having("completed")

    cancelled(service, even_if_completed=True)

    assert service.rows[0].status == "cancelled"
    assert not service.reads


def test_what_cannot_be_read_is_not_cancelled():
    service = having("running")

    def fails(number):
        raise lost()

    service.on_read = fails

    error = error_of(service)

    assert error.delivery is Delivery.NOT_SENT
    assert "not cancelled, since its state could not be read" in str(error)
    assert not service.writes


def test_what_does_not_exist_is_not_cancelled():
    service = having("running")

    error = error_of(service, NOBODY)

    assert isinstance(error, NotFoundError)
    assert not service.writes


@pytest.mark.parametrize("status", ["cancelled", "cancelling"])
def test_a_cancellation_that_was_done_and_not_answered_is_found(status):
    service = having("running")

    def done(serve):
        service.rows[0].status = status
        raise lost()

    service.trouble.append(done)

    result = cancelled(service)

    assert result.reconciled
    assert result.is_cancelling is (status == "cancelling")
    assert len(service.writes) == 1


def test_a_cancellation_that_never_arrived_is_sent_again():
    service = having("running", "before")

    result = cancelled(service)

    assert not result.reconciled
    assert len(service.writes) == 2


def test_an_execution_that_was_completed_meanwhile_is_not_cancelled_again():
    service = having("running")

    def completed(serve):
        service.rows[0].status = "completed"
        raise lost()

    service.trouble.append(completed)

    error = error_of(service)

    assert error.delivery is Delivery.UNKNOWN
    assert "it is completed; it was so before, or a worker" in str(error)
    assert len(service.writes) == 1


def test_one_that_may_be_completed_is_cancelled_again_on_purpose():
    service = having("completed", "before")

    cancelled(service, even_if_completed=True)

    assert service.rows[0].status == "cancelled"
    assert len(service.writes) == 2


def test_an_execution_that_was_deleted_meanwhile_does_not_exist():
    service = having("running")
    id_ = service.rows[0].id

    def deleted(serve):
        service.rows.clear()
        return answered(500)

    service.trouble.append(deleted)

    error = error_of(service, id_)

    assert isinstance(error, NotFoundError)
    assert isinstance(error.__cause__, ServerError)


def test_a_service_without_metrics_proves_nothing():
    service = having("running", "after")

    def missing_from_the_second_read(number):
        service.metrics_status = 200 if number == 1 else 404

    service.on_read = missing_from_the_second_read

    error = error_of(service)

    assert error.delivery is Delivery.UNKNOWN
    assert len(service.writes) == 1


def test_a_response_without_success_is_reconciled():
    service = having("running")
    body = b'{"success": false, "message": "no", "test_execution_id": "%b"}'
    service.trouble.append(
        lambda serve: answered(200, body % service.rows[0].id.encode())
    )

    assert not cancelled(service).reconciled
    assert len(service.writes) == 2


async def test_executions_are_cancelled_beside_each_other_in_a_batch():
    rows = [Row(status="running") for _ in range(5)]
    all_sent = asyncio.Barrier(5)

    class Slow(SimulatingService):
        async def send(self, attempt):
            if attempt.method == "POST":
                await asyncio.wait_for(all_sent.wait(), 5)
            return await super().send(attempt)

    async with client_of(Slow(rows=rows)) as client:
        batch = await client.send_many([CancelExecution(each.id) for each in rows])

    assert len(batch.successes) == 5
    assert {each.status for each in rows} == {"cancelled"}


async def test_a_journal_cancels_nothing_a_second_time(tmp_path):
    service = having("running")
    request = CancelExecution(service.rows[0].id)
    async with client_of(service) as client:
        await client.send_many([request], journal=tmp_path / "a.db")
        (again,) = await client.send_many([request], journal=tmp_path / "a.db")

    assert again.from_journal
    assert len(service.writes) == 1
