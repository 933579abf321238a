"""What sends the requests of one operation, by itself or as part of a batch."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

from futureagi_async.errors import (
    APIError,
    ClientClosedError,
    Delivery,
    FutureAGIError,
    JournalError,
    NotAttemptedError,
    PaymentRequiredError,
)
from futureagi_async.model.reconciliation import Indeterminate
from futureagi_async.model.request import Result
from futureagi_async.transport.reconcile import reconcile_by_reading


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Sequence

    from futureagi_async.batch.journaling import BatchJournal, Claim
    from futureagi_async.model.operation import HistoryEntry, Operation
    from futureagi_async.model.reconciliation import Reconcilable, Reconciliation
    from futureagi_async.model.request import Request
    from futureagi_async.transport.call import RequestOptions, ThrottleBudget
    from futureagi_async.transport.semaphore import RankedSemaphore
    from futureagi_async.transport.transport import Transport


_STARTED, _NEW = 0, 1
"""Ranks of the further requests of an operation, and of its first one."""

T = TypeVar("T")
PartResultT = TypeVar("PartResultT", bound=Result)
"""The result of one request of an operation, which has a result of its own."""


@attrs.define(eq=False, repr=False)
class RequestContext:
    """The state that the requests of one call, or of one batch, share.

    Attributes:
        transport: what carries the requests.
        options: their timeouts and retries.
        throttle: how long throttled requests go on; without one each of them counts as
            an attempt.
        slots: one for each request that may be in flight; `None` where something else
            bounds them.
        journal: where requests and outcomes are recorded, if there is a journal.
        reads_on: whether reads go on when writes are stopped.
        now: the clock of the loop.
        began_at: when it began, by that clock.
        deadline: when nothing more is started, by that clock; `None` for never.
        stopped_by: the error after which nothing more is sent.
        writes_stopped_by: why nothing more is written, while what was started is read.
    """

    transport: Transport
    options: RequestOptions
    throttle: ThrottleBudget | None = None
    slots: RankedSemaphore | None = None
    journal: BatchJournal | None = None
    reads_on: bool = False
    now: Callable[[], float] = attrs.field(
        init=False, factory=lambda: asyncio.get_running_loop().time
    )
    began_at: float = attrs.field(init=False)
    deadline: float | None = attrs.field(init=False)
    stopped_by: FutureAGIError | None = attrs.field(init=False, default=None)
    writes_stopped_by: str = attrs.field(init=False, default="")

    def __attrs_post_init__(self) -> None:
        self.began_at = self.now()
        self.deadline = None if self.throttle is None else self.throttle.deadline

    def stop(self, error: FutureAGIError) -> None:
        """Send nothing more after an error that every other request would meet.

        What was paid for is read all the same when the balance is used up.
        """
        if isinstance(error, PaymentRequiredError) and self.reads_on:
            self.writes_stopped_by = f"the batch was stopped by: {error}"
        else:
            self.stopped_by = error

    def stop_reason(self, request: Request[Any] | None = None) -> str | None:
        """Return why nothing more is sent, or not this request, if that is so."""
        if self.writes_stopped_by and request is not None and not request.idempotent:
            return self.writes_stopped_by
        if self.stopped_by is not None:
            return f"the batch was stopped by: {self.stopped_by}"
        if self.deadline is not None and self.now() >= self.deadline:
            return "the deadline of the batch has passed"
        return None


class RequestExecutor:
    """Sender of the requests of one operation; see `Executor`.

    Args:
        context: what they share with others.
        slots: one for each request that may be in flight; by default the context's.
        retry_failures: whether a request that the journal has as failed in this batch is
            sent once more.
        continues: whether its first request continues what was started before.

    Attributes:
        attempts: how many attempts the requests have taken.
        from_journal: whether an outcome of the journal answered the last request.
        elapsed: seconds of the last journaled request, from its slot to its end.
    """

    __slots__ = (
        "_context",
        "_continues",
        "_retry_failures",
        "_slots",
        "attempts",
        "elapsed",
        "from_journal",
    )

    def __init__(
        self,
        context: RequestContext,
        slots: RankedSemaphore | None = None,
        *,
        retry_failures: bool = True,
        continues: bool = False,
    ) -> None:
        self._context = context
        self._slots = slots or context.slots
        self._retry_failures = retry_failures
        self._continues = continues
        self.attempts: int = 0
        self.from_journal: bool = False
        self.elapsed: float = 0.0

    async def send(self, operation: Operation[T]) -> T:
        """Run an operation, with the lock of its run test if it is exclusive.

        Raises:
            FutureAGIError: it failed.
        """
        if not operation.is_exclusive:
            return await operation.run(self)
        async with self._context.transport.exclusive(operation.run_test_id):
            return await operation.run(self)

    async def read(self, request: Request[PartResultT], /) -> PartResultT:
        """Send an idempotent request, in a batch no longer than to its deadline.

        Raises:
            NotAttemptedError: the batch has stopped, or its deadline has passed.
            FutureAGIError: it failed.
        """
        limit = asyncio.timeout_at(self._context.deadline)
        try:
            async with limit:
                with _reads_leave_nothing_unknown():
                    return await self._send(request)
        except TimeoutError:
            if not limit.expired():
                raise
            raise NotAttemptedError(
                "not read: the deadline of the batch has passed before the response came"
            ) from None

    def write(
        self, request: Request[PartResultT], /
    ) -> Coroutine[Any, Any, PartResultT]:
        """Send a request and record it in the journal, if there is one.

        Raises:
            NotAttemptedError: the batch has stopped.
            FutureAGIError: it failed.
        """
        journal = self._context.journal
        if journal is None:
            return self._send(request)
        return self._send_journaled(request, journal)

    async def _send_journaled(
        self, request: Request[PartResultT], journal: BatchJournal
    ) -> PartResultT:
        try:
            claim = await journal.claim(request, retry_failures=self._retry_failures)
        except JournalError as error:
            self._context.stopped_by = error
            raise
        if claim.outcome is not None:
            self.from_journal = True
            self.attempts += claim.outcome.attempts
            self.elapsed = claim.outcome.elapsed
            return journal.result_of(claim.outcome)
        try:
            result = await self._send(request, claim)
        except (Exception, asyncio.CancelledError) as error:
            self._measure(claim)
            await journal.record_error(claim, error)
            raise
        self._measure(claim)
        await journal.record_result(claim, result)
        return result

    def _measure(self, claim: Claim[Any]) -> None:
        if claim.sent_at is not None:
            claim.elapsed = self.elapsed = self._context.now() - claim.sent_at

    async def probe(self, request: Reconcilable[Any], /) -> Reconciliation:
        """Find out by reading whether a request of an earlier batch was applied."""
        policy = self._context.options.retry
        if not policy.reconcile:
            return Indeterminate("it was not read back, since reconciling is off")
        return await reconcile_by_reading(
            request,
            self.read,
            _no_history,
            # Its sender had lost the journal before this batch began.
            sent_at=self._context.began_at,
            reconcile_after=policy.reconcile_after,
        )

    async def history(self, run_test_id: str, /) -> Sequence[HistoryEntry]:
        """Return the journal entries of earlier batches for a run test, oldest first.

        Raises:
            JournalError: the journal refuses.
        """
        journal = self._context.journal
        return () if journal is None else await journal.earlier(run_test_id)

    async def _send(
        self,
        request: Request[PartResultT],
        claim: Claim[PartResultT] | None = None,
    ) -> PartResultT:
        """Send a request, in a batch once it has one of the slots."""
        context = self._context
        slots, prior = self._slots, None
        # What was started is finished before more is started.
        rank = _STARTED if self._continues or self.attempts else _NEW
        if slots is not None:
            await slots.acquire(rank)
        try:
            if slots is not None and (stop := context.stop_reason(request)):
                raise NotAttemptedError(f"not sent: {stop}")
            if claim is not None:
                prior = claim.prior
                claim.sent_at = context.now()
            result, attempts = await context.transport.call(
                request, context.options, context.throttle, prior, rank
            )
        except FutureAGIError as error:
            if isinstance(error, APIError):
                self.attempts += error.attempts
                if claim is not None:
                    claim.attempts = error.attempts
            if error.stops_batch:
                context.stop(error)
            raise
        finally:
            if slots is not None:
                slots.release()
        self.attempts += attempts
        if claim is not None:
            claim.attempts = attempts
        return result


async def _no_history() -> Sequence[HistoryEntry]:
    return ()


@contextlib.contextmanager
def _reads_leave_nothing_unknown() -> Iterator[None]:
    """Report a read that failed as not sent: nothing can have been changed by it."""
    try:
        yield
    except APIError as error:
        if error.delivery is Delivery.UNKNOWN:
            error.delivery = Delivery.NOT_SENT
        raise
    except ClientClosedError as error:
        if error.delivery is not Delivery.UNKNOWN:
            raise
        message = "the client was closed during the call"
        raise ClientClosedError(message) from error.__cause__
