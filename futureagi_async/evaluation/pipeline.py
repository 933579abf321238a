"""Many run tests, each flowing through by itself from eval configs to scores."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.batch.batch_executor import BatchExecutor, open_batch
from futureagi_async.batch.config import BatchConfig
from futureagi_async.batch.failures import wrap_unexpected_error
from futureagi_async.batch.stream import Stream
from futureagi_async.batch.worker_pool import CallerCodeError, WorkerPool
from futureagi_async.errors import ConfigurationError, FutureAGIError
from futureagi_async.evaluation import conclusion
from futureagi_async.evaluation.plan import EvaluationPhase, Plan, assess, make_plan
from futureagi_async.evaluation.poller import Rounds, Watched, look
from futureagi_async.evaluation.reading import read_tally
from futureagi_async.evaluation.report import (
    EvaluationInterruptedError,
    EvaluationProgress,
    EvaluationReport,
    EvaluationStatus,
    RunTestEvaluation,
)
from futureagi_async.evaluation.start import Progress, Started, StartEvaluations
from futureagi_async.model import validation
from futureagi_async.model.operation import Executor, Operation
from futureagi_async.model.outcome import Success
from futureagi_async.transport.settings import positive_int, positive_seconds


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from futureagi_async.endpoints.eval_config import EvalConfig
    from futureagi_async.model.request import Requests
    from futureagi_async.transport.call import RequestOptions
    from futureagi_async.transport.transport import Transport


_REFUSES = (
    "an execution says that it is evaluating although all its results are there; the "
    "service does not run it again"
)

_CROWDED = (
    "others evaluate its executions time and again, so that not everything that was "
    "asked for could be started; evaluate again"
)

_BUSY = (
    "others have evaluations under way on its executions, and the service takes no more "
    "until those have ended, so that not everything was started; evaluate again then"
)

_RESTARTS = 3
"""How often a run test is gone through anew after what others had started has ended."""


@attrs.frozen
class EvaluationSettings:
    """How many run tests are evaluated.

    Attributes:
        fan_out: as for every fan-out.
        poll: seconds between the first rounds of looking.
        waits: whether to wait for the end of what was started.
        max_in_progress: how many run tests may be under way at a time; `None` for all.
    """

    fan_out: BatchConfig
    poll_interval: float
    waits: bool = True
    max_in_progress: int | None = None

    @classmethod
    def of(
        cls,
        fan_out: BatchConfig,
        *,
        poll_interval: float,
        waits: bool = True,
        max_in_progress: int | None = None,
    ) -> EvaluationSettings:
        """Check the options of an evaluation.

        Raises:
            ConfigurationError: one of them cannot work.
        """
        poll_interval = positive_seconds(poll_interval, "poll_interval")
        if not isinstance(waits, bool):
            raise ConfigurationError(
                f"wait: True or False is wanted, not {validation.describe_type(waits)}"
            )
        if waits and fan_out.timeout is None:
            raise ConfigurationError(
                "timeout: seconds are wanted, since evaluations can stay unfinished "
                "for ever, and every wait has to end"
            )
        if max_in_progress is not None:
            positive_int(max_in_progress, "max_in_progress")
        return cls(fan_out, poll_interval, waits, max_in_progress)


@attrs.frozen
class WatchEvals(Operation[Started]):
    """Look how far the evaluations of a run test are, whoever started them."""

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    run_test_name: str | None = attrs.field(default=None, kw_only=True, eq=False)
    """Its name, where it is known beforehand."""

    async def run(self, executor: Executor) -> Started:
        """Look once, at everything that is there."""
        progress = Progress()
        progress.tally = await read_tally(
            executor.read, self.run_test_id, progress.selection, None
        )
        return Started(raw={}, progress=progress)


@attrs.define(eq=False)
class _Rerun:
    """What a run test that comes again shares with the first, which is run anew."""

    error: FutureAGIError | None = None
    has_ended: bool = False


@attrs.define(eq=False, kw_only=True)
class _Ticket(Watched):
    """A run test on its way."""

    request: Operation[Any]
    place: int
    began: float
    progress: Progress = attrs.field(factory=Progress)
    restarts: int = 0
    rerun: _Rerun | None = None
    comes_again: bool = False
    has_ended: bool = False

    @property
    def name(self) -> str | None:
        """The run test, or what stood where its id belongs."""
        return self.request.run_test_id

    @property
    def run_test_name(self) -> str | None:
        """What the run test is called, where the input has told."""
        if isinstance(self.request, StartEvaluations | WatchEvals):
            return self.request.run_test_name
        return None

    @property
    def asked(self) -> Sequence[EvalConfig]:
        """The eval configs that are asked for."""
        if not isinstance(self.request, StartEvaluations):
            return ()
        return self.request.evaluations_config


class Evaluation:
    """The evaluation of many run tests, whose ends are handed on as they come.

    Args:
        batch: what sends the requests.
        options: how it is done.
        deliver: takes the end of each run test, with its place in the input.
        on_progress: is told how far it is.
        places: a place is taken for each run test before it is read; whoever takes its
            end gives it back.
    """

    def __init__(
        self,
        batch: BatchExecutor,
        options: EvaluationSettings,
        deliver: Callable[[int, RunTestEvaluation], object],
        on_progress: Callable[[EvaluationProgress], object] | None = None,
        places: asyncio.Semaphore | None = None,
    ) -> None:
        self._batch = batch
        self._executor = batch.new_executor()
        self._options = options
        self._deliver = deliver
        self._on_progress = on_progress
        self._places = places
        self._now = asyncio.get_running_loop().time
        self._interrupted = asyncio.Event()
        self._rounds = Rounds(
            self._visit,
            self._give_up,
            pause=options.poll_interval,
            workers=options.fan_out.max_concurrency,
            sleep=lambda seconds: batch.pause(seconds, self._interrupted),
        )
        self._begun = self._ended = self._scored = 0
        self._reruns: dict[str, _Rerun] = {}
        self._failure: BaseException | None = None

    async def run(self, items: Requests[Any]) -> None:
        """Evaluate every run test.

        Raises:
            CallerCodeError: the input or `on_progress` has raised; whatever was under way
                was brought to an end.
        """
        workers = self._options.fan_out.workers
        # A worker that finds the input at its end still has the place it took for more.
        fan_out = WorkerPool(
            items,
            self._begin,
            self._enter,
            workers=min(workers, self._options.max_in_progress or workers),
            acquire_slot=None if self._places is None else self._places.acquire,
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._rounds.run(self._is_stopped, self._batch.deadline))
            try:
                await fan_out.run()
            except CallerCodeError as error:
                self._interrupt(error.__cause__)
            self._rounds.close()
        if self._failure is not None:
            raise CallerCodeError(self._begun) from self._failure

    def _interrupt(self, failure: BaseException | None) -> None:
        """Come to the end, since the caller's own code has raised."""
        self._failure = self._failure or failure
        self._interrupted.set()

    def _is_stopped(self) -> bool:
        return self._reason_to_stop() is not None

    def _reason_to_stop(self) -> str | None:
        if self._failure is not None:
            return "the evaluation was interrupted"
        if self._batch.is_closed:
            return "the client was closed"
        return self._batch.stop_reason()

    def _enter(self, _place: int, ticket: _Ticket) -> None:
        """Have a run test waited for, unless it has ended; called for each in turn."""
        if not ticket.has_ended and self._rounds.are_over:
            self._give_up(ticket)
        elif not ticket.has_ended:
            self._rounds.enter(ticket)
            self._tell(None)
        if self._failure is not None:
            raise self._failure  # so that no more of the input is read

    def _give_up(self, ticket: _Ticket) -> None:
        reason = f"not waited for any longer: {self._reason_to_stop()}"
        self._end(ticket, EvaluationStatus.PENDING, reason)

    async def _begin(self, request: Operation[Any]) -> _Ticket:
        ticket = _Ticket(
            run_test_id=request.run_test_id or "",
            request=request,
            place=self._begun,
            began=self._now(),
        )
        self._begun += 1
        if isinstance(request, StartEvaluations) and request.rerun:
            self._run_once(ticket, request)
        await self._start(ticket)
        return ticket

    def _run_once(self, ticket: _Ticket, request: StartEvaluations) -> None:
        """Have a run test that comes again share what is run the first time."""
        ticket.rerun = self._reruns.get(request.run_test_id)
        if ticket.rerun is None:
            ticket.rerun = self._reruns[request.run_test_id] = _Rerun()
        else:
            ticket.comes_again = True
            ticket.request = attrs.evolve(request, rerun=False)

    async def _start(self, ticket: _Ticket) -> None:
        """Do what is to be done before the wait, if there is one."""
        outcome = await self._batch.execute(ticket.request)
        if not isinstance(outcome, Success):
            self._fail(ticket, outcome.error)
            return
        ticket.progress = progress = outcome.result.progress
        if progress.error is not None:
            self._fail(ticket, progress.error)
            return
        plan = progress.plan
        if plan is not None:
            ticket.selection, ticket.config_ids = (
                progress.selection,
                progress.config_ids,
            )
        if plan is not None and (plan.starts or plan.is_awaited):
            if not self._options.waits:
                self._end_of_start(ticket, plan)
            return
        if self._waits_for_the_first(ticket):
            return
        finding = assess(progress.tally)
        if finding.verdict is EvaluationPhase.UNDER_WAY:
            if plan is not None and not self._options.waits:
                # All that was asked for has its results; it is others that go on.
                self._conclude(ticket, EvaluationPhase.FINISHED, plan)
            return
        if finding.is_certain or not self._options.waits:
            self._conclude(ticket, finding.verdict, plan)
        else:
            ticket.suspected = finding.verdict

    def _waits_for_the_first(self, ticket: _Ticket) -> bool:
        """Tell if results may be those that the first of equal run tests runs anew.

        If the first has failed, so has the other: what is there is of earlier times.
        """
        rerun = ticket.rerun
        if rerun is None or not ticket.comes_again:
            return False
        if rerun.error is not None:
            self._fail(ticket, rerun.error)
        return rerun.error is not None or not rerun.has_ended

    def _end_of_start(self, ticket: _Ticket, plan: Plan) -> None:
        """Come to the end of a run test that is not waited for."""
        if plan.is_blocked:
            self._end(ticket, EvaluationStatus.NOT_STARTED, _BUSY)
        else:
            self._end(ticket, EvaluationStatus.STARTED)

    async def _visit(self, ticket: _Ticket) -> None:
        """Look at a run test that waits; it may come to its end.

        A look ends at the deadline, wherever it is. A start goes on to its own end: what
        it writes may not be lost.
        """
        limit = asyncio.timeout_at(self._batch.deadline)
        try:
            async with limit:
                found = await look(self._executor.read, ticket)
        except Exception as error:  # noqa: BLE001 - one run test may not hurt another
            found = (
                None
                if limit.expired()
                else wrap_unexpected_error(error, ticket.request)
            )
        ticket.progress.tally = ticket.tally or ticket.progress.tally
        if isinstance(found, FutureAGIError):
            self._fail(ticket, found)
        elif found is not None and not self._waits_for_the_first(ticket):
            await self._go_on(ticket, found)

    async def _go_on(self, ticket: _Ticket, verdict: EvaluationPhase) -> None:
        """Start what could not be started before, or come to the end."""
        request = ticket.request
        if not isinstance(request, StartEvaluations):
            self._conclude(ticket, verdict, None)
            return
        is_rerun = request.rerun
        plan = make_plan(ticket.progress.tally, ticket.progress.begun, rerun=is_rerun)
        if is_rerun and plan.is_awaited:
            self._end(ticket, EvaluationStatus.STUCK, _REFUSES)
        elif not plan.starts:
            self._conclude(ticket, verdict, plan)
        elif ticket.restarts == _RESTARTS:
            self._end(ticket, EvaluationStatus.NOT_STARTED, _CROWDED)
        else:
            ticket.restarts += 1
            ticket.suspected = None
            ticket.looks = 0
            ticket.request = attrs.evolve(request, progress=ticket.progress)
            await self._start(ticket)

    def _conclude(
        self, ticket: _Ticket, verdict: EvaluationPhase, plan: Plan | None
    ) -> None:
        self._end(ticket, conclusion.state_of(verdict, ticket.progress.tally, plan))

    def _fail(self, ticket: _Ticket, error: FutureAGIError) -> None:
        if ticket.rerun is not None and not ticket.comes_again:
            ticket.rerun.error = error
        elapsed = self._now() - ticket.began
        self._give(
            ticket,
            conclusion.failed(
                ticket.name, ticket.asked, ticket.progress, error, elapsed
            ),
        )

    def _end(self, ticket: _Ticket, state: EvaluationStatus, reason: str = "") -> None:
        elapsed = self._now() - ticket.began
        evaluation = conclusion.ended(
            ticket.name, ticket.asked, ticket.progress, state, elapsed, reason=reason
        )
        self._give(ticket, evaluation)

    def _give(self, ticket: _Ticket, evaluation: RunTestEvaluation) -> None:
        if evaluation.run_test_name is None:
            evaluation = attrs.evolve(evaluation, run_test_name=ticket.run_test_name)
        ticket.has_ended = True
        if ticket.rerun is not None and not ticket.comes_again:
            ticket.rerun.has_ended = True
        self._rounds.leave(ticket)
        self._ended += 1
        self._scored += evaluation.is_scored
        if self._is_stopped():
            self._interrupted.set()  # there is nothing to pause for any more
        self._deliver(ticket.place, evaluation)
        self._tell(evaluation)

    def _tell(self, latest: RunTestEvaluation | None) -> None:
        if self._on_progress is None or self._failure is not None:
            return
        try:
            self._on_progress(
                EvaluationProgress(
                    read=self._begun,
                    waiting=len(self._rounds),
                    ended=self._ended,
                    scored=self._scored,
                    latest=latest,
                )
            )
        except Exception as error:  # noqa: BLE001 - raised again at the end
            self._interrupt(error)


