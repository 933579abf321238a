"""The body of an error, in each of the forms that the service uses.

Six forms were seen: an envelope with one text four times; the bare forms of the
API documents; `result` as an object (429); `error` as an object (402, and the index of
the documentation); HTML; and nothing.
"""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from futureagi_async.errors import ItemError
from futureagi_async.model.codec import DecodeError, decode


_MESSAGE_KEYS = ("message", "detail", "error", "result")
_ENVELOPE_KEYS = {"status", "type", "code", "attr", "details", "retry_after"}
_NON_FIELD_KEYS = {"non_field_errors", "detail"}
_TITLE = re.compile(rb"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_ITEM = re.compile(r"(?:^|; )(\d{1,9}): ", re.ASCII)
_MAX_TEXT = 200
_MAX_DEPTH = 20
_NO_REASON = "the service returned no reason"


@attrs.frozen
class ErrorBody:
    """The message, once, and further fields if there were any."""

    message: str
    code: str | None = None
    details: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict)
    item_errors: tuple[ItemError, ...] = ()
    retry_after: float | None = None
    is_json: bool = True


def parse_error_body(body: bytes, *, reason: str) -> ErrorBody:
    """Parse the body of an error, of any form.

    `reason` is the reason phrase of the status, for bodies without a message.
    """
    reason = reason.strip() or _NO_REASON
    try:
        value = decode(body)
    except DecodeError:
        return ErrorBody(_from_text(body, reason), is_json=False)
    match value:
        case {"error": Mapping() as inner} | {"result": Mapping() as inner} if inner:
            return _from_object(inner, reason)
        case Mapping():
            return _from_object(value, reason)
        case _:
            return ErrorBody("; ".join(_flatten(value)) or reason)


def _from_text(body: bytes, reason: str) -> str:
    title = _TITLE.search(body)
    if title:
        text = html.unescape(title[1].decode("utf-8", "replace"))
        return f"{reason} (an HTML page: {' '.join(text.split())})"
    text = " ".join(body.decode("utf-8", "replace").split())
    if not text:
        return f"{reason} (an empty response)"
    return f"{reason} ({text[:_MAX_TEXT]})"


def _from_object(value: Mapping[str, Any], reason: str) -> ErrorBody:
    details = _details(value)
    code = value.get("code")
    return ErrorBody(
        message=_message(value) or _joined(details) or reason,
        code=code if isinstance(code, str) and code else None,
        details=details,
        item_errors=tuple(_item_errors(details)),
        retry_after=_seconds(value.get("retry_after")),
    )


def _message(value: Mapping[str, Any]) -> str | None:
    candidates = (value.get(key) for key in _MESSAGE_KEYS)
    return next((e for e in candidates if isinstance(e, str) and e.strip()), None)


def _details(value: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    details = value.get("details")
    if isinstance(details, Mapping):
        fields = details
    elif details:
        fields = {"details": details}
    else:
        # The form of the API documents: the fields are at the top level.
        fields = {
            key: field
            for key, field in value.items()
            if key not in _ENVELOPE_KEYS
            and not (key in _MESSAGE_KEYS and isinstance(field, str))
        }
    texts = {str(key): tuple(_flatten(each)) for key, each in fields.items()}
    return {key: each for key, each in texts.items() if each}


def _joined(details: Mapping[str, tuple[str, ...]]) -> str:
    return "; ".join(
        text if field in _NON_FIELD_KEYS else f"{field}: {text}"
        for field, texts in details.items()
        for text in texts
    )


def _flatten(value: Any, depth: int = _MAX_DEPTH) -> Iterator[str]:
    """Flatten to texts, each prefixed by the fields and indexes that lead to it."""
    match value:
        case str():
            if value.strip():
                yield value
        case Mapping() | list() if depth == 0:
            yield "…"
        case Mapping():
            for key, each in value.items():
                yield from (f"{key}: {text}" for text in _flatten(each, depth - 1))
        case list():
            yield from _flatten_list(value, depth - 1)
        case None:
            return
        case _:
            yield str(value)


def _flatten_list(values: list[Any], depth: int) -> Iterator[str]:
    """Flatten a list; indexes are prefixed if it has objects or lists in it."""
    has_items = any(isinstance(each, Mapping | list) for each in values)
    for index, each in enumerate(values):
        if not has_items:
            yield from _flatten(each, depth)
        elif joined := "; ".join(_flatten(each, depth)):
            yield f"{index}: {joined}"


def _item_errors(details: Mapping[str, tuple[str, ...]]) -> Iterator[ItemError]:
    for field, texts in details.items():
        if field not in _NON_FIELD_KEYS:
            for text in texts:
                yield from _split_items(field, text)


def _split_items(field: str, text: str) -> Iterator[ItemError]:
    """Split `0: template_id: Must be a valid UUID.; 1: ...` into its items.

    A message may contain such a mark itself; the true ones count up.
    """
    marks: list[re.Match[str]] = []
    for mark in _ITEM.finditer(text):
        if not marks and mark.start() > 0:
            return
        if not marks or int(mark[1]) > int(marks[-1][1]):
            marks.append(mark)
    for mark, following in itertools.zip_longest(marks, marks[1:]):
        end = following.start() if following else len(text)
        yield ItemError(field, int(mark[1]), text[mark.end() : end])


def _seconds(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and value >= 0 else None
