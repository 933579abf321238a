"""The three reads: their requests, their typed results, and that they are repeated."""

from __future__ import annotations

import asyncio
import json

import pytest
from reconciling_service import (
    RESULT,
    RulesSender,
    answered,
    client_of,
    failure,
    fill,
    on_a_jumping_clock,
    pending,
    small_world,
)

from futureagi_async import (
    APIConnectionError,
    APITimeoutError,
    Delivery,
    InvalidRequestError,
    NotFoundError,
    RetryPolicy,
    ServerError,
    Timeout,
    UnexpectedResponseError,
)
from futureagi_async.emulator.cells import show_cell
from futureagi_async.endpoints.eval_output import EvalOutput, EvalOutputStatus
from futureagi_async.endpoints.get_run_test import GetRunTest, RunTest
from futureagi_async.endpoints.list_call_executions import (
    CallExecutionsPage,
    ListCallExecutions,
)
from futureagi_async.endpoints.list_test_executions import (
    ListTestExecutions,
    TestExecution,
    TestExecutionsPage,
)
from futureagi_async.endpoints.status import ExecutionStatus


RUN_TEST, OTHER = small_world().run_test_ids[:2]
NOBODY = "99999999-9999-4999-8999-999999999999"
LISTS = [ListTestExecutions, ListCallExecutions]
READS = [GetRunTest, *LISTS]
ENDPOINTS = {
    GetRunTest: "run_test",
    ListTestExecutions: "executions",
    ListCallExecutions: "call_executions",
}


@pytest.mark.parametrize("read", READS)
def test_a_read_is_a_get_without_a_body_and_safe_to_repeat(read):
    request = read(RUN_TEST)

    assert request.method == "GET"
    assert request.body is None
    assert request.idempotent
    assert request.path.startswith(f"/simulate/run-tests/{RUN_TEST}/")


@pytest.mark.parametrize("read", READS)
def test_the_run_test_is_an_id_in_any_spelling(read):
    assert read(RUN_TEST.upper()) == read(f"{{{RUN_TEST}}}") == read(RUN_TEST)
    with pytest.raises(InvalidRequestError, match="'abc' is no UUID"):
        read("abc")


@pytest.mark.parametrize("read", LISTS)
def test_a_list_is_requested_a_page_of_a_hundred(read):
    assert read(RUN_TEST).path.endswith("executions/?page=1&limit=100")
    assert read(RUN_TEST, 3, 7).path.endswith("executions/?page=3&limit=7")


@pytest.mark.parametrize("read", LISTS)
@pytest.mark.parametrize("field", ["page", "limit"])
@pytest.mark.parametrize("value", [0, -1, 1.0, "1", None, True])
def test_a_page_is_a_whole_number_from_one(read, field, value):
    with pytest.raises(
        InvalidRequestError,
        match=rf"^{field}: an integer of at least 1 is expected, not ",
    ):
        read(RUN_TEST, **{field: value})


async def test_a_run_test_comes_with_its_eval_configs(emulator, connect, configs):
    client = connect()
    added = await client.add_eval_configs(RUN_TEST, configs)

    run_test = await client.send(GetRunTest(RUN_TEST))

    assert type(run_test) is RunTest
    assert run_test.id == RUN_TEST
    assert run_test.name == "run test 0"
    assert run_test.enable_tool_evaluation is False
    newest_first = tuple(reversed(added.created_eval_configs))
    assert run_test.simulate_eval_configs_detail == newest_first
    assert run_test.raw["agent_definition_detail"]["agent_name"] == "Synthetic agent"
    assert run_test.request_id == emulator.log.requests[-1].request_id
    assert not run_test.reconciled


async def test_executions_come_with_their_states(emulator, connect):
    first, second = emulator.world.run_tests.get(RUN_TEST).executions
    second.status = "evaluating"

    page = await connect().send(ListTestExecutions(RUN_TEST))

    assert type(page) is TestExecutionsPage
    assert (page.count, page.total_pages, page.current_page) == (2, 1, 1)
    assert page.results == (
        TestExecution(
            id=second.id,
            status=ExecutionStatus.EVALUATING,
            start_time=second.started_at,
            calls=3,
            calls_attempted=3,
            success_rate=100.0,
        ),
        TestExecution(
            id=first.id,
            status=ExecutionStatus.COMPLETED,
            start_time=first.started_at,
            calls=3,
            calls_attempted=3,
            success_rate=100.0,
        ),
    )
    assert [each.is_evaluating for each in page.results] == [True, False]


@pytest.mark.parametrize("status", ["Evaluating", "evaluating", "EVALUATING"])
def test_the_case_of_a_state_does_not_matter(status):
    assert TestExecution(id=RUN_TEST, status=ExecutionStatus(status)).is_evaluating


async def test_calls_come_with_what_their_evaluations_gave(emulator, connect, configs):
    client = connect()
    added = await client.add_eval_configs(RUN_TEST, configs[:2])
    done, waits = (each.id for each in added.created_eval_configs)
    fill(emulator.world, RUN_TEST, [done], RESULT)
    pending(emulator.world, RUN_TEST, [waits])

    page = await client.send(ListCallExecutions(RUN_TEST, limit=4))

    assert type(page) is CallExecutionsPage
    assert (page.count, page.total_pages, page.current_page) == (6, 2, 1)
    newest = emulator.world.run_tests.get(RUN_TEST).executions[-1]
    call = page.results[0]
    assert (call.id, call.status) == (newest.calls[-1].id, ExecutionStatus.COMPLETED)
    assert call.test_execution_id == newest.id
    assert call.eval_outputs == {
        done: EvalOutput(
            status=EvalOutputStatus.COMPLETED,
            value="Passed",
            reason="it was polite",
            raw=show_cell(RESULT),
        ),
        waits: EvalOutput(status=EvalOutputStatus.PENDING),
    }
    rest = await client.send(ListCallExecutions(RUN_TEST, 2, 4))
    assert rest.current_page == 2
    assert len(rest.results) == 2


