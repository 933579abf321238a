"""List the executions of a run test: `GET /simulate/run-tests/{id}/executions/`."""

from __future__ import annotations

from typing import ClassVar

import attrs

from futureagi_async import fields
from futureagi_async.pages import PAGE_SIZE, Page, page_limit, page_number
from futureagi_async.request import Request, Result


@attrs.frozen(kw_only=True)
class TestExecution:
    """One execution of a run test; `status` as the service writes it, "Completed"."""

    __test__: ClassVar[bool] = False  # the name looks like a test case

    id: str
    status: str

    @property
    def is_evaluating(self) -> bool:
        """Whether evaluations of it are under way.

        The service writes states in different cases in different places. One without
        a completed call stays so for ever.
        """
        return self.status.lower() == "evaluating"


@attrs.frozen(kw_only=True)
class TestExecutionsPage(Page):
    """One page of executions, the newest first."""

    __test__: ClassVar[bool] = False  # the name looks like a test case

    results: tuple[TestExecution, ...]


@attrs.frozen
class ListTestExecutions(Request[TestExecutionsPage]):
    """Read one page of the executions of a run test.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        page: which page, counted from 1. Past the end the service answers 500.
        limit: entries on a page.
    """

    method: ClassVar[str] = "GET"
    result_type: ClassVar[type[Result]] = TestExecutionsPage
    safe_to_repeat: ClassVar[bool] = True

    run_test_id: str = attrs.field(converter=fields.run_test_id)
    page: int = attrs.field(default=1, converter=page_number)
    limit: int = attrs.field(default=PAGE_SIZE, converter=page_limit)

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        where = f"/simulate/run-tests/{self.run_test_id}/executions/"
        return f"{where}?page={self.page}&limit={self.limit}"

    @property
    def body(self) -> None:
        """Nothing."""
        return
