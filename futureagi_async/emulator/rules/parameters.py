"""The parameters of those templates that declare a schema for them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class ParameterError(Exception):
    """A config whose parameters its template does not accept."""


def with_parameters(schema: Mapping[str, Any] | None, config: Any) -> dict[str, Any]:
    """The config as it is stored.

    A template without a schema takes any config as it is; one with a schema gets all
    its parameters, converted and with their defaults.

    Raises:
        ParameterError: A parameter is unknown, missing or out of bounds.
    """
    given = dict(config or {})
    if not schema:
        return given
    values = given.get("params")
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
        name: parameter(name, rule, values.get(name, rule.get("default")))
        for name, rule in schema.items()
    }
    return {**given, "params": checked}


def parameter(name: str, rule: Mapping[str, Any], value: Any) -> Any:
    """One parameter, converted and within its bounds."""
    # Web forms send an empty text for a field that was left alone.
    if isinstance(value, str) and not value.strip():
        value = rule.get("default")
    if value is None:
        if rule.get("required") and not rule.get("nullable"):
            raise ParameterError(f"{name} is required")
        return None
    value = CONVERTERS.get(rule.get("type", ""), unchanged)(name, value)
    least, most = rule.get("minimum"), rule.get("maximum")
    if least is not None and value < least:
        raise ParameterError(f"{name} must be >= {least}")
    if most is not None and value > most:
        raise ParameterError(f"{name} must be <= {most}")
    return value


def integer(name: str, value: Any) -> int:
    """Whole numbers and their texts; `5.0` is none."""
    if isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return int(value)
        except ValueError:
            pass
    raise ParameterError(f"{name} must be an integer")


def number(name: str, value: Any) -> float:
    """Numbers and their texts, always as a float."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            return float(value)
        except ValueError:
            pass
    raise ParameterError(f"{name} must be a number")


def boolean(name: str, value: Any) -> bool:
    """Nothing but true and false."""
    if not isinstance(value, bool):
        raise ParameterError(f"{name} must be a boolean")
    return value


def text(name: str, value: Any) -> str:
    """Nothing but texts."""
    if not isinstance(value, str):
        raise ParameterError(f"{name} must be a string")
    return value


def unchanged(_name: str, value: Any) -> Any:
    """A type that the service does not know is let through."""
    return value


CONVERTERS: Mapping[str, Callable[[str, Any], Any]] = MappingProxyType(
    {"integer": integer, "number": number, "boolean": boolean, "string": text}
)
