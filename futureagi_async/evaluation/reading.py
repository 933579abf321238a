"""Reading executions and calls of a run test into a tally, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.list_call_executions import ListCallExecutions
from futureagi_async.endpoints.list_test_executions import ListTestExecutions
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.evaluation.plan import can_be_evaluated
from futureagi_async.evaluation.results import Tally
from futureagi_async.model.page import Paginator


if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from futureagi_async.endpoints.list_call_executions import CallExecution
    from futureagi_async.endpoints.list_test_executions import TestExecution
    from futureagi_async.model.page import SendRead


@attrs.frozen
class Selection:
    """Which executions of a run test are meant.

    Attributes:
        latest: only so many, the newest of those that are completed or evaluating.
        started_after: only those that began after this moment.
        ids: only these.
    """

    latest_executions: int | None = None
    started_after: dt.datetime | None = None
    ids: frozenset[str] | None = None

    def takes(self, execution: TestExecution) -> bool:
        """Tell if an execution is meant, whatever its state and its place."""
        if self.ids is not None:
            return execution.id in self.ids
        if not can_be_evaluated(execution):
            return False
        began = execution.start_time
        return self.started_after is None or (
            began is not None and began > self.started_after
        )

    def is_full(self, taken: int) -> bool:
        """Tell if no further execution can be meant."""
        most = self.latest_executions if self.ids is None else len(self.ids)
        return most is not None and taken >= most


EVERYTHING = Selection()
"""Every execution that is completed or evaluating."""


async def read_executions(
    read: SendRead, run_test_id: str, selection: Selection
) -> list[TestExecution]:
    """Read the executions that are meant, the newest first.

    Raises:
        APIError: they could not be read.
    """
    taken: dict[str, TestExecution] = {}
    pages: Paginator[TestExecution] = Paginator(read, ListTestExecutions(run_test_id))
    async for execution in pages:
        if selection.takes(execution):
            taken[execution.id] = execution
            if selection.is_full(len(taken)):
                break
    return list(taken.values())


async def read_tally(
    read: SendRead,
    run_test_id: str,
    selection: Selection,
    config_ids: Sequence[str] | None,
) -> Tally:
    """Read what the calls of the executions that are meant have of eval configs.

    An execution of many calls that begins between two pages pushes those that were read
    onto later pages: what was counted is remembered, as long as this is read.

    Raises:
        APIError: something could not be read.
    """
    tally = Tally(await read_executions(read, run_test_id, selection), config_ids)
    if not tally.executions:
        return tally
    counted: set[str] = set()
    pages: Paginator[CallExecution] = Paginator(read, ListCallExecutions(run_test_id))
    async for call in pages:
        if tally.counts(call) and call.id not in counted:
            counted.add(call.id)
            tally.add(call)
    return tally


async def is_evaluating(read: SendRead, run_test_id: str) -> bool:
    """Ask, with as little as possible, if an execution is being evaluated.

    Raises:
        APIError: it could not be read.
    """
    request = ListTestExecutions(
        run_test_id, limit=1, status=ExecutionStatus.EVALUATING
    )
    return (await read(request)).count > 0
