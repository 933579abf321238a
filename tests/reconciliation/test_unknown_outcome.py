"""Doubt in general: in batches, after an earlier process, and when all is closed."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import attrs
import pytest
from reconciling_service import (
    RESULT,
    RulesSender,
    answered,
    client_of,
    failure,
    fill,
    lost,
    now,
    on_a_jumping_clock,
    pending,
    small_world,
)

from futureagi_async import (
    AddEvalConfigs,
    APIConnectionError,
    APIError,
    ClientClosedError,
    DeadlineExceededError,
    Delivery,
    EvalConfig,
    Failure,
    NameConflictError,
    NotAttemptedError,
    RateLimitError,
    RetryPolicy,
    RunNewEvals,
    ServerError,
    Success,
    Timeout,
)
from futureagi_async.emulator.rows import EvalConfig as KeptConfig
from futureagi_async.endpoints.get_run_test import GetRunTest
from futureagi_async.errors import APIStatusError
from futureagi_async.model.reconciliation import (
    Applied,
    Conflict,
    Indeterminate,
    NotApplied,
    Reconcilable,
)
from futureagi_async.model.request import Result
from futureagi_async.transport.call import PriorAttempts, RequestOptions, ThrottleBudget
from futureagi_async.transport.reconcile import reconcile_by_reading


WORLD = small_world()
RUN_TEST = WORLD.run_test_ids[0]
TEMPLATE, OTHER_TEMPLATE = WORLD.template_ids[:2]
CONFIG = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"
ADD = AddEvalConfigs(RUN_TEST, [EvalConfig(TEMPLATE, "tone")])
RUN = RunNewEvals(RUN_TEST, [CONFIG], select_all=True)
OPTIONS = RequestOptions(Timeout(), RetryPolicy())
CALLS = 6


def sender_with(*trouble):
    """A sender in whose world every run test has the eval config."""
    sender = RulesSender(small_world(), *trouble)
    for each in sender.service.world.run_test_ids[:5]:
        run_test = sender.service.world.run_tests.get(each)
        run_test.eval_configs.append(KeptConfig(CONFIG, "kept", TEMPLATE))
    return sender


@attrs.frozen
class Riddle(Reconcilable[Result]):
    """A request of which the looks find what they are told."""

    method: ClassVar[str] = "POST"
    result_type: ClassVar[type[Result]] = Result
    run_test_id: ClassVar[str] = RUN_TEST
    path: ClassVar[str] = f"/simulate/run-tests/{RUN_TEST}/riddle/"
    body: ClassVar[bytes] = b"{}"

    findings: list = attrs.field(eq=False)
    looks: list = attrs.field(factory=list, eq=False)

    async def reconcile(self, read, history):
        self.looks.append((now(), history))
        finding = self.findings.pop(0)
        if isinstance(finding, Exception):
            raise finding
        return finding

    def result_from(self, seen):
        return Result(raw={}, reconciled=True)


DONE = Applied(Result(raw={}, reconciled=True))
OTHER = Applied(Result(raw={}, reconciled=True, warnings=("other",)))
UNCLEAR = Indeterminate("half of it")


async def no_history():
    return ()


def found(riddle, *, sent=0.0, reconcile_after=10.0):
    """What is found, and after how many seconds."""

    async def main():
        started = now()
        finding = await reconcile_by_reading(
            riddle,
            None,
            no_history,
            sent_at=started - sent,
            reconcile_after=reconcile_after,
        )
        return finding, round(now() - started, 3)

    return on_a_jumping_clock(main())


@pytest.mark.parametrize(
    ("findings", "believed", "looks"),
    [
        ([DONE, DONE], DONE, 2),
        ([UNCLEAR, UNCLEAR], UNCLEAR, 2),
        ([DONE, OTHER, OTHER], OTHER, 3),
        ([DONE, UNCLEAR, DONE, DONE], DONE, 4),
        ([Conflict("t", ()), Conflict("t", ())], Conflict("t", ()), 2),
        ([NotApplied(RUN), NotApplied(RUN)], NotApplied(RUN), 2),
    ],
    ids=lambda value: "",
)
def test_two_reads_in_a_row_that_agree_are_believed(findings, believed, looks):
    riddle = Riddle(list(findings))

    finding, _ = found(riddle)

    assert finding == believed
    assert len(riddle.looks) == looks


@pytest.mark.parametrize(
    "findings",
    [[DONE, OTHER, DONE, OTHER], [NotApplied(RUN), DONE, NotApplied(ADD), UNCLEAR]],
    ids=["two", "four"],
)
def test_reads_that_never_agree_are_unclear(findings):
    finding, seconds = found(Riddle([*findings, *findings]))

    assert finding == Indeterminate("read back: it changed from one read to the next")
    assert seconds == pytest.approx(13, abs=0.01)


@pytest.mark.parametrize(
    ("sent", "first"), [(0.0, 10.0), (4.0, 6.0), (10.0, 0.0), (500.0, 0.0)]
)
def test_the_first_read_waits_since_the_request_was_sent(sent, first):
    riddle = Riddle([DONE, DONE])

    _, seconds = found(riddle, sent=sent)

    assert seconds == pytest.approx(first + 1, abs=0.01)
    assert [history for _, history in riddle.looks] == [no_history, no_history]


@pytest.mark.parametrize("earlier", [0, 1, 3])
def test_a_read_that_fails_ends_the_reading(earlier):
    error = ServerError("down", status_code=500, delivery=Delivery.UNKNOWN)
    different = [DONE, OTHER, DONE]
    riddle = Riddle([*different[:earlier], error, DONE, DONE])

    finding, _ = found(riddle)

    assert type(finding) is Indeterminate
    assert finding.seen.startswith("it could not be read back (500: down")
    assert len(riddle.looks) == earlier + 1


def test_a_client_that_is_closed_is_no_reading():
    with pytest.raises(ClientClosedError):
        found(Riddle([ClientClosedError()]))


def test_what_an_endpoint_does_not_override_does_nothing():
    riddle = Riddle([])
    error = APIStatusError("no", status_code=418, delivery=Delivery.REJECTED)

    async def main():
        assert await riddle.enrich_error(error, None) is None

    on_a_jumping_clock(main())
    assert riddle.merge(DONE.result) is DONE.result
    assert error.hint == ""


# In a batch.


def batch_of(sender, requests, *, deadline=None, **options):
    async def main():
        client = client_of(sender, **options)
        return await client.send_many(requests, timeout=deadline)

    return on_a_jumping_clock(main())


def test_reconciling_is_no_time_of_a_request_in_a_batch():
    sender = sender_with("after")

    (outcome,) = batch_of(sender, [RUN], timeout=5)

    assert isinstance(outcome, Success)
    assert outcome.result.reconciled
    assert outcome.elapsed == pytest.approx(11, abs=0.01)


def test_the_time_of_a_request_goes_on_after_it_was_reconciled():
    async def stall(serve):
        await asyncio.sleep(1000)

    sender = sender_with("before", stall)

    (outcome,) = batch_of(sender, [RUN], timeout=5)

    assert type(outcome.error) is DeadlineExceededError
    assert outcome.error.delivery is Delivery.UNKNOWN
    assert outcome.elapsed == pytest.approx(16, abs=0.01)


def test_without_a_time_limit_a_batch_reconciles_as_well():
    (outcome,) = batch_of(sender_with("after"), [RUN], timeout=Timeout(total=None))

    assert outcome.result.reconciled


def test_others_go_on_while_one_is_reconciled():
    others = [
        AddEvalConfigs(each, [EvalConfig(TEMPLATE, "tone")])
        for each in small_world().run_test_ids[1:5]
    ]
    sender = sender_with("after")

    batch = batch_of(sender, [RUN, *others])

    assert [each.elapsed > 10 for each in batch] == [True, False, False, False, False]
    assert len(batch.successes) == 5


def test_the_next_request_for_a_run_test_waits_until_the_one_before_is_reconciled():
    sender = sender_with("after")

    batch = batch_of(sender, [ADD, RUN])

    assert [each.method for each in sender.sent] == ["POST", "GET", "GET", "POST"]
    assert len(batch.successes) == 2


def test_in_a_batch_reads_outlast_throttling():
    def throttled(number):
        return answered(429, retry_after="30") if number < 6 else None

    sender = sender_with("after")
    sender.on_read = throttled

    (outcome,) = batch_of(sender, [ADD], timeout=60)

    assert outcome.result.reconciled
    assert outcome.attempts == 1


def test_a_batch_whose_deadline_has_passed_leaves_unknown_what_has_an_unknown_outcome():
    sender = sender_with("after")

    (outcome,) = batch_of(sender, [RUN], deadline=5)

    assert isinstance(outcome, Failure)
    assert type(outcome.error) is APIConnectionError
    assert outcome.error.delivery is Delivery.UNKNOWN
    assert outcome.attempts == 1
    assert "the deadline of the batch came before it" in str(outcome.error)


def test_a_rejection_stands_though_the_deadline_of_the_batch_has_passed():
    async def late(serve):
        await asyncio.sleep(8)
        return serve()

    sender = sender_with(late)
    taken = AddEvalConfigs(RUN_TEST, [EvalConfig(TEMPLATE, "kept")])

    (outcome,) = batch_of(sender, [taken], deadline=5)

    assert isinstance(outcome, Failure)
    assert type(outcome.error) is NameConflictError
    assert outcome.error.existing is None
    assert "may have been created" in str(outcome.error)


@pytest.mark.parametrize("many", [False, True])
def test_what_was_not_done_is_left_to_the_caller_if_the_service_wants_a_long_wait(many):
    async def not_for_an_hour(serve):
        return answered(500, retry_after="3600")

    async def main():
        client = client_of(sender, timeout=Timeout(total=None))
        if not many:
            return await failure(client.send(RUN))
        (outcome,) = await client.send_many([RUN])
        return outcome.error

    sender = sender_with(not_for_an_hour)
    error = on_a_jumping_clock(main())

    assert type(error) is ServerError
    assert error.delivery is Delivery.REJECTED
    assert error.retry_after == 3600
    assert "read back: it was not applied" in str(error)
    assert len(sender.writes) == 1


# What a journal knows of an earlier process.


def call(sender, request, past, *, patience=False, options=OPTIONS):
    async def main():
        client = client_of(sender)
        started = now()
        of_fan_out = ThrottleBudget(started) if patience else None
        result = await client._transport.call(request, options, of_fan_out, past)
        return (*result, now() - started)

    return main()


@attrs.frozen
class Created:
    """The entry of a journal whose response says which eval configs were created."""

    endpoint: str = "AddEvalConfigs"
    path: str = f"/simulate/run-tests/{RUN_TEST}/eval-configs/"
    body: bytes = b"{}"
    is_done: bool = True
    reconciled: bool = False
    response: bytes = b'{"created_eval_configs":[{"id":"%b"}]}' % CONFIG.encode()


def past(unknown_for, *, had_no_results=False):
    async def history():
        return [Created()] if had_no_results else []

    return PriorAttempts(unknown_for, history)


@pytest.mark.parametrize("patience", [False, True])
def test_what_an_earlier_process_did_is_not_done_again(patience):
    sender = sender_with()
    on_a_jumping_clock(call(sender, RUN, None))

    result, attempts, seconds = on_a_jumping_clock(
        call(sender, RUN, past(3.0), patience=patience)
    )

    assert result.reconciled
    assert result.call_execution_count == CALLS
    assert attempts == 0
    assert seconds == pytest.approx(8, abs=0.01)
    assert sender.runs == 1


def test_what_an_earlier_process_did_not_do_is_done():
    sender = sender_with("before", "before")

    result, attempts, _ = on_a_jumping_clock(call(sender, RUN, past(100.0)))

    assert not result.reconciled
    assert attempts == 3
    assert sender.runs == 1


def test_the_attempt_of_an_earlier_process_does_not_count():
    options = RequestOptions(Timeout(), RetryPolicy(max_attempts=1))
    sender = sender_with()

    result, attempts, _ = on_a_jumping_clock(
        call(sender, RUN, past(100.0), options=options)
    )

    assert not result.reconciled
    assert attempts == 1


def test_what_an_earlier_process_did_in_part_is_completed():
    sender = sender_with()
    both = AddEvalConfigs(
        RUN_TEST, [EvalConfig(TEMPLATE, "new"), EvalConfig(TEMPLATE, "kept")]
    )

    result, attempts, _ = on_a_jumping_clock(call(sender, both, past(100.0)))

    assert [each.name for each in result.created_eval_configs] == ["new", "kept"]
    assert attempts == 1
    assert len(sender.writes) == 1


def test_what_an_earlier_process_may_have_done_stays_unknown():
    sender = sender_with()
    fill(sender.service.world, RUN_TEST, [CONFIG], RESULT)

    error = on_a_jumping_clock(failure(call(sender, RUN, past(100.0))))

    assert type(error) is APIError
    assert error.delivery is Delivery.UNKNOWN
    assert error.attempts == 0
    assert error.run_test_id == RUN_TEST
    assert "an earlier batch sent this request" in str(error)
    assert f"of {CALLS} results of these configs 0 are absent" in str(error)
    assert sender.writes == []


def test_results_that_were_absent_before_an_earlier_process_are_its_own():
    sender = sender_with()
    fill(sender.service.world, RUN_TEST, [CONFIG], RESULT)

    result, attempts, _ = on_a_jumping_clock(
        call(sender, RUN, past(100.0, had_no_results=True))
    )

    assert result.reconciled
    assert attempts == 0


def test_results_that_were_absent_before_are_known_of_an_own_attempt_too():
    async def finished(serve):
        serve()
        world = sender.service.world
        fill(world, RUN_TEST, [CONFIG], RESULT)
        for each in world.run_tests.get(RUN_TEST).executions:
            each.status = "completed"
        raise lost()

    sender = sender_with(finished)

    result, attempts, _ = on_a_jumping_clock(
        call(sender, RUN, past(None, had_no_results=True))
    )

    assert result.reconciled
    assert attempts == 1


def test_a_name_that_an_earlier_process_lost_to_another_is_a_conflict():
    sender = sender_with()
    other = AddEvalConfigs(RUN_TEST, [EvalConfig(OTHER_TEMPLATE, "kept")])

    error = on_a_jumping_clock(failure(call(sender, other, past(100.0))))

    assert type(error) is NameConflictError
    assert error.delivery is Delivery.REJECTED
    assert error.attempts == 0


def test_without_reconciling_what_an_earlier_process_left_unknown_stays_unknown():
    options = RequestOptions(Timeout(), RetryPolicy(reconcile=False))
    sender = sender_with()

    error = on_a_jumping_clock(failure(call(sender, RUN, past(100.0), options=options)))

    assert error.delivery is Delivery.UNKNOWN
    assert sender.sent == []


def test_what_is_unknown_of_an_earlier_process_is_repeated_if_requested():
    options = RequestOptions(
        Timeout(), RetryPolicy(reconcile=False, retry_unknown=True)
    )
    sender = sender_with(*["before"] * 3)

    error = on_a_jumping_clock(failure(call(sender, RUN, past(100.0), options=options)))

    assert error.delivery is Delivery.UNKNOWN
    assert error.attempts == 3
    assert len(error.earlier) == 3


def test_what_has_an_unknown_outcome_is_never_called_not_attempted():
    options = RequestOptions(
        Timeout(), RetryPolicy(reconcile=False, retry_unknown=True)
    )
    sender = sender_with()

    async def main():
        patience = ThrottleBudget(now(), now())
        transport = client_of(sender)._transport
        return await transport.call(RUN, options, patience, past(100.0))

    _, attempts = on_a_jumping_clock(main())

    assert attempts == 1


def test_what_was_read_not_to_be_done_is_not_attempted_after_the_deadline():
    sender = sender_with()

    async def main():
        patience = ThrottleBudget(now(), now() + 2)
        transport = client_of(sender)._transport
        with pytest.raises(NotAttemptedError):
            await transport.call(ADD, OPTIONS, patience, past(100.0))

    sender.on_read = lambda number: asyncio.sleep(0.9)
    on_a_jumping_clock(main())
    assert sender.writes == []


def test_a_read_of_an_earlier_process_is_simply_repeated():
    sender = sender_with()

    result, attempts, _ = on_a_jumping_clock(
        call(sender, GetRunTest(RUN_TEST), past(100.0))
    )

    assert result.id == RUN_TEST
    assert attempts == 1


# Closed meanwhile.


@pytest.mark.parametrize("after", [1.0, 10.5])
@pytest.mark.parametrize("many", [False, True])
def test_a_client_closed_during_reconciling_leaves_it_unknown(after, many):
    async def main():
        client = client_of(sender)
        job = client.send_many([RUN]) if many else client.send(RUN)
        task = asyncio.create_task(job)
        await asyncio.sleep(after)
        await client.aclose()
        (end,) = await asyncio.gather(task, return_exceptions=True)
        return end[0].error if many else end, now()

    sender = sender_with("after")
    error, moment = on_a_jumping_clock(main())

    assert type(error) is ClientClosedError
    assert error.delivery is Delivery.UNKNOWN
    assert "the work may have been done" in str(error)
    assert moment == pytest.approx(100 + after, abs=0.01)


def test_a_client_closed_during_a_read_leaves_it_unknown():
    async def main():
        client = client_of(sender)
        sender.on_read = lambda number: asyncio.sleep(1000)
        task = asyncio.create_task(client.send(RUN))
        await asyncio.sleep(15)
        await client.aclose()
        return await failure(task)

    sender = sender_with("after")
    error = on_a_jumping_clock(main())

    assert type(error) is ClientClosedError
    assert error.delivery is Delivery.UNKNOWN
    assert len(sender.reads) == 1


@pytest.mark.parametrize("many", [False, True])
def test_a_client_closed_in_the_moment_of_the_failure_does_not_reconcile(many):
    async def main():
        async def closing(serve):
            await client.aclose()
            raise lost()

        sender.trouble.append(closing)
        client = client_of(sender)
        if many:
            (outcome,) = await client.send_many([RUN])
            return outcome.error, now()
        return await failure(client.send(RUN)), now()

    sender = sender_with()
    error, moment = on_a_jumping_clock(main())

    assert type(error) is ClientClosedError
    assert error.delivery is Delivery.UNKNOWN
    assert moment == pytest.approx(100, abs=0.01)
    assert sender.reads == []


def test_a_client_closed_by_the_last_read_ends_the_wait_for_the_next_attempt():
    async def main():
        async def closing():
            await client.aclose()

        sender.on_read = lambda number: closing() if number == 2 else None
        client = client_of(sender)
        client._transport._shared = attrs.evolve(
            client._transport._shared, random=lambda: 1.0
        )
        (outcome,) = await client.send_many([ADD])
        return outcome.error, now()

    sender = sender_with("before")
    error, moment = on_a_jumping_clock(main())

    assert type(error) is ClientClosedError
    assert error.delivery is Delivery.REJECTED
    assert moment == pytest.approx(111, abs=0.01)


def test_what_proved_not_to_be_done_is_rejected_when_the_client_is_closed_then():
    async def main():
        client = client_of(sender)
        client._transport._shared = attrs.evolve(
            client._transport._shared, random=lambda: 1.0
        )
        task = asyncio.create_task(client.send(RUN))
        await asyncio.sleep(11.2)
        await client.aclose()
        return await failure(task)

    sender = sender_with("before")
    error = on_a_jumping_clock(main())

    assert type(error) is ClientClosedError
    assert error.delivery is Delivery.REJECTED
    executions = [each for each in sender.reads if "/executions/" in each.path]
    assert len(executions) == 2


# The state of evaluations, on the jumping clock.


def test_evaluations_that_end_between_two_reads_are_not_believed_before_that():
    def end(number):
        if number == 3:
            world = sender.service.world
            fill(world, RUN_TEST, [CONFIG], RESULT)
            for each in world.run_tests.get(RUN_TEST).executions:
                each.status = "completed"

    sender = sender_with("after")
    sender.on_read = end
    (outcome,) = batch_of(sender, [RUN])
    assert outcome.error.delivery is Delivery.UNKNOWN


def test_what_was_prepared_and_lies_idle_is_started():
    sender = sender_with("before")
    pending(sender.service.world, RUN_TEST, [CONFIG])

    (outcome,) = batch_of(sender, [RUN])

    assert not outcome.result.reconciled
    assert outcome.attempts == 2
    assert sender.runs == 1


def test_a_throttled_attempt_after_a_reconciled_one_leaves_nothing_unknown():
    async def throttled(serve):
        return answered(429, retry_after="61")

    sender = sender_with("before", throttled)

    (outcome,) = batch_of(sender, [RUN])

    assert type(outcome.error) is RateLimitError
    assert outcome.error.delivery is Delivery.REJECTED
    assert outcome.attempts == 2
