"""What an answer means: the result, or an error that says if the work was done."""

from __future__ import annotations

import datetime as dt
import email.utils
import re
from typing import TYPE_CHECKING, Any

from futureagi_async.errors import (
    APIResponseError,
    APIStatusError,
    Delivery,
    UnexpectedResponseError,
    class_for_status,
)
from futureagi_async.model import codec


if TYPE_CHECKING:
    from futureagi_async.model.request import Request, ResultT
    from futureagi_async.transport.http import HTTPResponse


_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_UNAVAILABLE = 503


def parse_response(
    request: Request[ResultT], answer: HTTPResponse, now: float
) -> ResultT:
    """Turn an answer into the result of the request.

    `now` is Unix time, for a `Retry-After` that is a date.

    Raises:
        APIStatusError: the status is no success.
        UnexpectedResponseError: the success is not the documented one, or not an
            answer to this request.
        EvalDispatchError: the success says that nothing was started.
    """
    if not 200 <= answer.status < 300:  # noqa: PLR2004 - the 2xx of RFC 9110
        raise _status_error(request, answer, now)
    try:
        result: Any = codec.decode_result(
            answer.body, request.result_type, answer.request_id
        )
    except codec.DecodeError as error:
        raise _answered(UnexpectedResponseError, str(error), answer) from None
    objection = request.validate_response(result)
    if objection is not None:
        raise _answered(*objection, answer)
    return result  # type: ignore[no-any-return]  # result_type is the request's own


def _answered(
    error_class: type[APIResponseError], message: str, answer: HTTPResponse
) -> APIResponseError:
    return error_class(
        message,
        status_code=answer.status,
        body=answer.body,
        delivery=error_class.delivery,
        request_id=answer.request_id,
    )


def _status_error(
    request: Request[Any], answer: HTTPResponse, now: float
) -> APIStatusError:
    # Imported for an error only: `html` takes its time.
    from futureagi_async.transport.error_body import parse_error_body  # noqa: PLC0415

    parsed = parse_error_body(answer.body, reason=answer.reason)
    retry_after = retry_after_seconds(answer.retry_after, now)
    if retry_after is None:
        retry_after = parsed.retry_after
    message = parsed.message
    if answer.location is not None:
        message = f"{message} (redirects are not followed; to {answer.location})"
    error_class = request.error_class(answer.status, message)
    return (error_class or class_for_status(answer.status))(
        message,
        status_code=answer.status,
        code=parsed.code,
        details=parsed.details,
        item_errors=parsed.item_errors,
        body=answer.body,
        delivery=status_delivery(answer.status, retry_after),
        request_id=answer.request_id,
        retry_after=retry_after,
    )


def status_delivery(status: int, retry_after: float | None) -> Delivery:
    """Tell what a status that is no success says about the work."""
    is_refusal = 300 <= status < 500  # noqa: PLR2004 - the 3xx and 4xx of RFC 9110
    if is_refusal or (status == _UNAVAILABLE and retry_after is not None):
        return Delivery.REJECTED
    return Delivery.UNKNOWN


def retry_after_seconds(text: str | None, now: float) -> float | None:
    """Read a `Retry-After`: seconds, or a date against `now` in Unix time.

    A negative number, or what is neither, is as good as none.
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
