"""One call: its attempts, the pauses between them, and its result or error."""

from __future__ import annotations

import asyncio
import contextlib
import copy
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
    EndpointMissingError,
    JournalError,
    NameConflictError,
    NotAttemptedError,
    NotFoundError,
    ResponseTooLargeError,
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
    from futureagi_async.transport.rate_limiter import RateLimiter
    from futureagi_async.transport.settings import RetryPolicy, Timeout
    from futureagi_async.transport.timeouts import TaskTimeout
    from futureagi_async.transport.transport import LoopResources


logger: logging.Logger = logging.getLogger("futureagi_async")

THROTTLE_WINDOW = 600.0
"""Seconds for which a batch goes on when all responses are throttling."""

_BAD_REQUEST = 400
_NOT_FOUND = 404
_SERVER_ERROR = 500


# Classes that stay within the package have no methods that nobody calls: attrs compiles
# each when its class is made, which a process waits for before its first request.
@attrs.define(eq=False, repr=False)
class ThrottleBudget:
    """Budget for throttled requests of a batch (429, or 503 with `Retry-After`).

    A limit on requests a minute throttles most of a large batch most of the time, so
    that is no failure as long as other requests get through.
    """

    last_unthrottled: float
    """When a request of the batch last got any other response, in loop time."""
    deadline: float | None = None
    """When the batch starts nothing more, in loop time."""

    def expires_at(self) -> float:
        """Return when throttled requests are no longer retried, in loop time."""
        expires_at = self.last_unthrottled + THROTTLE_WINDOW
        return expires_at if self.deadline is None else min(expires_at, self.deadline)


@attrs.frozen(eq=False, repr=False)
class PriorAttempts:
    """Knowledge of a journal about a request before it is sent.

    Attributes:
        unknown_for: seconds since an earlier batch sent it at the latest, if that batch
            recorded no outcome.
        history: reads what the journal has about the run test.
    """

    unknown_for: float | None
    history: History


@attrs.frozen(eq=False, repr=False)
class RequestOptions:
    """Options that `with_options` can change."""

    timeout: Timeout
    retry: RetryPolicy


@attrs.define(eq=False, repr=False)
class SharedState:
    """State that all calls of a client share, in whichever event loop."""

    rate_limiter: RateLimiter
    quota: retry.RetryQuota
    random: Callable[[], float]
    wall_clock: Callable[[], float]
    closed: bool = False
    missing_endpoints: dict[str, EndpointMissingError] = attrs.field(factory=dict)
    """The endpoints that the service does not have, by their paths, with the error of
    its response."""


