"""List the executions of a run test: `GET /simulate/run-tests/{id}/executions/`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import attrs

from futureagi_async.pages import ListOfRunTest, Page


if TYPE_CHECKING:
    from futureagi_async.request import Result


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
class ListTestExecutions(ListOfRunTest[TestExecutionsPage]):
    """Read one page of the executions of a run test; past the end the answer is 500."""

    result_type: ClassVar[type[Result]] = TestExecutionsPage
    collection: ClassVar[str] = "executions"
