"""Requests and results: values that define what is sent and how a response is read.

Every endpoint is a pair of a `Request` and a `Result`. Transport, batches and clients
work on any such pair and name no endpoint.
"""

from __future__ import annotations

import abc
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
    Coroutine,
    Iterable,
)
from typing import Any, ClassVar, TypeAlias, TypeVar, final

import attrs
import orjson

from futureagi_async.errors import APIResponseError, APIStatusError, InvalidRequestError
from futureagi_async.model.codec import Serializable
from futureagi_async.model.operation import Executor, Operation
from futureagi_async.model.validation import describe_type


@attrs.frozen(kw_only=True)
class Result(Serializable):
    """The result of a request.

    Attributes:
        request_id: the `X-Request-ID` of the response.
        warnings: what the service could not do, one message an item; empty if it did
            everything.
        reconciled: whether this was read back after the response had been lost.
    """

    _raw: dict[str, Any] | bytes = attrs.field(alias="raw", repr=False, eq=False)
    request_id: str | None = attrs.field(default=None, eq=False)
    warnings: tuple[str, ...] = ()
    reconciled: bool = False

    @property
    def raw(self) -> dict[str, Any]:
        """The body of the response as parsed JSON, with all fields; parsed once."""
        raw = self._raw
        if isinstance(raw, bytes):
            # It is parsed on demand: thousands of responses as dicts and lists are work
            # for the garbage collector, again and again.
            raw = orjson.loads(raw)
            object.__setattr__(self, "_raw", raw)
        return raw

    @property
    def body(self) -> bytes:
        """The body of the response as JSON text."""
        raw = self._raw
        return raw if isinstance(raw, bytes) else orjson.dumps(raw)


ResultT = TypeVar("ResultT", bound=Result)
ResultT_co = TypeVar("ResultT_co", bound=Result, covariant=True)


@attrs.frozen
class Request(Operation[ResultT_co]):
    """One request to one endpoint: the operation that sends just itself.

    A request validates itself when it is made, so that one that exists can be sent.
    """

    is_exclusive: ClassVar[bool] = False

    method: ClassVar[str]
    result_type: ClassVar[type[Result]]
    idempotent: ClassVar[bool] = False
    """Whether it is safe to repeat, like a read."""
    has_substitute: ClassVar[bool] = False
    """Whether other requests return the same: then it is not repeated after a response
    that another attempt would not change, and not sent where the endpoint is missing."""
    is_divisible = False
    """Whether it is not to be repeated if its response is too large or too slow."""
    server_error_hint: ClassVar[str] = ""
    """What is known of its 500s, for the hint of the error."""

    @property
    @abc.abstractmethod
    def path(self) -> str:
        """Path and query below the base URL."""

    @property
    @abc.abstractmethod
    def body(self) -> bytes | None:
        """The JSON to send."""

    def run(self, executor: Executor) -> Coroutine[Any, Any, ResultT_co]:
        """Send it; a journal records it, whether it reads or writes."""
        return executor.write(self)

    def validate_response(
        self,
        result: Any,  # noqa: ARG002 - for endpoints to decide by
    ) -> tuple[type[APIResponseError], str] | None:
        """Return why a well-formed response is no success of this request, if so.

        That is an error class and a message.
        """
        return None

    def error_class(
        self,
        status: int,  # noqa: ARG002 - for endpoints to decide by
        message: str,  # noqa: ARG002 - for endpoints to decide by
    ) -> type[APIStatusError] | None:
        """Return a more specific error class than that of the status, if there is one."""
        return None

    def merge(self, result: Any) -> Any:
        """Merge this result with the part that an earlier attempt had completed."""
        return result


@attrs.frozen
class ReadRequest(Request[ResultT_co]):
    """A request that only reads: a GET without a body."""

    method: ClassVar[str] = "GET"
    idempotent: ClassVar[bool] = True

    @property
    def body(self) -> None:
        """No body."""
        return


@final
@attrs.frozen
class InvalidItem(Operation[Any]):
    """An item of a lazily read input of which no operation could be made.

    Its outcome in a batch is a failure with its error; nothing is sent.
    """

    is_exclusive: ClassVar[bool] = False

    item: Any
    error: InvalidRequestError

    @property
    def run_test_id(self) -> str | None:
        """The text in the position of a run test's id, if it is text."""
        pair = self.item if isinstance(self.item, tuple) else (self.item,)
        return next((each for each in pair[:1] if isinstance(each, str)), None)

    async def run(self, executor: Executor) -> Any:  # noqa: ARG002 - nothing is sent
        """Raise the error.

        Raises:
            InvalidRequestError: always.
        """
        raise self.error


Requests: TypeAlias = Iterable[Operation[ResultT]] | AsyncIterable[Operation[ResultT]]
"""Operations of a batch, most often plain requests."""


def build_requests(
    items: Any, factory: Callable[[Any], Operation[ResultT]], location: str
) -> Requests[ResultT]:
    """Return a request for each item.

    The items of a collection are validated at once; those of an iterator when they are
    read, where an invalid one becomes an `InvalidItem`.

    Raises:
        InvalidRequestError: `items` is no iterable, or a collection with an invalid
            item; the message names the item.
    """
    if isinstance(items, AsyncIterable):
        return _async_requests(items, factory, location)
    if isinstance(items, str | bytes | Operation) or not isinstance(items, Iterable):
        raise InvalidRequestError(
            f"{location}: an iterable is expected, not {describe_type(items)}; put a single item "
            "into a list"
        )
    requests = (_make(factory, item, location, i) for i, item in enumerate(items))
    return _reject_invalid(requests) if isinstance(items, Collection) else requests


async def _async_requests(
    items: AsyncIterable[Any],
    factory: Callable[[Any], Operation[ResultT]],
    location: str,
) -> AsyncIterator[Operation[ResultT]]:
    index = 0
    async for item in items:
        yield _make(factory, item, location, index)
        index += 1


def _make(
    factory: Callable[[Any], Operation[ResultT]], item: Any, location: str, index: int
) -> Operation[ResultT]:
    try:
        return factory(item)
    except InvalidRequestError as error:
        return InvalidItem(item, InvalidRequestError(f"{location}[{index}]: {error}"))


def _reject_invalid(requests: Iterable[Operation[ResultT]]) -> list[Operation[ResultT]]:
    made = list(requests)
    for request in made:
        if type(request) is InvalidItem:  # quicker than to ask an abstract class
            raise request.error
    return made
