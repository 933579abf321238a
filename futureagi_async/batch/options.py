"""What a client is given to send, checked."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

from futureagi_async.errors import InvalidRequestError
from futureagi_async.model.operation import Operation
from futureagi_async.model.request import Requests, build_requests
from futureagi_async.model.validation import describe_type


if TYPE_CHECKING:
    from collections.abc import Callable


def validate_callback(
    value: Any, where: str = "on_outcome"
) -> Callable[[Any], object] | None:
    """Check a function that is called with what comes.

    Raises:
        InvalidRequestError: it cannot be called, or would have to be awaited.
    """
    if value is None or (callable(value) and not _is_awaited(value)):
        return value  # type: ignore[no-any-return]  # checked just now
    raise InvalidRequestError(
        f"{where}: a plain function of one argument is wanted; to await something for "
        "each, use a stream"
    )


def _is_awaited(function: Any) -> bool:
    """Tell a coroutine function, and an object that is called like one."""
    called = type(function).__call__
    return any(map(inspect.iscoroutinefunction, (function, called)))


def validate_requests(requests: Any) -> Requests[Any]:
    """Let only requests through.

    Raises:
        InvalidRequestError: not an iterable, or a collection with something else in it.
    """
    if type(requests) is list and all(map(_is_request, map(type, requests))):
        return list(requests)  # the same, quicker
    return build_requests(requests, validate_request, "requests")


def validate_request(request: Any) -> Operation[Any]:
    """Let only a request through.

    Raises:
        InvalidRequestError: it is none.
    """
    made_of: Any = type(request)
    if _is_request(made_of):
        return request  # type: ignore[no-any-return]  # checked just now
    raise InvalidRequestError(f"a request is wanted, not {describe_type(request)}")


@functools.lru_cache
def _is_request(class_: type[Any]) -> bool:
    # Remembered by class: to ask an abstract class about each request is slow.
    return issubclass(class_, Operation)
