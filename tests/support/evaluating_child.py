"""What the proofs run in a process of its own, until it is killed or interrupted."""

from __future__ import annotations

import asyncio
import importlib
import signal
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async import (
    AsyncFutureAGI,
    EvalConfig,
    FutureAGI,
    RetryPolicy,
    Timeout,
)


if TYPE_CHECKING:
    from futureagi_async import EvaluationReport


LOADED = (
    "futureagi_async.evaluation.pipeline",
    "futureagi_async.batch.journaling",
    "futureagi_async.transport.aiohttp_backend",
)
"""What is loaded late otherwise: a kill is to hit the job, and not its imports."""

for name in LOADED:
    importlib.import_module(name)


@attrs.frozen
class Job:
    """The evaluation that is to survive."""

    url: str
    api_key: str
    secret_key: str
    run_test_ids: tuple[str, ...]
    template_ids: tuple[str, ...]
    journal: str
    rerun: bool
    reconcile_after: float
    poll_interval: float
    timeout: float
    stuck_after: float = 60.0

    @property
    def client(self) -> dict[str, Any]:
        """The arguments of a client."""
        return {
            "api_key": self.api_key,
            "secret_key": self.secret_key,
            "base_url": self.url,
            "timeout": Timeout(total=None),
            "retry": RetryPolicy(reconcile_after=self.reconcile_after),
        }

    @property
    def evaluation(self) -> dict[str, Any]:
        """The arguments of `evaluate`."""
        return {
            "run_tests": self.run_test_ids,
            "configs": [
                EvalConfig(id_, name=f"eval {id_}") for id_ in self.template_ids
            ],
            "timeout": self.timeout,
            "rerun": self.rerun,
            "poll_interval": self.poll_interval,
            "stuck_after": self.stuck_after,
            "journal": self.journal,
        }


@attrs.frozen
class End:
    """The evaluation of one run test."""

    run_test_id: str | None
    is_scored: bool
    delivery: str | None
    reason: str
    warnings: tuple[str, ...]


def ends(report: EvaluationReport) -> list[End]:
    """Return the evaluation of every run test."""
    return [
        End(
            each.run_test_id,
            each.is_scored,
            each.error and each.error.delivery.value,
            each.reason,
            each.warnings,
        )
        for each in report
    ]


def carry_out(job: Job, to: Any) -> None:
    """Run the job, and send its evaluations unless it is killed before."""
    to.send("started")
    to.send(asyncio.run(_carry_out(job)))


async def _carry_out(job: Job) -> list[End]:
    async with AsyncFutureAGI(**job.client) as client:
        return ends(await client.evaluate(**job.evaluation))


def carry_out_again_and_again(job: Job, to: Any) -> None:
    """Run the job with the blocking client, and again after every Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with FutureAGI(**job.client) as client:
        while True:
            try:
                to.send("started")
                report = client.evaluate(**job.evaluation)
                # From here on it has ended, whatever comes.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                break
            except KeyboardInterrupt:
                continue
    to.send(ends(report))
