"""Reading a list from its first page to its last, while it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from futureagi_async.errors import ServerError


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from futureagi_async.model.page import PagedRequest
    from futureagi_async.model.request import Request, ResultT


class SendRead(Protocol):
    """Sends a request that is safe to repeat, and gives its result."""

    async def __call__(self, request: Request[ResultT], /) -> ResultT:
        """Send it."""
        ...


class _ListCursor:
    """A list that is being read: what to ask for next, and what of a page is new.

    Lists change while they are read, the newest entry standing first. New ones push
    others onto the next page, where they are met again; removed ones can make the last
    page vanish, which is an error where the service has no page past the end.
    """

    def __init__(self, request: PagedRequest[Any]) -> None:
        self.request = request
        self.ended = False
        self._seen_ids: frozenset[str] = frozenset()
        self._failed: tuple[int, ServerError] | None = None

    def new_entries(self, page: Any) -> list[Any]:
        """Take the page that was asked for; give its entries that are new.

        Raises:
            ServerError: the page before was refused, and not because the list shrank.
        """
        if self._failed is not None:
            self.ended = True
            number, error = self._failed
            if number <= page.total_pages:
                raise error
            return []
        new = [each for each in page.results if each.id not in self._seen_ids]
        self._seen_ids = frozenset(each.id for each in page.results)
        following = self.request.after(page)
        # Behind an empty page there is nothing, whatever it says.
        if following is None or not page.results:
            self.ended = True
        else:
            self.request = following
        return new

    def page_failed(self, error: ServerError) -> None:
        """Take the refusal of a page: ask the first one how many pages there are now.

        Raises:
            ServerError: that one was refused.
        """
        if self._failed is not None:
            raise self._failed[1]
        if self.request.page == 1:
            raise error
        self._failed = self.request.page, error
        self.request = self.request.at(1)


async def paginate(read: SendRead, request: PagedRequest[Any]) -> AsyncIterator[Any]:
    """Read a list from the page of the request to its end, a page at a time.

    While the list changes, no entry is given twice unless more than a page of new ones
    came between two reads; where entries are removed, others can be missed.

    Raises:
        APIError: a page could not be read.
    """
    reading = _ListCursor(request)
    while not reading.ended:
        try:
            page = await read(reading.request)
        except ServerError as error:
            reading.page_failed(error)
            continue
        for each in reading.new_entries(page):
            yield each


def paginate_blocking(
    send: Callable[[Request[Any]], Any], request: PagedRequest[Any]
) -> Iterator[Any]:
    """Read a list as `paginate` does, with a `send` that blocks."""
    reading = _ListCursor(request)
    while not reading.ended:
        try:
            page = send(reading.request)
        except ServerError as error:
            reading.page_failed(error)
            continue
        yield from reading.new_entries(page)


async def collect_pages(
    read: SendRead, request_of: Callable[[int], PagedRequest[Any]]
) -> list[Any]:
    """Read every page of a list."""
    return [each async for each in paginate(read, request_of(1))]
