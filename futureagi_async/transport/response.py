"""The meaning of a response: the result, or an error with its delivery."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from typing import TYPE_CHECKING, Any

from futureagi_async.errors import (
    APIResponseError,
    APIStatusError,
    Delivery,
    EndpointMissingError,
    UnexpectedResponseError,
    class_for_status,
)
from futureagi_async.model import codec


if TYPE_CHECKING:
    from futureagi_async.model.request import Request, ResultT
    from futureagi_async.transport.error_body import ErrorBody
    from futureagi_async.transport.http import HTTPResponse


_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_NOT_FOUND = 404
_NOT_ALLOWED = 405
_SERVER_ERROR = 500
_UNAVAILABLE = 503


def parse_response(
    request: Request[ResultT], response: HTTPResponse, now: float
) -> ResultT:
    """Return the result of a request from its response.

    `now` is Unix time, for a `Retry-After` that is a date.

    Raises:
        APIStatusError: the status is not a success.
        UnexpectedResponseError: the response is not the documented one, or not one
            to this request.
        EvalDispatchError: the service answered with success, but started nothing.
    """
    if not 200 <= response.status < 300:  # noqa: PLR2004 - the 2xx of RFC 9110
        raise _status_error(request, response, now)
    try:
        result: Any = codec.decode_result(
            response.body, request.result_type, response.request_id
        )
    except codec.DecodeError as error:
        raise _response_error(UnexpectedResponseError, str(error), response) from None
    objection = request.validate_response(result)
    if objection is not None:
        raise _response_error(*objection, response)
    return result  # type: ignore[no-any-return]  # result_type is the request's own


def _response_error(
    error_class: type[APIResponseError], message: str, response: HTTPResponse
) -> APIResponseError:
    return error_class(
        message,
        status_code=response.status,
        body=response.body,
        delivery=error_class.delivery,
        request_id=response.request_id,
    )


def _status_error(
    request: Request[Any], response: HTTPResponse, now: float
) -> APIStatusError:
    # Imported for an error only: `html` takes time to import.
    from futureagi_async.transport.error_body import parse_error_body  # noqa: PLC0415

    parsed = parse_error_body(response.body, reason=response.reason)
    retry_after = retry_after_seconds(response.retry_after, now)
    if retry_after is None:
        retry_after = parsed.retry_after
    message = parsed.message
    if response.location is not None:
        message = f"{message} (redirects are not followed; to {response.location})"
    error_class = request.error_class(response.status, message)
    if request.has_substitute and _is_missing(response.status, parsed):
        error_class = EndpointMissingError
    error = (error_class or class_for_status(response.status, parsed.code))(
        message,
        status_code=response.status,
        code=parsed.code,
        details=parsed.details,
        item_errors=parsed.item_errors,
        body=response.body,
        delivery=status_delivery(response.status, retry_after),
        request_id=response.request_id,
        retry_after=retry_after,
    )
    if response.status == _SERVER_ERROR:
        error.hint = request.server_error_hint
    return error


def _is_missing(status: int, body: ErrorBody) -> bool:
    """Return whether an endpoint does not exist, unlike what it is asked about.

    A 404 of an endpoint is in JSON, that of an unknown path an HTML page.
    """
    return status == _NOT_ALLOWED or (status == _NOT_FOUND and not body.is_json)


def status_delivery(status: int, retry_after: float | None) -> Delivery:
    """Return the delivery of a request that was answered with an error status."""
    is_refusal = 300 <= status < 500  # noqa: PLR2004 - the 3xx and 4xx of RFC 9110
    if is_refusal or (status == _UNAVAILABLE and retry_after is not None):
        return Delivery.REJECTED
    return Delivery.UNKNOWN


def retry_after_seconds(text: str | None, now: float) -> float | None:
    """Return the seconds of a `Retry-After`: a number, or a date compared with `now`.

    `now` is Unix time. Return `None` for a negative number and anything else.
    """
    if text is None:
        return None
    text = text.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=dt.UTC)
    return max(0.0, date.timestamp() - now)
