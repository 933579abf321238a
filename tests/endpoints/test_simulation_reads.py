"""An execution by its own id: what is asked, and which answers are refused."""

from __future__ import annotations

import inspect
import json
import uuid

import pytest
from simulation import FakeSender, answer, simulated

from futureagi_async import (
    AsyncFutureAGI,
    InvalidRequestError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.model import codec
from futureagi_async.model.page import Paginator
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.response import parse_response
from futureagi_async.types import (
    ExecutionStatus,
    GetSimulationMetrics,
    GetSimulationRuns,
    SimulationMetrics,
    SimulationRuns,
    TestExecution,
)


ID = "4c3618e3-6d9d-5b1e-8c40-7107ac2285ef"
OTHER = "8e326e6f-9276-5e09-b6b5-ef3b2e1251db"
RUNS, METRICS = "/sdk/api/v1/simulation/runs/", "/sdk/api/v1/simulation/metrics/"
COMPARISON = f"/simulate/run-tests/{OTHER}/eval-summary-comparison/"
EXECUTION = TestExecution(id=ID, status=ExecutionStatus.COMPLETED)
CALL = {"call_execution_id": "c-1", "status": "completed"}


def runs(calls=(CALL,), *, page=1, pages=1, **execution):
    """The answer with these calls on a page."""
    found = {
        "count": len(calls),
        "total_pages": pages,
        "current_page": page,
        "results": list(calls),
    }
    known = {"execution_id": ID, "status": "completed", "call_results": found}
    return {"status": True, "result": known | execution}


def metrics(**execution):
    counts = {"total": 4, "completed": 2, "failed": 0, "pending": 1}
    known = {"execution_id": ID, "status": "evaluating", "metrics": {"calls": counts}}
    return {"status": True, "result": known | execution}


def parse(request, body, status=200):
    response = HTTPResponse(
        status=status,
        reason="",
        request_id=None,
        retry_after=None,
        location=None,
        body=json.dumps(body).encode(),
    )
    return parse_response(request, response, 0.0)


@pytest.mark.parametrize("spelling", [ID, ID.upper(), uuid.UUID(ID), EXECUTION])
def test_an_execution_can_be_given_in_any_way(spelling):
    assert GetSimulationRuns(spelling).execution_id == ID
    assert GetSimulationMetrics(spelling).path == f"{METRICS}?execution_id={ID}"


@pytest.mark.parametrize("endpoint", [GetSimulationRuns, GetSimulationMetrics])
@pytest.mark.parametrize("value", ["", "x", None, 5])
def test_what_is_no_execution_is_refused(endpoint, value):
    with pytest.raises(InvalidRequestError, match="execution_id: "):
        endpoint(value)


def test_a_page_is_asked_for_by_its_number_and_size():
    assert GetSimulationRuns(ID, 2, 50).path == (
        f"{RUNS}?page=2&limit=50&execution_id={ID}"
    )
    assert GetSimulationRuns(ID).limit == 1000


def test_the_clients_ask_for_as_many_calls_as_the_request_does():
    taken = inspect.signature(AsyncFutureAGI.get_simulation_runs).parameters

    assert taken["limit"].default == GetSimulationRuns(ID).limit
    assert taken["page"].default == GetSimulationRuns(ID).page


def test_names_of_eval_configs_are_sent_with_commas():
    request = GetSimulationRuns(ID, eval_names=[" tone ", "is json"])

    assert request.path.endswith("&eval_name=tone%2Cis%20json")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ([], "^eval_names: the list is empty"),
        ("tone", "^eval_names: a list of names is expected"),
        (["tone", " "], r"^eval_names\[1\]: is blank"),
        ([5], r"^eval_names\[0\]: text is expected"),
        (["a,b"], r"^eval_names\[0\]: 'a,b' has a comma"),
    ],
)
def test_names_that_cannot_be_sent_are_refused(names, problem):
    with pytest.raises(InvalidRequestError, match=problem):
        GetSimulationRuns(ID, eval_names=names)


def test_both_are_reads_about_no_single_run_test():
    for request in (GetSimulationRuns(ID), GetSimulationMetrics(ID)):
        assert (request.method, request.body, request.run_test_id) == (
            "GET",
            None,
            None,
        )
        assert request.idempotent


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (GetSimulationRuns(ID), runs(execution_id=OTHER)),
        (GetSimulationMetrics(ID), metrics(execution_id=OTHER)),
    ],
)
def test_an_answer_about_another_execution_is_refused(request_, body):
    with pytest.raises(UnexpectedResponseError, match=f"about execution {OTHER}"):
        parse(request_, body)