async def test_past_the_end_calls_are_an_empty_page_and_executions_an_error(connect):
    client = connect(retry=RetryPolicy(max_attempts=1))

    page = await client.send(ListCallExecutions(RUN_TEST, page=9))

    assert page.results == ()
    error = await failure(client.send(ListTestExecutions(RUN_TEST, page=9)))
    assert type(error) is ServerError


async def test_a_run_test_without_executions_has_an_empty_page(make_client):
    from futureagi_async.emulator import Emulator

    async with Emulator(small_world(executions=0)) as emulator:
        client = make_client(emulator)
        executions = await client.send(ListTestExecutions(RUN_TEST))
        calls = await client.send(ListCallExecutions(RUN_TEST))

    assert (executions.results, executions.count) == ((), 0)
    assert (calls.results, calls.count) == ((), 0)


@pytest.mark.parametrize("read", READS)
async def test_a_run_test_that_does_not_exist_is_not_found(read, connect):
    error = await failure(connect().send(read(NOBODY)))

    assert type(error) is NotFoundError
    assert error.delivery is Delivery.REJECTED
    assert error.run_test_id == NOBODY
    assert error.attempts == 1


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "status", "status": 500},
        {"fault": "status", "status": 503, "retry_after": 0.01},
        {"fault": "status", "status": 429, "retry_after": 0.01},
        {"fault": "garbage"},
        {"fault": "truncate"},
        {"fault": "drop_before"},
        {"fault": "drop_after"},
    ],
    ids=lambda fault: f"{fault['fault']} {fault.get('status', '')}",
)
async def test_a_read_is_repeated_whatever_its_outcome(fault, read, emulator, connect):
    fault = emulator.faults.add(**fault, endpoint=ENDPOINTS[read], times=2)

    (outcome,) = await connect().send_many([read(RUN_TEST)])

    assert outcome.result.raw
    assert outcome.attempts > 1
    assert fault.hits == 2


async def test_a_read_is_repeated_after_a_timeout(emulator, connect, leap):
    slow = emulator.faults.add("latency", seconds=3600, times=1)
    client = connect(timeout=Timeout(read=600, total=None))

    reading = asyncio.create_task(client.send_many([GetRunTest(RUN_TEST)]))
    while not slow.hits:
        await asyncio.sleep(0)
    leap(600)
    (outcome,) = await reading

    assert outcome.result.id == RUN_TEST
    assert outcome.attempts == 2


async def test_a_read_that_fails_to_the_end_is_not_reconciled(emulator, connect):
    emulator.faults.add("drop_after")

    error = await failure(connect().send(GetRunTest(RUN_TEST)))

    assert type(error) is APIConnectionError
    assert not isinstance(error, APITimeoutError)
    assert error.delivery is Delivery.UNKNOWN
    assert error.attempts == 3
    assert {each.path for each in emulator.log.requests} == {GetRunTest(RUN_TEST).path}


def answered_with(request, body):
    """The error that a read ends with which is answered so."""
    sender = RulesSender(small_world())
    sender.on_read = lambda number: answered(200, json.dumps(body).encode())
    return on_a_jumping_clock(failure(client_of(sender).send(request)))


def test_the_answer_about_another_run_test_is_none():
    body = {
        "id": OTHER,
        "name": "other",
        "enable_tool_evaluation": False,
        "simulate_eval_configs_detail": [],
    }

    error = answered_with(GetRunTest(RUN_TEST), body)

    assert type(error) is UnexpectedResponseError
    assert f"the response is about run test {OTHER}" in str(error)


@pytest.mark.parametrize(
    ("request_", "body", "problem"),
    [
        (GetRunTest(RUN_TEST), {"id": RUN_TEST}, "name"),
        (ListTestExecutions(RUN_TEST), {"count": 0, "results": []}, "total_pages"),
        (ListCallExecutions(RUN_TEST), {"results": None}, "results"),
        (ListCallExecutions(RUN_TEST), [], "an object belongs"),
    ],
    ids=str,
)
def test_an_answer_of_another_shape_says_what_is_missing(request_, body, problem):
    error = answered_with(request_, body)

    assert type(error) is UnexpectedResponseError
    assert problem in str(error)


def test_old_rows_without_results_are_read():
    call = {"id": "1", "status": "failed", "test_execution_id": "2"}
    page = {"count": 1, "total_pages": 1, "current_page": 1, "next": "http://inside/"}
    sender = RulesSender(small_world())
    body = page | {"results": [call | {"eval_outputs": None, "new": 1}]}
    sender.on_read = lambda number: answered(200, json.dumps(body).encode())

    result = on_a_jumping_clock(client_of(sender).send(ListCallExecutions(RUN_TEST)))

    assert result.results[0].eval_outputs == {}
    assert len({result, result}) == 1
