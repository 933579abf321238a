"""Parts of both reruns, of executions and of calls: types, and what reading proves."""

from __future__ import annotations

import abc
import contextlib
import enum
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal, TypeAlias, get_args

import attrs

from futureagi_async.endpoints.get_simulation_metrics import (
    GetSimulationMetrics,
    SimulationMetrics,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import (
    APIResponseError,
    EvalDispatchError,
    InvalidRequestError,
    NotFoundError,
    RerunDispatchError,
    ServerError,
)
from futureagi_async.model import codec, validation
from futureagi_async.model.codec import Serializable
from futureagi_async.model.operation import Executor, History
from futureagi_async.model.page import SendRead
from futureagi_async.model.reconciliation import (
    Applied,
    Indeterminate,
    NotApplied,
    Reconcilable,
    Reconciliation,
    may_be_applied,
)
from futureagi_async.model.request import ResultT_co


RerunType: TypeAlias = Literal["eval_only", "call_and_eval"]
"""What a rerun does again: the evaluations, or the calls and their evaluations."""

States: TypeAlias = Mapping[str, SimulationMetrics]
"""States of executions by their ids in canonical form."""

MAX_STATES = 10
"""Executions of a rerun whose states are read, one request each; of more, none is."""

_ENDED = {ExecutionStatus.COMPLETED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED}


@attrs.frozen(kw_only=True)
class FailedRerun(Serializable):
    """A call that was not started again.

    Attributes:
        call_execution_id: the call.
        error: the reason.
    """

    call_execution_id: str
    error: str


def validate_rerun_type(value: RerunType) -> RerunType:
    """Return the kind of a rerun, checked."""
    if value in get_args(RerunType):
        return value
    raise InvalidRequestError(
        "rerun_type: 'eval_only' or 'call_and_eval' is expected, not "
        f"{validation.truncate_repr(value)}"
    )


def encode_selection(
    rerun_type: RerunType, name: str, ids: tuple[str, ...] | None, *, select_all: bool
) -> bytes:
    """Return the body of a rerun.

    Raises:
        InvalidRequestError: neither ids nor `select_all` are set, or both.
    """
    if select_all and ids is not None:
        raise InvalidRequestError(
            f"{name} and select_all=True: pass one of them; the service would leave out "
            "just these"
        )
    if not select_all and not ids:
        raise InvalidRequestError(
            f"neither {name} nor select_all=True: select what to run again"
        )
    selection: dict[str, Any] = {"select_all": True} if select_all else {name: ids}
    return codec.encode({"rerun_type": rerun_type, **selection})


def dispatch_failure(
    rerun_type: RerunType, message: str, reasons: Iterable[str | None]
) -> tuple[type[APIResponseError], str]:
    """Return the error of a rerun of which nothing was started."""
    known = [reason for reason in dict.fromkeys(reasons) if reason]
    problem = f"{message}: {'; '.join(known)}" if known else message
    if rerun_type == "eval_only":
        return EvalDispatchError, f"{problem}; earlier results are as before"
    return RerunDispatchError, (
        f"{problem}; the calls and their executions are failed now, and earlier results "
        "are in snapshots only"
    )


@attrs.frozen
class Rerun(Reconcilable[ResultT_co]):
    """Request that runs evaluations, or calls and evaluations, again.

    The states of the executions are read before it is sent, and compared with what is
    read after an unknown outcome.
    """

    is_exclusive: ClassVar[bool] = True
    method: ClassVar[str] = "POST"

    before: States | None = attrs.field(
        default=None, kw_only=True, eq=False, repr=False
    )

    @property
    @abc.abstractmethod
    def rerun_type(self) -> RerunType:
        """What it does again."""

    @abc.abstractmethod
    async def target_ids(self, read: SendRead) -> tuple[str, ...]:
        """Return the executions that it is about."""

    @abc.abstractmethod
    def can_run(self, state: SimulationMetrics) -> bool:
        """Return whether the service runs an execution in this state again."""

    async def run(self, executor: Executor) -> ResultT_co:
        """Read the states of its executions, and send it.

        One that an earlier batch may have sent is not preceded by reads: these would
        show what it has changed.
        """
        entries = await executor.history(self.run_test_id or "")
        if may_be_applied(entries, self):
            return await executor.write(self)
        ids = await self.target_ids(executor.read)
        try:
            states = await read_states(executor.read, ids)
        except ServerError:  # a rerun can be the way out for what cannot be read
            states = {}
        before = {id_: each for id_, each in states.items() if self.can_run(each)}
        changes: Any = {"before": before if states else None}
        return await executor.write(attrs.evolve(self, **changes))

    async def reconcile(self, read: SendRead, history: History) -> Reconciliation:  # noqa: ARG002 - it has no times to compare with
        """Compare the states of its executions with those before it was sent."""
        if self.before is None:
            return Indeterminate("it is not known in which states its executions were")
        after = await read_states(read, self.before)
        evidence = {
            weigh_evidence(state, after.get(id_), self.rerun_type)
            for id_, state in self.before.items()
        }
        if evidence == {RerunEvidence.STARTED}:
            return Applied(self.result_from(after))
        if evidence <= {RerunEvidence.NOT_STARTED}:
            return NotApplied(self)
        return Indeterminate(f"read back: {_describe(after)}")


async def read_states(
    read: SendRead, ids: Iterable[str]
) -> dict[str, SimulationMetrics]:
    """Return the states of executions that exist, unless there are too many."""
    ids = tuple(ids)
    states: dict[str, SimulationMetrics] = {}
    for id_ in ids if len(ids) <= MAX_STATES else ():
        with contextlib.suppress(NotFoundError):
            states[id_] = await read(GetSimulationMetrics(id_))
    return states


class RerunEvidence(enum.Enum):
    """Evidence in the state of an execution about a rerun with unknown outcome."""

    STARTED = enum.auto()
    NOT_STARTED = enum.auto()
    OPEN = enum.auto()


def weigh_evidence(
    before: SimulationMetrics, after: SimulationMetrics | None, rerun_type: RerunType
) -> RerunEvidence:
    """Return whether an execution was run again between two reads.

    At once a rerun sets it to evaluating, or to running, and it is completed once more
    at the end. So one that had ended and is the same as before was not run again. One
    that was evaluating before shows nothing if it still is.
    """
    if after is None:
        return RerunEvidence.OPEN
    if before.status not in _ENDED:
        is_running = after.status is ExecutionStatus.RUNNING
        calls_again = rerun_type == "call_and_eval" and is_running
        was_running = before.status is ExecutionStatus.RUNNING
        return (
            RerunEvidence.STARTED
            if calls_again and not was_running
            else RerunEvidence.OPEN
        )
    if after == before:
        return RerunEvidence.NOT_STARTED
    is_new = after.completed_at != before.completed_at
    started = {
        "eval_only": ExecutionStatus.EVALUATING,
        "call_and_eval": ExecutionStatus.RUNNING,
    }[rerun_type]
    is_completed_again = after.status is ExecutionStatus.COMPLETED and is_new
    if after.status is started or is_completed_again:
        return RerunEvidence.STARTED
    return RerunEvidence.OPEN


def _describe(states: States) -> str:
    listed = ", ".join(
        f"execution {id_} is {each.status.value}" for id_, each in states.items()
    )
    return listed or "none of its executions exists"
