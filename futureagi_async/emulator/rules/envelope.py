"""The envelope of every error: one text four times, and the fields it is about.

The service repeats the message of an error under `detail`, `message`, `error` and
`result`. Validation errors add `details` (field -> messages) and `attr`, the first
field in it. Errors of list items have no structure: they are flattened to text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from futureagi_async.emulator.rules.exchange import Response, json_response


@attrs.frozen
class Problem:
    """A message about one value.

    Args:
        message: what is wrong.
        code: a word for it; with `None` the status decides.
    """

    message: str
    code: str | None = "invalid"


Errors: TypeAlias = "Problem | Sequence[Errors] | Mapping[str, Errors]"

NON_FIELD = "non_field_errors"

_TYPES = MappingProxyType(
    {
        400: "validation_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found",
        500: "server_error",
    }
)
"""The `type` of an error by its status; any other status is an `api_error`."""

_CODES = MappingProxyType({400: "invalid", 404: "not_found", 500: "server_error"})
"""The `code` of an error whose problem has none."""

# These names stand for all fields: where one is among the errors, its text alone is
# the message, even when a client's unknown field happens to have that name.
_GENERAL_FIELDS = ("message", "detail", "error", NON_FIELD)


class RejectedError(Exception):
    """A request that is rejected before or inside a view.

    Args:
        response: the response to the client.
    """

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


def error_response(status: int, message: str) -> Response:
    """Build an error that a view decides on: nothing but its message."""
    return json_response(status, _envelope(status, message, _CODES[status]))


def framework_error(
    status: int, message: str, code: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Build an error raised below the views: its message is repeated in `details`."""
    body = {
        **_envelope(status, message, code),
        "details": {"detail": [message]},
    }
    return attrs.evolve(json_response(status, body), headers=headers or {})


def validation_error(errors: Mapping[str, Errors]) -> Response:
    """Build the 400 for a request whose fields have problems."""
    code = _first_code(errors) or _CODES[400]
    body = _envelope(400, _message(errors), code)
    details = {field: _messages(value) for field, value in errors.items()}
    attr = next((field for field in details if field not in _GENERAL_FIELDS), None)
    if attr:
        body["attr"] = attr
    return json_response(400, {**body, "details": details})


def sdk_validation_error(errors: Mapping[str, Errors]) -> Response:
    """Build the 400 of the SDK's endpoints, whose message says nothing."""
    details = {field: _messages(value) for field, value in errors.items()}
    body = _envelope(400, "Validation failed", _CODES[400])
    attr = next((field for field in details if field not in _GENERAL_FIELDS), None)
    if attr:
        body["attr"] = attr
    return json_response(400, {**body, "details": details, "errors": details})


def object_error(result: Mapping[str, Any]) -> Response:
    """Build the 400 of a view whose result is an object with a `detail`."""
    details = {name: _texts(value) for name, value in result.items()}
    attr = next(name for name in details if name not in _GENERAL_FIELDS)
    body = {
        **_envelope(400, result["detail"], _CODES[400]),
        "result": result,
        "attr": attr,
        "details": details,
    }
    return json_response(400, body)


def _texts(value: str | Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a text, or the objects of a list as texts."""
    if isinstance(value, str):
        return [value]
    return ["; ".join(f"{k}: {v}" for k, v in each.items()) for each in value]


def _envelope(status: int, message: str, code: str) -> dict[str, Any]:
    """Build the part that all errors share."""
    return {
        "status": False,
        "type": _TYPES.get(status, "api_error"),
        "code": code,
        "detail": message,
        "message": message,
        "error": message,
        "result": message,
    }


def _message(errors: Mapping[str, Errors]) -> str:
    """Return one line for all errors."""
    for name in _GENERAL_FIELDS:
        if name in errors:
            return _flatten(errors[name])
    return _flatten(errors)


def _messages(errors: Errors) -> list[str]:
    """Return the texts of one field in `details`."""
    if isinstance(errors, Sequence):
        return [_flatten(error) for error in errors]
    return [_flatten(errors)]


def _flatten(errors: Errors) -> str:
    """Return errors of any depth as text."""
    match errors:
        case Problem():
            return errors.message
        case Mapping():
            return "; ".join(f"{k}: {_flatten(error)}" for k, error in errors.items())
        case _:
            return ", ".join(_flatten(error) for error in errors)


def _first_code(errors: Errors) -> str | None:
    """Return the code of the first problem that has one."""
    match errors:
        case Problem():
            return errors.code
        case Mapping():
            inner: Sequence[Errors] = list(errors.values())
        case _:
            inner = errors
    return next((code for error in inner if (code := _first_code(error))), None)
