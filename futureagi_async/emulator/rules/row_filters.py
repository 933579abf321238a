"""The search and the filters of the calls of an execution."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias


if TYPE_CHECKING:
    from futureagi_async.emulator.rows import Call, Execution, RunTest


_Test: TypeAlias = "Callable[[Any, Any], bool]"

_Condition: TypeAlias = "Callable[[Call], bool]"

_NUMBER_TESTS: Mapping[str, _Test] = MappingProxyType(
    {
        "equals": operator.eq,
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
        "contains": lambda text, part: part.lower() in text.lower(),
    }
)

_COLUMN_TESTS: Mapping[str, _Test] = MappingProxyType(
    {
        **_TEXT_TESTS,
        "in": lambda text, wanted: text in wanted,
        "not_in": lambda text, wanted: text not in wanted,
        "not_contains": lambda text, part: part.lower() not in text.lower(),
    }
)

_TEXTS = frozenset({"text", "categorical"})
"""The types of filters that look at texts."""

_PERCENT = 100
"""Conditions on results are in percent."""


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
    for each in query["filters"]:
        column = each["column_id"]
        try:
            condition = _condition(run_test, column, each["filter_config"])
            calls = [call for call in calls if condition(call)]
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


def _condition(run_test: RunTest, column: str, config: Mapping[str, Any]) -> _Condition:
    """Return the condition on a column, which can be an eval config.

    Raises:
        ValueError: its value cannot be used.
        TypeError: likewise.
    """
    kind, name = config["filter_type"], config["filter_op"]
    wanted = config.get("filter_value")
    is_result = run_test.live_config(column) is not None
    if kind == "number" and name in _NUMBER_TESTS:
        if is_result:
            return _score_condition(column, name, wanted)
        return _number_condition(column, name, wanted)
    if kind == "text" and name in _TEXT_TESTS and is_result:
        return lambda call: _shown(call, column, _TEXT_TESTS[name], wanted)
    if kind in _TEXTS and name in _COLUMN_TESTS and not is_result:
        return _text_condition(run_test, column, name, wanted)
    return _always


def _always(_call: Call) -> bool:
    """Return that a call meets a condition that is ignored."""
    return True


def _text_condition(
    run_test: RunTest, column: str, name: str, wanted: Any
) -> _Condition:
    """Return a condition on a column that shows a text."""
    test = _COLUMN_TESTS[name]
    if column == "scenario":
        return lambda call: test(_scenario_name(run_test, call), wanted)
    if column == "status":
        return lambda call: test(call.status, wanted)
    if column == "call_execution_id":
        return lambda call: test(call.id, wanted)
    return _always


def _number_condition(column: str, name: str, wanted: Any) -> _Condition:
    """Return a condition on a column that shows a number."""
    if column not in ("duration", "duration_seconds"):
        return _always
    test, numbers = _NUMBER_TESTS[name], _numbers(wanted, 1)

    def condition(call: Call) -> bool:
        seconds = call.duration_seconds
        return seconds is not None and test(seconds, numbers)

    return condition


def _score_condition(config_id: str, name: str, wanted: Any) -> _Condition:
    """Return a condition on the number that an evaluation resulted in."""
    test, numbers = _NUMBER_TESTS[name], _numbers(wanted, _PERCENT)

    def condition(call: Call) -> bool:
        output = _output(call, config_id)
        is_number = isinstance(output, int | float) and not isinstance(output, bool)
        return is_number and test(output, numbers)

    return condition


def _shown(call: Call, config_id: str, test: _Test, wanted: Any) -> bool:
    """Return whether the result of an evaluation passes a test of its text."""
    output = _output(call, config_id)
    if output is None:
        return False
    text = output if isinstance(output, str) else json.dumps(output)
    return test(text, wanted)


def _output(call: Call, config_id: str) -> Any:
    """Return what an evaluation of a call resulted in, if there is a result."""
    cell = (call.eval_outputs or {}).get(config_id)
    return cell.get("output") if isinstance(cell, dict) else None


def _numbers(value: Any, scale: float) -> Any:
    """Return the number, or the two numbers, of a condition.

    Raises:
        ValueError: one is a text of something else.
        TypeError: one is something else.
    """
    if isinstance(value, list):
        return [float(each) / scale for each in value]
    return float(value) / scale
