"""The journal of one batch: answers what was done before, records what is sent."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

import attrs

from futureagi_async.batch.failures import is_own_cancellation, outcome_of_error
from futureagi_async.errors import (
    LINE_LIMIT,
    APIError,
    APIResponseError,
    APIStatusError,
    Delivery,
    FutureAGIError,
    JournalError,
    NotAttemptedError,
)
from futureagi_async.journal.entry import JournalEntry, JournalState, request_key
from futureagi_async.journal.writer import JournalWriter
from futureagi_async.model import codec
from futureagi_async.model.outcome import Failure, NotAttempted, Success
from futureagi_async.model.reconciliation import Reconcilable
from futureagi_async.model.request import ResultT
from futureagi_async.transport.call import PriorAttempts


if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Sequence

    from futureagi_async.model.outcome import Outcome
    from futureagi_async.model.request import Request


logger: logging.Logger = logging.getLogger("futureagi_async")


@attrs.define(eq=False)
class Claim(Generic[ResultT]):
    """A request that a batch may send, or the outcome that the journal has of it.

    Attributes:
        key: the digest by which the journal finds it.
        request: the request.
        outcome: what answers it, if it is not to be sent.
        prior: what the journal knows about it, if it is to be sent.
        sent_at: when it had its slot, by the clock of the loop; `None` before that.
        attempts: how many attempts it has taken.
        elapsed: seconds from its slot to its result or error.
    """

    key: bytes
    request: Request[ResultT]
    outcome: Outcome[ResultT] | None = None
    prior: PriorAttempts | None = None
    sent_at: float | None = None
    attempts: int = 0
    elapsed: float = 0.0


class BatchJournal:
    """The journal of one batch.

    A request whose outcome an earlier batch left unknown is reconciled. The time that
    the service has had is counted from the opening of the journal: its sender had lost
    the journal by then.
    """

    def __init__(
        self, journal: JournalWriter, base_url: str, workspace_id: str | None
    ) -> None:
        self._journal = journal
        self._service = base_url, workspace_id
        self._now = asyncio.get_running_loop().time
        self._opened_at = self._now()
        self._in_flight: dict[bytes, asyncio.Future[Outcome[Any]]] = {}
        self._failed: dict[bytes, _Failed] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, path: str | os.PathLike[str], base_url: str, workspace_id: str | None
    ) -> AsyncGenerator[BatchJournal, None]:
        """Open a journal for a batch.

        Raises:
            JournalError: it cannot be written, or another writer has it.
        """
        journal = await JournalWriter.open(path)
        try:
            yield cls(journal, base_url, workspace_id)
        finally:
            await journal.aclose()

    async def claim(
        self, request: Request[ResultT], *, retry_failures: bool
    ) -> Claim[ResultT]:
        """Return the outcome of a request, or the right to send it.

        An equal request of the same batch shares the outcome of the first. One that
        comes later shares a failure as well. With `retry_failures` it does so only where
        the work may have been done: an operation that makes a request once more has read
        in between, and what was rejected before can be accepted by now.

        Raises:
            JournalError: the journal refuses; the request is not to be sent.
        """
        key = request_key(*self._service, request)
        first = self._in_flight.get(key)
        if first is not None:
            shared = await asyncio.shield(first)
            return Claim(key, request, shared)
        failed = self._failed.get(key)
        if failed is not None:
            if not (retry_failures and failed.certainly_not_done):
                return Claim(key, request, Failure(request, *failed))
            del self._failed[key]
        self._in_flight[key] = asyncio.get_running_loop().create_future()
        try:
            entry = await self._record_intent(key, request)
            if entry is not None and entry.state is JournalState.DONE:
                replayed = self._replay(entry, request)
                # From now on the journal answers it.
                self._in_flight.pop(key).set_result(replayed)
                return Claim(key, request, replayed)
        except JournalError as error:
            shared_error = self._in_flight.pop(key)
            shared_error.set_exception(error)
            shared_error.exception()  # there may be none to share it with
            raise
        except BaseException:
            self._in_flight.pop(key).cancel()
            raise
        is_unknown = entry is not None and entry.state is not JournalState.FAILED
        prior = PriorAttempts(
            self._now() - self._opened_at if is_unknown else None,
            partial(self.history, request.run_test_id or ""),
        )
        return Claim(key, request, prior=prior)

    async def record_result(self, claim: Claim[ResultT], result: ResultT) -> None:
        """Write and share the success of a claimed request."""
        success = Success(claim.request, result, claim.attempts, claim.elapsed)
        await self._record(claim, success)

    async def record_error(self, claim: Claim[Any], error: BaseException) -> None:
        """Write and share what a claimed request raised.

        A request that was cancelled has no outcome: its claim is released.
        """
        if is_own_cancellation(error):
            self._release(claim)
            return
        outcome = outcome_of_error(claim.request, error, claim.attempts, claim.elapsed)
        if isinstance(outcome, Failure):
            self._failed[claim.key] = _Failed.by(outcome)
        elif _is_unknown(claim):  # and so it stays in the journal
            self._in_flight.pop(claim.key).set_result(outcome)
            return
        await self._record(claim, outcome)

    @staticmethod
    def result_of(outcome: Outcome[ResultT]) -> ResultT:
        """Return the result of an outcome, or raise its error."""
        if isinstance(outcome, Success):
            return outcome.result
        raise outcome.error

    async def _record(self, claim: Claim[ResultT], outcome: Outcome[ResultT]) -> None:
        """Write an outcome, and share it with equal requests of the batch.

        One that cannot be written is reported all the same. The journal then takes no
        further request, which stops the batch, and the next batch finds the outcome of
        this request unknown.
        """
        try:
            await self._journal.record_outcome(claim.key, outcome)
        except JournalError as error:
            logger.warning(
                "the outcome for run test %s could not be written, so that the next "
                "batch has to reconcile it: %s",
                outcome.run_test_id,
                error,
            )
        except BaseException:
            self._in_flight.pop(claim.key).cancel()
            raise
        self._in_flight.pop(claim.key).set_result(outcome)

    def _release(self, claim: Claim[Any]) -> None:
        """Drop a claim whose request was cancelled.

        One that had no slot yet was certainly not sent, and is recorded so.
        """
        if claim.sent_at is None and not _is_unknown(claim):
            error = NotAttemptedError(
                "not sent: the batch was cancelled before it had a slot"
            )
            with contextlib.suppress(JournalError):
                self._journal.record_outcome_nowait(
                    claim.key, NotAttempted(claim.request, error)
                )
        self._in_flight.pop(claim.key).cancel()

    async def earlier(self, run_test_id: str) -> Sequence[JournalEntry]:
        """Return the entries of earlier batches for a run test, oldest first.

        Raises:
            JournalError: the journal refuses.
        """
        entries = await self._journal.history(run_test_id, earlier_only=True)
        return [
            entry
            for entry in entries
            if (entry.base_url, entry.workspace_id) == self._service
        ]

    async def history(self, run_test_id: str) -> Sequence[JournalEntry]:
        """Return all entries for a run test, of whichever batch, service or workspace.

        One service can have two addresses: a start through the other one counts too.

        Raises:
            JournalError: the journal refuses.
        """
        return await self._journal.history(run_test_id)

    async def _record_intent(
        self, key: bytes, request: Request[Any]
    ) -> JournalEntry | None:
        base_url, workspace_id = self._service
        return await self._journal.record_intent(
            key, request, base_url=base_url, workspace_id=workspace_id
        )

    def _replay(
        self, entry: JournalEntry, request: Request[ResultT]
    ) -> Success[ResultT]:
        if entry.response is not None:
            try:
                answer: Any = codec.decode_result(
                    entry.response, request.result_type, entry.request_id
                )
            except codec.DecodeError as error:
                raise JournalError(
                    f"journal {self._journal.path}: entry {entry.sequence} is damaged: "
                    f"{error}"
                ) from None
            result: Any = attrs.evolve(answer, reconciled=entry.reconciled)
        elif isinstance(request, Reconcilable):
            result = request.result_from(None)
        else:
            raise JournalError(
                f"journal {self._journal.path}: entry {entry.sequence} has no response"
            )
        return Success(request, result, 0, 0.0)


def _is_unknown(claim: Claim[Any]) -> bool:
    return claim.prior is not None and claim.prior.unknown_for is not None


class _Failed(NamedTuple):
    """A failure of the batch, without what it has of the response."""

    error: FutureAGIError
    attempts: int
    elapsed: float

    @classmethod
    def by(cls, failure: Failure[Any]) -> _Failed:
        return cls(_compact_error(failure.error), failure.attempts, failure.elapsed)

    @property
    def certainly_not_done(self) -> bool:
        return self.error.delivery is not Delivery.UNKNOWN


def _compact_error(error: FutureAGIError) -> FutureAGIError:
    """Copy an error without what it has of the response beyond what `str` shows.

    A batch may keep very many of them.
    """
    if not isinstance(error, APIError):
        return error
    short = copy.copy(error)
    short.message = " ".join(error.message.split())[: LINE_LIMIT + 1]
    short.args = (short.message,)
    short.earlier = ()
    if isinstance(short, APIResponseError):
        short.body = b""
    if isinstance(short, APIStatusError):
        short.details, short.item_errors = {}, ()
    return short
