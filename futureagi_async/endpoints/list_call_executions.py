"""List the calls of a run test: `GET /simulate/run-tests/{id}/call-executions/`."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from futureagi_async import fields
from futureagi_async.pages import PAGE_SIZE, Page, page_limit, page_number
from futureagi_async.request import Request, Result


@attrs.frozen(kw_only=True)
class CallExecution:
    """One call of an execution, with what its evaluations gave.

    `eval_outputs` has an entry for each eval config that was ever run on the call:
    `{}` while it is pending, then an object with `value`, `reason` and `status`.
    """

    id: str
    status: str
    test_execution_id: str
    eval_outputs: dict[str, Any] | None = attrs.field(hash=False)


@attrs.frozen(kw_only=True)
class CallExecutionsPage(Page):
    """One page of calls, the newest first."""

    results: tuple[CallExecution, ...]


@attrs.frozen
class ListCallExecutions(Request[CallExecutionsPage]):
    """Read one page of the calls of all executions of a run test.

    Args:
        run_test_id: the run test, a UUID in any spelling.
        page: which page, counted from 1; past the end it is empty.
        limit: entries on a page.
    """

    method: ClassVar[str] = "GET"
    result_type: ClassVar[type[Result]] = CallExecutionsPage
    safe_to_repeat: ClassVar[bool] = True

    run_test_id: str = attrs.field(converter=fields.run_test_id)
    page: int = attrs.field(default=1, converter=page_number)
    limit: int = attrs.field(default=PAGE_SIZE, converter=page_limit)

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        where = f"/simulate/run-tests/{self.run_test_id}/call-executions/"
        return f"{where}?page={self.page}&limit={self.limit}"

    @property
    def body(self) -> None:
        """Nothing."""
        return
