"""What a kill test of executions runs in a process of its own, until it is killed."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs

from futureagi_async import AsyncFutureAGI, RetryPolicy, Timeout
from futureagi_async.types import ExecuteRunTest


@attrs.frozen
class Job:
    """The batch that is to survive."""

    url: str
    api_key: str
    secret_key: str
    run_test_ids: tuple[str, ...]
    journal: str
    reconcile_after: float


def carry_out(job: Job, report: Any) -> None:
    """Execute run tests; report what was started and what stayed unknown."""
    report.send("begun")
    report.send(asyncio.run(_carry_out(job)))


async def _carry_out(job: Job) -> tuple[dict[str, str], list[str]]:
    async with AsyncFutureAGI(
        job.api_key,
        job.secret_key,
        base_url=job.url,
        timeout=Timeout(total=None),
        retry=RetryPolicy(reconcile_after=job.reconcile_after),
    ) as client:
        batch = await client.send_many(
            [ExecuteRunTest(each) for each in job.run_test_ids],
            journal=job.journal,
            max_concurrency=8,
        )
    started = {
        each.run_test_id or "": each.result.execution_id for each in batch.successes
    }
    return started, [each.run_test_id or "" for each in batch.unknown]
