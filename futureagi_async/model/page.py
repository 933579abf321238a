"""Lists that the service gives in pages: a page, and the request for one."""

from __future__ import annotations

import abc
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlencode

import attrs

from futureagi_async.errors import InvalidRequestError
from futureagi_async.model import validation
from futureagi_async.model.request import Request, Result, ResultT_co


PAGE_SIZE = 100
"""Entries that are asked for at a time; the service gives 10 unless asked."""


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


def validate_page(value: int) -> int:
    """Check the number of a page."""
    return _at_least_one(value, "page")


def validate_limit(value: int) -> int:
    """Check how many entries a page is to have."""
    return _at_least_one(value, "limit")


def _at_least_one(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidRequestError(
            f"{where}: a whole number from 1 is wanted, not {validation.truncate_repr(value)}"
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
class RunTestPageRequest(PagedRequest[ResultT_co]):
    """Read one page of something that a run test has many of.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        page: which page, counted from 1.
        limit: entries on a page.
    """

    collection: ClassVar[str]
    """What it has many of, as the path names it."""

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    page: int = attrs.field(default=1, converter=validate_page)
    limit: int = attrs.field(default=PAGE_SIZE, converter=validate_limit)

    @property
    def resource(self) -> str:
        """The list, as a path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/{self.collection}/"
