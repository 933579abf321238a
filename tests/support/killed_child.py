"""What the kill test runs in a process of its own, until it is killed."""

from __future__ import annotations

import asyncio
from typing import Any

import attrs

from futureagi_async import (
    AsyncFutureAGI,
    EvalConfig,
    Failure,
    RetryPolicy,
    RunNewEvals,
    Timeout,
)


@attrs.frozen
class Job:
    """The batch that is to survive."""

    url: str
    api_key: str
    secret_key: str
    run_test_ids: tuple[str, ...]
    template_ids: tuple[str, ...]
    journal: str
    reconcile_after: float


def carry_out(job: Job, report: Any) -> None:
    """Add eval configs and run them; tell what stayed undone, if it comes so far."""
    report.send("begun")
    report.send(asyncio.run(_carry_out(job)))


async def _carry_out(job: Job) -> list[str]:
    configs = [EvalConfig(id_, name=f"eval {id_}") for id_ in job.template_ids]
    async with AsyncFutureAGI(
        job.api_key,
        job.secret_key,
        base_url=job.url,
        timeout=Timeout(total=None),
        retry=RetryPolicy(reconcile_after=job.reconcile_after),
    ) as client:
        added = await client.add_eval_configs_many(
            job.run_test_ids, configs, journal=job.journal
        )
        started = await client.send_many(
            RunNewEvals.from_added(added), journal=job.journal
        )
    return [
        f"{each.run_test_id}: {each.error.delivery.value}: {each.error}"
        for each in (*added, *started)
        if isinstance(each, Failure)
    ]
