"""What is true of the evaluations of a run test, by the rows of an emulator's world."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async import EvaluationStatus


if TYPE_CHECKING:
    from collections.abc import Iterable

    from futureagi_async import RunTestEvaluation
    from futureagi_async.emulator.rows import Execution, RunTest
    from futureagi_async.types import ConfigScores


PENDING_CELL = {"status": "pending"}

TAKES_EVALUATIONS = ("completed", "evaluating")
"""The states of executions that are not left out."""


@attrs.frozen
class Truth:
    """Numbers of completed calls by what they have of an eval config, and its score."""

    evaluated: int
    failed: int
    skipped: int
    pending: int
    score: float | dict[str, float] | None

    @classmethod
    def by_rows(cls, executions: Iterable[Execution], config_id: str) -> Truth:
        """The truth, by the cells of the completed calls of these executions."""
        cells = [
            (call.eval_outputs or {}).get(config_id) or PENDING_CELL
            for execution in executions
            for call in execution.live_calls()
            if call.status == "completed"
        ]
        kinds = collections.Counter(map(_kind, cells))
        values = [cell for cell in cells if _kind(cell) == "evaluated"]
        return cls(
            kinds["evaluated"],
            kinds["failed"],
            kinds["skipped"],
            kinds["pending"],
            _score(values),
        )

    @classmethod
    def by_report(cls, config: ConfigScores) -> Truth:
        """What a report states of an eval config."""
        scores = (config.pass_rate, config.average, config.choices)
        return cls(
            config.evaluated,
            config.failed,
            config.skipped,
            config.pending,
            next((each for each in scores if each is not None), None),
        )


def _kind(cell: dict[str, Any]) -> str:
    if cell == PENDING_CELL:
        return "pending"
    if cell.get("error") or cell.get("status") == "error":
        return "failed"
    return "skipped" if cell.get("output") is None else "evaluated"


def _score(cells: list[dict[str, Any]]) -> float | dict[str, float] | None:
    """The score of cells that have a value; the first of them decides on its form."""
    outputs = [cell["output"] for cell in cells]
    match cells[0]["output_type"] if cells else None:
        case "Pass/Fail":
            passed = [str(each).lower() in ("passed", "true") for each in outputs]
            return _percent(sum(passed), len(cells))
        case "score":
            return round(sum(100 * each for each in sorted(outputs)) / len(cells), 2)
        case "choices":
            counts = collections.Counter(map(_choice, outputs))
            return {text: _percent(n, len(cells)) for text, n in counts.items()}
        case _:
            return None


def _percent(part: int, count: int) -> float:
    return round(part / count * 100, 2)


def _choice(output: Any) -> str:
    """The text of a stored choice, whichever of its forms it has."""
    match output:
        case {"choice": str(one)} | {"choices": [one]} | [one] | str(one):
            return str(one)
        case {"choices": [*several]} | [*several]:
            return str(several)
        case {}:
            return "[]"
        case _:
            return str(output)


def chosen(run_test: RunTest, evaluation: RunTestEvaluation) -> list[Execution]:
    """The executions of which an evaluation is: those that it does not leave out."""
    left_out = [each for each in evaluation.warnings if "left out: " in each]
    return [
        execution
        for execution in run_test.live_executions()
        if execution.status in TAKES_EVALUATIONS
        and not any(execution.id in each for each in left_out)
    ]


def assert_true(evaluation: RunTestEvaluation, run_test: RunTest) -> None:
    """Compare the scores, if it has any, with the rows; all must be there."""
    if evaluation.status not in (EvaluationStatus.SCORED, EvaluationStatus.NO_RESULT):
        assert evaluation.reason
        return
    executions = chosen(run_test, evaluation)
    statuses = collections.Counter(
        call.status for execution in executions for call in execution.live_calls()
    )
    label = f"{run_test.name}: {evaluation}"
    assert evaluation.executions == len(executions), label
    assert evaluation.calls_counted == statuses.pop("completed", 0), label
    assert evaluation.calls_not_counted == statuses, label
    assert evaluation.configs, label
    for config in evaluation.configs:
        assert config.eval_config_id is not None, label
        truth = Truth.by_rows(executions, config.eval_config_id)
        assert Truth.by_report(config) == truth, label
        assert not truth.pending, label
