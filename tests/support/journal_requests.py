"""Requests to write into a journal, and its entries."""

from __future__ import annotations

import attrs

from futureagi_async.errors import APIError, Delivery, RateLimitError
from futureagi_async.journal.entry import request_key
from futureagi_async.journal.reader import Journal
from futureagi_async.model.outcome import Failure, Success
from futureagi_async.model.request import Request, Result


URL = "https://api.example.com"


@attrs.frozen
class Ask(Request):
    """A request about nothing in particular."""

    method = "POST"
    result_type = Result

    path: str
    body: bytes | None = b"{}"
    run_test_id: str | None = None


def same(request):
    return request_key(URL, None, request)


def intend(writer, request, **more):
    return writer.record_intent(
        same(request), request, **{"base_url": URL, "workspace_id": None, **more}
    )


def success(request, raw=None, request_id="r-1", *, reconciled=False):
    result = Result(raw=raw or {}, request_id=request_id, reconciled=reconciled)
    return Success(request, result, attempts=2, elapsed=0.5)


def failure(request, delivery=Delivery.REJECTED):
    if delivery is Delivery.REJECTED:
        error = RateLimitError(
            "slow down", status_code=429, delivery=delivery, request_id="r-2"
        )
    else:
        error = APIError("it broke off", delivery=delivery, request_id="r-2")
    return Failure(request, error, attempts=3, elapsed=1.5)


def entries(path):
    with Journal.open(path) as journal:
        return list(journal)


def states(path):
    return {each.path: each.state.name for each in entries(path)}
