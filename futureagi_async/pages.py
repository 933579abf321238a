"""Lists that the service gives in pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import attrs

from futureagi_async import fields
from futureagi_async.errors import InvalidRequestError
from futureagi_async.request import Request, Result, ResultT, ResultT_co


if TYPE_CHECKING:
    from collections.abc import Callable


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
class ListOfRunTest(Request[ResultT_co]):
    """Read one page of something that a run test has many of.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        page: which page, counted from 1.
        limit: entries on a page.
    """

    method: ClassVar[str] = "GET"
    safe_to_repeat: ClassVar[bool] = True
    collection: ClassVar[str]
    """What it has many of, as the path names it."""

    run_test_id: str = attrs.field(converter=fields.run_test_id)
    page: int = attrs.field(default=1, converter=page_number)
    limit: int = attrs.field(default=PAGE_SIZE, converter=page_limit)

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        where = f"/simulate/run-tests/{self.run_test_id}/{self.collection}/"
        return f"{where}?page={self.page}&limit={self.limit}"

    @property
    def body(self) -> None:
        """Nothing."""
        return


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
