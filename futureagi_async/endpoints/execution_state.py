"""Read the state of one execution: `GET /sdk/api/v1/simulation/metrics/`."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import APIResponseError, UnexpectedResponseError
from futureagi_async.model import validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.request import Request, Result
from futureagi_async.model.resource import ExecutionRef, IdentifiesExecution


def execution_id(value: ExecutionRef) -> str:
    """Return the id of an execution in canonical form."""
    return validation.resource_id(value, "execution_id", IdentifiesExecution)


@attrs.frozen(kw_only=True)
class ExecutionState(Serializable):
    """The state of one execution.

    Attributes:
        execution_id: the execution.
        status: its status.
        completed_at: when it was completed for the last time; a rerun leaves it as it is
            until it is completed again.
        metrics: numbers about its calls, such as `{"calls": {"completed": 4}}`.
    """

    execution_id: str
    status: ExecutionStatus
    completed_at: datetime | None = None
    metrics: dict[str, Any] = attrs.field(factory=dict, hash=False)


@attrs.frozen(kw_only=True)
class ExecutionStateResult(Result):
    """The response, with the state in it."""

    result: ExecutionState


@attrs.frozen
class ReadExecutionState(Request[ExecutionStateResult]):
    """Read the state of one execution, in less than a kilobyte.

    The service answers for executions of any workspace of the organization.

    Args:
        execution_id: the execution, or its id in any spelling of a UUID.
    """

    method: ClassVar[str] = "GET"
    result_type: ClassVar[type[Result]] = ExecutionStateResult
    idempotent: ClassVar[bool] = True

    execution_id: str = attrs.field(converter=execution_id)

    @property
    def run_test_id(self) -> None:
        """None, since the service finds an execution by its id."""
        return

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        return f"/sdk/api/v1/simulation/metrics/?execution_id={self.execution_id}"

    @property
    def body(self) -> None:
        """No body."""
        return

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another execution's response."""
        found = result.result.execution_id
        if found.lower() == self.execution_id:
            return None
        return UnexpectedResponseError, f"the response is about execution {found}"
