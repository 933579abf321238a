"""Methods of the blocking client, made of those of the asynchronous one.

Nothing is written twice: signature, docstring and types are those of the method that is
awaited.
"""

from __future__ import annotations

import functools
import inspect
import queue
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
)
from functools import partial
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from futureagi_async import batch, evaluation
from futureagi_async.batch.options import validate_callback
from futureagi_async.blocking.streams import (
    BlockingEvaluationStream,
    BlockingOutcomeStream,
    in_memory,
    pump_input,
    run_batch,
)
from futureagi_async.client import AsyncFutureAGI
from futureagi_async.model.page import Paginator
from futureagi_async.model.request import ResultT
from futureagi_async.transport.settings import DEFAULT_MAX_CONCURRENCY


if TYPE_CHECKING:
    from futureagi_async.blocking.client import FutureAGI


P = ParamSpec("P")
T = TypeVar("T")
ClientT = TypeVar("ClientT", bound="FutureAGI")

_WORDS = {
    "async with ": "with ",
    "async for ": "for ",
    "await ": "",
    "AsyncFutureAGI": "FutureAGI",
}
"""What is different in the docstrings of the blocking client."""


def mirror_constructor(
    cls: Callable[P, AsyncFutureAGI],
) -> Callable[
    [Callable[[ClientT, AsyncFutureAGI], None]], Callable[Concatenate[ClientT, P], None]
]:
    """Return a decorator: `__init__` takes the arguments of another class.

    The decorated function gets an instance made of them.
    """

    def decorate(
        init: Callable[[ClientT, AsyncFutureAGI], None],
    ) -> Callable[Concatenate[ClientT, P], None]:
        def __init__(self: ClientT, /, *args: P.args, **kwargs: P.kwargs) -> None:  # noqa: N807 - it is one
            init(self, cls(*args, **kwargs))

        return _mirror(__init__, AsyncFutureAGI.__init__)

    return decorate


def copying_method(
    method: Callable[Concatenate[AsyncFutureAGI, P], AsyncFutureAGI],
) -> Callable[Concatenate[ClientT, P], ClientT]:
    """Return a method whose result is a copy around another asynchronous client."""

    def call(self: ClientT, /, *args: P.args, **kwargs: P.kwargs) -> ClientT:
        return self._copy(method(self._client, *args, **kwargs))

    return _mirror(call, method)


def blocking_method(
    method: Callable[Concatenate[AsyncFutureAGI, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[FutureAGI, P], T]:
    """Return a method that waits for the result of a coroutine function."""

    def call(self: FutureAGI, /, *args: Any, **kwargs: Any) -> T:
        args = tuple(map(in_memory, args))
        kwargs = {name: in_memory(value) for name, value in kwargs.items()}
        return self._portal.call(partial(method, self._client, *args, **kwargs))

    return _mirror(call, method)


def blocking_batch(
    method: Callable[Concatenate[AsyncFutureAGI, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[FutureAGI, P], T]:
    """Return a method that runs a batch.

    Its first argument is read, and its callback called, in the calling thread.
    """
    signature = inspect.signature(method)
    callback_name = next(name for name in signature.parameters if name[:3] == "on_")

    def call(self: FutureAGI, /, *args: Any, **kwargs: Any) -> T:
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        bound, source = _bind(signature, self._client, args, kwargs, inbox)
        callback = bound.arguments.get(callback_name)

        def start(enqueue: Callable[[Any], object] | None) -> Awaitable[T]:
            bound.arguments[callback_name] = enqueue
            return method(*bound.args, **bound.kwargs)

        result: T = run_batch(
            self._portal,
            start,
            source,
            inbox,
            validate_callback(callback, callback_name),
        )
        return result

    return _mirror(call, method)


def outcome_stream(
    method: Callable[
        Concatenate[AsyncFutureAGI, P], batch.stream.OutcomeStream[ResultT]
    ],
) -> Callable[Concatenate[FutureAGI, P], BlockingOutcomeStream[ResultT]]:
    """Return a method that opens a stream of outcomes."""
    return _stream(method, BlockingOutcomeStream[ResultT])


def evaluation_stream(
    method: Callable[
        Concatenate[AsyncFutureAGI, P], evaluation.stream.EvaluationStream
    ],
) -> Callable[Concatenate[FutureAGI, P], BlockingEvaluationStream]:
    """Return a method that opens a stream of evaluations."""
    return _stream(method, BlockingEvaluationStream)


def _stream(method: Callable[..., Any], stream_type: Any) -> Callable[..., Any]:
    signature = inspect.signature(method)

    def call(self: FutureAGI, /, *args: Any, **kwargs: Any) -> Any:
        inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        bound, source = _bind(signature, self._client, args, kwargs, inbox)
        producer = method(*bound.args, **bound.kwargs)._producer  # noqa: SLF001 - runs elsewhere
        concurrency = _concurrency(bound)
        return stream_type(self._portal, producer, source, inbox, concurrency)

    return _mirror(call, method, stream_type)


def blocking_list(
    method: Callable[Concatenate[AsyncFutureAGI, P], AsyncIterator[T]],
) -> Callable[Concatenate[FutureAGI, P], Iterator[T]]:
    """Return a method that iterates over a list, with one hop into the loop a page."""

    def call(self: FutureAGI, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        # Not a generator: the arguments are validated now, and not when it is read.
        return _iterate(self, method(self._client, *args, **kwargs))

    returns = method.__annotations__["return"].replace("AsyncIterator", "Iterator")
    return _mirror(call, method, returns)


def _iterate(client: FutureAGI, entries: AsyncIterator[T]) -> Iterator[T]:
    while page := client._portal.call(partial(_next_entries, entries)):  # noqa: SLF001 - a method
        yield from page


async def _next_entries(entries: AsyncIterator[T]) -> list[T]:
    if isinstance(entries, Paginator):
        return await entries.next_entries()
    return [entry async for entry in entries]  # not in pages: one answer has them all


def _bind(
    signature: inspect.Signature,
    client: AsyncFutureAGI,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    inbox: queue.SimpleQueue[Any],
) -> tuple[inspect.BoundArguments, Any]:
    """Return the arguments of a batch, and its input, which is the first of them."""
    bound = signature.bind(client, *args, **kwargs)
    input_name = list(bound.arguments)[1]
    for name in list(bound.arguments)[2:]:
        bound.arguments[name] = in_memory(bound.arguments[name])
    source = pump_input(bound.arguments[input_name], inbox, _concurrency(bound))
    bound.arguments[input_name] = source
    return bound, source


def _concurrency(bound: inspect.BoundArguments) -> int:
    value = bound.arguments.get("max_concurrency")
    if isinstance(value, int) and value > 0:
        return value
    return DEFAULT_MAX_CONCURRENCY  # or it is invalid, and rejected later


def _mirror(
    wrapper: Any, method: Callable[..., Any], returns: Any = None
) -> Callable[..., Any]:
    """Copy signature and docstring of an asynchronous method to a wrapper."""
    functools.update_wrapper(wrapper, method)
    wrapper.__qualname__ = method.__qualname__.replace("AsyncFutureAGI", "FutureAGI")
    signature = inspect.signature(method)
    if returns is not None:
        wrapper.__annotations__ = {**method.__annotations__, "return": returns}
        signature = signature.replace(return_annotation=returns)
    wrapper.__signature__ = signature
    for word, replacement in _WORDS.items():
        wrapper.__doc__ = wrapper.__doc__ and wrapper.__doc__.replace(word, replacement)
    mirrored: Callable[..., Any] = wrapper
    return mirrored
