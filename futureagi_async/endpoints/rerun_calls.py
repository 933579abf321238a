"""Run calls of an execution again: `POST .../test-executions/{id}/rerun-calls/`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.get_simulation_metrics import SimulationMetrics
from futureagi_async.endpoints.get_simulation_runs import execution_id
from futureagi_async.endpoints.rerun import (
    FailedRerun,
    Rerun,
    RerunType,
    States,
    dispatch_failure,
    encode_selection,
    validate_rerun_type,
)
from futureagi_async.errors import APIResponseError, UnexpectedResponseError
from futureagi_async.model import codec, validation
from futureagi_async.model.page import SendRead
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    CallRef,
    ExecutionRef,  # noqa: F401 - in the signature that attrs makes
    IdentifiesCall,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


@attrs.frozen(kw_only=True)
class RerunCallsResult(Result):
    """The calls that are run again.

    Attributes:
        message: the service's confirmation.
        test_execution_id: the execution.
        rerun_type: what is done again.
        success_count: number of calls that are run again.
        failure_count: number of calls that are not.
        successful_reruns: the ids of the calls that are run again; not known of a
            reconciled one.
        failed_reruns: the calls that are not, with the reasons.
        dispatch_error: why none of them could be started, if so.
        left_out: the requested calls that the service left out without a word.
        warnings: one message for each call that is not run again.
    """

    message: str
    test_execution_id: str
    rerun_type: str
    success_count: int
    failure_count: int
    successful_reruns: tuple[str, ...] = ()
    failed_reruns: tuple[FailedRerun, ...] = ()
    dispatch_error: str | None = None
    left_out: tuple[str, ...] = ()


def _call_ids(value: Iterable[CallRef] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    ids = validation.resource_ids(value, "call_execution_ids", IdentifiesCall)
    return tuple(dict.fromkeys(ids))


def _select_all(value: bool) -> bool:
    return bool(validation.optional_bool(value, "select_all"))


@attrs.frozen
class RerunCalls(Rerun[RerunCallsResult]):
    """Run calls of one execution again, each paid for again.

    `"eval_only"` erases the results of **all** eval configs on these calls at once;
    other calls keep theirs. The execution must not be pending or cancelling; it may be
    running. For what else happens see `RerunExecutions`.

    Args:
        run_test_id: the run test that the execution belongs to, or its id: a client
            sends one write at a time for each.
        execution_id: the execution, or its id in any spelling of a UUID.
        rerun_type: `"eval_only"` or `"call_and_eval"`.
        call_execution_ids: the calls to run again, or their ids.
        select_all: run every call of the execution again.
        before: the state of the execution before it was sent; `None` if it is not known.
            `run` reads it.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names it.
    """

    result_type: ClassVar[type[Result]] = RerunCallsResult

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    execution_id: str = attrs.field(converter=execution_id)
    rerun_type: RerunType = attrs.field(converter=validate_rerun_type)
    call_execution_ids: tuple[str, ...] | None = attrs.field(
        default=None, converter=_call_ids
    )
    select_all: bool = attrs.field(default=False, converter=_select_all)
    encoded: bytes = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        encoded = encode_selection(
            self.rerun_type,
            "call_execution_ids",
            self.call_execution_ids,
            select_all=self.select_all,
        )
        object.__setattr__(self, "encoded", encoded)

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/test-executions/{self.execution_id}/rerun-calls/"

    @property
    def body(self) -> bytes:
        """The JSON to send."""
        return self.encoded

    async def target_ids(self, read: SendRead) -> tuple[str, ...]:  # noqa: ARG002 - it is known
        """Return its execution."""
        return (self.execution_id,)

    def can_run(self, state: SimulationMetrics) -> bool:  # noqa: ARG002 - the service refuses
        """Return true: what the service does not run again, it rejects."""
        return True

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another execution's response, and one with which nothing was started."""
        if result.test_execution_id.lower() != self.execution_id:
            problem = f"the response is about execution {result.test_execution_id}"
            return UnexpectedResponseError, problem
        has_failures = result.failure_count or result.dispatch_error
        if has_failures and not result.success_count:
            reasons = [
                result.dispatch_error,
                *(each.error for each in result.failed_reruns),
            ]
            return dispatch_failure(self.rerun_type, result.message, reasons)
        return None

    def merge(self, result: RerunCallsResult) -> RerunCallsResult:
        """Add what was left out, and a warning for each call that is not run again."""
        failed = [each.call_execution_id.lower() for each in result.failed_reruns]
        answered = {each.lower() for each in result.successful_reruns} | {*failed}
        requested = () if result.reconciled else self.call_execution_ids or ()
        left_out = [each for each in requested if each not in answered]
        messages = [
            *(f"call {e.call_execution_id}: {e.error}" for e in result.failed_reruns),
            *(f"call {each} was left out: it is unknown there" for each in left_out),
        ]
        if not messages:
            return result
        return codec.build_result(
            {**result.raw, "left_out": left_out, "warnings": messages},
            RerunCallsResult,
            request_id=result.request_id,
        )

    def result_from(self, observed: States | None) -> RerunCallsResult:
        """Return the result for an execution whose calls are run again."""
        reason = (
            "the execution is run again"
            if observed
            else "a person decided that it was applied"
        )
        raw = {
            "message": f"no response came, but {reason}",
            "test_execution_id": self.execution_id,
            "rerun_type": self.rerun_type,
            "success_count": len(self.call_execution_ids or ()),
            "failure_count": 0,
        }
        return codec.build_result(raw, RerunCallsResult, reconciled=True)