@attrs.define(eq=False, repr=False)
class Call:
    """One request, from its first attempt to its result or error."""

    shared: SharedState
    request: Request[Any]
    """The request to send: what remains of it, once a part was found applied."""
    options: RequestOptions
    throttle: ThrottleBudget | None
    """Set in a batch."""
    prior: PriorAttempts | None
    send: Callable[..., Awaitable[tuple[Any, int]]]
    """Makes another call from a request, options and a throttle budget."""
    now: Callable[[], float]
    """The time of the event loop."""
    rank: int = 0
    """Requests of a lower rank are sent first, where they wait for the rate limiter."""

    resources: LoopResources = attrs.field(init=False)
    deadline: TaskTimeout = attrs.field(init=False)
    """Its time limit; in a batch that starts when `run` does."""
    attempt: HTTPRequest | None = None
    """The last attempt, in progress or finished."""
    attempts: int = 0
    counted_attempts: int = 0
    """The attempts that `max_attempts` limits."""
    retries: int = 0
    """Failures so far, with which the pauses grow."""
    sent_at: float = 0.0
    """When the last attempt was sent, in loop time."""
    delivery: Delivery = Delivery.NOT_SENT
    """The delivery of the last finished attempt."""
    earlier: list[APIError] = attrs.field(factory=list)
    retry_cost: int = 1
    """What a success returns to the retry quota."""
    prior_unknown: APIError | None = None
    """Set if an earlier batch sent this request and recorded no outcome."""
    original_error: APIError | None = None
    """The error that is being reconciled; no error raised meanwhile may replace it."""

    async def run(self) -> Any:
        """Send it until it succeeds or fails for good, and return its result.

        One with an unknown outcome in an earlier batch is reconciled first.
        """
        total = self.options.timeout.total
        if self.throttle is not None and total is not None:
            self.deadline.reschedule(self.now() + total)
        error = self.prior_unknown
        while True:
            if error is None:
                try:
                    return await self._attempt()
                except APIError as failure:
                    error = failure
            reconciliation = await self._reconcile(error)
            if isinstance(reconciliation, Applied):
                return reconciliation.result
            if isinstance(reconciliation, Conflict):
                raise self.annotate(_name_conflict(reconciliation)) from error
            if isinstance(reconciliation, TargetMissing):
                raise self.annotate(_not_found(reconciliation)) from error
            delay = self._retry_delay(
                error, certainly_not_done=isinstance(reconciliation, NotApplied)
            )
            if delay is None:
                raise self.annotate(error)
            logger.debug("trying again in %.3f s: %s", delay, error)
            error = None
            await asyncio.sleep(delay)

    async def read(self, request: Request[ResultT], /) -> ResultT:
        """Send an idempotent request that reconciles this call."""
        result: ResultT
        result, _ = await self.send(request, self.options, self.throttle)
        return result

    async def _attempt(self) -> Any:
        """Send it once."""
        shared, request, throttle = self.shared, self.request, self.throttle
        if shared.missing_endpoints:
            missing = shared.missing_endpoints.get(_endpoint(request))
            if missing is not None:
                raise copy.copy(missing)
        has_deadline = throttle is not None and throttle.deadline is not None
        if shared.rate_limiter.is_limited or has_deadline:
            await self._await_rate_limit()
        if shared.closed:  # since it has waited for a lock, a retry or the limit
            raise ClientClosedError
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
            response = await self.resources.backend.send(attempt)
            status = response.status
            result = parse_response(request, response, shared.wall_clock())
        except APIError as error:
            attempt.in_progress = False
            self.delivery = error.delivery
            if isinstance(error, EndpointMissingError):
                shared.missing_endpoints[_endpoint(request)] = copy.copy(error)
            raise
        finally:
            if logger.isEnabledFor(logging.DEBUG):
                self._log(attempt, status, self.now() - self.sent_at)
        shared.quota.release(self.retry_cost)
        if throttle:
            throttle.last_unthrottled = self.now()
        return request.merge(result)

    async def _await_rate_limit(self) -> None:
        """Wait for a slot of the rate limiter, while the clock of the call is paused.

        After the deadline of its batch a request is not sent for the first time.
        """
        deadline = self.throttle.deadline if self.throttle else None
        if self.may_have_been_sent:
            deadline = None
        if deadline is not None and self.now() >= deadline:
            raise _deadline_passed()
        if self.shared.rate_limiter.is_limited:
            with self._clock_paused():
                try:
                    async with asyncio.timeout_at(deadline):
                        await self.shared.rate_limiter.acquire(self.rank)
                except TimeoutError:
                    raise _deadline_passed() from None

    @contextlib.contextmanager
    def _clock_paused(self) -> Iterator[None]:
        """Pause the time limit of the call."""
        paused_at, deadline = self.now(), self.deadline.when
        self.deadline.reschedule(math.inf)
        yield
        self.deadline.reschedule(deadline + self.now() - paused_at)

    def continue_from(self, unknown_for: float) -> None:
        """Continue a request that an earlier batch sent, and that has no outcome."""
        self.sent_at = self.now() - unknown_for
        self.delivery = Delivery.UNKNOWN
        self.counted_attempts = -1  # that attempt was another process's
        self.prior_unknown = APIError(
            "an earlier batch sent this request and recorded no outcome",
            delivery=Delivery.UNKNOWN,
        )

    async def _reconcile(self, error: APIError) -> Reconciliation | None:
        """Reconcile a failed attempt; `None` if no more is known of it than before.

        What was read becomes the hint of the error, and what remains to be sent the
        request of the call.
        """
        policy, request = self.options.retry, self.request
        if not policy.reconcile or not isinstance(request, Reconcilable):
            return None
        if isinstance(error, APIStatusError) and error.delivery is Delivery.REJECTED:
            accepted = request.merge_rejection(error)
            if accepted is not None:
                return Applied(accepted)
            self.original_error = error
            with contextlib.suppress(APIError, NotAttemptedError):
                await request.enrich_error(error, self.read)
            self.original_error = None
        if error.delivery is not Delivery.UNKNOWN:
            return None
        if not self._can_reconcile():
            if self._batch_deadline_first():
                error.hint = (
                    "the deadline of the batch came before it could be reconciled"
                )
            return None
        self.original_error = error
        reconciliation = await self._read_back(request)
        self.original_error = None
        if isinstance(reconciliation, NotApplied):
            self.request = reconciliation.request
            self.delivery = error.delivery = Delivery.REJECTED
            error.hint = reconciliation.seen
        elif isinstance(reconciliation, Indeterminate):
            error.hint = reconciliation.seen
        return reconciliation

    def _can_reconcile(self) -> bool:
        if self.shared.closed:
            return False
        if self.throttle is not None:
            return not self._batch_deadline_first()
        return self._reconcile_at() < self.deadline.when

    def _batch_deadline_first(self) -> bool:
        """Return whether the batch has stopped when it is time to read back."""
        deadline = None if self.throttle is None else self.throttle.deadline
        return deadline is not None and self._reconcile_at() >= deadline

    def _reconcile_at(self) -> float:
        return self.sent_at + self.options.retry.reconcile_after

    async def _read_back(self, request: Reconcilable[Any]) -> Reconciliation:
        """Read back; in a batch, the clock of the call is paused meanwhile."""
        with self._clock_paused() if self.throttle else contextlib.nullcontext():
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

    def _retry_delay(
        self, error: APIError, *, certainly_not_done: bool
    ) -> float | None:
        """Return the seconds until the next attempt, or `None` if there is none."""
        now = self.now()
        policy, throttle = self.options.retry, self.throttle
        reason = retry.retry_reason(
            error,
            retry_unknown=(policy.retry_unknown or self.request.idempotent)
            and not self._has_better(error),
        )
        delay = retry.retry_delay(self.retries, error.retry_after, self.shared.random)
        self.retries += 1
        if throttle and reason is retry.RetryReason.THROTTLED:
            if now + delay > throttle.expires_at():
                return None
            self.deadline.reschedule(self.deadline.when + now - self.sent_at + delay)
            return delay
        if throttle and isinstance(error, APIResponseError):
            throttle.last_unthrottled = now
        self.counted_attempts += 1
        if (
            (reason is None and not certainly_not_done)
            or self.counted_attempts >= policy.max_attempts
            or now + delay >= self.deadline.when
            or retry.retry_after_too_long(error)
        ):
            return None
        cost = self.shared.quota.acquire(timeout=isinstance(error, APITimeoutError))
        if cost is None:
            return None
        self.retry_cost = cost
        # Without its traceback, which holds this call, while the call holds the error.
        self.earlier.append(error.with_traceback(None))
        return delay

    def _has_better(self, error: APIError) -> bool:
        """Return whether other requests can succeed, and this one not, after an error."""
        if self.request.is_divisible and isinstance(
            error, APITimeoutError | ResponseTooLargeError
        ):
            return True
        return (
            self.request.has_substitute
            and isinstance(error, APIResponseError)
            and error.status_code <= _SERVER_ERROR  # above, a proxy has responded
        )

    def annotate(self, error: APIError) -> APIError:
        """Add the facts of the call to the error with which it ends."""
        error.run_test_id = self.request.run_test_id
        error.attempts = self.attempts
        error.earlier = tuple(self.earlier)
        if self.attempt is not None:
            error.request_id = self.attempt.request_id
        if self._has_unknown_attempt():
            error.delivery = Delivery.UNKNOWN
        return error

    def deadline_exceeded(self) -> APIError:
        """Return the error of a call that has exceeded its time limit."""
        if self.original_error is not None:
            return self.annotate(self.original_error)
        total = self.options.timeout.total
        message = f"not done within {total:g} s, the deadline of the call"
        if (status := self._partial_status()) is not None:
            message += f"; the body of the response {status} was not complete"
        return self.annotate(
            DeadlineExceededError(message, delivery=self._interrupted_delivery())
        )

    def closed(self) -> ClientClosedError:
        """Return the error of a call during which the client was closed."""
        delivery = (
            Delivery.UNKNOWN
            if self._has_unknown_attempt()
            else self._interrupted_delivery()
        )
        message = "the client was closed during the call"
        if delivery is Delivery.UNKNOWN:
            message += "; the work may have been done"
        return ClientClosedError(message, delivery=delivery)

    @property
    def may_have_been_sent(self) -> bool:
        """Whether something may have been sent, by this call or before it."""
        return bool(self.attempts) or self.delivery is Delivery.UNKNOWN

    def _has_unknown_attempt(self) -> bool:
        """Return whether an attempt before the last one may have been applied."""
        return any(error.delivery is Delivery.UNKNOWN for error in self.earlier)

    def _interrupted_delivery(self) -> Delivery:
        """Return the delivery of an attempt that was cancelled, so raised no error."""
        if self.attempt is None or not self.attempt.in_progress:
            return self.delivery
        if not self.attempt.connection_acquired:
            return Delivery.NOT_SENT
        status = self._partial_status()
        return Delivery.UNKNOWN if status is None else status_delivery(status, None)

    def _partial_status(self) -> int | None:
        """Return the status of an incomplete response: it can be a rejection."""
        if self.attempt is None or not self.attempt.in_progress:
            return None
        return self.attempt.status

    def _log(self, attempt: HTTPRequest, status: int | None, elapsed: float) -> None:
        logger.debug(
            "%s %s: %s after %.3f s (attempt %d, request id %s)",
            attempt.method,
            attempt.path,
            status or "no response",
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


def _endpoint(request: Request[Any]) -> str:
    """Return the path of a request without its query."""
    return request.path.partition("?")[0]


def _deadline_passed() -> NotAttemptedError:
    return NotAttemptedError("not sent: the deadline of the batch has passed")


def _name_conflict(reconciliation: Conflict) -> NameConflictError:
    error = NameConflictError(
        reconciliation.message, status_code=_BAD_REQUEST, delivery=Delivery.REJECTED
    )
    error.existing = reconciliation.existing
    return error


def _not_found(reconciliation: TargetMissing) -> NotFoundError:
    return NotFoundError(
        reconciliation.message, status_code=_NOT_FOUND, delivery=Delivery.REJECTED
    )
