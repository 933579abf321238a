"""What a batch gives back."""

from __future__ import annotations

import copy
import pickle

import pytest

from futureagi_async import RunNewEvals
from futureagi_async.errors import (
    APIConnectionError,
    AuthenticationError,
    Delivery,
    FutureAGIError,
    NotAttemptedError,
    NotFoundError,
    ServerError,
)
from futureagi_async.model.outcome import (
    Batch,
    BatchError,
    BatchInterruptedError,
    Failure,
    NotAttempted,
    Success,
)
from futureagi_async.types import RunNewEvalsResult


RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
REQUEST = RunNewEvals(RUN_TEST, [RUN_TEST], select_all=True)
NOT_FOUND = NotFoundError("gone", status_code=404, delivery=Delivery.REJECTED)
BROKEN = ServerError("oops", status_code=500, delivery=Delivery.UNKNOWN)
REFUSED = APIConnectionError("refused", delivery=Delivery.NOT_SENT)


def success(*warnings: str) -> Success:
    result = RunNewEvalsResult(
        raw={},
        message="ok",
        run_test_id=RUN_TEST,
        call_execution_count=5,
        warnings=warnings,
    )
    return Success(REQUEST, result, attempts=1, elapsed=0.5)


def failure(error: FutureAGIError) -> Failure:
    return Failure(REQUEST, error, attempts=3, elapsed=1.5)


DONE, PARTLY = success(), success("one config is missing")
GONE, IN_DOUBT, NEVER_SENT = failure(NOT_FOUND), failure(BROKEN), failure(REFUSED)
STOPPED = NotAttempted(REQUEST, NotAttemptedError("the batch was stopped"))
MIXED = Batch([GONE, DONE, IN_DOUBT, PARTLY, STOPPED, NEVER_SENT])


def test_a_batch_sorts_its_outcomes_and_keeps_their_order():
    assert MIXED.successes == [DONE, PARTLY]
    assert MIXED.partial == [PARTLY]
    assert MIXED.failures == [GONE, IN_DOUBT, NEVER_SENT]
    assert MIXED.unknown == [IN_DOUBT]
    assert MIXED.not_attempted == [STOPPED]


def test_a_batch_is_a_sequence_in_input_order():
    assert len(MIXED) == 6
    assert list(MIXED) == [GONE, DONE, IN_DOUBT, PARTLY, STOPPED, NEVER_SENT]
    assert MIXED[1] is DONE
    assert MIXED[-1] is NEVER_SENT
    assert DONE in MIXED
    assert MIXED.index(PARTLY) == 3


def test_a_part_of_a_batch_is_a_batch():
    part = MIXED[:2]

    assert type(part) is Batch
    assert list(part) == [GONE, DONE]


def test_batches_are_compared_by_their_outcomes():
    assert Batch([DONE, GONE]) == Batch([DONE, GONE])
    assert hash(Batch([DONE, GONE])) == hash(Batch([DONE, GONE]))
    assert Batch([DONE, GONE]) != Batch([GONE, DONE])
    assert Batch([DONE]) != [DONE]


def test_a_batch_is_shown_by_its_counts_on_one_line():
    assert repr(MIXED) == (
        "<Batch of 6: 2 succeeded (1 partial), 3 failed (1 unknown), 1 not attempted>"
    )


def test_a_batch_can_be_pickled():
    batch = pickle.loads(pickle.dumps(Batch([DONE, STOPPED, GONE])))

    assert batch.successes == [DONE]
    assert batch.failures[0].error.status_code == 404
    assert batch.not_attempted[0].request == REQUEST


@pytest.mark.parametrize("outcome", MIXED)
def test_every_outcome_names_its_run_test(outcome):
    assert outcome.run_test_id == RUN_TEST


def test_what_was_not_attempted_took_no_attempt_and_no_time():
    assert (STOPPED.attempts, STOPPED.elapsed) == (0, 0.0)


@pytest.mark.parametrize("batch", [Batch(), Batch([DONE]), Batch([DONE, PARTLY])])
def test_a_batch_without_failures_is_given_back(batch):
    assert batch.raise_for_failures() is batch