def test_an_answer_can_spell_the_execution_in_upper_case():
    assert parse(GetSimulationRuns(ID), runs(execution_id=ID.upper())).count == 1


@pytest.mark.parametrize(
    ("result_type", "body", "problem"),
    [
        (SimulationRuns, {}, "^result: missing$"),
        (SimulationRuns, {"result": []}, "^result: an object belongs here, not a list"),
        (SimulationRuns, {"result": {}}, "^call_results: missing$"),
        (SimulationRuns, runs([{"status": "completed"}]), "call_execution_id: missing"),
        (SimulationRuns, runs([CALL | {"status": None}]), "status: text belongs here"),
        (
            SimulationRuns,
            runs(["x"]),
            r"an object belongs here, not text @ results\[0\]",
        ),
        (
            SimulationRuns,
            runs([CALL | {"eval_outputs": []}]),
            "eval_outputs: an object",
        ),
        (SimulationRuns, runs(total_calls="4"), "total_calls"),
        (SimulationMetrics, {"result": {}}, "^metrics: missing$"),
        (SimulationMetrics, metrics(metrics={}), "^calls: missing$"),
        (SimulationMetrics, metrics(metrics={"calls": {"total": 1}}), "pending"),
    ],
)
def test_an_answer_of_another_shape_is_refused_by_place(result_type, body, problem):
    with pytest.raises(codec.DecodeError, match=problem):
        codec.decode_result(json.dumps(body).encode(), result_type, None)


def test_what_a_call_lacks_is_none():
    (call,) = parse(GetSimulationRuns(ID), runs([CALL | {"eval_outputs": None}])).calls

    assert (call.scenario_id, call.scenario_name, call.duration_seconds) == (None,) * 3
    assert call.eval_outputs == {}


def test_calls_that_are_neither_finished_nor_pending_are_counted_as_others():
    result = parse(GetSimulationMetrics(ID), metrics())

    assert result.calls.other == 1
    assert result.total_duration_seconds is None


def test_a_500_says_what_can_be_the_reason():
    with pytest.raises(ServerError) as caught:
        parse(GetSimulationRuns(ID), {"error": "no"}, status=500)

    assert "template of numbers or reasons" in caught.value.hint
    with pytest.raises(ServerError) as caught:
        parse(GetSimulationMetrics(ID), {"error": "no"}, status=500)
    assert caught.value.hint == ""


async def test_the_calls_of_an_execution_are_read_page_by_page():
    async def read(request):
        calls = [CALL | {"call_execution_id": f"c-{request.page}"}]
        return parse(request, runs(calls, page=request.page, pages=3))

    calls = [call.id async for call in Paginator(read, GetSimulationRuns(ID, limit=1))]

    assert calls == ["c-1", "c-2", "c-3"]


@pytest.mark.parametrize(
    ("method", "args", "options", "body", "path"),
    [
        (
            "get_simulation_runs",
            (EXECUTION,),
            {"page": 2, "limit": 5, "eval_names": ["tone"]},
            runs(),
            f"{RUNS}?page=2&limit=5&execution_id={ID}&eval_name=tone",
        ),
        (
            "get_simulation_metrics",
            (EXECUTION,),
            {},
            metrics(),
            f"{METRICS}?execution_id={ID}",
        ),
        (
            "compare_executions",
            (OTHER, [EXECUTION]),
            {},
            {"result": {ID: []}},
            f"{COMPARISON}?execution_ids=%5B%22{ID}%22%5D",
        ),
        (
            "get_call_execution",
            (ID,),
            {},
            {"id": ID, "status": "completed", "test_execution_id": OTHER},
            f"/simulate/call-executions/{ID}/",
        ),
    ],
)
async def test_the_client_has_a_method_for_each(method, args, options, body, path):
    sender = FakeSender(lambda _: answer(body=json.dumps(body).encode()))

    result = await getattr(simulated(sender), method)(*args, **options)

    assert [attempt.path for attempt in sender.attempts] == [path]
    assert result.raw == body
