"""A start is reconciled from calls and executions that change while they are read."""

from __future__ import annotations

import pytest

from futureagi_async import Delivery, NotFoundError, RunNewEvals
from futureagi_async.model.reconciliation import Applied, Indeterminate, NotApplied
from futureagi_async.types import (
    CallExecution,
    CallExecutionsPage,
    EvalOutput,
    ExecutionStatus,
    GetSimulationRuns,
    ListCallExecutions,
    ListTestExecutions,
    SimulationCall,
    SimulationRuns,
    TestExecution,
    TestExecutionsPage,
)


RUN_TEST = "11111111-1111-4111-8111-111111111111"
CONFIG = "cccccccc-0000-4000-8000-000000000001"
EXECUTION, OTHER = (f"0000000{n}-0000-4000-8000-0000000eeeee" for n in (1, 2))

PENDING = {CONFIG: EvalOutput.from_wire({})}


def page(kind, results, **values):
    results = tuple(results)
    counts = {"count": len(results), "total_pages": 1, "current_page": 1}
    return kind(raw={}, results=results, **counts, **values)


def service(*, listed, read, outputs, asked=None):
    """Have an execution of one status in the list, and of another when it is read."""

    async def answer(request):
        if isinstance(request, ListTestExecutions):
            return page(
                TestExecutionsPage,
                [
                    TestExecution(id=id_, status=ExecutionStatus(listed))
                    for id_ in (EXECUTION, OTHER)
                ],
            )
        assert isinstance(request, GetSimulationRuns)
        if asked is not None:
            asked.append(request.execution_id)
        call = SimulationCall(
            id=f"call of {request.execution_id}",
            status=ExecutionStatus.COMPLETED,
            eval_outputs=outputs,
        )
        return page(
            SimulationRuns,
            [call],
            execution_id=request.execution_id,
            status=ExecutionStatus(read),
        )

    return answer


async def no_history():
    return ()


START = RunNewEvals(RUN_TEST, [CONFIG], [EXECUTION])


@pytest.mark.parametrize(
    ("listed", "read", "expected"),
    [
        ("completed", "evaluating", Applied),
        ("evaluating", "completed", Applied),
        ("evaluating", "evaluating", Applied),
        ("completed", "completed", NotApplied),
    ],
)
async def test_an_execution_seen_evaluating_at_any_time_has_been_started(
    listed, read, expected
):
    answer = service(listed=listed, read=read, outputs=PENDING)

    assert isinstance(await START.reconcile(answer, no_history), expected)


async def test_absent_results_of_an_execution_under_evaluation_prove_nothing():
    answer = service(listed="completed", read="evaluating", outputs={})

    found = await START.reconcile(answer, no_history)

    assert isinstance(found, Indeterminate)
    assert "an execution is being evaluated" in found.seen


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (START, [EXECUTION]),
        (RunNewEvals(RUN_TEST, [CONFIG], select_all=True), [EXECUTION, OTHER]),
    ],
)
async def test_only_the_calls_of_the_requested_executions_are_read(request_, expected):
    asked = []
    answer = service(
        listed="evaluating", read="evaluating", outputs=PENDING, asked=asked
    )

    found = await request_.reconcile(answer, no_history)

    assert asked == expected
    assert found.result.call_execution_count == len(expected)


async def test_a_snapshot_of_a_call_neither_proves_nor_disproves_a_start():
    entry = {"test_execution_id": EXECUTION, "status": "completed"}
    snapshot = {"id": "s", "is_snapshot": True, "status": None}
    calls = [
        {**snapshot, "eval_outputs": {CONFIG: {"output": "Passed"}}},
        {"id": "c", **entry, "eval_outputs": {CONFIG: {}}},
    ]
    light = service(listed="evaluating", read="evaluating", outputs=PENDING)

    async def answer(request):
        if isinstance(request, ListCallExecutions):
            return page(CallExecutionsPage, map(CallExecution.from_wire, calls))
        if isinstance(request, GetSimulationRuns):
            raise NotFoundError("no", status_code=404, delivery=Delivery.REJECTED)
        return await light(request)

    found = await START.reconcile(answer, no_history)

    assert isinstance(found, Applied)
    assert found.result.call_execution_count == 1