def test_failures_are_raised_together():
    with pytest.raises(BatchError) as caught:
        MIXED.raise_for_failures()

    assert caught.value.exceptions == (NOT_FOUND, BROKEN, REFUSED, STOPPED.error)
    assert caught.value.batch is MIXED
    assert caught.value.message == (
        "not every request was carried out, of 6: 2 succeeded (1 partial), "
        "3 failed (1 unknown), 1 not attempted"
    )


def test_what_was_not_attempted_is_raised_even_without_failures():
    with pytest.raises(BatchError) as caught:
        Batch([DONE, STOPPED]).raise_for_failures()

    assert caught.value.exceptions == (STOPPED.error,)


@pytest.mark.parametrize(
    ("outcomes", "delivery"),
    [
        ([GONE, IN_DOUBT, NEVER_SENT, STOPPED], Delivery.UNKNOWN),
        ([GONE, NEVER_SENT], Delivery.REJECTED),
        ([NEVER_SENT, STOPPED, DONE], Delivery.NOT_SENT),
    ],
)
def test_the_error_of_a_batch_says_the_most_that_may_have_been_done(outcomes, delivery):
    assert BatchError.of(Batch(outcomes)).delivery is delivery


def test_the_error_of_a_batch_can_be_caught_by_kind():
    seen = []

    try:
        MIXED.raise_for_failures()
    except* NotFoundError as gone:
        seen.append(gone)
    except* FutureAGIError as others:
        seen.append(others)

    assert [each.exceptions for each in seen] == [
        (NOT_FOUND,),
        (BROKEN, REFUSED, STOPPED.error),
    ]


def test_a_part_of_the_error_of_a_batch_knows_the_batch():
    part = BatchError.of(MIXED).subgroup(NotFoundError)

    assert type(part) is BatchError
    assert part.exceptions == (NOT_FOUND,)
    assert part.batch is MIXED
    assert part.delivery is Delivery.UNKNOWN


def test_the_error_of_a_batch_is_an_error_of_the_package():
    error = BatchError.of(MIXED)

    assert isinstance(error, FutureAGIError)
    assert isinstance(error, ExceptionGroup)


@pytest.mark.parametrize(
    "travel", [copy.copy, lambda error: pickle.loads(pickle.dumps(error))]
)
def test_the_error_of_a_batch_travels_with_its_batch(travel):
    error = BatchError.of(Batch([DONE, GONE, STOPPED]))

    copied = travel(error)

    assert type(copied) is BatchError
    assert str(copied) == str(error)
    assert [str(each) for each in copied.exceptions] == [
        str(each) for each in error.exceptions
    ]
    assert repr(copied.batch) == repr(error.batch)
    assert copied.delivery is Delivery.REJECTED


def test_an_interrupted_batch_names_what_was_raised_and_keeps_the_outcomes():
    batch = Batch([DONE, GONE])

    error = BatchInterruptedError.from_cause(LookupError("no more"), batch)

    assert "raised LookupError: no more" in str(error)
    assert error.batch is batch


def test_an_interrupted_batch_can_be_pickled():
    error = BatchInterruptedError("stopped", Batch([DONE, STOPPED]))

    copied = pickle.loads(pickle.dumps(error))

    assert str(copied) == "stopped"
    assert repr(copied.batch) == repr(error.batch)
    assert copied.delivery is error.delivery


def test_an_interrupted_batch_says_when_a_request_of_it_is_in_doubt():
    error = BatchInterruptedError("stopped", Batch([DONE, IN_DOUBT]))

    assert error.delivery is Delivery.UNKNOWN


def test_an_interrupted_batch_without_doubt_does_not_claim_any():
    error = BatchInterruptedError("stopped", Batch([DONE, GONE]))

    assert error.delivery is not Delivery.UNKNOWN


def test_the_error_that_stops_a_batch_stays_one_of_its_failures():
    error = AuthenticationError("no", status_code=401, delivery=Delivery.REJECTED)
    batch = Batch([failure(error), STOPPED])

    raised = BatchError.of(batch)

    assert raised.subgroup(AuthenticationError).exceptions == (error,)
