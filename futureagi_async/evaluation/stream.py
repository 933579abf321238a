"""Evaluation of many run tests as a report, or as a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from futureagi_async.batch.batch_executor import open_batch
from futureagi_async.batch.stream import Stream
from futureagi_async.batch.worker_pool import CallerCodeError
from futureagi_async.evaluation.inputs import EvaluationSettings
from futureagi_async.evaluation.pipeline import EvaluationPipeline
from futureagi_async.evaluation.report import (
    EvaluationInterruptedError,
    EvaluationProgress,
    EvaluationReport,
    RunTestEvaluation,
)
from futureagi_async.transport.call import RequestOptions
from futureagi_async.transport.transport import Transport


async def evaluate(
    transport: Transport,
    request_options: RequestOptions,
    items: Any,
    options: EvaluationSettings,
    on_progress: Callable[[EvaluationProgress], object] | None,
) -> EvaluationReport:
    """Evaluate every run test; return the evaluations in the order of the input.

    Raises:
        EvaluationInterruptedError: the input or `on_progress` raised.
    """
    evaluations: dict[int, RunTestEvaluation] = {}
    limit = options.max_in_progress
    slots = None if limit is None else asyncio.Semaphore(limit)

    def deliver(index: int, evaluation: RunTestEvaluation) -> None:
        evaluations[index] = evaluation
        if slots is not None:
            slots.release()

    def report() -> EvaluationReport:
        return EvaluationReport(evaluations[index] for index in sorted(evaluations))

    async with open_batch(
        transport, request_options, options.batch, polls=True
    ) as batch:
        pipeline = EvaluationPipeline(
            batch, options, deliver, on_progress, slots, remembers_all=True
        )
        try:
            await pipeline.run(items)
        except CallerCodeError as stop:
            cause = stop.__cause__
            raise EvaluationInterruptedError.by(cause, report()) from cause
    return report()


class EvaluationProducer:
    """Evaluations that are delivered when they are finished.

    Run tests that are under way and evaluations that wait to be read share the same
    slots.
    """

    def __init__(
        self,
        transport: Transport,
        request_options: RequestOptions,
        items: Any,
        options: EvaluationSettings,
    ) -> None:
        self._transport = transport
        self._request_options = request_options
        self._items = items
        self._options = options
        self._slots = asyncio.Semaphore(options.max_in_progress or 1)

    async def run(self, deliver: Callable[[RunTestEvaluation], object]) -> None:
        """Evaluate every run test and deliver its evaluation.

        Raises:
            EvaluationInterruptedError: the input raised.
        """
        interrupted: list[RunTestEvaluation] = []

        def forward(_index: int, evaluation: RunTestEvaluation) -> None:
            if pipeline.is_interrupted:
                interrupted.append(evaluation)
            deliver(evaluation)

        async with open_batch(
            self._transport, self._request_options, self._options.batch, polls=True
        ) as batch:
            pipeline = EvaluationPipeline(
                batch, self._options, forward, slots=self._slots, remembers_all=False
            )
            try:
                await pipeline.run(self._items)
            except CallerCodeError as stop:
                cause, report = stop.__cause__, EvaluationReport(interrupted)
                raise EvaluationInterruptedError.by(cause, report) from cause

    def release(self, count: int = 1) -> None:
        """Release the slots of so many evaluations that were read."""
        for _ in range(count):
            self._slots.release()


class EvaluationStream(Stream[RunTestEvaluation]):
    """Evaluations in the order in which they are finished.

    An asynchronous context manager and iterator: leaving the block early cancels what
    is in flight; what was started goes on at the service.
    """
