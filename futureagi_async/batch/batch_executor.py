"""Operations in, outcomes out: batches over one transport."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.batch.cancellation import is_own_cancellation
from futureagi_async.batch.executor import RequestExecutor
from futureagi_async.batch.worker_pool import CallerCodeError, WorkerPool
from futureagi_async.errors import (
    APIError,
    ConfigurationError,
    Delivery,
    FutureAGIError,
    NotAttemptedError,
)
from futureagi_async.model.outcome import (
    Batch,
    BatchInterruptedError,
    Failure,
    NotAttempted,
    Outcome,
    Success,
)
from futureagi_async.model.request import InvalidItem, Requests, ResultT
from futureagi_async.model.validation import describe_type
from futureagi_async.transport.call import ThrottleBudget
from futureagi_async.transport.settings import (
    DEFAULT_MAX_CONCURRENCY,
    positive_int,
    positive_seconds,
)


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from datetime import timedelta

    from futureagi_async.batch.journaling import BatchJournal
    from futureagi_async.model.operation import Operation
    from futureagi_async.transport.call import RequestOptions
    from futureagi_async.transport.settings import Settings
    from futureagi_async.transport.transport import Transport


def validate_concurrency(value: int | None, max_connections: int) -> int:
    """Return how many requests are in flight at a time.

    Raises:
        ConfigurationError: not a whole number from 1 to `max_connections`.
    """
    if value is None:
        return min(DEFAULT_MAX_CONCURRENCY, max_connections)
    positive_int(value, "max_concurrency")
    if value > max_connections:
        raise ConfigurationError(
            f"max_concurrency: {value} requests need as many connections, and the "
            f"client has {max_connections}; make it with max_connections={value}"
        )
    return value


@attrs.frozen
class BatchConfig:
    """How a fan-out is to be carried out.

    Attributes:
        max_concurrency: how many requests are in flight at a time.
        timeout: seconds after which nothing more is begun.
        journal: where requests and outcomes are written.
        base_url: the service, by which the journal tells requests apart.
        workspace_id: the workspace, likewise.
    """

    max_concurrency: int
    timeout: float | None = None
    journal: str | os.PathLike[str] | None = None
    base_url: str = ""
    workspace_id: str | None = None

    @property
    def workers(self) -> int:
        """How many requests are worked on: some in flight, some waiting for the disk."""
        return self.max_concurrency * (1 if self.journal is None else 2)

    @classmethod
    def of(
        cls,
        settings: Settings,
        max_concurrency: int | None,
        timeout: float | timedelta | None,
        journal: str | os.PathLike[str] | None,
    ) -> BatchConfig:
        """Check the options of a fan-out.

        Raises:
            ConfigurationError: one of them cannot work.
        """
        seconds = None if timeout is None else positive_seconds(timeout, "timeout")
        if journal is not None and not isinstance(journal, str | os.PathLike):
            raise ConfigurationError(
                f"journal: the path of a file is wanted, not {describe_type(journal)}"
            )
        concurrency = validate_concurrency(max_concurrency, settings.max_connections)
        return cls(
            concurrency, seconds, journal, settings.base_url, settings.workspace_id
        )


class BatchExecutor:
    """Turns the operations of one batch into their outcomes, until something stops it.

    Attributes:
        slots: one for each request that may be in flight.
        journal: where requests and outcomes are recorded, if there is a journal.
        began_at: when the batch began, by the clock of the loop.
    """

    def __init__(
        self,
        transport: Transport,
        options: RequestOptions,
        config: BatchConfig,
        journal: BatchJournal | None = None,
    ) -> None:
        self._transport = transport
        self._options = options
        self._now = asyncio.get_running_loop().time
        self._stopped_by: FutureAGIError | None = None
        self.slots = asyncio.Semaphore(config.max_concurrency)
        self.journal = journal
        self.began_at = now = self._now()
        deadline = None if config.timeout is None else now + config.timeout
        self._throttle = ThrottleBudget(now, deadline)

    async def execute(self, operation: Operation[ResultT]) -> Outcome[ResultT]:
        """Run an operation; whatever happens is its outcome."""
        stop = self.stop_reason()
        if stop is not None and not isinstance(operation, InvalidItem):
            await asyncio.sleep(0)  # an input without end can still be cancelled
            return NotAttempted(operation, _not_attempted_error(stop))
        executor = self.new_executor(retry_failures=operation.is_exclusive)
        try:
            if operation.is_exclusive:
                executor.started_at = self._now()
                async with self.exclusive(operation.run_test_id):
                    result = await operation.run(executor)
            else:
                result = await operation.run(executor)
        except (Exception, asyncio.CancelledError) as error:
            if is_own_cancellation(error):
                raise
            return self.failed(
                operation,
                error,
                executor.attempts,
                executor.elapsed(executor.started_at),
                from_journal=executor.from_journal and not operation.is_exclusive,
            )
        return self.succeeded(
            operation,
            result,
            executor.attempts,
            executor.elapsed(executor.started_at),
            from_journal=executor.from_journal and not operation.is_exclusive,
        )

    @staticmethod
    def succeeded(
        operation: Operation[ResultT],
        result: ResultT,
        attempts: int,
        elapsed: float,
        *,
        from_journal: bool = False,
    ) -> Success[ResultT]:
        """Return the outcome of an operation that has a result."""
        return Success(operation, result, attempts, elapsed, from_journal)

    @staticmethod
    def failed(
        operation: Operation[ResultT],
        error: BaseException,
        attempts: int,
        elapsed: float,
        *,
        from_journal: bool = False,
    ) -> Failure[ResultT] | NotAttempted[ResultT]:
        """Return the outcome of an operation that raised."""
        if isinstance(error, NotAttemptedError) and not attempts:
            return NotAttempted(operation, error, from_journal=from_journal)
        if not isinstance(error, FutureAGIError):
            error = wrap_unexpected_error(error, operation)
        _drop_tracebacks(error)
        return Failure(operation, error, attempts, elapsed, from_journal)

    @staticmethod
    def result_of(outcome: Outcome[ResultT]) -> ResultT:
        """Return the result of an outcome, or raise its error."""
        if isinstance(outcome, Success):
            return outcome.result
        raise outcome.error

    def new_executor(self, *, retry_failures: bool = True) -> RequestExecutor:
        """Return what sends the requests of one operation."""
        return RequestExecutor(
            self._transport,
            self._options,
            self._throttle,
            self,
            retry_failures=retry_failures,
        )

    def exclusive(
        self, run_test_id: str | None
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Return the lock of a run test against other exclusive operations."""
        return self._transport.exclusive(run_test_id)

    def stop(self, error: FutureAGIError) -> None:
        """Start nothing more."""
        self._stopped_by = error

    def stop_reason(self) -> str | None:
        """Return why nothing more is started, if that is so."""
        if self._stopped_by is not None:
            return f"the batch was stopped by: {self._stopped_by}"
        deadline = self._throttle.deadline
        if deadline is not None and self._now() >= deadline:
            return "the deadline of the batch has passed"
        return None

    @property
    def deadline(self) -> float | None:
        """When nothing more is started, by the clock of the loop."""
        return self._throttle.deadline

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self._transport.closed

    async def pause(self, seconds: float, interrupted: asyncio.Event) -> None:
        """Wait so many seconds, or until interrupted, or until the client is closed."""
        await self._transport.wait(interrupted, seconds)


