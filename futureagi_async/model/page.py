"""Lists that the service returns in pages: a page, its request, and reading them all."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, ClassVar, Protocol, Self, TypeVar
from urllib.parse import quote, urlencode

import attrs

from futureagi_async.errors import (
    APIError,
    APITimeoutError,
    Delivery,
    InvalidRequestError,
    ListChangedError,
    ResponseTooLargeError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.model import validation
from futureagi_async.model.request import (
    ReadRequest,
    Request,
    Result,
    ResultT,
    ResultT_co,
)


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
class PagedRequest(ReadRequest[ResultT_co]):
    """Read one page of a list."""

    is_divisible: bool = attrs.field(default=False, init=False, eq=False, repr=False)
    """Whether it is not to be repeated if its response is too large or too slow."""

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
    @abc.abstractmethod
    def filters(self) -> dict[str, str | None]:
        """Query parameters that restrict the list; `None` is not sent."""

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        filters = {k: v for k, v in self.filters.items() if v is not None}
        query = {"page": self.page, "limit": self.limit, **filters}
        return f"{self.resource}?{urlencode(query, quote_via=quote)}"

    def next_after(self, page: Page) -> Self | None:
        """Return the request of the following page, or `None` after the last one.

        Pages are counted: past the end some lists answer 500, and `next` may name a
        host that only the service can reach.
        """
        is_last = self.page >= page.total_pages
        return None if is_last else self.with_page(self.page + 1)

    @property
    def offset(self) -> int:
        """Number of places in the list before this page."""
        return (self.page - 1) * self.limit

    def with_page(self, page: int) -> Self:
        """Return the request of another page of the same list."""
        changes: Any = {"page": page}
        return attrs.evolve(self, **changes)

    def of_size(self, limit: int) -> Self:
        """Return the request of a page of another size that begins at the same place."""
        changes: Any = {"page": self.offset // limit + 1, "limit": limit}
        return attrs.evolve(self, **changes)

    def as_divisible(self) -> Self:
        """Return the same request for a caller that reads smaller pages if it must."""
        divisible = attrs.evolve(self)
        object.__setattr__(divisible, "is_divisible", True)
        return divisible


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


MAX_READINGS = 3
"""How often a list that changes is read from its start."""

MAX_EMPTY_PAGES = 1000
"""Empty pages in a row that are believed: each deleted entry keeps its place."""


@attrs.define
class _Reading:
    """One reading of a list from its start, as far as it has come.

    Attributes:
        start: the first page that was read, or is to be read.
        ids: the entries that were seen.
        count: the number of entries, as the first page has it; `None` before.
        last_count: the number of entries, as the last page has it.
        repeated: entries that were seen again.
        empty_pages: empty pages in a row before this point.
        has_holes: whether entries were missing in a page.
        start_ids: the entries on the first page; `None` before it was read.
    """

    start: PagedRequest[Any]
    ids: set[str] = attrs.field(factory=set)
    count: int | None = None
    last_count: int = 0
    repeated: int = 0
    empty_pages: int = 0
    has_holes: bool = False
    start_ids: list[str] | None = None

    def add(self, request: PagedRequest[Any], page: Any) -> bool:
        """Add a page, and return whether entries can have been lost before it.

        If entries came in before this page, as many are seen again as the list has
        grown by. If more are seen again, others have moved from unread pages to read
        ones; if the list has become shorter, others have moved up.
        """
        ids = [entry.id for entry in page.results]
        known = len(self.ids)
        self.ids.update(ids)
        self.repeated += len(ids) - (len(self.ids) - known)
        self.empty_pages = 0 if ids else self.empty_pages + 1
        if self.start_ids is None:
            self.start, self.start_ids = request, ids
        if not _counts_agree(request, page):
            return False
        places = min(request.limit, page.count - request.offset)
        self.has_holes = self.has_holes or len(ids) < places
        if self.count is None:
            self.count = self.last_count = page.count
        growth: int = page.count - self.count
        has_shrunk: bool = page.count < self.last_count
        self.last_count = page.count
        return has_shrunk or self.repeated > growth

    def agrees_with(self, first: Any) -> bool:
        """Return whether the first page shows no change since this reading began."""
        is_as_long = self.count is None or first.count == self.count
        return is_as_long and self.ids.issuperset(each.id for each in first.results)


def _counts_agree(request: PagedRequest[Any], page: Any) -> bool:
    """Return whether the counts of a page can be those of a list."""
    count: int = page.count
    pages = max(1, -(-count // request.limit))
    return max(1, page.total_pages) == pages and count >= len(page.results)


class Paginator(AsyncIterator[EntryT]):
    """The entries of a list from the page of a request to its end, read page by page.

    Every entry that stays in the list is delivered, and none twice, though lists change
    while they are read: the newest entry is first, new ones push others onto the next
    page, removed ones and those that move to the front make others change their page.
    Where entries can have been lost in that way, the list is read again from the start.

    A page that is too large, or that takes too long, is read in smaller pages. The ids
    of all entries are kept, about 100 bytes each; the entries are those of one page.

    Args:
        read: sends the requests.
        request: the first page to read.
        keep: whether an entry is wanted; by default all are.
    """

    def __init__(
        self,
        read: SendRead,
        request: PagedRequest[Any],
        keep: Callable[[EntryT], bool] | None = None,
    ) -> None:
        self._read = read
        self._keep = keep
        self._start = request
        self._request: PagedRequest[Any] | None = request
        self._entries: Iterator[EntryT] = iter(())
        self._reading = _Reading(request)
        self._earlier_ids: set[str] = set()
        self._readings = 1
        self._has_changed = False
        self._is_unverified = False

    async def next_entries(self) -> list[EntryT]:
        """Return the new entries of the next page that has any; no entry at the end.

        A page that could not be read is read again by the next call.

        Raises:
            ListChangedError: the list changed each time it was read.
            APIError: a page could not be read.
        """
        while (request := await self._next_request()) is not None:
            try:
                page = await self._read(request.as_divisible())
            except (APITimeoutError, ResponseTooLargeError) as error:
                self._divide(request, error)
                continue
            except ServerError as error:
                await self._check_vanished(request, error)
                continue
            new = self._new_entries(page)
            self._advance(request, page)
            if new:
                return new
        return []

    async def _next_request(self) -> PagedRequest[Any] | None:
        """Return the request of the next page; of the first one if entries are lost."""
        if self._request is None and self._is_unverified:
            await self._check_start()
        if self._has_changed:
            self._has_changed = False
            self._read_again()
        return self._request

    def _new_entries(self, page: Any) -> list[EntryT]:
        keep, earlier, now = self._keep, self._earlier_ids, self._reading.ids
        by_id = {each.id: each for each in page.results}
        return [
            each
            for each in by_id.values()
            if each.id not in earlier
            and each.id not in now
            and (keep is None or keep(each))
        ]

    def _advance(self, request: PagedRequest[Any], page: Page) -> None:
        """Set the next request: after this page, or the first one once more."""
        if self._reading.add(request, page):
            self._has_changed = True
            return
        if self._reading.empty_pages > MAX_EMPTY_PAGES:
            raise UnexpectedResponseError(
                f"{MAX_EMPTY_PAGES} pages before page {request.page} are empty, and "
                f"there are said to be {page.total_pages}",
                status_code=200,
                delivery=Delivery.REJECTED,
            )
        # An empty page with no place in the list is none, whatever `total_pages` is.
        is_past = self._reading.empty_pages and request.offset >= page.count
        self._request = None if is_past else request.next_after(page)
        self._is_unverified = self._reading.has_holes and request.offset > 0

    async def _check_start(self) -> None:
        """Find out whether the first page is still what it was.

        Where the last places of a page are holes, it does not show on the next one that
        entries have moved to the front.
        """
        try:
            page: Any = await self._read(self._reading.start)
        except (APITimeoutError, ResponseTooLargeError):
            self._has_changed = True  # it could be read before, and can be divided
        else:
            ids = [entry.id for entry in page.results]
            self._has_changed = ids != self._reading.start_ids
        self._is_unverified = False

    def _read_again(self) -> None:
        """Start from the first page, and remember what was delivered.

        Raises:
            ListChangedError: it has been read often enough.
        """
        self._earlier_ids |= self._reading.ids
        self._reading = _Reading(self._start)
        self._request = self._start
        self._readings += 1
        if self._readings > MAX_READINGS:
            self._readings = 1
            raise ListChangedError(
                f"the list changed each of the {MAX_READINGS} times that it was read, so "
                f"that entries beside the {len(self._earlier_ids)} found can be missing; "
                "read it when less is going on",
                delivery=Delivery.REJECTED,
            )

    async def _check_vanished(
        self, request: PagedRequest[Any], error: ServerError
    ) -> None:
        """Find out from the first page whether the list has changed; else raise."""
        if request.page == 1:
            raise error
        try:
            first = await self._read(request.with_page(1))
        except ServerError:
            raise error from None
        except (APITimeoutError, ResponseTooLargeError):
            self._has_changed = True  # it could be read before, and can be divided
            return
        if request.offset == self._start.offset and request.page > first.total_pages:
            self._request = None  # it ends before the page from which it is read
        elif request.page <= first.total_pages and self._reading.agrees_with(first):
            raise error
        else:
            self._has_changed = True

    def _divide(self, request: PagedRequest[Any], error: APIError) -> None:
        """Continue with the first part of a page that cannot be read at once.

        The new size divides the old one, so that the parts begin where the page does.

        Raises:
            APIError: nothing was sent, or there are no parts.
        """
        if error.delivery is Delivery.NOT_SENT or request.limit == 1:
            raise error
        parts = next(n for n in range(2, request.limit + 1) if request.limit % n == 0)
        self._request = request.of_size(request.limit // parts)
        self._start = self._start.of_size(request.limit // parts)

    async def __anext__(self) -> EntryT:
        for entry in self._entries:
            return entry
        self._entries = iter(await self.next_entries())
        for entry in self._entries:
            return entry
        raise StopAsyncIteration
