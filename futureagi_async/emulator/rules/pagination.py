"""Pages of long lists, in the two ways in which the service cuts them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import parse_qs, quote, urlencode

import attrs

from futureagi_async.emulator.rules.content import parse_query


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from futureagi_async.emulator.rules.exchange import Request


_T = TypeVar("_T")

_BIGINT = 2**63
"""The first whole number that the database does not count to."""

_PAGE_SIZE = 10
"""Items of a page when the client does not set a limit."""


class PageError(Exception):
    """A page that cannot be returned; the views respond with 500 and this text."""


@attrs.frozen
class Page(Generic[_T]):
    """One page of a list.

    Args:
        items: the items on it.
        count: how many items all pages have.
        number: which page it is; the first is 1.
        total: how many pages there are.
        next: the address of the page behind it.
        previous: the address of the page before it.
    """

    items: Sequence[_T]
    count: int
    number: int
    total: int
    next: str | None
    previous: str | None

    def to_json(self, show: Callable[[_T], Any]) -> dict[str, Any]:
        """Return the page as responses show it."""
        return {
            "count": self.count,
            "next": self.next,
            "previous": self.previous,
            "results": [show(item) for item in self.items],
            "total_pages": self.total,
            "current_page": self.number,
        }

    def without_links(self, show: Callable[[_T], Any]) -> dict[str, Any]:
        """Return the page as the responses for the SDK show it."""
        shown = self.to_json(show)
        del shown["next"], shown["previous"]
        return shown


def _address(request: Request) -> str:
    """Return the request's own address without its query."""
    return f"{request.base_url}{quote(request.path)}"


def paginate(request: Request, items: Sequence[_T]) -> Page[_T]:
    """Return the page that `page` and `limit` ask for.

    A bad `limit` is ignored, a bad `page` is not; `last` is a page.

    Raises:
        PageError: there is no such page.
    """
    query = parse_query(request)
    size = _positive_int(query.get("limit", [""])[-1]) or _PAGE_SIZE
    total = max(1, math.ceil(len(items) / size))
    page = query.get("page", [""])[-1] or "1"
    number = total if page == "last" else _positive_int(page)
    if not 1 <= number <= total:
        raise PageError("Invalid page.")
    start = (number - 1) * size
    return Page(
        items[start : start + size],
        len(items),
        number,
        total,
        _sorted_link(request, number + 1) if number < total else None,
        _sorted_link(request, number - 1) if number > 1 else None,
    )


def _positive_int(text: str) -> int:
    """Return the whole number in a text, or 0 if there is none above it."""
    try:
        return max(0, int(text))
    except ValueError:
        return 0


def _sorted_link(request: Request, number: int) -> str:
    """Return the address of a page, with sorted parameters, none for the first page."""
    query = parse_qs(request.query, keep_blank_values=True)
    query.pop("page", None)
    if number > 1:
        query["page"] = [str(number)]
    text = urlencode(sorted(query.items()), doseq=True)
    return f"{_address(request)}?{text}" if text else _address(request)


def paginate_rows(request: Request, items: Sequence[_T]) -> Page[_T]:
    """Return the page of rows that `page` and `limit` ask for, cut by the database.

    Here a page past the last is empty, while Python's and the database's messages
    about other bad numbers reach the client.

    Raises:
        PageError: with one of those messages.
    """
    query = {name: values[-1] for name, values in parse_query(request).items()}
    try:
        size = int(query.get("limit", _PAGE_SIZE))
        number = int(query.get("page", 1))
    except ValueError as error:
        raise PageError(str(error)) from None
    start = (number - 1) * size
    if not all(-_BIGINT <= value < _BIGINT for value in (size, start)):
        raise PageError("bigint out of range")
    if start < 0:
        raise PageError("OFFSET must not be negative")
    if size < 0:
        raise PageError("LIMIT must not be negative")
    return Page(
        items[start : start + size],
        len(items),
        number,
        math.ceil(len(items) / size) if size else 1,
        _plain_link(request, query, number + 1) if start + size < len(items) else None,
        _plain_link(request, query, number - 1) if number > 1 else None,
    )


def _plain_link(request: Request, query: dict[str, str], number: int) -> str:
    """Return the address of a page, with unsorted parameters and a question mark."""
    changed = {**query, "page": str(number)}
    if number == 1:
        del changed["page"]
    return f"{_address(request)}?{urlencode(changed)}"
