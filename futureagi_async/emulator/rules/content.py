"""Content negotiation and decoding, before any endpoint gets a request."""

from __future__ import annotations

import codecs
import functools
import io
import json
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qs

from futureagi_async.emulator.rules.envelope import RejectedError, framework_error
from futureagi_async.emulator.rules.exchange import JSON, Request
from futureagi_async.emulator.rules.fields import FormData
from futureagi_async.emulator.rules.nesting import MAX_DEPTH, decode_nested


_MULTIPART = "multipart/form-data"
_FORMS = (_MULTIPART, "application/x-www-form-urlencoded")


def parse_query(request: Request) -> FormData:
    """Return the query parameters; of repeated ones the last counts."""
    if not request.query:
        return FormData()
    return FormData(parse_qs(request.query, keep_blank_values=True))


def negotiate(request: Request) -> None:
    """Check that the client accepts JSON, which is all there is.

    Raises:
        RejectedError: `?format=` or `Accept` ask for something else.
    """
    # A query parameter beats the header, and an unknown format is a page not found.
    if "format" in request.query:
        name = parse_query(request).get("format", [""])[-1]
        if name not in ("", "json"):
            raise RejectedError(framework_error(404, "Not found.", "error"))
        if name:
            return
    # An empty header accepts nothing; only a missing one accepts everything.
    accept = request.headers.get("Accept", "*/*")
    if not any(_matches(JSON, pattern) for pattern in accept.split(",")):
        raise RejectedError(
            framework_error(
                406, "Could not satisfy the request Accept header.", "not_acceptable"
            )
        )


@functools.lru_cache(maxsize=256)
def _matches(media_type: str, pattern: str) -> bool:
    """Return whether a media type matches a pattern, without its parameters."""
    main, _, sub = pattern.partition(";")[0].strip().lower().partition("/")
    ours, _, our_sub = media_type.partition("/")
    return main in ("*", ours) and sub in ("*", our_sub)


def parse_body(request: Request) -> Any:
    """Return the decoded body.

    Raises:
        RejectedError: the body is not JSON, or of a type that the service cannot read.
    """
    content_type = request.headers.get("Content-Type", "")
    if not request.body:
        # Without a body its type does not matter; forms stay forms.
        is_form = any(_matches(form, content_type) for form in _FORMS)
        return FormData() if is_form else {}
    if _matches(JSON, content_type):
        return _parse_json(request.body, _charset(content_type))
    if _matches(_MULTIPART, content_type):
        return _parse_form(request.body, content_type)
    raise RejectedError(
        framework_error(
            415,
            f'Unsupported media type "{content_type}" in request.',
            "unsupported_media_type",
        )
    )


def _charset(content_type: str) -> str:
    """Return the charset that a content type names, if Python knows it."""
    if "charset" not in content_type.lower():
        return "utf-8"
    message = Message()
    message["Content-Type"] = content_type
    charset = message.get_content_charset("utf-8")
    try:
        codecs.lookup(charset)
    except LookupError:
        return "utf-8"
    return charset


def _parse_json(body: bytes, charset: str) -> Any:
    """Parse JSON; the message of Python's own parser is part of the response."""
    try:
        text = _decode(body, charset)
        if text.startswith("\ufeff"):
            return json.loads(text)  # which has a message for this
        return _decode_json(text)
    except json.JSONDecodeError as error:
        raise _parse_error(f"JSON parse error - {classic_message(error)}") from None
    except ValueError as error:
        raise _parse_error(f"JSON parse error - {_classic_text(error)}") from None


def _classic_text(error: ValueError) -> str:
    """Return the message as the Python under the service words it.

    Since Python 3.13 a missing byte order mark is an error of decoding.
    """
    if isinstance(error, UnicodeDecodeError) and "start with BOM" in error.reason:
        return f"{error.encoding.upper()} stream does not start with BOM"
    return str(error)


def _decode_json(text: str) -> Any:
    """Parse JSON of any depth that the service reads.

    How deep Python's own parser reads depends on its version.
    """
    if text.count("[") + text.count("{") >= MAX_DEPTH:
        return decode_nested(text, _DECODER)
    try:
        return _DECODER.decode(text)
    except RecursionError:
        return decode_nested(text, _DECODER)


def _decode(body: bytes, charset: str) -> str:
    """Decode a body as the service reads a stream.

    A stream reader waits for the missing bytes of a character that is cut off at the
    end, so that such an end goes unnoticed.
    """
    if charset == "utf-8" and body.isascii():
        return body.decode("ascii")
    return codecs.getreader(charset)(io.BytesIO(body)).read()


def _reject_constant(name: str) -> None:
    """Reject NaN and Infinity, which are Python's addition to JSON."""
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)


def classic_message(error: json.JSONDecodeError) -> str:
    """Return the message as the Python under the service words it.

    Since Python 3.13 a trailing comma has a message of its own.
    """
    if not error.msg.startswith("Illegal trailing comma"):
        return str(error)
    behind_comma = error.doc[error.pos + 1 :]
    position = len(error.doc) - len(behind_comma.lstrip())
    message = (
        "Expecting property name enclosed in double quotes"
        if error.msg.endswith("object")
        else "Expecting value"
    )
    return str(json.JSONDecodeError(message, error.doc, position))


def _parse_form(body: bytes, content_type: str) -> FormData:
    """Parse the fields of a multipart body; all of them are texts."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    boundary = message.get_boundary()
    if boundary is None:
        raise _parse_error(
            f"Multipart form parse error - Invalid boundary in multipart: {boundary}"
        )
    form = FormData()
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and part.get_filename() is None:
            payload = part.get_payload(decode=True)
            text = (
                payload.decode(errors="replace") if isinstance(payload, bytes) else ""
            )
            form.setdefault(name, []).append(text)
    return form


def _parse_error(message: str) -> RejectedError:
    """Build the 400 for a body that cannot be parsed."""
    return RejectedError(framework_error(400, message, "parse_error"))
