"""The envelope around every error: one text four times, and what it is about.

The service answers an error with the same sentence under `detail`, `message`, `error`
and `result`. Validation errors add `details` (field -> sentences) and `attr`, the
first field in it. Errors of list items keep no structure: they are flattened to text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from futureagi_async.emulator.rules.exchange import Answer, json_answer


@attrs.frozen
class Problem:
    """One sentence about one value.

    Args:
        message: What is wrong.
        code: The word for it, or none (then the status decides).
    """

    message: str
    code: str | None = "invalid"


Errors: TypeAlias = "Problem | Sequence[Errors] | Mapping[str, Errors]"

NON_FIELD = "non_field_errors"

TYPES = MappingProxyType(
    {
        400: "validation_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found",
        500: "server_error",
    }
)
"""The `type` of an error by its status; any other status is an `api_error`."""

CODES = MappingProxyType({400: "invalid", 404: "not_found", 500: "server_error"})
"""The `code` of an error whose problem brings none."""

# These names speak for all fields: where one is among the errors, its text alone is
# the message, even when a client's unknown field happens to be called like that.
SPEAKING = ("message", "detail", "error", NON_FIELD)


class RefusedError(Exception):
    """A request that gets no further than here.

    Args:
        answer: What the client gets instead.
    """

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def error(status: int, message: str) -> Answer:
    """An error that a view decides on: nothing but its sentence."""
    return json_answer(status, envelope(status, message, CODES[status]))


def framework_error(
    status: int, message: str, code: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """An error raised below the views: its sentence is repeated in `details`."""
    body = {
        **envelope(status, message, code),
        "details": {"detail": [message]},
    }
    return attrs.evolve(json_answer(status, body), headers=headers or {})


def invalid(errors: Mapping[str, Errors]) -> Answer:
    """The 400 for a request whose fields have problems."""
    code = first_code(errors) or CODES[400]
    body = envelope(400, message_of(errors), code)
    details = {field: sentences(value) for field, value in errors.items()}
    attr = next((field for field in details if field not in SPEAKING), None)
    if attr:
        body["attr"] = attr
    return json_answer(400, {**body, "details": details})


def envelope(status: int, message: str, code: str) -> dict[str, Any]:
    """The part that all errors share."""
    return {
        "status": False,
        "type": TYPES.get(status, "api_error"),
        "code": code,
        "detail": message,
        "message": message,
        "error": message,
        "result": message,
    }


def message_of(errors: Mapping[str, Errors]) -> str:
    """One line for all errors."""
    for name in SPEAKING:
        if name in errors:
            return flat(errors[name])
    return flat(errors)


def sentences(errors: Errors) -> list[str]:
    """The texts that stand behind one field in `details`."""
    if isinstance(errors, Sequence):
        return [flat(each) for each in errors]
    return [flat(errors)]


def flat(errors: Errors) -> str:
    """Errors of any depth as text."""
    match errors:
        case Problem():
            return errors.message
        case Mapping():
            return "; ".join(f"{key}: {flat(each)}" for key, each in errors.items())
        case _:
            return ", ".join(flat(each) for each in errors)


def first_code(errors: Errors) -> str | None:
    """The code of the first problem that has one."""
    match errors:
        case Problem():
            return errors.code
        case Mapping():
            inner: Sequence[Errors] = list(errors.values())
        case _:
            inner = errors
    return next((code for each in inner if (code := first_code(each))), None)
