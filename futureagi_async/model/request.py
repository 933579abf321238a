"""A request is a value: what is asked, how to ask it, and how to read the answer.

Every endpoint is a pair of classes made of these two. Transport, fan-out and clients
work on any such pair and name no endpoint.
"""

from __future__ import annotations

import abc
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Collection,
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
    """What came back.

    Attributes:
        request_id: the `X-Request-ID` of the exchange.
        warnings: what the service could not do, one message an item; empty if all of
            it was done.
        reconciled: whether this is no answer to the request, but was read back after the
            answer had been lost.
    """

    _raw: dict[str, Any] | bytes = attrs.field(alias="raw", repr=False, eq=False)
    request_id: str | None = attrs.field(default=None, eq=False)
    warnings: tuple[str, ...] = ()
    reconciled: bool = False

    @property
    def raw(self) -> dict[str, Any]:
        """The whole answer as parsed JSON, unknown fields included; parsed once."""
        raw = self._raw
        if isinstance(raw, bytes):
            # Few look at it. Until then it is kept as it came: thousands of answers as
            # dicts and lists are work for the garbage collector, again and again.
            raw = orjson.loads(raw)
            object.__setattr__(self, "_raw", raw)
        return raw

    @property
    def body(self) -> bytes:
        """The whole answer as JSON text: as it came, until `raw` is looked at."""
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
    """Whether doing it twice is the same as doing it once, as with reads."""

    @property
    @abc.abstractmethod
    def path(self) -> str:
        """Path and query below the base URL."""

    @property
    @abc.abstractmethod
    def body(self) -> bytes | None:
        """The JSON to send."""

    async def run(self, executor: Executor) -> ResultT_co:
        """Send it; a journal records it, whether it reads or writes."""
        return await executor.write(self)

    def validate_response(
        self,
        result: Any,  # noqa: ARG002 - for endpoints to decide by
    ) -> tuple[type[APIResponseError], str] | None:
        """Say why an answer of the right shape is not the answer to this request."""
        return None

    def error_class(
        self,
        status: int,  # noqa: ARG002 - for endpoints to decide by
        message: str,  # noqa: ARG002 - for endpoints to decide by
    ) -> type[APIStatusError] | None:
        """Name a closer error class than that of the status, if there is one."""
        return None

    def merge(self, result: Any) -> Any:
        """Give the result of the whole, where this was only the rest of it."""
        return result


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
        """What stood where the id of a run test belongs, if it was text."""
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
    items: Any, make: Callable[[Any], Operation[ResultT]], where: str
) -> Requests[ResultT]:
    """Make a request of each item.

    The items of a collection are looked at at once. Those of an iterator are looked at
    when they are read; one that no request can be made of becomes a `InvalidItem`.

    Raises:
        InvalidRequestError: `items` is no iterable, or a collection with an item that
            no request can be made of; the message names the item.
    """
    if isinstance(items, AsyncIterable):
        return _async_requests(items, make, where)
    if isinstance(items, str | bytes | Operation) or not isinstance(items, Iterable):
        raise InvalidRequestError(
            f"{where}: an iterable is wanted, not {describe_type(items)}; put a single item "
            "into a list"
        )
    requests = (_make(make, item, where, i) for i, item in enumerate(items))
    return _all_good(requests) if isinstance(items, Collection) else requests


async def _async_requests(
    items: AsyncIterable[Any], make: Callable[[Any], Operation[ResultT]], where: str
) -> AsyncIterator[Operation[ResultT]]:
    place = 0
    async for item in items:
        yield _make(make, item, where, place)
        place += 1


def _make(
    make: Callable[[Any], Operation[ResultT]], item: Any, where: str, place: int
) -> Operation[ResultT]:
    try:
        return make(item)
    except InvalidRequestError as error:
        return InvalidItem(item, InvalidRequestError(f"{where}[{place}]: {error}"))


def _all_good(requests: Iterable[Operation[ResultT]]) -> list[Operation[ResultT]]:
    made = list(requests)
    for request in made:
        if type(request) is InvalidItem:  # quicker than to ask an abstract class
            raise request.error
    return made
