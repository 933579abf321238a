"""Lists that the service gives in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import attrs

from futureagi_async import fields
from futureagi_async.errors import InvalidRequestError
from futureagi_async.request import Request, Result, ResultT


if TYPE_CHECKING:
    from collections.abc import Callable


Item = TypeVar("Item")

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


async def all_results(
    read: Read, request_of: Callable[[int], Request[Any]]
) -> list[Any]:
    """Read every page of a list.

    Pages are counted: past the end some lists answer 500, and `next` may name a host
    that only the service can reach.
    """
    page = await read(request_of(1))
    results = list(page.results)
    for number in range(2, page.total_pages + 1):
        results += (await read(request_of(number))).results
    return results
