"""Validators for the fields of requests, which return the value in its one form.

`location` is where the value stands, for messages: `evaluations_config[2].config`.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Mapping, Set as AbstractSet
from typing import Any

from futureagi_async.errors import InvalidRequestError
from futureagi_async.model.resource import (
    Identifiable,
    IdentifiesRunTest,
    RunTestRef,
)


_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SPELLING = re.compile(
    r"(?:urn:uuid:)?(\{)?"
    r"[0-9a-f]{8}(-)?[0-9a-f]{4}(?(2)-)[0-9a-f]{4}(?(2)-)[0-9a-f]{4}(?(2)-)[0-9a-f]{12}"
    r"(?(1)\})",
    re.IGNORECASE | re.ASCII,
)
_MAX_DEPTH = 100
_PREVIEW_LENGTH = 60
# Tuples, since a union such as `str | bytes` is made again each time it is reached, and
# the class that most values have first, since asking an abstract one is slow.
_NO_LISTS = (str, bytes, Mapping)
_SEQUENCES = (list, tuple)
_MAPPINGS = (dict, Mapping)
_NUMBERS = (int, float)
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1  # what orjson can write


def describe_type(value: Any) -> str:
    """Return the type of a value, for a message: `None`, `a list`, `an int`."""
    return "None" if value is None else _with_article(type(value).__name__)


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeioAEIO' else 'a'} {noun}"


def truncate_repr(value: Any) -> str:
    """Return the representation of a value for a message, not too long."""
    text = repr(value)
    return text if len(text) <= _PREVIEW_LENGTH else f"{text[:_PREVIEW_LENGTH]}…"


def uuid_text(value: Any, location: str) -> str:
    """Return a UUID of any spelling in the one that the service accepts in a path.

    The service answers 404 with an HTML page to upper case, braces or missing hyphens.
    """
    if isinstance(value, uuid.UUID):
        return str(value)
    if not isinstance(value, str):
        raise InvalidRequestError(
            f"{location}: an id (a UUID, or its text) is expected, "
            f"not {describe_type(value)}"
        )
    if _CANONICAL.fullmatch(value):
        return str.__str__(value)
    if _SPELLING.fullmatch(value):
        return str(uuid.UUID(value.lower()))
    problem = "is empty" if not value.strip() else f"{truncate_repr(value)} is no UUID"
    raise InvalidRequestError(
        f"{location}: {problem}; an id as text or a UUID is expected"
    )


def resource_id(value: Any, location: str, expected: type[Identifiable]) -> str:
    """Return the id in canonical form, of an object of the service or of its id."""
    if type(value) is str and _CANONICAL.fullmatch(value):  # as most are
        return value
    if not isinstance(value, Identifiable):
        return uuid_text(value, location)
    if isinstance(value, expected):
        return uuid_text(value.id, location)
    raise InvalidRequestError(
        f"{location}: {_with_article(expected.resource_name)} is expected, "
        f"not {_with_article(value.resource_name)}"
    )


def run_test_id(value: RunTestRef) -> str:
    """Return the id of a run test in canonical form."""
    return resource_id(value, "run_test_id", IdentifiesRunTest)


def as_list(value: Any, location: str, expected: str) -> list[Any]:
    """Return the items of a field that takes several.

    The order of a set of text differs between processes, and a journal finds a request
    again by what is sent: so the items of a set are sorted.
    """
    if isinstance(value, list):
        return value.copy()
    if isinstance(value, _NO_LISTS) or not isinstance(value, Iterable):
        raise InvalidRequestError(
            f"{location}: a list of {expected} is expected, not {describe_type(value)}; "
            "put a single one into a list"
        )
    return sorted(value, key=str) if isinstance(value, AbstractSet) else list(value)


def resource_ids(
    value: Any, location: str, expected: type[Identifiable]
) -> tuple[str, ...]:
    """Return every id of a list in canonical form; those of a set are sorted by it."""
    is_canonical = _CANONICAL.fullmatch
    ids = [
        # Most are in canonical form; to check that here saves 2 % of a request.
        item
        if type(item) is str and is_canonical(item)
        else resource_id(item, f"{location}[{index}]", expected)
        for index, item in enumerate(as_list(value, location, "ids"))
    ]
    is_set = not isinstance(value, list) and isinstance(value, AbstractSet)
    return tuple(sorted(ids) if is_set else ids)


def optional_bool(value: Any, location: str) -> bool | None:
    """Return a boolean or `None`."""
    if value is None or isinstance(value, bool):
        return value
    raise InvalidRequestError(
        f"{location}: True or False is expected, not {describe_type(value)}"
    )


def valid_text(value: Any, location: str) -> str:
    """Return text that the service can store."""
    if not isinstance(value, str):
        raise InvalidRequestError(
            f"{location}: text is expected, not {describe_type(value)}"
        )
    if "\0" in value:
        raise InvalidRequestError(f"{location}: the service accepts no null characters")
    text: str = copy_json(value, location)
    return text


def non_blank_text(value: Any, location: str) -> str:
    """Return text trimmed, if it is not blank."""
    text = valid_text(value, location).strip()
    if not text:
        raise InvalidRequestError(f"{location}: is blank")
    return text


def bounded_text(
    value: Any, location: str, *, max_length: int, not_blank: bool = False
) -> str | None:
    """Return text of at most `max_length` characters once trimmed, or `None`.

    With `not_blank` it is returned trimmed.
    """
    if value is None:
        return None
    text = non_blank_text(value, location) if not_blank else valid_text(value, location)
    length = len(text.strip())
    if length > max_length:
        raise InvalidRequestError(
            f"{location}: {length} characters; the service accepts at most {max_length}"
        )
    return text


def copy_json_object(value: Any, location: str) -> dict[str, Any] | None:
    """Return a copy of a JSON object, or `None`; see `copy_json`."""
    if value is None:
        return None
    if not isinstance(value, _MAPPINGS):
        raise InvalidRequestError(
            f"{location}: a dict is expected, not {describe_type(value)}"
        )
    copied: dict[str, Any] = copy_json(value, location)
    return copied


def copy_json(value: Any, location: str) -> Any:
    """Return a copy of a JSON value, made of plain dicts and lists.

    Refused is what JSON cannot express, or would change: NaN and infinities, keys that
    are no text, integers beyond 64 bits, lone surrogates, nesting without end, and
    anything but None, bool, int, float, str, list, tuple and mapping.
    """
    try:
        return _copy_json(value, _MAX_DEPTH)
    except _NotJSONError as error:
        path = "".join(reversed(error.path))
        if len(path) > _PREVIEW_LENGTH:
            path = f"{path[:_PREVIEW_LENGTH]}…"
        raise InvalidRequestError(f"{location}{path}: {error}") from None


class _NotJSONError(Exception):
    """A value that is no JSON; its `path` is built on the way up, innermost first."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.path: list[str] = []


