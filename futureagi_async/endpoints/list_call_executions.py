"""List the calls of a run test: `GET /simulate/run-tests/{id}/call-executions/`."""

from __future__ import annotations

import enum
from typing import Any, ClassVar, Self

import attrs

from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.model.codec import Serializable
from futureagi_async.model.page import Page, RunTestPageRequest
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    IdentifiesCall,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


class EvalOutputStatus(enum.Enum):
    """The state of the evaluation of one call by one eval config."""

    PENDING = "pending"
    """Prepared, without a result; it may not have been started."""

    COMPLETED = "completed"
    """It has a value."""

    FAILED = "failed"
    """It ended without a value; see `reason`."""

    SKIPPED = "skipped"
    """The service left it out, for example since the call has no transcript."""


_IN_PROGRESS = {
    ExecutionStatus.PENDING,
    ExecutionStatus.QUEUED,
    ExecutionStatus.RUNNING,
    ExecutionStatus.ONGOING,
    ExecutionStatus.ANALYZING,
    ExecutionStatus.EVALUATING,
}


@attrs.frozen(kw_only=True)
class EvalOutput(Serializable):
    """The result of one eval config for one call.

    Attributes:
        status: how far the evaluation is.
        value: the result: `"Passed"` or `"Failed"`, a number, or the choice; `None`
            unless it is completed.
        reason: the reason, in words.
        type: the kind of the value, such as `Pass/Fail`.
        name: the name of the eval config when it ran.
        raw: the entry as the service stores it; empty while it is pending.
    """

    status: EvalOutputStatus
    value: Any = attrs.field(default=None, hash=False)
    reason: str | None = None
    type: str | None = None
    name: str | None = None
    raw: dict[str, Any] = attrs.field(factory=dict, hash=False, repr=False)

    @classmethod
    def from_wire(cls, value: Any) -> Self:
        """Return the result in a response; every entry is accepted.

        An entry that is no object is the value itself.
        """
        if value is None:
            return cls(status=EvalOutputStatus.PENDING)
        if not isinstance(value, dict):
            return cls(
                status=EvalOutputStatus.COMPLETED, value=value, raw={"value": value}
            )
        return cls(
            status=_status(value),
            value=value.get("value"),
            reason=_text(value.get("reason")),
            type=_text(value.get("type")),
            name=_text(value.get("name")),
            raw=value,
        )


def _status(entry: dict[str, Any]) -> EvalOutputStatus:
    status = ExecutionStatus(_text(entry.get("status")) or "")
    if not entry:
        return EvalOutputStatus.PENDING
    if entry.get("skipped") is True or status == "skipped":
        return EvalOutputStatus.SKIPPED
    if entry.get("error") is True or status is ExecutionStatus.FAILED:
        return EvalOutputStatus.FAILED
    if entry.get("value") is not None:
        return EvalOutputStatus.COMPLETED
    # An evaluation that ended without a value has failed, whatever its status is.
    return (
        EvalOutputStatus.PENDING if status in _IN_PROGRESS else EvalOutputStatus.FAILED
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


@attrs.frozen(kw_only=True)
class CallExecution(Serializable, IdentifiesCall):
    """One call of an execution, with the results of its evaluations.

    Attributes:
        id: its id.
        status: its state; the service evaluates completed calls only.
        test_execution_id: the execution that it belongs to.
        eval_outputs: the result of each eval config of the run test that was ever run
            on the call, by the id of the config.
    """

    id: str
    status: ExecutionStatus
    test_execution_id: str
    eval_outputs: dict[str, EvalOutput] = attrs.field(hash=False)


@attrs.frozen(kw_only=True)
class CallExecutionsPage(Page):
    """One page of calls, the newest first."""

    results: tuple[CallExecution, ...]


@attrs.frozen
class ListCallExecutions(RunTestPageRequest[CallExecutionsPage]):
    """Read one page of the calls of a run test; past the end it is empty."""

    result_type: ClassVar[type[Result]] = CallExecutionsPage
    collection: ClassVar[str] = "call-executions"
