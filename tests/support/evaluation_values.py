"""Executions, calls and results as they would be read, in as few words as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.evaluation.results import (
    ExecutionResults,
    ResultScope,
    ResultTable,
)
from futureagi_async.types import (
    EvalOutput,
    ExecutionStatus,
    SimulationCall,
    TestExecution,
)


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


RUN_TEST = "11111111-1111-4111-8111-111111111111"

DONE: dict[str, Any] = {"value": "Passed", "type": "Pass/Fail", "status": "Completed"}
FAILED: dict[str, Any] = {"value": None, "error": True, "status": "Failed"}
SKIPPED: dict[str, Any] = {"skipped": True, "status": "skipped", "value": None}
PENDING: dict[str, Any] = {}

ENTRIES = {"done": DONE, "failed": FAILED, "skipped": SKIPPED, "pending": PENDING}


def config_id(number: int) -> str:
    """The id of an eval config."""
    return f"{number:08x}-0000-4000-8000-00000000cccc"


def execution_id(number: int) -> str:
    """The id of an execution."""
    return f"{number:08x}-0000-4000-8000-0000000eeeee"


def execution(number: int, status: str = "Completed", **values: Any) -> TestExecution:
    """An execution."""
    return TestExecution(
        id=execution_id(number), status=ExecutionStatus(status), **values
    )


def call(
    outputs: Mapping[str, Any], *, status: str = "completed", name: str = "call"
) -> SimulationCall:
    """A call, with results as they stand in an answer."""
    return SimulationCall(
        id=name,
        status=ExecutionStatus(status),
        eval_outputs=EvalOutput.all_from_wire(dict(outputs)),
    )


def entries(cells: str) -> dict[str, Any]:
    """Results of a call: a word for each eval config, `-` where there is none."""
    return {
        config_id(number): ENTRIES[word]
        for number, word in enumerate(cells.split())
        if word != "-"
    }


def call_of(cells: str) -> SimulationCall:
    """A call by its results, with its status before them: `"analyzing: done -"`."""
    status, colon, words = cells.rpartition(":")
    return call(entries(words), status=status if colon else "completed")


def results_of(
    state: str = "completed",
    calls: Sequence[str] = (),
    scope: ResultScope | None = None,
    number: int = 0,
) -> ExecutionResults:
    """The results of one execution."""
    results = ExecutionResults(execution(number, state), scope or ResultScope())
    for cells in calls:
        results.add(call_of(cells))
    return results


def table_of(
    executions: Mapping[str, Sequence[str]],
    config_ids: Sequence[str] | None = None,
    **scope: Any,
) -> ResultTable:
    """A table of some executions.

    Args:
        executions: for each, by its state and whatever makes that a key of its own, the
            results of its calls: `{"completed a": ["done pending", "failed: done"]}`.
        config_ids: the eval configs that were requested.
        scope: what else is known of the eval configs.
    """
    requested = None if config_ids is None else tuple(config_ids)
    known = ResultScope(requested, **scope)
    return ResultTable(
        [
            results_of(state.split()[0], calls, known, number)
            for number, (state, calls) in enumerate(executions.items())
        ],
        known,
    )


def ids(count: int) -> list[str]:
    """The ids of so many eval configs."""
    return [config_id(number) for number in range(count)]
