"""Results of evaluations, summed up by config and by template."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from futureagi_async.emulator.rows import EvalConfig, RunTest, Template
    from futureagi_async.emulator.world import World


PERCENTILES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)


class SummaryError(Exception):
    """Results that cannot be summed up; the view answers 500."""


def summary(
    world: World, run_test: RunTest, execution_id: str | None
) -> list[dict[str, Any]]:
    """One entry a template, the newest config's first.

    Args:
        world: Where the templates are.
        run_test: Whose evaluations are summed up.
        execution_id: The one execution to look at, or none for all.

    Raises:
        SummaryError: A result is of a type that has no summary.
    """
    results = finished_results(run_test, execution_id)
    by_template: dict[str, list[EvalConfig]] = {}
    for config in run_test.live_configs():
        by_template.setdefault(config.template_id, []).append(config)
    return [
        template_entry(
            world.templates[template_id],
            [config_entry(config, results.get(config.id, [])) for config in configs],
        )
        for template_id, configs in by_template.items()
    ]


def finished_results(
    run_test: RunTest, execution_id: str | None
) -> dict[str, list[Mapping[str, Any]]]:
    """The results that count, by config: those with a value, of completed calls."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for execution, call in run_test.calls():
        if execution_id not in (None, execution.id) or call.status != "completed":
            continue
        for config_id, result in call.eval_outputs.items():
            if result.get("value") is not None and result.get("type") is not None:
                found.setdefault(config_id, []).append(result)
    return found


def config_entry(
    config: EvalConfig, results: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """The numbers of one config."""
    entry: dict[str, Any] = {
        "name": config.name,
        "id": config.id,
        "total_cells": len(results),
    }
    if not results:
        return {**entry, "output": {}}
    values = [result["value"] for result in results]
    match results[0]["type"]:
        case "Pass/Fail":
            return {**entry, "output": passes(values)}
        case "score":
            return {**entry, **scores(values)}
        case "choices":
            return {**entry, "output": shares(values)}
        case unknown:
            raise SummaryError(f"no summary of {unknown}")


def passes(values: Sequence[Any]) -> dict[str, Any]:
    """How many passed and failed."""
    words = [str(value).lower() for value in values]
    passed = sum(word in ("passed", "true") for word in words)
    failed = sum(word in ("failed", "false") for word in words)
    return {
        "pass": rate(passed, len(words)),
        "fail": rate(failed, len(words)),
        "pass_count": passed,
        "fail_count": failed,
    }


def scores(values: Sequence[Any]) -> dict[str, Any]:
    """How scores are spread, in percent."""
    numbers = sorted(
        float(value) * 100 for value in values if isinstance(value, int | float)
    )
    if not numbers:
        return {"output": {}}
    return {
        "output": {f"p{n}": round(percentile(numbers, n), 2) for n in PERCENTILES},
        "avg_score": round(sum(numbers) / len(numbers), 2),
    }


def percentile(numbers: Sequence[float], share: int) -> float:
    """The value below which a share of the sorted numbers lies, between neighbours."""
    place = (len(numbers) - 1) * share / 100
    low, high = numbers[math.floor(place)], numbers[math.ceil(place)]
    return low + (high - low) * (place % 1)


def shares(values: Sequence[Any]) -> dict[str, float]:
    """How often each choice was made, in percent."""
    counts = Counter(str(value) for value in values)
    return {choice: rate(count, len(values)) for choice, count in counts.items()}


def rate(part: float, whole: float) -> float:
    """A share in percent."""
    return round(part / whole * 100, 2)


def template_entry(
    template: Template, entries: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The entries of one template's configs, with a total of its output type."""
    return {
        "name": template.name,
        "id": template.id,
        "output_type": template.output_type,
        "result": list(entries),
        **total(template.output_type, entries),
    }


def total(output_type: str, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The total over all configs; an output type without one has none."""
    cells = sum(entry["total_cells"] for entry in entries)
    match output_type:
        case "Pass/Fail":
            passed = sum(entry["output"].get("pass_count", 0) for entry in entries)
            return {"total_pass_rate": rate(passed, cells) if cells else 0}
        case "score":
            weighted = sum(
                entry.get("avg_score", 0) * entry["total_cells"] for entry in entries
            )
            return {"total_avg": round(weighted / cells, 2) if cells else 0}
        case "choices":
            # Only choices that the newest config has seen are in the total.
            choices = entries[0]["output"]
            return {
                "total_choices_avg": {
                    choice: round(
                        sum(
                            entry["output"].get(choice, 0) * entry["total_cells"]
                            for entry in entries
                        )
                        / cells,
                        2,
                    )
                    for choice in choices
                }
            }
        case _:
            return {}
