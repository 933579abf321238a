"""The options of batches and streams, and requests to send, validated."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from datetime import timedelta
from os import PathLike
from typing import Any, TypedDict, TypeVar

from futureagi_async import model
from futureagi_async.errors import InvalidRequestError
from futureagi_async.model.operation import Operation
from futureagi_async.model.request import Requests, build_requests
from futureagi_async.model.validation import describe_type


FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class SharedOptions(TypedDict, total=False):
    """Options of everything that is done for many run tests.

    Attributes:
        max_concurrency: how many requests are in flight at a time; by default 32, or
            `max_connections` if that is less.
        journal: path of a file in which requests and outcomes are written, so that the
            same call can be repeated after a crash: completed requests are answered
            from it (`outcome.from_journal`), failed ones are sent again, and those that
            were in flight are reconciled, or stay unknown.
    """

    max_concurrency: int | None
    journal: str | PathLike[str] | None


class StreamOptions(SharedOptions, total=False):
    """Options of `stream`: `SharedOptions`, and these.

    Attributes:
        timeout: seconds after which nothing more is started: operations that were not
            started are `NotAttempted`, and requests in flight have their own timeout.
    """

    timeout: float | timedelta | None


class BatchOptions(StreamOptions, total=False):
    """Options of `send_many` and the methods made of it: `StreamOptions`, and these.

    Attributes:
        on_outcome: called with each outcome when it is there.
    """

    on_outcome: Callable[[model.outcome.Outcome[Any]], object] | None


def expand_options(
    options: type[Any], defaults: Mapping[str, Any] | None = None
) -> Callable[[FunctionT], FunctionT]:
    """Show each key of `**options: Unpack[...]` as a parameter in the signature.

    `help()`, notebooks and `inspect.signature` know nothing of `Unpack`.

    Args:
        options: the `TypedDict`.
        defaults: values of keys that may be omitted, where it is not `None`.
    """
    defaults = defaults or {}
    parameters = [
        inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty
            if name in options.__required_keys__
            else defaults.get(name),
            annotation=annotation.__forward_arg__,
        )
        for name, annotation in options.__annotations__.items()
    ]

    required = [p for p in parameters if p.default is inspect.Parameter.empty]
    optional = [p for p in parameters if p.default is not inspect.Parameter.empty]

    def decorate(function: FunctionT) -> FunctionT:
        signature = inspect.signature(function)
        *own, _ = signature.parameters.values()
        positional = [p for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
        keywords = own[len(positional) :]
        visible = [*positional, *required, *keywords, *optional]
        annotated: Any = function
        annotated.__signature__ = signature.replace(parameters=visible)
        return function

    return decorate


def complete_options(
    given: Mapping[str, Any],
    options: type[Any],
    defaults: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return every key of an options `TypedDict`, with defaults for omitted ones.

    Raises:
        TypeError: a key is unknown, or a required one is missing.
    """
    for name in given:
        if name not in options.__annotations__:
            raise TypeError(f"got an unexpected keyword argument {name!r}")
    for name in options.__required_keys__:
        if name not in given:
            raise TypeError(f"missing a required keyword argument: {name!r}")
    return dict.fromkeys(options.__annotations__) | dict(defaults or {}) | dict(given)


def validate_callback(
    value: Any, location: str = "on_outcome"
) -> Callable[[Any], object] | None:
    """Return a callback if it is one.

    Raises:
        InvalidRequestError: it cannot be called, or would have to be awaited.
    """
    if value is None or (callable(value) and not _is_async_callable(value)):
        return value  # type: ignore[no-any-return]  # checked just now
    raise InvalidRequestError(
        f"{location}: a plain function of one argument is expected; to await something "
        "for each, use a stream"
    )


def _is_async_callable(function: Any) -> bool:
    called = type(function).__call__
    return any(map(inspect.iscoroutinefunction, (function, called)))


def validate_requests(requests: Any) -> Requests[Any]:
    """Return requests, if they are all requests.

    Raises:
        InvalidRequestError: not an iterable, or a collection with another thing in it.
    """
    if type(requests) is list and all(map(_is_request, map(type, requests))):
        return list(requests)  # the same, quicker
    return build_requests(requests, validate_request, "requests")


def validate_request(request: Any) -> Operation[Any]:
    """Return a request or operation, if it is one.

    Raises:
        InvalidRequestError: it is not a request.
    """
    cls: Any = type(request)
    if _is_request(cls):
        return request  # type: ignore[no-any-return]  # checked just now
    raise InvalidRequestError(f"a request is expected, not {describe_type(request)}")


@functools.lru_cache
def _is_request(cls: type[Any]) -> bool:
    # Cached by class: `issubclass` of an abstract class is slow.
    return issubclass(cls, Operation)
