"""What sends the requests of one operation, by itself or as part of a batch."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, TypeVar

from futureagi_async.batch.cancellation import is_own_cancellation
from futureagi_async.errors import (
    APIError,
    ClientClosedError,
    Delivery,
    FutureAGIError,
    JournalError,
    NotAttemptedError,
)
from futureagi_async.model.reconciliation import Indeterminate
from futureagi_async.model.request import Result
from futureagi_async.transport.reconcile import reconcile_by_reading


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from futureagi_async.batch.batch_executor import BatchExecutor
    from futureagi_async.batch.journaling import BatchJournal, Claim
    from futureagi_async.model.operation import HistoryEntry, Operation
    from futureagi_async.model.outcome import Outcome
    from futureagi_async.model.reconciliation import Reconcilable, Reconciliation
    from futureagi_async.model.request import Request
    from futureagi_async.transport.call import (
        PriorAttempts,
        RequestOptions,
        ThrottleBudget,
    )
    from futureagi_async.transport.transport import Transport


T = TypeVar("T")
PartResultT = TypeVar("PartResultT", bound=Result)
"""The result of one request of an operation, which has a result of its own."""


class RequestExecutor:
    """Sends the requests of one operation; see `Executor`.

    Args:
        transport: what carries the requests.
        options: their timeouts and retries.
        throttle: how long throttled requests go on; without one each counts as an
            attempt.
        batch: the batch that the operation is part of, if it is part of one.
        retry_failures: whether a request of which the journal has a failure of this batch
            is sent once more.

    Attributes:
        attempts: how many attempts the requests have taken.
        from_journal: whether an outcome of the journal answered the last request.
        started_at: when the first request had its slot, by the clock of the loop.
    """

    __slots__ = (
        "_batch",
        "_now",
        "_options",
        "_retry_failures",
        "_throttle",
        "_transport",
        "attempts",
        "from_journal",
        "started_at",
    )

    def __init__(
        self,
        transport: Transport,
        options: RequestOptions,
        throttle: ThrottleBudget | None = None,
        batch: BatchExecutor | None = None,
        *,
        retry_failures: bool = True,
    ) -> None:
        self._transport = transport
        self._options = options
        self._throttle = throttle
        self._batch = batch
        self._retry_failures = retry_failures
        self._now = asyncio.get_running_loop().time
        self.attempts = 0
        self.from_journal = False
        self.started_at: float | None = None

    async def send(self, operation: Operation[T]) -> T:
        """Run an operation that is part of no batch.

        Raises:
            FutureAGIError: it failed.
        """
        if not operation.is_exclusive:
            return await operation.run(self)
        async with self._transport.exclusive(operation.run_test_id):
            return await operation.run(self)

    async def read(self, request: Request[PartResultT], /) -> PartResultT:
        """Send an idempotent request, in a batch no longer than to its deadline.

        Raises:
            NotAttemptedError: the batch has stopped, or its deadline has passed.
            FutureAGIError: it failed.
        """
        if self._batch is None:
            with _reads_leave_nothing_unknown():
                return await self._send(request)
        limit = asyncio.timeout_at(self._batch.deadline)
        try:
            async with limit:
                with _reads_leave_nothing_unknown():
                    return await self._send(request)
        except TimeoutError:
            if not limit.expired():
                raise
            raise NotAttemptedError(
                "not read: the deadline of the batch has passed before the answer came"
            ) from None

    async def write(self, request: Request[PartResultT], /) -> PartResultT:
        """Send a request and record it in the journal, if there is one.

        Raises:
            NotAttemptedError: the batch has stopped.
            FutureAGIError: it failed.
        """
        batch = self._batch
        if batch is None or batch.journal is None:
            return await self._send(request)
        try:
            claim = await batch.journal.claim(
                request, retry_failures=self._retry_failures
            )
            if claim.outcome is not None:
                outcome, self.from_journal = claim.outcome, True
                self.attempts += outcome.attempts
            else:
                outcome = await self._send_claimed(batch, batch.journal, claim)
        except JournalError as error:
            batch.stop(error)
            raise
        return batch.result_of(outcome)

    async def probe(self, request: Reconcilable[Any], /) -> Reconciliation:
        """Find out by reading whether a request of an earlier batch was applied."""
        policy = self._options.retry
        if not policy.reconcile:
            return Indeterminate("it was not looked at, since reconciling is off")
        return await reconcile_by_reading(
            request,
            self.read,
            _no_history,
            # Its sender had lost the journal before this batch began.
            sent_at=self._now() if self._batch is None else self._batch.began_at,
            reconcile_after=policy.reconcile_after,
        )

    async def history(self, run_test_id: str, /) -> Sequence[HistoryEntry]:
        """Return the journal entries of earlier batches for a run test, oldest first.

        Raises:
            JournalError: the journal refuses.
        """
        if self._batch is None or self._batch.journal is None:
            return ()
        return await self._batch.journal.earlier(run_test_id)

    async def _send_claimed(
        self, batch: BatchExecutor, journal: BatchJournal, claim: Claim[PartResultT]
    ) -> Outcome[PartResultT]:
        """Send a request whose intent is on disk, and record its outcome."""
        before, request = self.attempts, claim.request
        try:
            result = await self._send(request, claim)
        except (Exception, asyncio.CancelledError) as error:
            if is_own_cancellation(error):
                journal.release(claim)
                raise
            attempts, elapsed = self.attempts - before, self.elapsed(claim.started_at)
            outcome: Outcome[PartResultT] = batch.failed(
                request, error, attempts, elapsed
            )
        else:
            attempts, elapsed = self.attempts - before, self.elapsed(claim.started_at)
            outcome = batch.succeeded(request, result, attempts, elapsed)
        await journal.record(claim, outcome)
        return outcome

    async def _send(
        self,
        request: Request[PartResultT],
        claim: Claim[PartResultT] | None = None,
    ) -> PartResultT:
        """Send a request, in a batch once it has one of the slots."""
        batch = self._batch
        if batch is None:
            return await self._call(request)
        async with batch.slots:
            now = self._now()
            if self.started_at is None:
                self.started_at = now
            if claim is not None:
                claim.started_at = now
            stop = batch.stop_reason()
            if stop is not None:
                raise NotAttemptedError(f"not sent: {stop}")
            try:
                return await self._call(request, None if claim is None else claim.prior)
            except FutureAGIError as error:
                if error.stops_batch:
                    batch.stop(error)
                raise

    async def _call(
        self, request: Request[PartResultT], prior: PriorAttempts | None = None
    ) -> PartResultT:
        try:
            result, attempts = await self._transport.call(
                request, self._options, self._throttle, prior
            )
        except APIError as error:
            self.attempts += error.attempts
            raise
        self.attempts += attempts
        return result

    def elapsed(self, moment: float | None) -> float:
        """Return the seconds since a moment; none if that is not there."""
        return 0.0 if moment is None else self._now() - moment


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