def _copy_json(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _check_utf8(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, _NUMBERS):
        return _check_number(value)
    if isinstance(value, _MAPPINGS):
        _check_depth(depth)
        return {
            _copy_key(key): _copy_item(item, key, depth) for key, item in value.items()
        }
    if isinstance(value, _SEQUENCES):
        _check_depth(depth)
        return [_copy_item(item, index, depth) for index, item in enumerate(value)]
    raise _NotJSONError(
        f"{describe_type(value)} is no JSON value; turn it into text, a number, a list "
        "or a dict first"
    )


def _check_depth(depth: int) -> None:
    if depth == 0:
        raise _NotJSONError(f"nested more than {_MAX_DEPTH} levels deep")


def _check_number(value: float) -> float:
    if isinstance(value, int):
        if _INT_MIN <= value <= _INT_MAX:
            return int(value)
        raise _NotJSONError("the integer has more than 64 bits")
    if math.isfinite(value):
        return float(value)
    raise _NotJSONError(f"{float(value)} is no JSON number")


def _copy_item(value: Any, key: Any, depth: int) -> Any:
    try:
        return _copy_json(value, depth - 1)
    except _NotJSONError as error:
        error.path.append(f"[{key}]" if isinstance(key, int) else f".{key}")
        raise


def _copy_key(key: Any) -> str:
    if isinstance(key, str):
        return _check_utf8(key)
    raise _NotJSONError(
        f"the key {truncate_repr(key)} is {describe_type(key)}; JSON has text keys only"
    )


def _check_utf8(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _NotJSONError(
            f"character {error.start + 1} is half of a surrogate pair and cannot "
            "be sent as UTF-8"
        ) from None
    return str.__str__(value)