def wrap_unexpected_error(
    error: BaseException, operation: Operation[Any]
) -> FutureAGIError:
    """Return the error for an exception that should not have been raised."""
    failure = APIError(
        f"{type(error).__name__}: {error}",
        delivery=Delivery.UNKNOWN,
        run_test_id=operation.run_test_id,
    )
    failure.__cause__ = error
    return failure


def _not_attempted_error(stop: str) -> NotAttemptedError:
    return NotAttemptedError(f"not sent: {stop}")


def _drop_tracebacks(error: FutureAGIError) -> None:
    """Drop the frames that an error holds on to: a batch may keep thousands."""
    earlier = error.earlier if isinstance(error, APIError) else ()
    for each in (error, *earlier):
        link: BaseException | None = each
        while link is not None:
            link.__traceback__ = None
            # What was raised "from None" has a context all the same.
            link = link.__cause__ or link.__context__


@contextlib.asynccontextmanager
async def open_batch(
    transport: Transport, options: RequestOptions, config: BatchConfig
) -> AsyncGenerator[BatchExecutor, None]:
    """Open what a batch needs: connections, and the journal if there is one."""
    await transport.open()
    if config.journal is None:
        yield BatchExecutor(transport, options, config)
        return
    # Imported when it is used: the database takes its time.
    from futureagi_async.batch.journaling import BatchJournal  # noqa: PLC0415

    async with BatchJournal.open(
        config.journal, config.base_url, config.workspace_id
    ) as journal:
        yield BatchExecutor(transport, options, config, journal)


async def send_batch(
    transport: Transport,
    options: RequestOptions,
    requests: Requests[ResultT],
    config: BatchConfig,
    on_outcome: Callable[[Outcome[ResultT]], object] | None,
) -> Batch[ResultT]:
    """Run every operation with bounded concurrency; return outcomes in input order.

    Raises:
        BatchInterruptedError: the iterable or `on_outcome` raised.
    """
    outcomes: list[Any] = []

    def deliver(index: int, outcome: Outcome[ResultT]) -> None:
        while index >= len(outcomes):
            outcomes.append(None)  # for those that are still in progress
        outcomes[index] = outcome
        if on_outcome is not None:
            on_outcome(outcome)

    async with open_batch(transport, options, config) as batch:
        pool = WorkerPool(requests, batch.execute, deliver, workers=config.workers)
        try:
            await pool.work()
        except CallerCodeError as stop:
            raise BatchInterruptedError.by(
                stop.__cause__, Batch(outcomes)
            ) from stop.__cause__
    return Batch(outcomes)
