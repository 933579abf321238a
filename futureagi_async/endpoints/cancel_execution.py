"""Cancel an execution: `POST /simulate/test-executions/{id}/cancel/`."""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.get_simulation_metrics import (
    GetSimulationMetrics,
    SimulationMetrics,
)
from futureagi_async.endpoints.get_simulation_runs import execution_id
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import (
    APIError,
    APIResponseError,
    EndpointMissingError,
    ExecutionCompletedError,
    NotFoundError,
    UnexpectedResponseError,
)
from futureagi_async.model import codec, validation
from futureagi_async.model.operation import Executor, History
from futureagi_async.model.page import SendRead
from futureagi_async.model.reconciliation import (
    Applied,
    Indeterminate,
    NotApplied,
    Reconcilable,
    Reconciliation,
    TargetMissing,
)
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    ExecutionRef,  # noqa: F401 - in the signature that attrs makes
)


_CANCELLED = {ExecutionStatus.CANCELLED, ExecutionStatus.CANCELLING}


@attrs.frozen(kw_only=True)
class CancelExecutionResult(Result):
    """The confirmation that an execution is cancelled, or will be.

    Attributes:
        message: the service's confirmation.
        test_execution_id: the execution.
        success: whether the service did it.
    """

    message: str
    test_execution_id: str
    success: bool

    @property
    def is_cancelling(self) -> bool:
        """Whether its workflow has yet to end it; otherwise it is cancelled by now.

        Only the service's wording shows that.
        """
        return "signal" in self.message.lower()


def _even_if_completed(value: bool) -> bool:
    return bool(validation.optional_bool(value, "even_if_completed"))


@attrs.frozen
class CancelExecution(Reconcilable[CancelExecutionResult]):
    """Cancel an execution; its calls that have not ended are cancelled.

    Calls that are being analyzed stay so, and pending results stay pending. The service
    cancels a completed execution as well. That one keeps its results, and accepts no
    new evaluations: with it `RunNewEvals(select_all=True)` of its run test fails. So its
    state is read first. It can still be completed between that read and the request.

    Args:
        execution_id: the execution, or its id in any spelling of a UUID.
        even_if_completed: cancel it without reading its state first.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names it.
    """

    method: ClassVar[str] = "POST"
    result_type: ClassVar[type[Result]] = CancelExecutionResult

    execution_id: str = attrs.field(converter=execution_id)
    even_if_completed: bool = attrs.field(
        default=False, converter=_even_if_completed, kw_only=True
    )

    @property
    def run_test_id(self) -> None:
        """None, since the service finds an execution by its id."""
        return

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/test-executions/{self.execution_id}/cancel/"

    @property
    def body(self) -> bytes:
        """An empty object: the service rejects every field."""
        return b"{}"

    async def run(self, executor: Executor) -> CancelExecutionResult:
        """Read its state, and send it.

        Raises:
            ExecutionCompletedError: the execution is completed; nothing was sent.
            FutureAGIError: it failed.
        """
        if not self.even_if_completed:
            await self._reject_completed(executor)
        return await executor.write(self)

    async def _reject_completed(self, executor: Executor) -> None:
        try:
            state = await executor.read(GetSimulationMetrics(self.execution_id))
        except APIError as error:
            error.hint = (
                "it was not cancelled, since its state could not be read; "
                "even_if_completed=True cancels without reading"
            )
            raise
        if state.status is ExecutionStatus.COMPLETED:
            raise ExecutionCompletedError(
                f"execution {self.execution_id} is completed; cancelled, it would accept "
                "no new evaluations: pass even_if_completed=True if that is intended",
                execution_id=self.execution_id,
            )

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another execution's response, and one without success."""
        if result.test_execution_id.lower() != self.execution_id:
            problem = f"the response is about execution {result.test_execution_id}"
        elif not result.success:
            problem = f"the response reports no success: {result.message}"
        else:
            return None
        return UnexpectedResponseError, problem

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:  # noqa: ARG002 - its state is enough
        """Check whether the execution is cancelled."""
        try:
            state = await read(GetSimulationMetrics(self.execution_id))
        except EndpointMissingError:
            raise
        except NotFoundError as error:
            return TargetMissing(error.message)
        if state.status in _CANCELLED:
            return Applied(self.result_from(state))
        if state.status is ExecutionStatus.COMPLETED and not self.even_if_completed:
            return Indeterminate(
                "read back: it is completed; it was so before, or a worker has set it so "
                "after it was cancelled"
            )
        return NotApplied(self)

    def result_from(self, observed: SimulationMetrics | None) -> CancelExecutionResult:
        """Return the result for an execution that is cancelled."""
        reason = (
            f"it is {_describe(observed.status)}"
            if observed
            else "a person decided that it was applied"
        )
        raw = {
            "message": f"no response came, but {reason}",
            "test_execution_id": self.execution_id,
            "success": True,
        }
        return codec.build_result(raw, CancelExecutionResult, reconciled=True)


def _describe(status: ExecutionStatus) -> str:
    """Return the status in words, of which `is_cancelling` knows one."""
    is_cancelled = status is ExecutionStatus.CANCELLED
    return "cancelled" if is_cancelled else "cancelling: a signal was sent"
