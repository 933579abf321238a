"""The main job on the emulator: add eval configs to many run tests, and run them."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from futureagi_async.client import AsyncFutureAGI
from futureagi_async.emulator import Emulator, World
from futureagi_async.endpoints.eval_config import EvalConfig
from futureagi_async.endpoints.run_new_evals import RunNewEvals


if TYPE_CHECKING:
    from collections.abc import Callable

    from futureagi_async.endpoints.add_eval_configs import AddEvalConfigsResult
    from futureagi_async.endpoints.run_new_evals import RunNewEvalsResult
    from futureagi_async.outcomes import Batch


def run_demo(run_tests: int, max_concurrency: int, latency: float) -> int:
    """Run the demo and print its summary; give the exit status."""
    console = Console()
    world = World.synthetic(run_tests=run_tests)
    console.print(f"An emulator with {run_tests} run tests answers on this machine.")
    with Emulator(world, latency=latency) as emulator, _progress(console) as progress:
        started_at = time.perf_counter()
        added, started = asyncio.run(_add_and_run(emulator, progress, max_concurrency))
        elapsed = time.perf_counter() - started_at
    console.print(_summary(added, started, elapsed))
    failures = [*added.failures, *started.failures]
    for failure in failures[:10]:
        console.print(f"failed: {failure.error}", markup=False)
    return 1 if failures else 0


async def _add_and_run(
    emulator: Emulator, progress: Progress, max_concurrency: int
) -> tuple[Batch[AddEvalConfigsResult], Batch[RunNewEvalsResult]]:
    run_test_ids = emulator.world.run_test_ids
    tone, order = emulator.world.template_ids[:2]
    configs = [
        EvalConfig(tone, name="tone", mapping={"text": "transcript"}),
        EvalConfig(order, name="order", config={"params": {"keyword": "order"}}),
    ]
    async with AsyncFutureAGI(
        emulator.api_key,
        emulator.secret_key,
        base_url=emulator.url,
        max_connections=max(100, max_concurrency),
    ) as client:
        added = await client.add_eval_configs_many(
            run_test_ids,
            configs,
            max_concurrency=max_concurrency,
            on_outcome=_counter(progress, "adding eval configs", len(run_test_ids)),
        )
        runs = RunNewEvals.from_added(added)
        started = await client.send_many(
            runs,
            max_concurrency=max_concurrency,
            on_outcome=_counter(progress, "starting evaluations", len(runs)),
        )
    return added, started


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _counter(progress: Progress, title: str, total: int) -> Callable[[Any], None]:
    task = progress.add_task(title, total=total)
    return lambda _: progress.advance(task)


def _summary(
    added: Batch[AddEvalConfigsResult],
    started: Batch[RunNewEvalsResult],
    elapsed: float,
) -> Table:
    created = {
        each.run_test_id: len(each.result.created_eval_configs)
        for each in added.successes
    }
    evaluations = sum(
        each.result.call_execution_count * created[each.run_test_id]
        for each in started.successes
    )
    table = Table(show_header=False)
    table.add_column(justify="right")
    table.add_column(style="bold")
    table.add_row("run tests", str(len(added)))
    table.add_row("configs created", str(sum(created.values())))
    table.add_row("evaluations started", str(evaluations))
    table.add_row("failures", str(len(added.failures) + len(started.failures)))
    table.add_row("elapsed", f"{elapsed:.2f} s")
    return table
