"""Operations in, outcomes out: batches over one transport."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from futureagi_async.batch.executor import RequestContext, RequestExecutor
from futureagi_async.batch.failures import is_own_cancellation, outcome_of_error
from futureagi_async.batch.worker_pool import CallerCodeError, WorkerPool
from futureagi_async.errors import (
    NotAttemptedError,
)
from futureagi_async.model.outcome import (
    Batch,
    BatchInterruptedError,
    NotAttempted,
    Outcome,
    Success,
)
from futureagi_async.model.request import InvalidItem, Requests, ResultT
from futureagi_async.transport.call import ThrottleBudget
from futureagi_async.transport.semaphore import RankedSemaphore


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from futureagi_async.batch.config import BatchConfig
    from futureagi_async.batch.journaling import BatchJournal
    from futureagi_async.model.operation import Operation
    from futureagi_async.transport.call import RequestOptions
    from futureagi_async.transport.transport import Transport


class BatchExecutor:
    """Executor of the operations of one batch, until something stops it.

    Args:
        transport: what carries the requests.
        options: their timeouts and retries.
        config: the options of the batch.
        journal: where requests and outcomes are recorded, if there is a journal.
        polls: whether requests are sent beside the operations as well.

    Attributes:
        context: what its requests share.
    """

    def __init__(
        self,
        transport: Transport,
        options: RequestOptions,
        config: BatchConfig,
        journal: BatchJournal | None = None,
        *,
        polls: bool = False,
    ) -> None:
        now = asyncio.get_running_loop().time()
        deadline = None if config.timeout is None else now + config.timeout
        throttle = ThrottleBudget(now, deadline)
        # Otherwise a worker has one request in flight, and there are no more workers.
        is_crowded = polls or journal is not None
        slots = RankedSemaphore(config.max_concurrency) if is_crowded else None
        self.context: RequestContext = RequestContext(
            transport, options, throttle, slots, journal, reads_on=polls
        )

    async def execute(self, operation: Operation[ResultT]) -> Outcome[ResultT]:
        """Run an operation; whatever happens is its outcome."""
        context = self.context
        stop = context.stop_reason()
        if stop is not None and not isinstance(operation, InvalidItem):
            await asyncio.sleep(0)  # an input without end can still be cancelled
            return NotAttempted(operation, NotAttemptedError(f"not sent: {stop}"))
        started = context.now()
        is_exclusive = operation.is_exclusive
        slots = RankedSemaphore(1) if is_exclusive and not context.slots else None
        executor = RequestExecutor(context, slots, retry_failures=is_exclusive)
        try:
            if is_exclusive:
                result = await executor.send(operation)
            else:  # one frame less for each request
                result = await operation.run(executor)
        except (Exception, asyncio.CancelledError) as error:
            if is_own_cancellation(error):
                raise
            return outcome_of_error(
                operation, error, *self._account(operation, executor, started)
            )
        return Success(operation, result, *self._account(operation, executor, started))

    def _account(
        self, operation: Operation[Any], executor: RequestExecutor, started: float
    ) -> tuple[int, float, bool]:
        """Return attempts, elapsed seconds, and whether the journal answered."""
        context = self.context
        if context.journal is None or operation.is_exclusive:
            is_replayed = executor.from_journal and not executor.attempts
            return executor.attempts, context.now() - started, is_replayed
        # The wait for the disk and for a slot is no time of a request.
        return executor.attempts, executor.elapsed, executor.from_journal

    def stop_reason(self) -> str | None:
        """Return why nothing more is started, if that is so."""
        return self.context.stop_reason()

    def stop_writes(self, reason: str) -> None:
        """Write nothing more; what was started is read."""
        self.context.writes_stopped_by = self.context.writes_stopped_by or reason

    def new_executor(self, *, continues: bool = False) -> RequestExecutor:
        """Return what sends the requests of one operation."""
        return RequestExecutor(self.context, continues=continues)

    @property
    def deadline(self) -> float | None:
        """When nothing more is started, by the clock of the loop."""
        return self.context.deadline

    @property
    def is_closed(self) -> bool:
        """Whether the client was closed."""
        return self.context.transport.closed

    def exclusive(
        self, run_test_id: str | None
    ) -> contextlib.AbstractAsyncContextManager[None]:
        """Return the lock of a run test against other exclusive operations."""
        return self.context.transport.exclusive(run_test_id)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for an event, or so many seconds, or until the client is closed."""
        await self.context.transport.wait(event, seconds)


@contextlib.asynccontextmanager
async def open_batch(
    transport: Transport,
    options: RequestOptions,
    config: BatchConfig,
    *,
    polls: bool = False,
) -> AsyncGenerator[BatchExecutor, None]:
    """Open what a batch needs: connections, and the journal if there is one."""
    await transport.open()
    if config.journal is None:
        yield BatchExecutor(transport, options, config, polls=polls)
        return
    # Imported when it is used: the database takes its time.
    from futureagi_async.batch.journaling import BatchJournal  # noqa: PLC0415

    async with BatchJournal.open(
        config.journal, config.base_url, config.workspace_id
    ) as journal:
        yield BatchExecutor(transport, options, config, journal, polls=polls)


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
            await pool.run()
        except CallerCodeError as stop:
            raise BatchInterruptedError.from_cause(
                stop.__cause__, Batch(outcomes)
            ) from stop.__cause__
    return Batch(outcomes)
