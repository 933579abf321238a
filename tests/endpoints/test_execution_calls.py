"""The calls of executions: by the lighter endpoint, or else from their list."""

from __future__ import annotations

import pytest

from futureagi_async import (
    AuthenticationError,
    Delivery,
    NotFoundError,
    RateLimitError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.endpoints.execution_calls import read_calls
from futureagi_async.errors import EndpointMissingError
from futureagi_async.types import (
    CallExecution,
    CallExecutionsPage,
    ExecutionStatus,
    GetSimulationRuns,
    ListCallExecutions,
    SimulationCall,
    SimulationRuns,
)


RUN_TEST = "11111111-1111-4111-8111-111111111111"
FIRST, SECOND, OTHER = (f"0000000{n}-0000-4000-8000-0000000eeeee" for n in range(3))

TONE = "cccccccc-0000-4000-8000-000000000001"
PASSED = {"value": "Passed", "type": "Pass/Fail", "status": "Completed"}


def failure(kind, status):
    return kind("no", status_code=status, delivery=Delivery.REJECTED)


READ_FROM_THE_LIST = [
    failure(EndpointMissingError, 404),
    failure(EndpointMissingError, 405),
    failure(NotFoundError, 404),
    failure(ServerError, 500),
    failure(UnexpectedResponseError, 200),
]
RAISED = [
    failure(ServerError, 502),
    failure(ServerError, 503),
    failure(ServerError, 504),
    failure(RateLimitError, 429),
    failure(AuthenticationError, 401),
]


def described(error):
    return f"{type(error).__name__}-{error.status_code}"


def listed(id_, execution, status="completed", **values):
    """An entry of the list of calls."""
    entry = {"id": id_, "test_execution_id": execution, "status": status}
    return CallExecution.from_wire({**entry, "eval_outputs": {TONE: PASSED}, **values})


SNAPSHOT = listed(
    "snapshot", None, is_snapshot=True, original_call_execution_id="call 1"
)

LIST = [
    SNAPSHOT,
    listed(
        "call 1",
        FIRST,
        "analyzing",
        scenario="angry",
        scenario_id="s-1",
        duration_seconds=4.5,
        transcript=[{"speaker_role": "user", "content": "hello"}],
    ),
    listed("snapshot without status", None, None, is_snapshot=True),
    listed("call 2", SECOND),
    listed("call 3", OTHER),
    listed("call 4", FIRST),
]


class Service:
    """Returns pages of calls, and records what is asked.

    Args:
        light: the pages of an execution, each a status and the ids of calls, or the
            error that the lighter endpoint is for it.
    """

    def __init__(self, **light):
        self.light = light
        self.asked = []

    async def __call__(self, request):
        if isinstance(request, ListCallExecutions):
            self.asked.append(f"list {request.page}")
            return page(
                CallExecutionsPage, LIST[2 * request.page - 2 :][:2], request, 3
            )
        assert isinstance(request, GetSimulationRuns)
        name = "first" if request.execution_id == FIRST else "second"
        self.asked.append(f"{name} {request.page}")
        found = self.light[name]
        if isinstance(found, Exception):
            raise found
        status, *ids = found[request.page - 1]
        return page(
            SimulationRuns,
            [SimulationCall(id=each, status=ExecutionStatus.COMPLETED) for each in ids],
            request,
            len(found),
            execution_id=request.execution_id,
            status=ExecutionStatus(status),
        )


def page(kind, results, request, pages, **values):
    return kind(
        raw={},
        count=99,
        total_pages=pages,
        current_page=request.page,
        results=tuple(results),
        **values,
    )


async def read(service, *execution_ids):
    """The ids of the calls and the status, by execution, and what was asked."""
    found = read_calls(service, RUN_TEST, execution_ids)
    calls = {
        each.execution_id: (each.status, [call.id for call in each.calls])
        async for each in found
    }
    return calls, service.asked


async def test_each_execution_is_read_by_its_own_id():
    service = Service(
        first=[("completed", "a", "b"), ("completed", "c")],
        second=[("evaluating", "d")],
    )

    calls, asked = await read(service, FIRST, SECOND)

    assert calls == {
        FIRST: ("completed", ["a", "b", "c"]),
        SECOND: ("evaluating", ["d"]),
    }
    assert asked == ["first 1", "first 2", "second 1"]


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        (["completed", "completed"], "completed"),
        (["evaluating", "completed"], "evaluating"),
        (["completed", "evaluating"], "evaluating"),
        (["completed", "evaluating", "completed"], "evaluating"),
        (["running", "completed"], "completed"),
        (["completed", "cancelled"], "cancelled"),
    ],
)
async def test_an_execution_that_was_evaluating_on_any_page_is_evaluating(
    statuses, expected
):
    pages = [(each, f"call {n}") for n, each in enumerate(statuses)]

    calls, _ = await read(Service(first=pages), FIRST)

    assert calls[FIRST][0] == expected


async def test_an_execution_without_a_call_has_its_status():
    calls, _ = await read(Service(first=[("evaluating",)]), FIRST)

    assert calls == {FIRST: ("evaluating", [])}


@pytest.mark.parametrize("error", READ_FROM_THE_LIST, ids=described)
async def test_what_the_lighter_endpoint_does_not_return_is_in_the_list(error):
    service = Service(first=error, second=error)

    calls, asked = await read(service, FIRST, SECOND)

    assert calls == {FIRST: (None, ["call 1", "call 4"]), SECOND: (None, ["call 2"])}
    assert asked == ["first 1", "second 1", "list 1", "list 2", "list 3"]


@pytest.mark.parametrize("error", READ_FROM_THE_LIST, ids=described)
async def test_the_list_is_read_only_for_what_the_lighter_endpoint_does_not_return(
    error,
):
    service = Service(first=error, second=[("completed", "d")])

    calls, asked = await read(service, FIRST, SECOND)

    assert calls == {SECOND: ("completed", ["d"]), FIRST: (None, ["call 1", "call 4"])}
    assert asked == ["first 1", "second 1", "list 1", "list 2", "list 3"]


@pytest.mark.parametrize("error", RAISED, ids=described)
async def test_an_error_that_the_list_would_have_too_is_raised(error):
    service = Service(first=error)

    with pytest.raises(type(error)) as caught:
        await read(service, FIRST)

    assert caught.value is error
    assert service.asked == ["first 1"]


async def test_a_call_of_the_list_is_kept_without_its_transcript():
    service = Service(first=READ_FROM_THE_LIST[0])

    (found,) = [each async for each in read_calls(service, RUN_TEST, [FIRST])]

    assert found.calls[0] == SimulationCall(
        id="call 1",
        status=ExecutionStatus.ANALYZING,
        scenario_id="s-1",
        scenario_name="angry",
        duration_seconds=4.5,
        eval_outputs=LIST[1].eval_outputs,
    )


async def test_an_execution_without_a_call_in_the_list_has_none():
    service = Service(first=READ_FROM_THE_LIST[0])
    empty = "00000009-0000-4000-8000-0000000eeeee"
    service.light["second"] = READ_FROM_THE_LIST[0]

    assert (await read(service, empty))[0] == {empty: (None, [])}


async def test_without_executions_nothing_is_asked():
    assert await read(Service()) == ({}, [])
