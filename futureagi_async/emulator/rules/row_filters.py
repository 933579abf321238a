"""The search and the filters of the calls of an execution."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import Call, Execution, RunTest


_Test: TypeAlias = "Callable[[Any, Any], bool]"

_UNKNOWN = object()
"""Stands for the value in a column that there is not."""

_PERCENT = 100
"""Conditions on scores are in percent."""

_NUMBER_TESTS: Mapping[str, _Test] = MappingProxyType(
    {
        "equals": operator.eq,
        "not_equals": operator.ne,
        "greater_than": operator.gt,
        "greater_than_or_equal": operator.ge,
        "less_than": operator.lt,
        "less_than_or_equal": operator.le,
        "between": lambda value, ends: ends[0] <= value <= ends[1],
        "not_between": lambda value, ends: not ends[0] <= value <= ends[1],
    }
)

_TEXT_TESTS: Mapping[str, _Test] = MappingProxyType(
    {
        "equals": lambda text, wanted: text.lower() == wanted.lower(),
        "not_equals": lambda text, wanted: text.lower() != wanted.lower(),
        "in": lambda text, wanted: text in wanted,
        "not_in": lambda text, wanted: text not in wanted,
        "contains": lambda text, part: part.lower() in text.lower(),
        "not_contains": lambda text, part: part.lower() not in text.lower(),
    }
)


_TESTS: Mapping[str, Mapping[str, _Test]] = MappingProxyType(
    {"number": _NUMBER_TESTS, "text": _TEXT_TESTS, "categorical": _TEXT_TESTS}
)
"""The tests of the types of filters that are applied."""

_COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "status": "status",
        "duration": "duration_seconds",
        "duration_seconds": "duration_seconds",
        "call_execution_id": "id",
    }
)
"""The fields of a call that columns show."""


def select_calls(
    run_test: RunTest, execution: Execution, query: Mapping[str, Any]
) -> tuple[list[Call], list[str]]:
    """Return the calls that a query asks for, and what was wrong with its filters.

    The calls that changed last are first. A filter of a column that the service does
    not know is ignored; one whose value cannot be used is, too, with a message.

    Args:
        run_test: whose execution it is.
        execution: whose calls they are.
        query: its `search` and `filters`.
    """
    search = query["search"].lower()
    calls = [
        call
        for call in execution.newest_calls()
        if any(search in text.lower() for text in _texts(run_test, call))
    ]
    errors: list[str] = []
    for condition in query["filters"]:
        column = condition["column_id"]
        try:
            calls = [
                call
                for call in calls
                if _passes(run_test, call, column, condition["filter_config"])
            ]
        except (ValueError, TypeError, AttributeError) as error:
            errors.append(f"Error applying filter for column {column}: {error}")
    return calls, errors


def _texts(run_test: RunTest, call: Call) -> list[str]:
    """Return the texts of a call that a search looks at."""
    said = [text for _, text in call.transcript or ()]
    return [_scenario_name(run_test, call), call.phone_number or "", *said]


def _scenario_name(run_test: RunTest, call: Call) -> str:
    """Return the name of the scenario of a call."""
    scenario = run_test.scenario_of(call)
    return scenario.name if scenario else ""


def _passes(
    run_test: RunTest, call: Call, column: str, condition: Mapping[str, Any]
) -> bool:
    """Return whether a call meets one condition.

    Raises:
        ValueError: the value of the condition cannot be used.
        TypeError: likewise.
        AttributeError: likewise.
    """
    tests = _TESTS.get(condition["filter_type"], {})
    test = tests.get(condition["filter_op"])
    value = _value(run_test, call, column)
    if test is None or value is _UNKNOWN:
        return True
    wanted = condition.get("filter_value")
    if tests is _TEXT_TESTS:
        return isinstance(value, str) and test(value, wanted)
    scale = 1 if column in _COLUMNS else _PERCENT
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and test(value, _numbers(wanted, scale))


def _value(run_test: RunTest, call: Call, column: str) -> Any:
    """Return the value of a call in a column, which can be an eval config."""
    if column in _COLUMNS:
        return getattr(call, _COLUMNS[column])
    if column == "scenario":
        return _scenario_name(run_test, call)
    if run_test.live_config(column) is None:
        return _UNKNOWN
    return ((call.eval_outputs or {}).get(column) or {}).get("output")


def _numbers(value: Any, scale: float) -> Any:
    """Return the number, or the two numbers, of a condition."""
    if isinstance(value, list):
        return [float(each) / scale for each in value]
    return float(value) / scale
