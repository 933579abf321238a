"""The `filters` of an eval config: a list of conditions on columns.

The API document calls it an object; the service expects a list.
"""

from __future__ import annotations

import json
import math
from types import MappingProxyType
from typing import Any

import attrs

from futureagi_async.emulator.rules.fields import Field, FormData, ListOf, invalid
from futureagi_async.emulator.rules.nesting import leaves


_NO_VALUE = frozenset({"is_null", "is_not_null"})
_RANGES = frozenset({"between", "not_between"})
_LISTS = frozenset({"in", "not_in"})
_EQUALITY = frozenset({"equals", "not_equals"})
_CONTAINS = frozenset({"contains", "not_contains"})
_ORDER = frozenset(
    {"greater_than", "greater_than_or_equal", "less_than", "less_than_or_equal"}
)

_OPERATORS = MappingProxyType(
    {
        "text": _EQUALITY
        | _LISTS
        | _CONTAINS
        | _NO_VALUE
        | {"starts_with", "ends_with"},
        "number": _EQUALITY | _ORDER | _RANGES | _NO_VALUE,
        "boolean": _EQUALITY | _NO_VALUE,
        "datetime": _EQUALITY | _ORDER | _RANGES | _NO_VALUE,
        "categorical": _EQUALITY | _LISTS | _CONTAINS | _NO_VALUE,
        "thumbs": _EQUALITY | _LISTS | _NO_VALUE,
        "annotator": _EQUALITY | _LISTS | _NO_VALUE,
        "array": _CONTAINS | _NO_VALUE,
    }
)
"""The operators that each `filter_type` allows."""

_ITEM_REQUIRED = frozenset({"column_id", "filter_config"})
_ITEM_ALLOWED = _ITEM_REQUIRED | {"display_name", "source", "output_type"}
_CONFIG_REQUIRED = frozenset({"filter_type", "filter_op"})
_CONFIG_ALLOWED = _CONFIG_REQUIRED | {"filter_value", "col_type"}


@attrs.frozen(kw_only=True)
class JsonValue(Field):
    """Any value that JSON can express, so no number beyond its range."""

    def convert(self, value: Any) -> Any:
        """Return the value itself."""
        floats = (leaf for leaf in leaves(value) if isinstance(leaf, float))
        if not all(map(math.isfinite, floats)):
            raise invalid("Value must be valid JSON.")
        return value


@attrs.frozen(kw_only=True)
class JsonObject(JsonValue):
    """An object; an empty text counts as an empty one."""

    def convert(self, value: Any) -> dict[str, Any]:
        """Return the object itself."""
        if value == "":
            return {}
        value = super().convert(value)
        if not isinstance(value, dict):
            raise invalid("Value must be an object.")
        return value


@attrs.frozen(kw_only=True)
class Filter(JsonValue):
    """One condition: a column, an operator and mostly a value."""

    def convert(self, value: Any) -> dict[str, Any]:
        """Return the condition as it was sent; the first problem stops the checks."""
        value = super().convert(value)
        if not isinstance(value, dict):
            raise invalid("Filter item must be an object.")
        _check_keys(value, "item", _ITEM_REQUIRED, _ITEM_ALLOWED)
        column = value["column_id"]
        if not isinstance(column, str) or not column.strip():
            raise invalid("column_id must be a non-empty string.")
        config = value["filter_config"]
        if not isinstance(config, dict):
            raise invalid("Filter config must be an object.")
        _check_keys(config, "config", _CONFIG_REQUIRED, _CONFIG_ALLOWED)
        _check_operator(config["filter_type"], config["filter_op"])
        _check_value(config)
        return value


def _check_keys(
    value: dict[str, Any],
    what: str,
    required: frozenset[str],
    allowed: frozenset[str],
) -> None:
    """Report missing keys before unknown ones, both in alphabetical order."""
    missing = sorted(required - set(value))
    if missing:
        raise invalid(f"Missing filter {what} keys: {', '.join(missing)}")
    unknown = sorted(set(value) - allowed)
    if unknown:
        raise invalid(f"Unknown filter {what} keys: {', '.join(unknown)}")


def _check_operator(kind: Any, operator: Any) -> None:
    """Check that the type allows the operator."""
    allowed = _OPERATORS.get(kind) if isinstance(kind, str) else None
    if allowed is None:
        raise invalid(f"Unsupported filter_type {kind!r}.")
    if not isinstance(operator, str) or operator not in allowed:
        raise invalid(f"Unsupported filter_op {operator!r} for filter_type {kind!r}.")


def _check_value(config: dict[str, Any]) -> None:
    """Check how many values the operator needs; their type is not checked."""
    operator = config["filter_op"]
    value = config.get("filter_value")
    if operator in _RANGES and not (
        isinstance(value, list) and len(value) == len("ab")
    ):
        raise invalid(f"{operator!r} requires a two-value filter_value list.")
    if operator in _LISTS and not (isinstance(value, list) and value):
        raise invalid(f"{operator!r} requires a non-empty filter_value list.")
    if operator not in _NO_VALUE and "filter_value" not in config:
        raise invalid(f"{operator!r} requires filter_value.")


@attrs.frozen(kw_only=True)
class Filters(ListOf):
    """The list of conditions, or a text that contains it as JSON."""

    child: Field = Filter()

    def from_form(self, data: FormData, name: str) -> Any:
        """Return the one text, which is not a list of conditions."""
        return Field.from_form(self, data, name)

    def convert(self, value: Any) -> list[Any]:
        """Return the conditions; an empty text and the text `null` are none."""
        if isinstance(value, str):
            value = _parse_text(value)
        if not isinstance(value, list):
            raise invalid("Filters must be a list.")
        return super().convert(value)


def _parse_text(text: str) -> Any:
    """Return the value that the text contains."""
    if not text:
        return []
    try:
        value = json.loads(text)
    except ValueError:
        raise invalid("Filters must be valid JSON.") from None
    return [] if value is None else value
