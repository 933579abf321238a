"""Executions, calls and results as they would be read, in as few words as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from futureagi_async.evaluation.results import ResultTable
from futureagi_async.types import (
    CallExecution,
    EvalOutput,
    ExecutionStatus,
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
    number: int,
    outputs: Mapping[str, Any],
    *,
    status: str = "completed",
    name: str = "call",
) -> CallExecution:
    """A call of an execution, with results as they stand in an answer."""
    return CallExecution(
        raw={},
        id=name,
        status=ExecutionStatus(status),
        test_execution_id=execution_id(number),
        eval_outputs={id_: EvalOutput.from_wire(each) for id_, each in outputs.items()},
    )


def entries(cells: str) -> dict[str, Any]:
    """Results of a call: a word for each eval config, `-` where there is none."""
    return {
        config_id(number): ENTRIES[word]
        for number, word in enumerate(cells.split())
        if word != "-"
    }


def table_of(
    executions: Mapping[str, Sequence[str]],
    config_ids: Sequence[str] | None = None,
) -> ResultTable:
    """A table of some executions.

    Args:
        executions: for each, by its state and whatever makes that a key of its own, the
            results of its completed calls: `{"completed a": ["done pending", "- done"]}`.
        config_ids: as for `ResultTable`.
    """
    listed = [
        execution(number, state.split()[0]) for number, state in enumerate(executions)
    ]
    table = ResultTable(listed, config_ids)
    for number, calls in enumerate(executions.values()):
        for cells in calls:
            table.add(call(number, entries(cells)))
    return table


def ids(count: int) -> list[str]:
    """The ids of so many eval configs."""
    return [config_id(number) for number in range(count)]
