"""Read how far the newest execution is: `GET /simulate/run-tests/{id}/status/`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import APIResponseError, UnexpectedResponseError
from futureagi_async.model import validation
from futureagi_async.model.request import ReadRequest, Result
from futureagi_async.model.resource import (
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


_OVER = {
    ExecutionStatus.COMPLETED,
    ExecutionStatus.FAILED,
    ExecutionStatus.CANCELLED,
}


@attrs.frozen(kw_only=True)
class NewestExecution(Result):
    """The state of the newest execution of a run test.

    Attributes:
        run_test_id: the run test.
        status: its status; "not_found" if the run test has no execution.
        execution_id: the execution; `None` if there is none.
        total_scenarios: number of its scenarios.
        total_calls: number of its calls; 0 until the calls of a voice agent are added.
        completed_calls: number of calls that were talked to the end, those that are
            still being analyzed included.
        failed_calls: number of calls that failed.
        start_time: when it started.
        end_time: when it ended, if it has.
    """

    run_test_id: str
    status: ExecutionStatus
    execution_id: str | None = None
    total_scenarios: int = 0
    total_calls: int = 0
    completed_calls: int = 0
    failed_calls: int = 0
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def exists(self) -> bool:
        """Whether the run test has an execution."""
        return self.execution_id is not None

    @property
    def is_over(self) -> bool:
        """Whether it is completed, failed or cancelled: its evaluations are over, too."""
        return self.status in _OVER


@attrs.frozen
class GetExecutionStatus(ReadRequest[NewestExecution]):
    """Read the state of the newest execution of a run test.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
    """

    result_type: ClassVar[type[Result]] = NewestExecution

    run_test_id: str = attrs.field(converter=validation.run_test_id)

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/status/"

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another run test's response."""
        if result.run_test_id.lower() != self.run_test_id:
            problem = f"the response is about run test {result.run_test_id}"
            return UnexpectedResponseError, problem
        return None
