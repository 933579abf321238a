"""What is negotiated and decoded before any endpoint sees a request."""

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

from futureagi_async.emulator.rules.envelope import RefusedError, framework_error
from futureagi_async.emulator.rules.exchange import JSON, Request
from futureagi_async.emulator.rules.fields import FormData


MULTIPART = "multipart/form-data"
FORMS = (MULTIPART, "application/x-www-form-urlencoded")


def query_of(request: Request) -> FormData:
    """The query parameters; of repeated ones the last counts."""
    if not request.query:
        return FormData()
    return FormData(parse_qs(request.query, keep_blank_values=True))


def negotiate(request: Request) -> None:
    """Whether the client takes JSON, which is all there is.

    Raises:
        RefusedError: `?format=` or `Accept` ask for something else.
    """
    # A query parameter beats the header, and an unknown format is a page not found.
    if "format" in request.query:
        wanted = query_of(request).get("format", [""])[-1]
        if wanted not in ("", "json"):
            raise RefusedError(framework_error(404, "Not found.", "error"))
        if wanted:
            return
    # An empty header accepts nothing; only a missing one accepts everything.
    accept = request.headers.get("Accept", "*/*")
    if not any(matches(JSON, each) for each in accept.split(",")):
        raise RefusedError(
            framework_error(
                406, "Could not satisfy the request Accept header.", "not_acceptable"
            )
        )


@functools.lru_cache(maxsize=256)
def matches(media_type: str, pattern: str) -> bool:
    """Whether a media type is meant by a pattern; its parameters do not matter."""
    main, _, sub = pattern.partition(";")[0].strip().lower().partition("/")
    ours, _, our_sub = media_type.partition("/")
    return main in ("*", ours) and sub in ("*", our_sub)


def data_of(request: Request) -> Any:
    """The decoded body.

    Raises:
        RefusedError: It is no JSON, or of a type that the service does not read.
    """
    content_type = request.headers.get("Content-Type", "")
    if not request.body:
        # Without a body its type is of no interest; forms stay forms.
        return FormData() if any(matches(f, content_type) for f in FORMS) else {}
    if matches(JSON, content_type):
        return parsed_json(request.body, charset_of(content_type))
    if matches(MULTIPART, content_type):
        return parsed_form(request.body, content_type)
    raise RefusedError(
        framework_error(
            415,
            f'Unsupported media type "{content_type}" in request.',
            "unsupported_media_type",
        )
    )


def charset_of(content_type: str) -> str:
    """The charset that a content type names, if Python knows it."""
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


def parsed_json(body: bytes, charset: str) -> Any:
    """The value; the message of Python's own parser is part of the refusal."""
    try:
        text = decoded(body, charset)
        if text.startswith("\ufeff"):
            return json.loads(text)  # which has a message for this
        return DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise not_parsed(f"JSON parse error - {classic_message(error)}") from None
    except ValueError as error:
        raise not_parsed(f"JSON parse error - {error}") from None


def decoded(body: bytes, charset: str) -> str:
    """The text, read as the service reads a stream.

    A stream reader waits for the rest of a character that is cut off at the end, so
    that such an end goes unnoticed.
    """
    if charset == "utf-8" and body.isascii():
        return body.decode("ascii")
    return codecs.getreader(charset)(io.BytesIO(body)).read()


def refuse_constant(name: str) -> None:
    """NaN and Infinity are Python's addition to JSON."""
    raise ValueError(f"Out of range float values are not JSON compliant: {name!r}")


DECODER = json.JSONDecoder(parse_constant=refuse_constant)


def classic_message(error: json.JSONDecodeError) -> str:
    """The message as the Python under the service words it.

    Since Python 3.13 a trailing comma has a message of its own.
    """
    if not error.msg.startswith("Illegal trailing comma"):
        return str(error)
    rest = error.doc[error.pos + 1 :]
    position = len(error.doc) - len(rest.lstrip())
    message = (
        "Expecting property name enclosed in double quotes"
        if error.msg.endswith("object")
        else "Expecting value"
    )
    return str(json.JSONDecodeError(message, error.doc, position))


def parsed_form(body: bytes, content_type: str) -> FormData:
    """The fields of a multipart body; all of them are texts."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise not_parsed("Multipart form parse error - Invalid boundary in multipart")
    form = FormData()
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and part.get_filename() is None:
            payload = part.get_payload(decode=True)
            text = (
                payload.decode(errors="replace") if isinstance(payload, bytes) else ""
            )
            form.setdefault(name, []).append(text)
    return form


def not_parsed(message: str) -> RefusedError:
    """A 400 for a body that cannot be read."""
    return RefusedError(framework_error(400, message, "parse_error"))
