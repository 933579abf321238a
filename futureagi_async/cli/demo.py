"""The demo: evaluate many run tests on an emulator, and show their scores."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

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


if TYPE_CHECKING:
    from collections.abc import Callable

    from futureagi_async.evaluation.report import (
        ConfigScores,
        EvaluationProgress,
        EvaluationReport,
    )


_EVALUATION_SECONDS = 1.0
"""How long the emulator takes for an evaluation."""

_TIMEOUT = 600.0
"""Seconds after which the demo stops waiting."""

_MAX_SHOWN = 5
"""How many run tests are shown with their scores."""

_MAX_NAMED = 10
"""How many failures are printed."""


def run_demo(run_tests: int, max_concurrency: int, latency: float) -> int:
    """Run the demo and print scores and a summary; return the exit status."""
    console = Console()
    world = World.synthetic(run_tests=run_tests)
    console.print(f"An emulator with {run_tests} run tests is running on this machine.")
    emulator = Emulator(
        world, latency=latency, dispatch="run", run_seconds=_EVALUATION_SECONDS
    )
    with emulator, _progress_bar(console) as progress:
        show = _progress_callback(progress, run_tests)
        started_at = time.perf_counter()
        report = asyncio.run(_evaluate(emulator, max_concurrency, show))
        elapsed = time.perf_counter() - started_at
    console.print(_score_table(report))
    console.print(_summary_table(report, elapsed))
    for failure in report.failures[:_MAX_NAMED]:
        console.print(f"failed: {failure.reason}", markup=False)
    return 1 if report.failures else 0


async def _evaluate(
    emulator: Emulator,
    max_concurrency: int,
    show: Callable[[EvaluationProgress], None],
) -> EvaluationReport:
    async with AsyncFutureAGI(
        emulator.api_key,
        emulator.secret_key,
        base_url=emulator.url,
        max_connections=max(100, max_concurrency),
    ) as client:
        configs = [
            EvalConfig(
                (await client.find_eval_template(template)).id,
                name=template,
                mapping={template_input: "transcript"},
            )
            for template, template_input in (("tone", "output"), ("contains", "text"))
        ]
        return await client.evaluate(
            client.list_run_tests(),
            configs,
            timeout=_TIMEOUT,
            poll_interval=_EVALUATION_SECONDS,
            max_concurrency=max_concurrency,
            on_progress=show,
        )


def _progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description:>12}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    )


def _progress_callback(
    progress: Progress, run_tests: int
) -> Callable[[EvaluationProgress], None]:
    started = progress.add_task("started", total=run_tests)
    scored = progress.add_task("with scores", total=run_tests)

    def show(now: EvaluationProgress) -> None:
        progress.update(started, completed=now.waiting + now.finished)
        progress.update(scored, completed=now.scored)

    return show


def _score_table(report: EvaluationReport) -> Table:
    table = Table("run test", "eval config", "score", "calls")
    for evaluation in report[:_MAX_SHOWN]:
        for config in evaluation.configs:
            table.add_row(
                evaluation.run_test_name or evaluation.run_test_id,
                config.name,
                config.score_text,
                _call_counts(config),
            )
    if len(report) > _MAX_SHOWN:
        table.caption = f"… and {len(report) - _MAX_SHOWN} more run tests"
    return table


def _call_counts(config: ConfigScores) -> str:
    others = {
        "failed": config.failed,
        "skipped": config.skipped,
        "pending": config.pending,
    }
    parts = [f"{count} {name}" for name, count in others.items() if count]
    return ", ".join([f"{config.evaluated} evaluated", *parts])


def _summary_table(report: EvaluationReport, elapsed: float) -> Table:
    configs = [config for evaluation in report for config in evaluation.configs]
    table = Table(show_header=False)
    table.add_column(justify="right")
    table.add_column(style="bold")
    table.add_row("run tests", str(len(report)))
    table.add_row("scored", str(len(report.scored)))
    table.add_row("configs created", str(sum(config.is_created for config in configs)))
    table.add_row("calls evaluated", str(sum(config.evaluated for config in configs)))
    table.add_row("failures", str(len(report.failures)))
    table.add_row("elapsed", f"{elapsed:.2f} s")
    return table
