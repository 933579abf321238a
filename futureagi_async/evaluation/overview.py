"""Executions of a run test that are chosen, without their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from futureagi_async.endpoints.list_simulation_runs import ListSimulationRuns
from futureagi_async.endpoints.list_test_executions import (
    ListTestExecutions,
    TestExecution,
)
from futureagi_async.endpoints.status import ExecutionStatus
from futureagi_async.errors import (
    APITimeoutError,
    InvalidRequestError,
    NotFoundError,
    ResponseTooLargeError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.model.page import Paginator


if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from futureagi_async.endpoints.list_simulation_runs import SimulationRun
    from futureagi_async.model.page import SendRead


_MAX_SCORED = 10
"""Executions that are read with their scores: the service reads all of their calls."""

_SERVER_ERROR = 500


def can_be_evaluated(execution: TestExecution) -> bool:
    """Return whether an execution is completed or evaluating."""
    return execution.is_evaluating or execution.status is ExecutionStatus.COMPLETED


@attrs.frozen
class ExecutionFilter:
    """Criteria by which executions of a run test are chosen.

    Attributes:
        latest_executions: the number of executions, the newest of those that are
            completed or evaluating.
        started_after: only executions that started after this time.
        ids: only these executions.
    """

    latest_executions: int | None = None
    started_after: dt.datetime | None = None
    ids: frozenset[str] | None = None

    @property
    def is_set(self) -> bool:
        """Whether it chooses fewer than all executions."""
        return self != ALL_EXECUTIONS

    def includes(self, execution: TestExecution) -> bool:
        """Return whether an execution fits, regardless of their number."""
        if self.ids is not None:
            return execution.id in self.ids
        return can_be_evaluated(execution) and self.has_time_of(execution)

    def has_time_of(self, execution: TestExecution) -> bool:
        """Return whether an execution has started as late as it should."""
        started = execution.start_time
        return self.started_after is None or (
            started is not None and started > self.started_after
        )

    def limit_reached(self, count: int) -> bool:
        """Return whether no execution can fit beside so many others."""
        limit = self.latest_executions if self.ids is None else len(self.ids)
        return limit is not None and count >= limit


ALL_EXECUTIONS = ExecutionFilter()
"""Every execution that is completed or evaluating."""


@attrs.frozen
class Overview:
    """The executions of a run test, without their calls.

    Attributes:
        executions: those that fit, the newest first.
        left_out: the status of those that cannot be evaluated.
        runs: their scores by execution id, if those were read with them.
    """

    executions: list[TestExecution]
    left_out: dict[str, ExecutionStatus]
    runs: dict[str, SimulationRun] = attrs.field(factory=dict)

    @property
    def numbers_of_results(self) -> dict[str, dict[str, int]]:
        """How many results the scores of each execution are of, by eval config."""
        return {
            id_: {
                config_id: each.total_cells for config_id, each in run.configs.items()
            }
            for id_, run in self.runs.items()
        }


async def read_overview(
    read: SendRead, run_test_id: str, execution_filter: ExecutionFilter
) -> Overview:
    """Read the executions that fit; those older than the last that can fit are not read.

    Raises:
        APIError: they could not be read.
    """
    request = ListTestExecutions(run_test_id)
    pages: Paginator[TestExecution] = Paginator(read, request)
    overview = Overview([], {})
    async for execution in pages:
        if _add(overview, execution, execution_filter):
            break
    return overview


async def read_scored_overview(
    read: SendRead,
    name: str,
    execution_filter: ExecutionFilter,
    expected_ids: Iterable[str],
) -> Overview | None:
    """Read the executions that fit with their scores; `None` where that is impossible.

    They are read by the name of the run test, which others can have as well: the ids of
    eval configs that it has, of which there is one at least, show whose an execution is.

    Raises:
        APIError: they could not be read, and reading them otherwise cannot help.
    """
    expected = set(expected_ids)
    try:
        page = await read(ListSimulationRuns(name, limit=_MAX_SCORED).as_divisible())
    except (
        APITimeoutError,
        InvalidRequestError,  # a name that cannot be asked for, such as a blank one
        NotFoundError,
        ResponseTooLargeError,
        UnexpectedResponseError,
    ):
        return None
    except ServerError as error:
        if error.status_code != _SERVER_ERROR:
            raise  # of a proxy
        return None
    overview = Overview([], {})
    is_complete = page.total_pages <= 1
    for run in page.results:
        if not expected <= run.configs.keys():
            continue
        execution = TestExecution(
            id=run.id,
            status=run.status,
            start_time=run.started_at,
            calls=run.total_calls,
        )
        overview.runs[execution.id] = run
        if _add(overview, execution, execution_filter):
            is_complete = True
            break
    return overview if is_complete and overview.executions else None


def _add(
    overview: Overview, execution: TestExecution, execution_filter: ExecutionFilter
) -> bool:
    """Add an execution where it belongs; return whether no older one can fit."""
    if execution_filter.includes(execution):
        if all(each.id != execution.id for each in overview.executions):
            overview.executions.append(execution)
        return execution_filter.limit_reached(len(overview.executions))
    if (
        execution_filter.ids is None
        and not can_be_evaluated(execution)
        and execution_filter.has_time_of(execution)
    ):
        overview.left_out[execution.id] = execution.status
    return False
