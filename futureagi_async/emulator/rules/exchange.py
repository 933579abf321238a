"""One HTTP exchange as two values: the request of a client, the service's response."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import orjson

from futureagi_async.emulator.rules.nesting import encode_nested


if TYPE_CHECKING:
    from collections.abc import Mapping


JSON = "application/json"
HTML = "text/html; charset=utf-8"


@attrs.frozen
class Request:
    """A request that is split into its parts but not checked.

    Args:
        method: as sent, in upper case.
        path: percent-decoded, as the service's framework matches it.
        query: the raw text after the question mark.
        headers: a mapping that ignores case.
        body: empty for a chunked request, whose body the service never reads.
        base_url: scheme and authority that the client used; links start with it.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = b""
    base_url: str = ""


@attrs.frozen
class Response:
    """A response to a request.

    Args:
        status: the HTTP status.
        body: the encoded body.
        content_type: the media type of the body.
        headers: further headers.
    """

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = attrs.field(factory=dict)


def _encode(value: Any) -> bytes:
    """Encode a value as JSON.

    Raises:
        UnicodeEncodeError: the value contains a lone surrogate.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        # orjson stops at 64-bit integers and at some depth; the service does not.
        return encode_nested(value)


def json_response(status: int, value: Any) -> Response:
    """Build a response with a JSON body."""
    return Response(status, _encode(value))


def html_response(status: int, title: str) -> Response:
    """Build a page as the framework renders it below the API: for people."""
    page = (
        "<!doctype html>\n"
        f'<html lang="en">\n<head>\n  <title>{title}</title>\n</head>\n'
        f"<body>\n  <h1>{title}</h1>\n</body>\n</html>\n"
    )
    return Response(status, page.encode(), HTML)
