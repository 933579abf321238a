"""Results of evaluations, summarized by config and by template."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from futureagi_async.emulator.rows import EvalConfig, RunTest, Template
    from futureagi_async.emulator.world import World


_PERCENTILES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)


class SummaryError(Exception):
    """Results that cannot be summarized; the view responds with 500."""


def summarize(
    world: World,
    run_test: RunTest,
    execution_id: str | None,
    names: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """Return one entry per template, the newest config's first.

    Args:
        world: where the templates are.
        run_test: whose evaluations are summarized.
        execution_id: the one execution to summarize, or `None` for all.
        names: the names of the configs to summarize; by default all.

    Raises:
        SummaryError: a result is of a type that has no summary.
    """
    results = finished_results(run_test, execution_id)
    by_template: dict[str, list[EvalConfig]] = {}
    for config in run_test.live_configs():
        if names and config.name not in names:
            continue
        by_template.setdefault(config.template_id, []).append(config)
    return [
        _template_entry(
            world.templates[template_id],
            [config_entry(config, results.get(config.id, [])) for config in configs],
        )
        for template_id, configs in by_template.items()
    ]


def finished_results(
    run_test: RunTest, execution_id: str | None
) -> dict[str, list[Any]]:
    """Return the stored results that count, by config.

    They have an output and a type, and belong to completed calls. Cells that are no
    objects are among them: they have no summary.
    """
    found: dict[str, list[Any]] = {}
    for execution, call in run_test.calls():
        if execution_id not in (None, execution.id) or call.status != "completed":
            continue
        for config_id, cell in (call.eval_outputs or {}).items():
            if cell and (not isinstance(cell, Mapping) or _counts(cell)):
                found.setdefault(config_id, []).append(cell)
    return found


def _counts(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell has an output and a type."""
    return None not in (cell.get("output"), cell.get("output_type"))


def config_entry(config: EvalConfig, results: Sequence[Any]) -> dict[str, Any]:
    """Return the numbers of one config.

    Raises:
        SummaryError: the results are of a type that has no summary, or no objects.
    """
    if not all(isinstance(result, Mapping) for result in results):
        raise SummaryError("a cell is no object")
    entry: dict[str, Any] = {
        "name": config.name,
        "id": config.id,
        "total_cells": len(results),
    }
    if not results:
        return {**entry, "output": {}}
    values = [result["output"] for result in results]
    match results[0]["output_type"]:
        case "Pass/Fail":
            return {**entry, "output": _pass_rates(values)}
        case "score":
            return {**entry, **_score_distribution(values)}
        case "choices":
            return {**entry, "output": _choice_rates(values)}
        case unknown:
            raise SummaryError(f"no summary of {unknown}")


def _pass_rates(values: Sequence[Any]) -> dict[str, Any]:
    """Count what passed and failed."""
    words = [str(value).lower() for value in values]
    passed = sum(word in ("passed", "true") for word in words)
    failed = sum(word in ("failed", "false") for word in words)
    return {
        "pass": _percent(passed, len(words)),
        "fail": _percent(failed, len(words)),
        "pass_count": passed,
        "fail_count": failed,
    }


def _score_distribution(values: Sequence[Any]) -> dict[str, Any]:
    """Return the percentiles and the mean of scores, in percent."""
    numbers = sorted(
        float(value) * 100 for value in values if isinstance(value, int | float)
    )
    if not numbers:
        return {"output": {}}
    return {
        "output": {f"p{n}": round(_percentile(numbers, n), 2) for n in _PERCENTILES},
        "avg_score": round(sum(numbers) / len(numbers), 2),
    }


def _percentile(numbers: Sequence[float], share: int) -> float:
    """Return the value below which a share of the sorted numbers lies, interpolated."""
    position = (len(numbers) - 1) * share / 100
    low, high = numbers[math.floor(position)], numbers[math.ceil(position)]
    return low + (high - low) * (position % 1)


def _choice_rates(values: Sequence[Any]) -> dict[str, float]:
    """Return how often each choice was made, in percent."""
    counts = Counter(str(value) for value in values)
    return {choice: _percent(count, len(values)) for choice, count in counts.items()}


def _percent(part: float, whole: float) -> float:
    """Return a share in percent."""
    return round(part / whole * 100, 2)


def _template_entry(
    template: Template, entries: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the entries of one template's configs, with their total."""
    return {
        "name": template.name,
        "id": template.id,
        "output_type": template.output_type,
        "result": list(entries),
        **_total(template.output_type, entries),
    }


def _total(output_type: str, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the total over all configs, if the output type has one."""
    outputs = [entry["output"] for entry in entries]
    cells = sum(entry["total_cells"] for entry in entries)
    match output_type:
        case "Pass/Fail":
            passed = sum(output.get("pass_count", 0) for output in outputs)
            return {"total_pass_rate": _percent(passed, cells) if cells else 0}
        case "score":
            scores = [entry.get("avg_score", 0) for entry in entries]
            return {"total_avg": _mean(scores, entries) if cells else 0}
        case "choices":
            # Only choices that the newest config has seen are in the total.
            means = {
                choice: _mean([output.get(choice, 0) for output in outputs], entries)
                for choice in outputs[0]
            }
            return {"total_choices_avg": means}
        case _:
            return {}


def _mean(values: Sequence[float], entries: Sequence[dict[str, Any]]) -> float:
    """Return the mean of one value per entry, weighted by its number of results."""
    weights: list[int] = [entry["total_cells"] for entry in entries]
    weighted = sum(
        value * weight for value, weight in zip(values, weights, strict=True)
    )
    return round(weighted / sum(weights), 2)