async def evaluate(
    transport: Transport,
    request_options: RequestOptions,
    items: Requests[Any],
    options: EvaluationSettings,
    on_progress: Callable[[EvaluationProgress], object] | None,
) -> EvaluationReport:
    """Evaluate every run test; give their ends in the order of the input.

    Raises:
        EvaluationInterruptedError: the input or `on_progress` raised.
    """
    ended: dict[int, RunTestEvaluation] = {}
    limit = options.max_in_progress
    places = None if limit is None else asyncio.Semaphore(limit)

    def deliver(place: int, evaluation: RunTestEvaluation) -> None:
        ended[place] = evaluation
        if places is not None:
            places.release()

    async with open_batch(transport, request_options, options.fan_out) as batch:
        evaluation = Evaluation(batch, options, deliver, on_progress, places)
        try:
            await evaluation.run(items)
        except CallerCodeError as stop:
            report = EvaluationReport(ended[place] for place in sorted(ended))
            raise EvaluationInterruptedError.with_report(
                stop.__cause__, report
            ) from stop.__cause__
    return EvaluationReport(ended[place] for place in sorted(ended))


class EvaluationProducer:
    """Ends of run tests that are handed on as they come.

    What is under way and what waits to be taken share the same places.
    """

    def __init__(
        self,
        transport: Transport,
        request_options: RequestOptions,
        items: Requests[Any],
        options: EvaluationSettings,
    ) -> None:
        self._transport = transport
        self._request_options = request_options
        self._items = items
        self._options = options
        self._places = asyncio.Semaphore(options.max_in_progress or 1)

    async def run(self, deliver: Callable[[RunTestEvaluation], object]) -> None:
        """Evaluate every run test and deliver its end.

        Raises:
            EvaluationInterruptedError: the input raised.
        """
        async with open_batch(
            self._transport, self._request_options, self._options.fan_out
        ) as batch:
            evaluation = Evaluation(
                batch,
                self._options,
                lambda _, ended: deliver(ended),
                places=self._places,
            )
            try:
                await evaluation.run(self._items)
            except CallerCodeError as stop:
                raise EvaluationInterruptedError.with_report(
                    stop.__cause__, EvaluationReport()
                ) from stop.__cause__

    def release(self, count: int = 1) -> None:
        """Make room: so many ends were taken."""
        for _ in range(count):
            self._places.release()


class EvaluationStream(Stream[RunTestEvaluation]):
    """The ends of run tests as they come.

    An asynchronous context manager and iterator: leaving the block early cancels what
    is in flight; what was started goes on at the service.
    """
