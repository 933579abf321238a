"""One call: its attempts, the waits between them, and what is known when it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.errors import (
    APIError,
    APIResponseError,
    APIStatusError,
    APITimeoutError,
    ClientClosedError,
    DeadlineExceededError,
    Delivery,
    JournalError,
    NameConflictError,
    NotAttemptedError,
    NotFoundError,
)
from futureagi_async.model.reconciliation import (
    Applied,
    Conflict,
    Indeterminate,
    NotApplied,
    Reconcilable,
    Reconciliation,
    TargetMissing,
)
from futureagi_async.transport import retry
from futureagi_async.transport.http import HTTPRequest
from futureagi_async.transport.reconcile import reconcile_by_reading
from futureagi_async.transport.response import parse_response, status_delivery


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from futureagi_async.model.operation import History, HistoryEntry
    from futureagi_async.model.request import Request, ResultT
    from futureagi_async.transport.connections import Connections
    from futureagi_async.transport.rate_limiter import RateLimiter
    from futureagi_async.transport.settings import RetryPolicy, Timeout
    from futureagi_async.transport.timeouts import TaskTimeout


logger: logging.Logger = logging.getLogger("futureagi_async")

PATIENCE = 600.0
"""Seconds for which a fan-out bears being turned away without any other answer."""

_BAD_REQUEST = 400
_NOT_FOUND = 404


# What stays within the package has no methods that nobody calls: attrs compiles each
# when its class is made, which a process waits for before its first request.
@attrs.define(eq=False, repr=False)
class ThrottleBudget:
    """How long the requests of one fan-out go on when they are turned away.

    A limit on requests a minute turns away most of a large fan-out most of the time, so
    being turned away is no failure as long as others get through.
    """

    last_answer: float
    """When a request of the fan-out was last answered otherwise, in loop time."""
    deadline: float | None = None
    """When the fan-out begins nothing more, in loop time."""

    def lasts_until(self) -> float:
        """When being turned away is borne no more."""
        ends = self.last_answer + PATIENCE
        return ends if self.deadline is None else min(ends, self.deadline)


@attrs.frozen(eq=False, repr=False)
class PriorAttempts:
    """What a journal knows about a request before it is sent.

    Attributes:
        unknown_for: seconds since an earlier batch sent it at the latest, if that batch
            recorded no outcome.
        history: reads what the journal has about the run test.
    """

    unknown_for: float | None
    history: History


@attrs.frozen(eq=False, repr=False)
class RequestOptions:
    """What `with_options` can change."""

    timeout: Timeout
    retry: RetryPolicy


@attrs.frozen(eq=False, repr=False)
class Means:
    """What the calls of a client share."""

    connections: Connections
    pace: RateLimiter
    quota: retry.RetryQuota
    random: Callable[[], float]
    wall_clock: Callable[[], float]


@attrs.define(eq=False, repr=False)
class Call:
    """One request on its way, until it is done or has failed for good."""

    means: Means
    request: Request[Any]
    """What is to be sent: the rest, once a part has proved to be done."""
    options: RequestOptions
    patience: ThrottleBudget | None
    prior: PriorAttempts | None
    send: Callable[..., Awaitable[tuple[Any, int]]]
    """Makes another call, given its request, its options and its patience."""
    now: Callable[[], float]
    """The time of the event loop."""

    deadline: TaskTimeout = attrs.field(init=False)
    """How long it may take; in a fan-out that is known when it has its turn."""
    attempt: HTTPRequest | None = None
    """The last attempt, under way or ended."""
    attempts: int = 0
    counted: int = 0
    """Those of them that `max_attempts` counts."""
    repeated: int = 0
    """Failures so far; the waits grow with it."""
    sent_at: float = 0.0
    """When the last attempt was sent, in loop time."""
    delivery: Delivery = Delivery.NOT_SENT
    """What the last attempt that ended left behind."""
    earlier: list[APIError] = attrs.field(factory=list)
    price: int = 1
    """What a success gives back to the retry quota."""
    inherited: APIError | None = None
    """The doubt in which an earlier fan-out left the request."""
    reconciling: APIError | None = None
    """The error about which more is being found out: nothing may replace it."""

    async def run(self) -> Any:
        """Bring it to its end; one that may have been done before is reconciled first."""
        total = self.options.timeout.total
        if self.patience is not None and total is not None:
            self.deadline.move(self.now() + total)
        error = self.inherited
        while True:
            if error is None:
                try:
                    return await self._attempt()
                except APIError as failure:
                    error = failure
            finding = await self._look(error)
            if isinstance(finding, Applied):
                return finding.result
            if isinstance(finding, Conflict):
                raise self.complete(_name_conflict(finding)) from error
            if isinstance(finding, TargetMissing):
                raise self.complete(_not_found(finding)) from error
            wait = self._wait_after(error, is_not_done=isinstance(finding, NotApplied))
            if wait is None:
                raise self.complete(error)
            logger.debug("trying again in %.3f s: %s", wait, error)
            error = None
            await asyncio.sleep(wait)

    async def read(self, request: Request[ResultT], /) -> ResultT:
        """Send what has to be read to reconcile this call."""
        answered = await self.send(request, self.options, self.patience)
        result: ResultT = answered[0]
        return result

    async def _attempt(self) -> Any:
        """Send it once."""
        means, request, patience = self.means, self.request, self.patience
        if means.pace.is_limited or (patience and patience.deadline is not None):
            await self._take_pace()
        sender = means.connections.sender()  # not sooner: it may have been closed
        attempt = self.attempt = HTTPRequest(
            request.method,
            request.path,
            request.body,
            self.options.timeout,
            os.urandom(16).hex(),
        )
        self.attempts += 1
        self.sent_at = self.now()
        status: int | None = None
        try:
            answer = await sender.send(attempt)
            status = answer.status
            result = parse_response(request, answer, means.wall_clock())
        except APIError as error:
            attempt.under_way = False
            self.delivery = error.delivery
            raise
        finally:
            if logger.isEnabledFor(logging.DEBUG):
                self._log(attempt, status, self.now() - self.sent_at)
        means.quota.give_back(self.price)
        if patience:
            patience.last_answer = self.now()
        return request.merge(result)

    async def _take_pace(self) -> None:
        """Wait until the rate limit lets an attempt through: no time of the request.

        What was not begun before the deadline of its fan-out is not begun at all.
        """
        latest = self.patience.deadline if self.patience else None
        if latest is not None and not self.has_begun:
            if self.now() >= latest:
                raise _too_late()
        else:
            latest = None
        if self.means.pace.is_limited:
            with self._stopped_clock():
                try:
                    async with asyncio.timeout_at(latest):
                        await self.means.pace.turn()
                except TimeoutError:
                    raise _too_late() from None

    @contextlib.contextmanager
    def _stopped_clock(self) -> Iterator[None]:
        """Let time pass that is no time of the request."""
        started, ends = self.now(), self.deadline.when
        self.deadline.move(math.inf)
        yield
        self.deadline.move(ends + self.now() - started)

    def inherit(self, unknown_for: float) -> None:
        """Take over a request that may have been done before this call."""
        self.sent_at = self.now() - unknown_for
        self.delivery = Delivery.UNKNOWN
        self.counted = -1  # that attempt was another process's
        self.inherited = APIError(
            "an earlier fan-out sent this request and did not learn what came of it",
            delivery=Delivery.UNKNOWN,
        )

    async def _look(self, error: APIError) -> Reconciliation | None:
        """Find out about an attempt in doubt; `None` where that is not asked for.

        The error learns what was seen, and the call what is still to be sent.
        """
        policy, request = self.options.retry, self.request
        if not policy.reconcile or not isinstance(request, Reconcilable):
            return None
        if isinstance(error, APIStatusError) and error.delivery is Delivery.REJECTED:
            accepted = request.merge_rejection(error)
            if accepted is not None:
                return Applied(accepted)
            self.reconciling = error
            with contextlib.suppress(APIError, NotAttemptedError):
                await request.enrich_error(error, self.read)
            self.reconciling = None
        if error.delivery is not Delivery.UNKNOWN:
            return None
        if not self._can_reconcile():
            if self._is_cut_by_batch():
                error.hint = (
                    "the deadline of the batch came before it could be reconciled"
                )
            return None
        self.reconciling = error
        finding = await self._reconciled(request)
        self.reconciling = None
        if isinstance(finding, NotApplied):
            self.request = finding.request
            self.delivery = error.delivery = Delivery.REJECTED
            error.hint = finding.seen
        elif isinstance(finding, Indeterminate):
            error.hint = finding.seen
        return finding

    def _can_reconcile(self) -> bool:
        if self.means.connections.closed:
            return False
        if self.patience is not None:
            return not self._is_cut_by_batch()
        return self._reconcile_at() < self.deadline.when

    def _is_cut_by_batch(self) -> bool:
        """Tell if the batch begins nothing more when it is time to look."""
        latest = None if self.patience is None else self.patience.deadline
        return latest is not None and self._reconcile_at() >= latest

    def _reconcile_at(self) -> float:
        return self.sent_at + self.options.retry.reconcile_after

    async def _reconciled(self, request: Reconcilable[Any]) -> Reconciliation:
        """Look; in a fan-out, that is no time of the request."""
        with self._stopped_clock() if self.patience else contextlib.nullcontext():
            return await reconcile_by_reading(
                request,
                self.read,
                self._history,
                sent_at=self.sent_at,
                reconcile_after=self.options.retry.reconcile_after,
            )

    async def _history(self) -> Sequence[HistoryEntry]:
        """Return what the journal has about the run test, if there is a journal."""
        if self.prior is None:
            return ()
        try:
            return await self.prior.history()
        except JournalError:  # the batch stops by itself
            return ()

    def _wait_after(self, error: APIError, *, is_not_done: bool) -> float | None:
        """Seconds from a failed attempt to the next; `None` if there is to be none."""
        now = self.now()
        policy, patience = self.options.retry, self.patience
        reason = retry.reason_to_repeat(
            error,
            repeat_unknown=self.request.idempotent or policy.retry_unknown,
        )
        wait = retry.wait_before(self.repeated, error.retry_after, self.means.random)
        self.repeated += 1
        if patience and reason is retry.Reason.THROTTLED:
            if now + wait > patience.lasts_until():
                return None
            self.deadline.move(self.deadline.when + now - self.sent_at + wait)
            return wait
        if patience and isinstance(error, APIResponseError):
            patience.last_answer = now
        self.counted += 1
        is_last = self.counted >= policy.max_attempts
        is_too_late = now + wait >= self.deadline.when or retry.asks_for_too_long(error)
        if (reason is None and not is_not_done) or is_last or is_too_late:
            return None
        price = self.means.quota.take(timeout=isinstance(error, APITimeoutError))
        if price is None:
            return None
        self.price = price
        # Without its traceback: that holds this call, and the call holds the error.
        self.earlier.append(error.with_traceback(None))
        return wait

    def complete(self, error: APIError) -> APIError:
        """Write into the error that ends the call what the call knows."""
        error.run_test_id = self.request.run_test_id
        error.attempts = self.attempts
        error.earlier = tuple(self.earlier)
        if self.attempt is not None:
            error.request_id = self.attempt.request_id
        if self._is_in_doubt():
            error.delivery = Delivery.UNKNOWN
        return error

    def deadline_exceeded(self) -> APIError:
        """Make the error of a call whose time is over."""
        if self.reconciling is not None:
            return self.complete(self.reconciling)
        total = self.options.timeout.total
        message = f"not done within {total:g} s, the deadline of the call"
        if (status := self._status_so_far()) is not None:
            message += f"; the body of an answer {status} was not complete"
        return self.complete(DeadlineExceededError(message, delivery=self._cut_short()))

    def closed(self) -> ClientClosedError:
        """Make the error of a call during which the client was closed."""
        delivery = Delivery.UNKNOWN if self._is_in_doubt() else self._cut_short()
        message = "the client was closed during the call"
        if delivery is Delivery.UNKNOWN:
            message += "; the work may have been done"
        return ClientClosedError(message, delivery=delivery)

    @property
    def has_begun(self) -> bool:
        """Whether something may have been sent, by this call or before it."""
        return bool(self.attempts) or self.delivery is Delivery.UNKNOWN

    def _is_in_doubt(self) -> bool:
        """Tell if an attempt that was repeated may have done the work."""
        return any(each.delivery is Delivery.UNKNOWN for each in self.earlier)

    def _cut_short(self) -> Delivery:
        """Tell the delivery of the last attempt where no error tells it."""
        if self.attempt is None or not self.attempt.under_way:
            return self.delivery
        if not self.attempt.handed_over:
            return Delivery.NOT_SENT
        status = self._status_so_far()
        return Delivery.UNKNOWN if status is None else status_delivery(status, None)

    def _status_so_far(self) -> int | None:
        """Give the status of an answer that is not complete: a refusal is one already."""
        if self.attempt is None or not self.attempt.under_way:
            return None
        return self.attempt.status

    def _log(self, attempt: HTTPRequest, status: int | None, elapsed: float) -> None:
        logger.debug(
            "%s %s: %s after %.3f s (attempt %d, request id %s)",
            attempt.method,
            attempt.path,
            status or "no answer",
            elapsed,
            self.attempts,
            attempt.request_id,
            extra={
                "http_method": attempt.method,
                "http_path": attempt.path,
                "http_status": status,
                "attempt": self.attempts,
                "elapsed": elapsed,
                "request_id": attempt.request_id,
                "run_test_id": self.request.run_test_id,
            },
        )


def _too_late() -> NotAttemptedError:
    return NotAttemptedError("not sent: the deadline of the batch has passed")


def _name_conflict(finding: Conflict) -> NameConflictError:
    error = NameConflictError(
        finding.message, status_code=_BAD_REQUEST, delivery=Delivery.REJECTED
    )
    error.existing = finding.existing
    return error


def _not_found(finding: TargetMissing) -> NotFoundError:
    return NotFoundError(
        finding.message, status_code=_NOT_FOUND, delivery=Delivery.REJECTED
    )
