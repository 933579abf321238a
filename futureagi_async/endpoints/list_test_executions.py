"""List the executions of a run test: `GET /simulate/run-tests/{id}/executions/`."""

from __future__ import annotations

from datetime import datetime
from typing import (
    Any,  # noqa: F401 - in the signature that attrs makes
    ClassVar,
)

import attrs

from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.model import validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.page import Page, RunTestPageRequest
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    IdentifiesExecution,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


@attrs.frozen(kw_only=True)
class TestExecution(Serializable, IdentifiesExecution):
    """One execution of a run test.

    Attributes:
        id: its id.
        status: its state.
        start_time: when it started, with its time zone; `None` if that is unreadable.
        calls: number of its calls, as it was stored when it ended.
        calls_attempted: number of its calls, deleted ones too, without those that are
            pending or queued.
        success_rate: percent of its calls, deleted ones too, that are completed.
    """

    __test__: ClassVar[bool] = False  # the name looks like a test case

    id: str
    status: ExecutionStatus
    start_time: datetime | None = None
    calls: int | None = None
    calls_attempted: int | None = None
    success_rate: float | None = None

    @property
    def is_evaluating(self) -> bool:
        """Whether it is being evaluated.

        One without a completed call remains in this state for ever.
        """
        return self.status is ExecutionStatus.EVALUATING


@attrs.frozen(kw_only=True)
class TestExecutionsPage(Page):
    """One page of executions, the newest first."""

    __test__: ClassVar[bool] = False  # the name looks like a test case

    results: tuple[TestExecution, ...]


def _status(value: ExecutionStatus | str | None) -> str | None:
    # In responses the first letter is a capital; the filter accepts lower case only.
    return None if value is None else validation.non_blank_text(value, "status").lower()


@attrs.frozen
class ListTestExecutions(RunTestPageRequest[TestExecutionsPage]):
    """Read one page of the executions of a run test; past the end it is a 500.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        page: number of the page, counted from 1.
        limit: entries on a page.
        status: the state that they must have, in any case. With `limit=1`, the `count`
            of the page is a cheap way to count the executions in that state.
    """

    result_type: ClassVar[type[Result]] = TestExecutionsPage
    collection: ClassVar[str] = "executions"

    status: str | None = attrs.field(default=None, converter=_status)

    @property
    def filters(self) -> dict[str, str | None]:
        """The state, if there is one."""
        return {"status": self.status}
