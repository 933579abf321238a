"""Writes of a job beside equal requests: shared while under way, and made anew."""

from __future__ import annotations

import attrs
import pytest
from recorded_requests import RUN, arrived, runs, states

from futureagi_async import (
    Delivery,
    EvalDispatchError,
    Failure,
    FutureAGIError,
    RetryPolicy,
    RunNewEvals,
    Success,
)
from futureagi_async.model.operation import Operation
from futureagi_async.types import RunNewEvalsResult


ONCE = RetryPolicy(reconcile=False, max_attempts=1)


@attrs.frozen
class Insistent(Operation):
    """Runs evaluations, and once more if that fails."""

    result_type = RunNewEvalsResult

    request: RunNewEvals

    @property
    def run_test_id(self):
        return self.request.run_test_id

    async def run(self, executor):
        try:
            return await executor.write(self.request)
        except FutureAGIError:
            return await executor.write(self.request)


@pytest.fixture
def request_(emulator):
    """What is sent, by a job and beside it."""
    return runs(emulator, 1)[0]


async def test_a_job_shares_what_is_under_way_and_sends_what_was_refused_again(
    emulator, connect, journal, request_
):
    emulator.faults.add("dispatch", endpoint=RUN, times=1)

    refused, done = await connect(retry=ONCE).send_many(
        [request_, Insistent(request_)], journal=journal
    )

    assert isinstance(refused.error, EvalDispatchError)
    assert isinstance(done, Success)
    assert arrived(emulator) == 2
    assert states(journal) == {request_.run_test_id: "DONE"}


async def test_what_a_job_may_have_done_is_not_sent_again(
    emulator, connect, journal, request_
):
    emulator.faults.add("drop_after", endpoint=RUN)

    (unknown,) = await connect(retry=ONCE).send_many(
        [Insistent(request_)], journal=journal
    )

    assert unknown.error.delivery is Delivery.UNKNOWN
    assert arrived(emulator) == 1


@pytest.mark.parametrize("max_concurrency", [1, 8])
async def test_requests_that_are_no_part_of_a_job_share_a_refusal(
    max_concurrency, emulator, connect, journal, request_
):
    emulator.faults.add("dispatch", endpoint=RUN, times=1)

    batch = await connect(retry=ONCE).send_many(
        [request_] * 3, journal=journal, max_concurrency=max_concurrency
    )

    assert [type(each) for each in batch] == [Failure] * 3
    assert arrived(emulator) == 1
