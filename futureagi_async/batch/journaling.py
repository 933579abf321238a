"""Requests and outcomes of a fan-out, on disk before anything rests on them."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import logging
from typing import TYPE_CHECKING, Any, Generic, NamedTuple

import attrs

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
from futureagi_async.transport.call import Past


if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from futureagi_async.model.outcome import Outcome
    from futureagi_async.model.request import Request
    from futureagi_async.transport.settings import Settings


logger = logging.getLogger("futureagi_async")


class Recording(Generic[ResultT]):
    """Writes a fan-out into its journal, and answers from it what was done before.

    A request that an earlier fan-out left in doubt is reconciled. That waits from the
    moment the journal was opened: whoever sent it had lost the journal by then.
    """

    def __init__(self, journal: JournalWriter, settings: Settings) -> None:
        self._journal = journal
        self._settings = settings
        self._now = asyncio.get_running_loop().time
        self._opened_at = self._now()
        self._first: dict[bytes, asyncio.Future[Outcome[ResultT]]] = {}
        self._failed: dict[bytes, _Failed] = {}

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, path: str | os.PathLike[str], settings: Settings
    ) -> AsyncGenerator[Recording[ResultT], None]:
        """Open a journal for a fan-out.

        Raises:
            JournalError: it cannot be written, or somebody else writes to it.
        """
        journal = await JournalWriter.open(path)
        try:
            yield cls(journal, settings)
        finally:
            await journal.aclose()

    async def outcome(
        self,
        request: Request[ResultT],
        turn: asyncio.Semaphore,
        send: Callable[[Request[ResultT], Past], Awaitable[Outcome[ResultT]]],
        *,
        repeats_failures: bool = False,
    ) -> Outcome[ResultT]:
        """Answer a request from the journal, or send it and write what comes of it.

        It waits for its turn when the disk has it. One that is cancelled before that
        has certainly not left, and the journal learns so.

        An equal request of the same fan-out shares the outcome of the first; one that
        comes after its end, a failure without the answer that it came from. With
        `repeats_failures` it does so only while that is under way, and where it may
        have been done: a job that makes a request anew has looked in between, and what
        was refused before can be accepted by now.

        Raises:
            JournalError: the journal refuses; the request was not sent.
        """
        key = request_key(self._settings.base_url, self._settings.workspace_id, request)
        first = self._first.get(key)
        if first is not None:
            shared = await asyncio.shield(first)
            return attrs.evolve(shared, request=request, from_journal=True)
        failed = self._failed.get(key)
        if failed is not None:
            if not (repeats_failures and failed.was_not_done):
                return Failure(request, *failed, from_journal=True)
            del self._failed[key]
        self._first[key] = asyncio.get_running_loop().create_future()
        try:
            outcome = await self._first_outcome(key, request, turn, send)
        except JournalError as error:
            shared_error = self._first.pop(key)
            shared_error.set_exception(error)
            shared_error.exception()  # there may be nobody to share it with
            raise
        except BaseException:
            self._first.pop(key).cancel()
            raise
        if isinstance(outcome, Failure):
            self._failed[key] = _Failed.by(outcome)
        # From now on the journal answers a success.
        self._first.pop(key).set_result(outcome)
        return outcome

    async def earlier(self, run_test_id: str) -> Sequence[JournalEntry]:
        """Give what earlier fan-outs wrote about a run test, the oldest first.

        Raises:
            JournalError: the journal refuses.
        """
        here = self._settings.base_url, self._settings.workspace_id
        entries = await self._journal.history(run_test_id)
        return [each for each in entries if (each.base_url, each.workspace_id) == here]

    async def _first_outcome(
        self,
        key: bytes,
        request: Request[ResultT],
        turn: asyncio.Semaphore,
        send: Callable[[Request[ResultT], Past], Awaitable[Outcome[ResultT]]],
    ) -> Outcome[ResultT]:
        entry = await self._journal.record_intent(
            key,
            request,
            base_url=self._settings.base_url,
            workspace_id=self._settings.workspace_id,
        )
        if entry is not None and entry.state is JournalState.DONE:
            return self._answer(entry, request)
        past = self._past(key, entry, request)
        try:
            await turn.acquire()
        except asyncio.CancelledError:
            if past.in_doubt_for is None:
                with contextlib.suppress(JournalError):
                    self._journal.record_outcome_nowait(key, _never_sent(request))
            raise
        try:
            outcome = await send(request, past)
        finally:
            turn.release()
        if past.in_doubt_for is not None and isinstance(outcome, NotAttempted):
            return outcome  # and the journal keeps the doubt
        await self._finish(key, outcome)
        return outcome

    async def _finish(self, key: bytes, outcome: Outcome[ResultT]) -> None:
        """Write an outcome. One that cannot be written is told all the same.

        The journal then takes no further request, which stops the fan-out, and the
        next one finds this request in doubt.
        """
        reconciled = isinstance(outcome, Success) and outcome.result.reconciled
        try:
            await self._journal.record_outcome(key, outcome, reconciled=reconciled)
        except JournalError as error:
            logger.warning(
                "the outcome for run test %s could not be written, so that the next "
                "fan-out has to reconcile it: %s",
                outcome.run_test_id,
                error,
            )

    def _answer(
        self, entry: JournalEntry, request: Request[ResultT]
    ) -> Success[ResultT]:
        if entry.answer is not None:
            try:
                answer: Any = codec.decode_result(
                    entry.answer, request.result_type, entry.request_id
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
                f"journal {self._journal.path}: entry {entry.sequence} has no answer"
            )
        return Success(request, result, 0, 0.0, from_journal=True)

    def _past(
        self, key: bytes, entry: JournalEntry | None, request: Request[ResultT]
    ) -> Past:
        doubt = None if entry is None or entry.state is JournalState.FAILED else entry
        return Past(
            in_doubt_for=None if doubt is None else self._now() - self._opened_at,
            was_absent=lambda: self._was_absent(key, doubt, request),
            note_absent=lambda: self._journal.note_absent(key),
        )

    async def _was_absent(
        self, key: bytes, doubt: JournalEntry | None, request: Request[ResultT]
    ) -> bool:
        """Tell if nothing of a request can have been there before it was sent.

        So it is where that was read before, or where this journal saw made what it is
        about, and holds no other request of the kind.
        """
        if doubt is not None and doubt.read_before:
            return True
        ids, run_test_id = _absent_if_new(request), request.run_test_id
        if not ids or run_test_id is None:
            return False
        is_new = ids <= await self._journal.created_ids(run_test_id)
        return is_new and await self._journal.is_alone(key, request.path)


def _never_sent(request: Request[ResultT]) -> NotAttempted[ResultT]:
    error = NotAttemptedError("not sent: the fan-out was cancelled before its turn")
    return NotAttempted(request, error)


class _Failed(NamedTuple):
    """What is remembered of a failure, of which a fan-out may have very many."""

    error: FutureAGIError
    attempts: int
    elapsed: float

    @classmethod
    def by(cls, failure: Failure[Any]) -> _Failed:
        return cls(_in_short(failure.error), failure.attempts, failure.elapsed)

    @property
    def was_not_done(self) -> bool:
        return self.error.delivery is not Delivery.UNKNOWN


def _in_short(error: FutureAGIError) -> FutureAGIError:
    """Copy an error without what it has of the answer, beyond what `str` shows."""
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


def _absent_if_new(request: Request[Any]) -> frozenset[str]:
    return request.absent_if_new if isinstance(request, Reconcilable) else frozenset()
