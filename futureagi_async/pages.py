"""Lists that the service gives in pages."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self
from urllib.parse import quote, urlencode

import attrs

from futureagi_async import fields
from futureagi_async.errors import InvalidRequestError, ServerError
from futureagi_async.request import Request, Result, ResultT, ResultT_co


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator


PAGE_SIZE = 100
"""Entries that are asked for at a time; the service gives 10 unless asked."""


class Read(Protocol):
    """Sends a request that is safe to repeat, and gives its result."""

    async def __call__(self, request: Request[ResultT], /) -> ResultT:
        """Send it."""
        ...


@attrs.frozen(kw_only=True)
class Page(Result):
    """One page of a list; a subclass has the `results`.

    Attributes:
        count: entries on all pages.
        total_pages: how many pages there are; 0 or 1 for an empty list.
        current_page: which one this is, counted from 1.
    """

    count: int
    total_pages: int
    current_page: int


def page_number(value: int) -> int:
    """Check the number of a page."""
    return _at_least_one(value, "page")


def page_limit(value: int) -> int:
    """Check how many entries a page is to have."""
    return _at_least_one(value, "limit")


def _at_least_one(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidRequestError(
            f"{where}: a whole number from 1 is wanted, not {fields.shown(value)}"
        )
    return value


@attrs.frozen
class PagedRequest(Request[ResultT_co]):
    """Read one page of a list."""

    method: ClassVar[str] = "GET"
    safe_to_repeat: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def resource(self) -> str:
        """The list, as a path below the base URL."""

    @property
    @abc.abstractmethod
    def page(self) -> int:
        """Which page, counted from 1."""

    @property
    @abc.abstractmethod
    def limit(self) -> int:
        """Entries on a page."""

    @property
    def filters(self) -> dict[str, str | None]:
        """What narrows the list down; what is `None` is not sent."""
        return {}

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        given = {k: v for k, v in self.filters.items() if v is not None}
        query = {"page": self.page, "limit": self.limit, **given}
        return f"{self.resource}?{urlencode(query, quote_via=quote)}"

    @property
    def body(self) -> None:
        """Nothing."""
        return

    def after(self, page: Page) -> Self | None:
        """Make the request of the page after this one, if there is one.

        Pages are counted: past the end some lists answer 500, and `next` may name a
        host that only the service can reach.
        """
        return None if self.page >= page.total_pages else self.at(self.page + 1)

    def at(self, page: int) -> Self:
        """Make the request of another page of the same list."""
        changes: Any = {"page": page}
        return attrs.evolve(self, **changes)


@attrs.frozen
class ListOfRunTest(PagedRequest[ResultT_co]):
    """Read one page of something that a run test has many of.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        page: which page, counted from 1.
        limit: entries on a page.
    """

    collection: ClassVar[str]
    """What it has many of, as the path names it."""

    run_test_id: str = attrs.field(converter=fields.run_test_id)
    page: int = attrs.field(default=1, converter=page_number)
    limit: int = attrs.field(default=PAGE_SIZE, converter=page_limit)

    @property
    def resource(self) -> str:
        """The list, as a path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/{self.collection}/"


class _Reading:
    """A list that is being read: what to ask for next, and what of a page is new.

    Lists change while they are read, the newest entry standing first. New ones push
    others onto the next page, where they are met again; removed ones can make the last
    page vanish, which is an error where the service has no page past the end.
    """

    def __init__(self, request: PagedRequest[Any]) -> None:
        self.request = request
        self.ended = False
        self._met: frozenset[str] = frozenset()
        self._refused: tuple[int, ServerError] | None = None

    def new_of(self, page: Any) -> list[Any]:
        """Take the page that was asked for; give its entries that are new.

        Raises:
            ServerError: the page before was refused, and not because the list shrank.
        """
        if self._refused is not None:
            self.ended = True
            number, error = self._refused
            if number <= page.total_pages:
                raise error
            return []
        new = [each for each in page.results if each.id not in self._met]
        self._met = frozenset(each.id for each in page.results)
        following = self.request.after(page)
        # Behind an empty page there is nothing, whatever it says.
        if following is None or not page.results:
            self.ended = True
        else:
            self.request = following
        return new

    def refused(self, error: ServerError) -> None:
        """Take the refusal of a page: ask the first one how many pages there are now.

        Raises:
            ServerError: that one was refused.
        """
        if self._refused is not None:
            raise self._refused[1]
        if self.request.page == 1:
            raise error
        self._refused = self.request.page, error
        self.request = self.request.at(1)


async def each_result(read: Read, request: PagedRequest[Any]) -> AsyncIterator[Any]:
    """Read a list from the page of the request to its end, a page at a time.

    While the list changes, no entry is given twice unless more than a page of new ones
    came between two reads; where entries are removed, others can be missed.

    Raises:
        APIError: a page could not be read.
    """
    reading = _Reading(request)
    while not reading.ended:
        try:
            page = await read(reading.request)
        except ServerError as error:
            reading.refused(error)
            continue
        for each in reading.new_of(page):
            yield each


def each_result_blocking(
    send: Callable[[Request[Any]], Any], request: PagedRequest[Any]
) -> Iterator[Any]:
    """Read a list as `each_result` does, with a `send` that blocks."""
    reading = _Reading(request)
    while not reading.ended:
        try:
            page = send(reading.request)
        except ServerError as error:
            reading.refused(error)
            continue
        yield from reading.new_of(page)


async def all_results(
    read: Read, request_of: Callable[[int], PagedRequest[Any]]
) -> list[Any]:
    """Read every page of a list."""
    return [each async for each in each_result(read, request_of(1))]
