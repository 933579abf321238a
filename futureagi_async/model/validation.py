"""What the fields of a request may hold: checked, copied, brought into one form.

`where` is how a message names the place of a value, as `evaluations_config[2].config`.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable, Mapping, Set as AbstractSet
from typing import Any

import orjson

from futureagi_async.errors import InvalidRequestError


_CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_SPELLING = re.compile(
    r"(?:urn:uuid:)?(\{)?"
    r"[0-9a-f]{8}(-)?[0-9a-f]{4}(?(2)-)[0-9a-f]{4}(?(2)-)[0-9a-f]{4}(?(2)-)[0-9a-f]{12}"
    r"(?(1)\})",
    re.IGNORECASE | re.ASCII,
)
_MAX_DEPTH = 100
_PREVIEW_LENGTH = 60
# As tuples: a union would be put together anew each time.
_NO_LISTS = (str, bytes, Mapping)
_NUMBERS = (int, float)
_LISTS = (list, tuple)
_MAPPINGS = (dict, Mapping)
_CONTAINERS = (dict, list, tuple, Mapping)
_INT_MIN, _INT_MAX = -(2**63), 2**64 - 1  # what orjson can write
# What orjson knows beyond JSON it refuses, or writes as something else.
_JSON_ONLY = (
    orjson.OPT_PASSTHROUGH_SUBCLASS
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
)


def describe_type(value: Any) -> str:
    """Name what a value is, for a message: `None`, `a list`, `an int`."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def truncate_repr(value: Any) -> str:
    """Show a value in a message, cut short."""
    text = repr(value)
    return text if len(text) <= _PREVIEW_LENGTH else f"{text[:_PREVIEW_LENGTH]}…"


def uuid_text(value: Any, where: str) -> str:
    """Bring a UUID of any spelling into the one the service takes in a path.

    The service answers 404 with an HTML page to upper case, braces or missing hyphens.
    """
    if type(value) is str and _CANONICAL.fullmatch(value):  # as most are
        return value
    if isinstance(value, str):
        if _SPELLING.fullmatch(value):
            return str(uuid.UUID(value.lower()))
        problem = (
            "is empty" if not value.strip() else f"{truncate_repr(value)} is no UUID"
        )
        raise InvalidRequestError(
            f"{where}: {problem}; an id as text or a UUID is wanted"
        )
    if isinstance(value, uuid.UUID):
        return str(value)
    raise InvalidRequestError(
        f"{where}: an id (a UUID, or its text) is wanted, not {describe_type(value)}"
    )


def is_canonical(value: Any) -> bool:
    """Tell if this is a UUID, and as the service takes it in a path."""
    return type(value) is str and _CANONICAL.fullmatch(value) is not None


def run_test_id(value: uuid.UUID | str) -> str:
    """Bring the id of a run test into canonical form."""
    return uuid_text(value, "run_test_id")


def as_list(value: Any, where: str, wanted: str) -> list[Any]:
    """List the items of a field that takes several.

    A set of text comes in another order in each process, and what is sent, by which a
    journal finds a request again, may not: so the items of a set are sorted.
    """
    if type(value) is list:  # quicker than to ask what else it might be
        return value.copy()
    if isinstance(value, _NO_LISTS) or not isinstance(value, Iterable):
        raise InvalidRequestError(
            f"{where}: a list of {wanted} is wanted, not {describe_type(value)}; "
            "put a single one into a list"
        )
    return sorted(value, key=str) if isinstance(value, AbstractSet) else list(value)


def uuid_texts(value: Any, where: str) -> tuple[str, ...]:
    """Bring every id of a list into canonical form; those of a set are sorted by it."""
    is_canonical = _CANONICAL.fullmatch
    ids = [
        item
        if type(item) is str and is_canonical(item)
        else uuid_text(item, f"{where}[{index}]")
        for index, item in enumerate(as_list(value, where, "ids"))
    ]
    if type(value) is not list and isinstance(value, AbstractSet):
        ids.sort()
    return tuple(ids)


def optional_bool(value: Any, where: str) -> bool | None:
    """Check a boolean that may be left out."""
    if value is None or isinstance(value, bool):
        return value
    raise InvalidRequestError(
        f"{where}: True or False is wanted, not {describe_type(value)}"
    )


def valid_text(value: Any, where: str) -> str:
    """Check text that the service can take."""
    if type(value) is str and value.isascii() and "\0" not in value:  # as most are
        return value
    if not isinstance(value, str):
        raise InvalidRequestError(
            f"{where}: text is wanted, not {describe_type(value)}"
        )
    if "\0" in value:
        raise InvalidRequestError(f"{where}: the service takes no null characters")
    checked: str = copy_json(value, where)
    return checked


