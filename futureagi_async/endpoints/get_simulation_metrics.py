"""Get the state and counts of an execution: `GET /sdk/api/v1/simulation/metrics/`."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.get_simulation_runs import (
    execution_id,
    reject_other_execution,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import APIResponseError
from futureagi_async.model import codec
from futureagi_async.model.codec import Serializable
from futureagi_async.model.request import ReadRequest, Result
from futureagi_async.model.resource import (
    ExecutionRef,  # noqa: F401 - in the signature that attrs makes
)


@attrs.frozen(kw_only=True)
class CallCounts(Serializable):
    """Numbers of calls by their state, with deleted calls in them.

    Attributes:
        total: all calls.
        completed: calls that are completed.
        failed: calls that failed.
        pending: calls that are pending, in the narrow sense.
    """

    total: int
    completed: int
    failed: int
    pending: int

    @property
    def other(self) -> int:
        """Calls in another state: queued, ongoing, analyzing or cancelled."""
        return self.total - self.completed - self.failed - self.pending


@attrs.frozen(kw_only=True)
class SimulationMetrics(Result):
    """The state of an execution, and the numbers of its calls.

    Attributes:
        execution_id: the execution.
        status: its state.
        calls: the numbers of its calls now.
        started_at: when it started; `None` if that is unreadable.
        completed_at: when it ended; `None` before.
        total_calls: the number of its calls as it was stored when it ended.
        completed_calls: the number of completed calls as it was stored when it ended.
        failed_calls: the number of failed calls as it was stored when it ended.
        total_duration_seconds: how long its calls took together.
    """

    execution_id: str
    status: ExecutionStatus
    calls: CallCounts
    started_at: dt.datetime | None = None
    completed_at: dt.datetime | None = None
    total_calls: int = 0
    completed_calls: int = 0
    failed_calls: int = 0
    total_duration_seconds: float | None = None

    @classmethod
    def fields_in(cls, body: dict[str, Any]) -> dict[str, Any]:
        """Return the fields of the execution, with its counts and costs.

        Raises:
            TypeError: the execution or its metrics are missing.
        """
        execution = codec.read_field(body, "result", dict)
        metrics = codec.read_field(execution, "metrics", dict)
        cost = codec.optional_field(metrics, "cost", dict) or {}
        duration = codec.optional_number(cost, "total_duration_seconds")
        calls = codec.read_field(metrics, "calls", dict)
        return {**execution, "calls": calls, "total_duration_seconds": duration}


@attrs.frozen
class GetSimulationMetrics(ReadRequest[SimulationMetrics]):
    """Read the state of an execution, and how many calls it has: under 1 kB.

    Args:
        execution_id: the execution, or its id in any spelling of a UUID.
    """

    result_type: ClassVar[type[Result]] = SimulationMetrics
    has_substitute: ClassVar[bool] = True

    execution_id: str = attrs.field(converter=execution_id)

    @property
    def run_test_id(self) -> None:
        """None, since the service knows the execution by its own id."""
        return

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        return f"/sdk/api/v1/simulation/metrics/?execution_id={self.execution_id}"

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another execution's response."""
        return reject_other_execution(self.execution_id, result.execution_id)
