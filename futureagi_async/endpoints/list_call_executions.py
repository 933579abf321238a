"""List the calls of a run test: `GET /simulate/run-tests/{id}/call-executions/`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, ClassVar, Self

import attrs

from futureagi_async.endpoints.eval_output import EvalOutput
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.endpoints.transcript import TranscriptTurn, read_transcript
from futureagi_async.errors import InvalidRequestError
from futureagi_async.model import codec, validation
from futureagi_async.model.page import Page, RunTestPageRequest
from futureagi_async.model.request import Result
from futureagi_async.model.resource import (
    ExecutionRef,
    IdentifiesCall,
    IdentifiesExecution,
    RunTestRef,  # noqa: F401 - in the signature that attrs makes
)


@attrs.frozen(kw_only=True)
class CallExecution(Result, IdentifiesCall):
    """One call of an execution, with its results; or a snapshot of one.

    Attributes:
        id: its id; that of a snapshot is unknown to every other endpoint.
        status: its state; the service evaluates completed calls only. `None` in some
            snapshots.
        test_execution_id: the execution that it belongs to; `None` for a snapshot.
        eval_outputs: the results of its evaluations by the id of the eval config, with
            those of eval configs that were deleted.
        scenario_id: the scenario that it played.
        scenario_name: the name of the scenario.
        started_at: when it started.
        duration_seconds: how long it took.
        cost_cents: what it cost, in cents.
        summary: what happened in it, in words.
        recording_url: the address of its recording.
        is_snapshot: whether this is what a call was before it was made again
            (`rerun_type="call_and_eval"`). Scores never count snapshots.
        original_call_execution_id: the call of which this is a snapshot.
        rerun_type: the kind of the rerun before which this was the call.
        snapshot_timestamp: the time of that rerun.
    """

    id: str
    status: ExecutionStatus | None
    test_execution_id: str | None
    eval_outputs: dict[str, EvalOutput] = attrs.field(hash=False)
    scenario_id: str | None = None
    scenario_name: str | None = None
    started_at: dt.datetime | None = None
    duration_seconds: float | None = None
    cost_cents: float | None = None
    summary: str | None = None
    recording_url: str | None = None
    is_snapshot: bool = False
    original_call_execution_id: str | None = None
    rerun_type: str | None = None
    snapshot_timestamp: dt.datetime | None = None

    @classmethod
    def from_wire(cls, value: Any) -> Self:
        """Return the call in a response, or the entry of a list.

        Raises:
            TypeError: it has no id, or is no snapshot and has no state or execution.
        """
        is_snapshot = isinstance(value, dict) and value.get("is_snapshot") is True
        own_field = codec.optional_field if is_snapshot else codec.read_field
        call_id = codec.read_field(value, "id", str)
        status = own_field(value, "status", str)
        duration = codec.optional_number(value, "duration_seconds")
        if duration is None:
            duration = codec.optional_number(value, "duration")
        return cls(
            id=call_id,
            status=None if status is None else ExecutionStatus(status),
            test_execution_id=own_field(value, "test_execution_id", str),
            eval_outputs=EvalOutput.all_from_wire(value.get("eval_outputs")),
            scenario_id=codec.optional_field(value, "scenario_id", str),
            scenario_name=codec.optional_field(value, "scenario", str),
            started_at=codec.read_datetime(value.get("start_time")),
            duration_seconds=duration,
            cost_cents=codec.optional_number(value, "cost_cents"),
            summary=codec.optional_field(value, "call_summary", str),
            recording_url=codec.optional_field(value, "audio_url", str),
            is_snapshot=is_snapshot,
            original_call_execution_id=codec.optional_field(
                value, "original_call_execution_id", str
            ),
            rerun_type=codec.optional_field(value, "rerun_type", str),
            snapshot_timestamp=codec.read_datetime(value.get("snapshot_timestamp")),
            # An entry of a list is no body of a response, which comes with its text.
            raw=value.get("raw", value),
            request_id=value.get("request_id"),
        )

    @property
    def transcript(self) -> tuple[TranscriptTurn, ...]:
        """The turns of the call, read from `raw` each time."""
        return read_transcript(self.raw.get("transcript"))


@attrs.frozen(kw_only=True)
class CallExecutionsPage(Page):
    """One page of calls, the newest first, with snapshots among them."""

    results: tuple[CallExecution, ...]


CALL_STATUSES = (
    ExecutionStatus.PENDING,
    ExecutionStatus.QUEUED,
    ExecutionStatus.ONGOING,
    ExecutionStatus.ANALYZING,
    ExecutionStatus.COMPLETED,
    ExecutionStatus.FAILED,
    ExecutionStatus.CANCELLED,
)
"""The states of calls."""


def _status(value: ExecutionStatus | str | None) -> ExecutionStatus | None:
    if value is None:
        return None
    # The service compares exactly, and returns no calls for a state that it never has.
    status = ExecutionStatus(validation.non_blank_text(value, "status"))
    if status in CALL_STATUSES:
        return status
    raise InvalidRequestError(
        f"status: {validation.truncate_repr(status.value)} is no state of a call, which "
        f"is one of {', '.join(CALL_STATUSES)}"
    )


@attrs.frozen
class ListCallExecutions(RunTestPageRequest[CallExecutionsPage]):
    """Read one page of the calls of a run test; past the end it is empty.

    A deleted call keeps its place: a page can be short or empty before the end.

    Args:
        run_test_id: the run test, or its id in any spelling of a UUID.
        page: number of the page, counted from 1.
        limit: entries on a page.
        status: the state that they must have, in any case.
    """

    result_type: ClassVar[type[Result]] = CallExecutionsPage
    collection: ClassVar[str] = "call-executions"

    status: ExecutionStatus | None = attrs.field(default=None, converter=_status)

    @property
    def filters(self) -> dict[str, str | None]:
        """The state, if there is one."""
        return {"status": self.status and self.status.value}


def call_filter(
    execution: ExecutionRef | None = None, *, snapshots: bool = False
) -> Callable[[CallExecution], bool]:
    """Return whether a call is wanted, as a function, since the service has no filter.

    Args:
        execution: the execution that it must belong to; snapshots belong to none.
        snapshots: whether snapshots are wanted as well.
    """
    include_snapshots = validation.optional_bool(snapshots, "snapshots")
    if execution is None:
        return lambda call: not call.is_snapshot or bool(include_snapshots)
    if include_snapshots:
        raise InvalidRequestError(
            "snapshots: they belong to no execution; leave one of both out, and compare "
            "their original_call_execution_id"
        )
    execution_id = validation.resource_id(execution, "execution", IdentifiesExecution)
    return lambda call: (call.test_execution_id or "").lower() == execution_id
