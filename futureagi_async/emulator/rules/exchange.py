"""One HTTP exchange as two values: what a client asked, what the service answers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import orjson


if TYPE_CHECKING:
    from collections.abc import Mapping


JSON = "application/json"
HTML = "text/html; charset=utf-8"


@attrs.frozen
class Request:
    """What arrived, already split but not yet judged.

    Args:
        method: As sent, in capitals.
        path: Percent-decoded, as the service's framework matches it.
        query: The raw text behind the question mark.
        headers: Looked up without regard to case.
        body: Empty for a chunked request, whose body the service never reads.
        base_url: Scheme and authority that the client used; links are made of it.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    base_url: str = ""


@attrs.frozen
class Answer:
    """What goes back.

    Args:
        status: The HTTP status.
        body: Encoded already.
        content_type: What the body is.
        headers: Further header lines.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = attrs.field(factory=dict)


def encode(value: Any) -> bytes:
    """JSON bytes of a value.

    Raises:
        UnicodeEncodeError: The value holds a lone surrogate.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # orjson stops at 64-bit integers; the service stores larger ones as they are.
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.encode()


def json_answer(status: int, value: Any) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, encode(value))


def html_answer(status: int, title: str) -> Answer:
    """A page as the framework renders it below the API: for people, not for clients."""
    page = (
        "<!doctype html>\n"
        f'<html lang="en">\n<head>\n  <title>{title}</title>\n</head>\n'
        f"<body>\n  <h1>{title}</h1>\n</body>\n</html>\n"
    )
    return Answer(status, page.encode(), HTML)
