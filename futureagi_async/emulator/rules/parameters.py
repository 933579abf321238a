"""The parameters of those templates that declare a schema for them."""

from __future__ import annotations

import contextlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class ParameterError(Exception):
    """A config whose parameters its template does not accept."""


def apply_schema(schema: Mapping[str, Any] | None, config: Any) -> dict[str, Any]:
    """Return the config as it is stored.

    A template without a schema accepts any config as it is; one with a schema stores
    all its parameters, converted and with their defaults.

    Raises:
        ParameterError: a parameter is unknown, missing or out of bounds.
    """
    stored = dict(config or {})
    if not schema:
        return stored
    values = stored.get("params")
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise ParameterError(
            "Invalid function parameter input. Please check the value and try again."
        )
    unknown = sorted(set(values) - set(schema))
    if unknown:
        raise ParameterError(f"Unknown function params: {', '.join(unknown)}")
    checked = {
        name: _parameter(name, rule, values.get(name, rule.get("default")))
        for name, rule in schema.items()
    }
    return {**stored, "params": checked}


def _parameter(name: str, rule: Mapping[str, Any], value: Any) -> Any:
    """Return one parameter, converted and within its bounds."""
    # Web forms send an empty text for a field that was left alone.
    if isinstance(value, str) and not value.strip():
        value = rule.get("default")
    if value is None:
        if rule.get("required") and not rule.get("nullable"):
            raise ParameterError(f"{name} is required")
        return None
    convert = _CONVERTERS.get(rule.get("type", ""), _unchanged)
    value = convert(name, value)
    minimum, maximum = rule.get("minimum"), rule.get("maximum")
    if minimum is not None and value < minimum:
        raise ParameterError(f"{name} must be >= {minimum}")
    if maximum is not None and value > maximum:
        raise ParameterError(f"{name} must be <= {maximum}")
    return value


def _integer(name: str, value: Any) -> int:
    """Convert whole numbers and their texts, but not `5.0`."""
    if isinstance(value, int | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return int(value)
    raise ParameterError(f"{name} must be an integer")


def _number(name: str, value: Any) -> float:
    """Convert numbers and their texts to a float."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return float(value)
    raise ParameterError(f"{name} must be a number")


def _boolean(name: str, value: Any) -> bool:
    """Accept nothing but true and false."""
    if not isinstance(value, bool):
        raise ParameterError(f"{name} must be a boolean")
    return value


def _text(name: str, value: Any) -> str:
    """Accept nothing but texts."""
    if not isinstance(value, str):
        raise ParameterError(f"{name} must be a string")
    return value


def _unchanged(_name: str, value: Any) -> Any:
    """Accept any value of a type that the service does not know."""
    return value


_CONVERTERS: Mapping[str, Callable[[str, Any], Any]] = MappingProxyType(
    {"integer": _integer, "number": _number, "boolean": _boolean, "string": _text}
)
