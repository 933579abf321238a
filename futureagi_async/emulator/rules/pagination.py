"""Pages of long lists, in the two ways in which the service cuts them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qs, quote, urlencode

import attrs

from futureagi_async.emulator.rules.content import query_of


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from futureagi_async.emulator.rules.exchange import Request


T = TypeVar("T")

PAGE_SIZE = 10
"""Items of a page when the client does not say."""


class PageError(Exception):
    """A page that cannot be given; the views answer 500 with this text."""


@attrs.frozen
class Page(Generic[T]):
    """One page of a list.

    Args:
        items: What is on it.
        count: How many items all pages have.
        number: Which page it is; the first is 1.
        total: How many pages there are.
        next: The address of the page behind it.
        previous: The address of the page before it.
    """

    items: Sequence[T]
    count: int
    number: int
    total: int
    next: str | None
    previous: str | None

    def shown(self, show: Callable[[T], Any]) -> dict[str, Any]:
        """The page as answers show it."""
        return {
            "count": self.count,
            "next": self.next,
            "previous": self.previous,
            "results": [show(item) for item in self.items],
            "total_pages": self.total,
            "current_page": self.number,
        }


def address(request: Request) -> str:
    """The request's own address without its query."""
    return f"{request.base_url}{quote(request.path)}"


def page_of(request: Request, items: Sequence[T]) -> Page[T]:
    """The page that `page` and `limit` ask for.

    A bad `limit` is ignored, a bad `page` is not; `last` is a page.

    Raises:
        PageError: There is no such page.
    """
    query = query_of(request)
    size = positive(query.get("limit", [""])[-1]) or PAGE_SIZE
    total = max(1, math.ceil(len(items) / size))
    wanted = query.get("page", [""])[-1] or "1"
    number = total if wanted == "last" else positive(wanted)
    if not 1 <= number <= total:
        raise PageError("Invalid page.")
    start = (number - 1) * size
    return Page(
        items[start : start + size],
        len(items),
        number,
        total,
        sorted_link(request, number + 1) if number < total else None,
        sorted_link(request, number - 1) if number > 1 else None,
    )


def positive(text: str) -> int:
    """The whole number in a text; 0 if there is none above it."""
    try:
        return max(0, int(text))
    except ValueError:
        return 0


def sorted_link(request: Request, number: int) -> str:
    """The address of a page: parameters sorted, and none at all for the first page."""
    query = parse_qs(request.query, keep_blank_values=True)
    query.pop("page", None)
    if number > 1:
        query["page"] = [str(number)]
    text = urlencode(sorted(query.items()), doseq=True)
    return f"{address(request)}?{text}" if text else address(request)


def slice_of(request: Request, items: Sequence[T]) -> Page[T]:
    """The same for the calls of a run test, which are cut by the database.

    Here a page past the end is empty, while Python's and the database's messages about
    other bad numbers reach the client.

    Raises:
        PageError: With one of those messages.
    """
    query = {name: values[-1] for name, values in query_of(request).items()}
    try:
        size = int(query.get("limit", PAGE_SIZE))
        number = int(query.get("page", 1))
    except ValueError as error:
        raise PageError(str(error)) from None
    start = (number - 1) * size
    if start < 0:
        raise PageError("OFFSET must not be negative")
    if size < 0:
        raise PageError("LIMIT must not be negative")
    return Page(
        items[start : start + size],
        len(items),
        number,
        math.ceil(len(items) / size) if size else 1,
        plain_link(request, query, number + 1) if start + size < len(items) else None,
        plain_link(request, query, number - 1) if number > 1 else None,
    )


def plain_link(request: Request, query: dict[str, str], number: int) -> str:
    """The address of a page: parameters as they came, the question mark always."""
    changed = {**query, "page": str(number)}
    if number == 1:
        del changed["page"]
    return f"{address(request)}?{urlencode(changed)}"
