"""Run executions again: `POST /simulate/run-tests/{id}/rerun-test-executions/`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import attrs

from futureagi_async.endpoints.get_simulation_metrics import SimulationMetrics
from futureagi_async.endpoints.list_test_executions import ListTestExecutions
from futureagi_async.endpoints.rerun import (
    MAX_STATES,
    FailedRerun,
    Rerun,
    RerunType,
    States,
    dispatch_failure,
    encode_selection,
    validate_rerun_type,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import APIResponseError, UnexpectedResponseError
from futureagi_async.model import codec, validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.page import SendRead
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    ExecutionRef,
    IdentifiesExecution,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


_LEFT_OUT = {
    ExecutionStatus.PENDING,
    ExecutionStatus.RUNNING,
    ExecutionStatus.CANCELLING,
}


@attrs.frozen(kw_only=True)
class ExecutionRerun(Serializable):
    """Outcome of a rerun for one execution.

    Attributes:
        test_execution_id: the execution.
        success_count: number of calls that are run again.
        failure_count: number of calls that are not.
        successful_reruns: the ids of the calls that are run again; not known of a
            reconciled one.
        failed_reruns: the calls that are not, with the reasons.
        dispatch_error: why none of them could be started, if so.
        reason: why nothing was tried, as with an execution without calls.
    """

    test_execution_id: str
    success_count: int
    failure_count: int
    successful_reruns: tuple[str, ...] = ()
    failed_reruns: tuple[FailedRerun, ...] = ()
    dispatch_error: str | None = None
    reason: str | None = None


@attrs.frozen(kw_only=True)
class RerunExecutionsResult(Result):
    """The executions that are run again.

    Attributes:
        message: the service's confirmation.
        run_test_id: the run test.
        rerun_type: what is done again.
        results: one entry for each execution that the service accepted.
        overall_success_count: number of calls that are run again.
        overall_failure_count: number of calls that are not.
        left_out: the requested executions that the service left out without a word. They
            are unknown there, or pending, running or cancelling.
        warnings: one message for each execution that is not, or not completely, run
            again.
    """

    message: str
    run_test_id: str
    rerun_type: str
    results: tuple[ExecutionRerun, ...]
    overall_success_count: int
    overall_failure_count: int
    left_out: tuple[str, ...] = ()


def _execution_ids(value: Iterable[ExecutionRef] | None) -> tuple[str, ...] | None:
    if value is None:
        return None
    ids = validation.resource_ids(value, "test_execution_ids", IdentifiesExecution)
    return tuple(dict.fromkeys(ids))


def _select_all(value: bool) -> bool:
    return bool(validation.optional_bool(value, "select_all"))


@attrs.frozen
class RerunExecutions(Rerun[RerunExecutionsResult]):
    """Run executions again. Each call and each evaluation is paid for again.

    `"eval_only"` erases the results of **all** eval configs on these executions at once,
    and evaluates every call, failed and cancelled ones too. It is the way out for an
    execution that is evaluating for ever. `"call_and_eval"` empties the calls themselves
    first, of which snapshots stay, and simulates them again; the service rejects it for
    text agents.

    Executions that are pending, running or cancelling are left out; if no other one is
    selected, that is a `BadRequestError`.

    If nothing could be started, that is an `EvalDispatchError`, with everything as
    before, or with `"call_and_eval"` a `RerunDispatchError`: then the executions are
    failed.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        rerun_type: `"eval_only"` or `"call_and_eval"`.
        test_execution_ids: the executions to run again, or their ids.
        select_all: run every execution again.
        before: the states of the executions before it was sent; `None` if they are not
            known. `run` reads them, of ten executions at most.

    Raises:
        InvalidRequestError: a value could never be accepted; the message names it.
    """

    result_type: ClassVar[type[Result]] = RerunExecutionsResult

    run_test_id: str = attrs.field(converter=validation.run_test_id)
    rerun_type: RerunType = attrs.field(converter=validate_rerun_type)
    test_execution_ids: tuple[str, ...] | None = attrs.field(
        default=None, converter=_execution_ids
    )
    select_all: bool = attrs.field(default=False, converter=_select_all)
    encoded: bytes = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        encoded = encode_selection(
            self.rerun_type,
            "test_execution_ids",
            self.test_execution_ids,
            select_all=self.select_all,
        )
        object.__setattr__(self, "encoded", encoded)

    @property
    def path(self) -> str:
        """Path below the base URL."""
        return f"/simulate/run-tests/{self.run_test_id}/rerun-test-executions/"

    @property
    def body(self) -> bytes:
        """The JSON to send."""
        return self.encoded

    async def target_ids(self, read: SendRead) -> tuple[str, ...]:
        """Return the selected executions; of all, one more than are compared."""
        if self.test_execution_ids is not None:
            return self.test_execution_ids
        page = await read(ListTestExecutions(self.run_test_id, limit=MAX_STATES + 1))
        return tuple(each.id.lower() for each in page.results)

    def can_run(self, state: SimulationMetrics) -> bool:
        """Return whether the service does not leave it out."""
        return state.status not in _LEFT_OUT

    def validate_response(
        self, result: Any
    ) -> tuple[type[APIResponseError], str] | None:
        """Reject another run test's response, and one with which nothing was started."""
        if result.run_test_id.lower() != self.run_test_id:
            problem = f"the response is about run test {result.run_test_id}"
            return UnexpectedResponseError, problem
        reasons = [each.dispatch_error for each in result.results]
        has_failures = result.overall_failure_count or any(reasons)
        if has_failures and not result.overall_success_count:
            reasons += [f.error for each in result.results for f in each.failed_reruns]
            return dispatch_failure(self.rerun_type, result.message, reasons)
        return None

    def merge(self, result: RerunExecutionsResult) -> RerunExecutionsResult:
        """Add what was left out, and a warning for whatever is not run again."""
        answered = {each.test_execution_id.lower() for each in result.results}
        requested = self.test_execution_ids or ()
        left_out = [each for each in requested if each not in answered]
        messages = [
            *(
                f"execution {each.test_execution_id}: {self._problem(each)}"
                for each in result.results
                if each.failure_count or each.dispatch_error or not each.success_count
            ),
            *map(_left_out_message, left_out),
        ]
        if not messages:
            return result
        return codec.build_result(
            {**result.raw, "left_out": left_out, "warnings": messages},
            RerunExecutionsResult,
            request_id=result.request_id,
            reconciled=result.reconciled,
        )

    def _problem(self, rerun: ExecutionRerun) -> str:
        """Return what was not run again, with the reasons, each once."""
        if not rerun.failure_count and not rerun.dispatch_error:
            return rerun.reason or "it has no call to run again"
        errors = dict.fromkeys(each.error for each in rerun.failed_reruns)
        reasons = "; ".join(errors) or rerun.dispatch_error or "without a reason"
        total = rerun.success_count + rerun.failure_count
        problem = f"{rerun.failure_count} of {total} calls are not run again: {reasons}"
        if rerun.dispatch_error and self.rerun_type == "call_and_eval":
            problem += "; it is failed now, and earlier results are in snapshots only"
        return problem

    def result_from(self, observed: States | None) -> RerunExecutionsResult:
        """Return the result for executions that are run again."""
        reason = (
            "the executions are run again"
            if observed
            else "a person decided that it was applied"
        )
        counts = {id_: state.calls.total for id_, state in (observed or {}).items()}
        raw = {
            "message": f"no response came, but {reason}",
            "run_test_id": self.run_test_id,
            "rerun_type": self.rerun_type,
            "results": [
                {"test_execution_id": id_, "success_count": count, "failure_count": 0}
                for id_, count in counts.items()
            ],
            "overall_success_count": sum(counts.values()),
            "overall_failure_count": 0,
        }
        result = codec.build_result(raw, RerunExecutionsResult, reconciled=True)
        return self.merge(result) if observed else result


def _left_out_message(execution_id: str) -> str:
    return (
        f"execution {execution_id} was left out: it is unknown, or pending, running or "
        "cancelling"
    )
