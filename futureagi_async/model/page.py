"""Lists that the service returns in pages: a page, its request, and reading them all."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Iterator
from typing import Any, ClassVar, Protocol, Self, TypeVar
from urllib.parse import quote, urlencode

import attrs

from futureagi_async.errors import InvalidRequestError, ServerError
from futureagi_async.model import validation
from futureagi_async.model.request import Request, Result, ResultT, ResultT_co


EntryT = TypeVar("EntryT")

PAGE_SIZE = 100
"""Entries requested at a time; the service's own default is 10."""


class SendRead(Protocol):
    """Function that sends an idempotent request and returns its result."""

    async def __call__(self, request: Request[ResultT], /) -> ResultT:
        """Send the request."""
        ...


@attrs.frozen(kw_only=True)
class Page(Result):
    """One page of a list; a subclass has the `results`.

    Attributes:
        count: entries on all pages.
        total_pages: number of pages; 0 or 1 for an empty list.
        current_page: number of this page, counted from 1.
    """

    count: int
    total_pages: int
    current_page: int


def validate_page(value: int) -> int:
    """Return the number of a page, if it is one."""
    return _positive_int(value, "page")


def validate_limit(value: int) -> int:
    """Return the number of entries on a page, if it is one."""
    return _positive_int(value, "limit")


def _positive_int(value: Any, location: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidRequestError(
            f"{location}: an integer of at least 1 is expected, not "
            f"{validation.truncate_repr(value)}"
        )
    return value


@attrs.frozen
class PagedRequest(Request[ResultT_co]):
    """Read one page of a list."""

    method: ClassVar[str] = "GET"
    idempotent: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def resource(self) -> str:
        """The list, as a path below the base URL."""

    @property
    @abc.abstractmethod
    def page(self) -> int:
        """Number of the page, counted from 1."""

    @property
    @abc.abstractmethod
    def limit(self) -> int:
        """Entries on a page."""

    @property
    def filters(self) -> dict[str, str | None]:
        """Query parameters that restrict the list; `None` is not sent."""
        return {}

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        filters = {k: v for k, v in self.filters.items() if v is not None}
        query = {"page": self.page, "limit": self.limit, **filters}
        return f"{self.resource}?{urlencode(query, quote_via=quote)}"

    @property
    def body(self) -> None:
        """No body."""
        return

    def next_after(self, page: Page) -> Self | None:
        """Return the request of the following page, or `None` after the last one.

        Pages are counted: past the end some lists answer 500, and `next` may name a
        host that only the service can reach.
        """
        is_last = self.page >= page.total_pages
        return None if is_last else self.with_page(self.page + 1)

    def with_page(self, page: int) -> Self:
        """Return the request of another page of the same list."""
        changes: Any = {"page": page}
        return attrs.evolve(self, **changes)


@attrs.frozen
class RunTestPageRequest(PagedRequest[ResultT_co]):
    """Read one page of a list that belongs to a run test.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        page: number of the page, counted from 1.
        limit: entries on a page.
    """

    collection: ClassVar[str]
    """Name of the list in the path."""

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    page: int = attrs.field(default=1, converter=validate_page)
    limit: int = attrs.field(default=PAGE_SIZE, converter=validate_limit)

    @property
    def resource(self) -> str:
        """The list, as a path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/{self.collection}/"


class Paginator(AsyncIterator[EntryT]):
    """The entries of a list from the page of a request to its end, read page by page.

    Lists change while they are read, and the newest entry is first. New entries push
    others onto the next page, where they are recognized and skipped, unless more than a
    page of new ones came between two reads. Removed entries can hide others, and can
    make the last page vanish, which is an error where the service has no page past the
    end.

    Args:
        read: sends the requests.
        request: the first page to read.
    """

    def __init__(self, read: SendRead, request: PagedRequest[Any]) -> None:
        self._read = read
        self._request: PagedRequest[Any] | None = request
        self._entries: Iterator[EntryT] = iter(())
        self._seen_ids: frozenset[str] = frozenset()

    async def next_entries(self) -> list[EntryT]:
        """Return the new entries of the next page that has any; no entry at the end.

        A page that could not be read is read again by the next call.

        Raises:
            APIError: a page could not be read.
        """
        while (request := self._request) is not None:
            try:
                page = await self._read(request)
            except ServerError as error:
                await self._end_if_vanished(request, error)
                continue
            new = [entry for entry in page.results if entry.id not in self._seen_ids]
            self._seen_ids = frozenset(entry.id for entry in page.results)
            # Past an empty page there is nothing, whatever `total_pages` is.
            self._request = request.next_after(page) if page.results else None
            if new:
                return new
        return []

    async def _end_if_vanished(
        self, request: PagedRequest[Any], error: ServerError
    ) -> None:
        """End the list if its first page shows that it has become shorter."""
        if request.page == 1:
            raise error
        try:
            first = await self._read(request.with_page(1))
        except ServerError:
            raise error from None
        if request.page <= first.total_pages:
            raise error
        self._request = None

    async def __anext__(self) -> EntryT:
        for entry in self._entries:
            return entry
        self._entries = iter(await self.next_entries())
        for entry in self._entries:
            return entry
        raise StopAsyncIteration
