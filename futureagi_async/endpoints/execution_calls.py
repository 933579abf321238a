"""The calls of executions with their results, read with as little as possible."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any

import attrs

from futureagi_async.endpoints.get_simulation_runs import (
    GetSimulationRuns,
    SimulationCall,
)
from futureagi_async.endpoints.list_call_executions import (
    CallExecution,
    ListCallExecutions,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import (
    NotFoundError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.model.page import Paginator, SendRead
from futureagi_async.model.request import Request


_READ_DIFFERENTLY = (NotFoundError, ServerError, UnexpectedResponseError)
"""Errors of the lighter endpoint that the list of calls may not have: it is not there in
every version, and fails for results of some kinds."""

_SERVER_ERROR = 500


@attrs.frozen
class ExecutionCalls:
    """The calls of one execution.

    Attributes:
        execution_id: the execution.
        calls: its calls, those that were deleted left out.
        status: the status of the execution when they were read, if the response has it.
    """

    execution_id: str
    calls: Sequence[SimulationCall]
    status: ExecutionStatus | None = None


async def read_calls(
    read: SendRead, run_test_id: str, execution_ids: Collection[str]
) -> AsyncIterator[ExecutionCalls]:
    """Read the calls of executions, one execution after the other.

    A call in `ListCallExecutions` has 12 to 162 kB, here 2.5 kB. Where this is
    impossible, that list is read once for the executions that are left.

    Raises:
        APIError: they could not be read.
    """
    left = dict.fromkeys(execution_ids)
    for execution_id in execution_ids:
        try:
            found = await _read_light(read, execution_id)
        except _READ_DIFFERENTLY as error:
            if isinstance(error, ServerError) and error.status_code != _SERVER_ERROR:
                raise  # of a proxy
            continue
        del left[execution_id]
        yield found
    if left:
        async for found in _read_list(read, run_test_id, left):
            yield found


async def _read_light(read: SendRead, execution_id: str) -> ExecutionCalls:
    statuses: list[ExecutionStatus] = []

    async def read_page(request: Request[Any], /) -> Any:
        page = await read(request)
        statuses.append(page.status)
        return page

    pages = Paginator[SimulationCall](read_page, GetSimulationRuns(execution_id))
    calls = [call async for call in pages]
    # If it was evaluating on any page, results can have come between two of them.
    is_evaluating = ExecutionStatus.EVALUATING in statuses
    status = ExecutionStatus.EVALUATING if is_evaluating else statuses[-1]
    return ExecutionCalls(execution_id, calls, status)


async def _read_list(
    read: SendRead, run_test_id: str, execution_ids: Collection[str]
) -> AsyncIterator[ExecutionCalls]:
    by_execution: dict[str, list[SimulationCall]] = {id_: [] for id_ in execution_ids}
    pages = Paginator[CallExecution](read, ListCallExecutions(run_test_id))
    async for call in pages:
        if call.is_snapshot:  # of an earlier state of a call
            continue
        execution_id, status = call.test_execution_id, call.status
        if execution_id in by_execution and status is not None:
            by_execution[execution_id].append(_without_transcript(call, status))
    for execution_id, calls in by_execution.items():
        yield ExecutionCalls(execution_id, calls)


def _without_transcript(call: CallExecution, status: ExecutionStatus) -> SimulationCall:
    return SimulationCall(
        id=call.id,
        status=status,
        scenario_id=call.scenario_id,
        scenario_name=call.scenario_name,
        duration_seconds=call.duration_seconds,
        eval_outputs=call.eval_outputs,
    )