def non_blank_text(value: Any, where: str) -> str:
    """Check text that has to say something; give it trimmed."""
    trimmed = valid_text(value, where).strip()
    if not trimmed:
        raise InvalidRequestError(f"{where}: is blank")
    return trimmed


def bounded_text(value: Any, where: str, *, max_length: int) -> str | None:
    """Check text that may be left out: trimmed, the service takes so many characters."""
    if value is None:
        return None
    checked = valid_text(value, where)
    length = len(checked.strip())
    if length > max_length:
        raise InvalidRequestError(
            f"{where}: {length} characters; the service takes {max_length} at most"
        )
    return checked


def copy_json_object(value: Any, where: str) -> dict[str, Any] | None:
    """Copy a JSON object that may be left out; see `json_value`."""
    if value is None:
        return None
    if not isinstance(value, _MAPPINGS):
        raise InvalidRequestError(
            f"{where}: a dict is wanted, not {describe_type(value)}"
        )
    copied: dict[str, Any] = copy_json(value, where)
    return copied


def copy_json(value: Any, where: str) -> Any:
    """Copy a JSON value, plain dicts and lists all the way down.

    Refused is what JSON cannot say, or would say otherwise: NaN and infinities, keys
    that are no text, integers beyond 64 bits, lone surrogates, nesting without end, and
    anything but None, bool, int, float, str, list, tuple and mapping.
    """
    written = roundtrip_json(value)
    if written is not None:
        return written[1]
    try:
        return _copy_json(value, _MAX_DEPTH)
    except _NotJSONError as error:
        path = "".join(reversed(error.path))
        if len(path) > _PREVIEW_LENGTH:
            path = f"{path[:_PREVIEW_LENGTH]}…"
        raise InvalidRequestError(f"{where}{path}: {error}") from None


def roundtrip_json(value: Any) -> tuple[bytes, Any] | None:
    """Write a value as JSON and read it back: both, where it came back the same.

    That is the quickest proof that it is JSON, and the quickest copy. `None` says only
    that there is no such proof: of a tuple, as of what cannot be sent.
    """
    try:
        written = orjson.dumps(value, option=_JSON_ONLY)
        copied = orjson.loads(written)
    except (TypeError, ValueError):
        return None
    return (written, copied) if _is_shallow(written) and copied == value else None


def _is_shallow(written: bytes) -> bool:
    """Tell JSON that has too few brackets to be nested too deep, wherever they stand."""
    return (
        len(written) <= 2 * _MAX_DEPTH
        or written.count(b"{") + written.count(b"[") <= _MAX_DEPTH
    )


class _NotJSONError(Exception):
    """What is wrong; the path to it is put together on the way up, innermost first."""

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
    if not isinstance(value, _CONTAINERS):
        raise _NotJSONError(
            f"{describe_type(value)} is no JSON value; turn it into text, a number, a list or "
            "a dict first"
        )
    if depth == 0:
        raise _NotJSONError(f"nested more than {_MAX_DEPTH} levels deep")
    if isinstance(value, _LISTS):
        return [_copy_item(item, index, depth) for index, item in enumerate(value)]
    return {_copy_key(key): _copy_item(item, key, depth) for key, item in value.items()}


def _check_number(value: float) -> float:
    if isinstance(value, int):
        if _INT_MIN <= value <= _INT_MAX:
            return int(value)
        raise _NotJSONError("the integer has more than 64 bits")
    if math.isfinite(value):
        return float(value)
    raise _NotJSONError(f"{float(value)} is no JSON number")


def _copy_item(value: Any, place: Any, depth: int) -> Any:
    if type(value) is str and value.isascii():  # as most are, and nothing to copy
        return value
    try:
        return _copy_json(value, depth - 1)
    except _NotJSONError as error:
        error.path.append(f"[{place}]" if isinstance(place, int) else f".{place}")
        raise


def _copy_key(key: Any) -> str:
    if type(key) is str and key.isascii():
        return key
    if isinstance(key, str):
        return _check_utf8(key)
    raise _NotJSONError(
        f"the key {truncate_repr(key)} is {describe_type(key)}; JSON has text keys only"
    )


def _check_utf8(value: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _NotJSONError(
                f"character {error.start + 1} is half of a surrogate pair and cannot "
                "be sent as UTF-8"
            ) from None
    return str.__str__(value)
