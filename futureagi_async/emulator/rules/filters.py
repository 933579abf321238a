"""What an eval config's `filters` may hold: a list of conditions on columns.

The API document calls it an object; the service wants a list and says so.
"""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import attrs

from futureagi_async.emulator.rules.fields import Field, ListOf, refuse


NO_VALUE = frozenset({"is_null", "is_not_null"})
RANGES = frozenset({"between", "not_between"})
LISTS = frozenset({"in", "not_in"})
EQUALITY = frozenset({"equals", "not_equals"})
CONTAINS = frozenset({"contains", "not_contains"})
ORDER = frozenset(
    {"greater_than", "greater_than_or_equal", "less_than", "less_than_or_equal"}
)

OPERATORS = MappingProxyType(
    {
        "text": EQUALITY | LISTS | CONTAINS | NO_VALUE | {"starts_with", "ends_with"},
        "number": EQUALITY | ORDER | RANGES | NO_VALUE,
        "boolean": EQUALITY | NO_VALUE,
        "datetime": EQUALITY | ORDER | RANGES | NO_VALUE,
        "categorical": EQUALITY | LISTS | CONTAINS | NO_VALUE,
        "thumbs": EQUALITY | LISTS | NO_VALUE,
        "annotator": EQUALITY | LISTS | NO_VALUE,
        "array": CONTAINS | NO_VALUE,
    }
)
"""The operators that each `filter_type` allows."""

ITEM_NEEDS = frozenset({"column_id", "filter_config"})
ITEM_ALLOWS = ITEM_NEEDS | {"display_name", "source", "output_type"}
CONFIG_NEEDS = frozenset({"filter_type", "filter_op"})
CONFIG_ALLOWS = CONFIG_NEEDS | {"filter_value", "col_type"}


FINITE = json.JSONEncoder(allow_nan=False)


@attrs.frozen(kw_only=True)
class JsonValue(Field):
    """Any value that JSON can express; a number beyond its range is none."""

    def convert(self, value: Any) -> Any:
        """The value itself."""
        try:
            FINITE.encode(value)
        except ValueError:
            raise refuse("Value must be valid JSON.") from None
        return value


@attrs.frozen(kw_only=True)
class JsonObject(JsonValue):
    """An object; an empty text is taken for an empty one."""

    def convert(self, value: Any) -> dict[str, Any]:
        """The object itself."""
        if value == "":
            return {}
        value = super().convert(value)
        if not isinstance(value, dict):
            raise refuse("Value must be an object.")
        return value


@attrs.frozen(kw_only=True)
class Filter(JsonValue):
    """One condition: a column, an operator and mostly a value."""

    def convert(self, value: Any) -> dict[str, Any]:
        """The condition as it was sent; the first problem ends the checks."""
        value = super().convert(value)
        if not isinstance(value, dict):
            raise refuse("Filter item must be an object.")
        check_keys(value, "item", ITEM_NEEDS, ITEM_ALLOWS)
        column = value["column_id"]
        if not isinstance(column, str) or not column.strip():
            raise refuse("column_id must be a non-empty string.")
        config = value["filter_config"]
        if not isinstance(config, dict):
            raise refuse("Filter config must be an object.")
        check_keys(config, "config", CONFIG_NEEDS, CONFIG_ALLOWS)
        check_operator(config["filter_type"], config["filter_op"])
        check_value(config)
        return value


def check_keys(
    value: dict[str, Any], what: str, needs: frozenset[str], allows: frozenset[str]
) -> None:
    """Missing keys are told before unknown ones, both in alphabetical order."""
    missing = sorted(needs - set(value))
    if missing:
        raise refuse(f"Missing filter {what} keys: {', '.join(missing)}")
    unknown = sorted(set(value) - allows)
    if unknown:
        raise refuse(f"Unknown filter {what} keys: {', '.join(unknown)}")


def check_operator(kind: Any, operator: Any) -> None:
    """The operator must be one that the type allows."""
    allowed = OPERATORS.get(kind) if isinstance(kind, str) else None
    if allowed is None:
        raise refuse(f"Unsupported filter_type {kind!r}.")
    if not isinstance(operator, str) or operator not in allowed:
        raise refuse(f"Unsupported filter_op {operator!r} for filter_type {kind!r}.")


def check_value(config: dict[str, Any]) -> None:
    """How many values there must be depends on the operator; their type is not seen."""
    operator = config["filter_op"]
    value = config.get("filter_value")
    if operator in RANGES and not (isinstance(value, list) and len(value) == len("ab")):
        raise refuse(f"{operator!r} requires a two-value filter_value list.")
    if operator in LISTS and not (isinstance(value, list) and value):
        raise refuse(f"{operator!r} requires a non-empty filter_value list.")
    if operator not in NO_VALUE and "filter_value" not in config:
        raise refuse(f"{operator!r} requires filter_value.")


@attrs.frozen(kw_only=True)
class Filters(ListOf):
    """The list of conditions, or a text that holds it as JSON."""

    child: Field = Filter()

    def convert(self, value: Any) -> list[Any]:
        """An empty text and the text `null` mean no conditions."""
        if isinstance(value, str):
            value = self.parsed(value)
        if not isinstance(value, list):
            raise refuse("Filters must be a list.")
        return super().convert(value)

    @staticmethod
    def parsed(text: str) -> Any:
        """The value that the text holds."""
        if not text:
            return []
        try:
            value = json.loads(text)
        except ValueError:
            raise refuse("Filters must be valid JSON.") from None
        return [] if value is None else value
