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
from typing import Any, ClassVar, Generic, TypeAlias, TypeVar, final

import attrs
import orjson

from futureagi_async.errors import APIResponseError, APIStatusError, InvalidRequestError
from futureagi_async.model.codec import Serializable
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
class Request(abc.ABC, Generic[ResultT_co]):
    """One call of one endpoint.

    A request checks itself when it is made, so that one that exists can be sent.
    """

    method: ClassVar[str]
    result_type: ClassVar[type[Result]]
    idempotent: ClassVar[bool] = False
    """Whether doing it twice is the same as doing it once, as with reads."""

    @property
    @abc.abstractmethod
    def run_test_id(self) -> str | None:
        """The run test that it is about."""

    @property
    @abc.abstractmethod
    def path(self) -> str:
        """Path and query below the base URL."""

    @property
    @abc.abstractmethod
    def body(self) -> bytes | None:
        """The JSON to send."""

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
class InvalidItem(Request[Any]):
    """Stands for an item of a lazily read input that no request could be made of.

    It is never sent: a fan-out answers it with its error and goes on.
    """

    method: ClassVar[str] = ""
    result_type: ClassVar[type[Result]] = Result

    item: Any
    error: InvalidRequestError

    @property
    def run_test_id(self) -> str | None:
        """What stood where the id of a run test belongs, if it was text."""
        pair = self.item if isinstance(self.item, tuple) else (self.item,)
        return next((each for each in pair[:1] if isinstance(each, str)), None)

    @property
    def path(self) -> str:
        """Nothing."""
        return ""

    @property
    def body(self) -> bytes | None:
        """Nothing."""
        return None


Requests: TypeAlias = "Iterable[Request[ResultT]] | AsyncIterable[Request[ResultT]]"


def build_requests(
    items: Any, make: Callable[[Any], Request[ResultT]], where: str
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
    if isinstance(items, str | bytes | Request) or not isinstance(items, Iterable):
        raise InvalidRequestError(
            f"{where}: an iterable is wanted, not {describe_type(items)}; put a single item "
            "into a list"
        )
    requests = (_make(make, item, where, i) for i, item in enumerate(items))
    return _all_good(requests) if isinstance(items, Collection) else requests


async def _async_requests(
    items: AsyncIterable[Any], make: Callable[[Any], Request[ResultT]], where: str
) -> AsyncIterator[Request[ResultT]]:
    place = 0
    async for item in items:
        yield _make(make, item, where, place)
        place += 1


def _make(
    make: Callable[[Any], Request[ResultT]], item: Any, where: str, place: int
) -> Request[ResultT]:
    try:
        return make(item)
    except InvalidRequestError as error:
        return InvalidItem(item, InvalidRequestError(f"{where}[{place}]: {error}"))


def _all_good(requests: Iterable[Request[ResultT]]) -> list[Request[ResultT]]:
    made = list(requests)
    for request in made:
        if type(request) is InvalidItem:  # quicker than to ask an abstract class
            raise request.error
    return made
