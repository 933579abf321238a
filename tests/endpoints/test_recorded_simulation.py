"""What a real instance answered to executions, cancellations, reruns and their reads.

`tests/recordings` holds them.
"""

from __future__ import annotations

import json
import re
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from futureagi_async.errors import (
    APIStatusError,
    BadRequestError,
    Delivery,
    EvalDispatchError,
    ExecutionStartError,
    NotFoundError,
    PermissionDeniedError,
    RerunDispatchError,
    ServerError,
)
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.response import parse_response
from futureagi_async.types import (
    CancelExecution,
    ExecuteRunTest,
    GetExecutionStatus,
    RerunCalls,
    RerunExecutions,
)


RECORDING = Path(__file__).parents[1] / "recordings" / "lived" / "scenarios.jsonl"
HTML = b"<html><head><title>Not what was asked for</title></head></html>"
ID = "b968b200-c57b-5aca-9c9f-60672e3183e7"
TIME = "2026-08-09T10:01:40Z"


class Exchange(NamedTuple):
    scenario: str
    method: str
    path: str
    sent: Any
    status: int
    body: Any

    @property
    def content(self) -> bytes:
        return HTML if self.body is None else json.dumps(self.body).encode()

    @property
    def id(self) -> str:
        """The id in the path, or one that a request takes where that is no id."""
        found = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", self.path)
        return found[0] if found else ID


def with_values(value: Any) -> Any:
    """Put real values where the recording has placeholders."""
    text = re.sub(
        r"<uuid:(\d+)>",
        lambda found: str(uuid.uuid5(uuid.NAMESPACE_URL, found[1])),
        json.dumps(value),
    )
    return json.loads(text.replace("<time>", TIME))


def exchange(scenario: str, step: dict[str, Any]) -> Exchange:
    request, response = with_values(step["request"]), with_values(step["response"])
    return Exchange(
        scenario,
        request["method"],
        request["path"],
        request.get("body"),
        response["status"],
        response.get("body"),
    )


def recorded(pattern: str, method: str) -> list[Exchange]:
    """Every exchange with a path like this."""
    scenarios = map(json.loads, RECORDING.read_text("utf-8").splitlines())
    return [
        exchange(scenario["name"], step)
        for scenario in scenarios
        for step in scenario["steps"]
        if "request" in step
        and step["request"]["method"] == method
        and re.search(pattern, step["request"]["path"])
    ]


EXECUTED = recorded(r"/execute/$", "POST")
CANCELLED = recorded(r"/cancel/$", "POST")
RERUN = recorded(r"/rerun-test-executions/$", "POST")
CALLS_RERUN = recorded(r"/rerun-calls/$", "POST")
STATUSES = recorded(r"/status/$", "GET")


def read(request: Any, recording: Exchange) -> Any:
    answer = HTTPResponse(
        status=recording.status,
        reason=HTTPStatus(recording.status).phrase,
        request_id="r-1",
        retry_after=None,
        location=None,
        body=recording.content,
    )
    return request.merge(parse_response(request, answer, 0.0))


def request_for(recording: Exchange) -> Any:
    """The request of the package that could have had this answer."""
    path, sent = recording.path, recording.sent or {}
    if path.endswith("/execute/"):
        ids = sent.get("scenario_ids")
        is_list_of_ids = isinstance(ids, list) and ids and "abc" not in ids
        return ExecuteRunTest(recording.id, ids if is_list_of_ids else None)
    if path.endswith("/cancel/"):
        return CancelExecution(recording.id)
    kind = sent.get("rerun_type", "eval_only")
    kind = kind if kind == "call_and_eval" else "eval_only"
    if path.endswith("/rerun-calls/"):
        ids = sent.get("call_execution_ids")
        return RerunCalls(ID, recording.id, kind, ids, select_all=ids is None)
    ids = sent.get("test_execution_ids")
    is_selected = ids is not None and "abc" not in ids and not sent.get("select_all")
    return RerunExecutions(
        recording.id, kind, ids if is_selected else None, select_all=not is_selected
    )


WRITES = [*EXECUTED, *CANCELLED, *RERUN, *CALLS_RERUN]
REJECTED = {
    400: BadRequestError,
    403: PermissionDeniedError,
    404: NotFoundError,
}


def these(recordings: list[Exchange]) -> list[Any]:
    return [pytest.param(e, id=f"{e.scenario}-{i}") for i, e in enumerate(recordings)]


def test_the_recording_has_each_endpoint_and_each_status():
    assert all(map(len, (EXECUTED, CANCELLED, RERUN, CALLS_RERUN, STATUSES)))
    assert {each.status for each in WRITES} == {200, *REJECTED}


@pytest.mark.parametrize(
    "recording", these([each for each in WRITES if each.status != 200])
)
def test_what_was_rejected_is_an_error_that_nothing_was_done(recording):
    with pytest.raises(APIStatusError) as caught:
        read(request_for(recording), recording)

    error = caught.value
    assert isinstance(error, REJECTED[recording.status])
    assert error.delivery is Delivery.REJECTED
    if recording.body is not None:
        assert error.message == recording.body["message"]


@pytest.mark.parametrize("recording", these([e for e in EXECUTED if e.status == 200]))
def test_an_execution_that_was_started_has_all_that_the_answer_has(recording):
    result = read(request_for(recording), recording)

    assert result.id == result.execution_id == recording.body["execution_id"]
    assert result.status == "started"
    assert result.total_scenarios == len(result.scenario_ids)
    assert list(result.scenario_ids) == recording.body["scenario_ids"]
    assert result.total_calls == recording.body["total_calls"]
    assert not result.reconciled


def test_a_start_that_failed_is_an_error_of_its_own():
    (recording,) = [e for e in EXECUTED if e.scenario == "execute.failed_start"]

    with pytest.raises(ExecutionStartError, match="no Temporal server") as caught:
        read(request_for(recording), recording)

    assert caught.value.execution_id is None
    assert "a pending execution that nobody runs" in str(caught.value)


def test_a_scenario_that_is_not_ready_is_named():
    recording = next(e for e in EXECUTED if e.scenario == "execute.scenarios_not_ready")

    with pytest.raises(BadRequestError, match=r"1 scenario\(s\) are not") as why:
        read(request_for(recording), recording)

    assert not isinstance(why.value, ExecutionStartError)
    assert "name: not ready" in why.value.details["scenarios"][0]


@pytest.mark.parametrize("recording", these([e for e in CANCELLED if e.status == 200]))
def test_a_cancellation_shows_whether_it_is_over(recording):
    result = read(request_for(recording), recording)

    assert result.test_execution_id == recording.id
    assert result.is_cancelling == (recording.scenario == "cancel.just_started")


FAILED = [e for e in RERUN if e.status == 200 and not e.body["overall_success_count"]]
FAILED += [e for e in CALLS_RERUN if e.status == 200 and not e.body["success_count"]]
STARTED = [e for e in (*RERUN, *CALLS_RERUN) if e.status == 200 and e not in FAILED]


@pytest.mark.parametrize("recording", these(STARTED))
def test_a_rerun_that_was_started_has_no_warnings(recording):
    result = read(request_for(recording), recording)

    assert result.warnings == result.left_out == ()
    assert result.rerun_type == recording.sent["rerun_type"]


def test_a_rerun_of_executions_has_the_calls_of_each():
    result = read(request_for(STARTED[0]), STARTED[0])

    (one,) = result.results
    assert one.success_count == len(one.successful_reruns) == 4
    assert (one.failure_count, one.failed_reruns, one.dispatch_error) == (0, (), None)
    assert result.overall_success_count == 4


def test_a_rerun_of_calls_has_the_calls():
    recording = next(each for each in CALLS_RERUN if each in STARTED)

    result = read(request_for(recording), recording)

    assert result.success_count == len(result.successful_reruns)
    assert result.failed_reruns == ()


@pytest.mark.parametrize("recording", these(FAILED))
def test_a_failed_dispatch_inside_a_200_is_an_error_with_its_consequence(recording):
    only_evals = recording.sent["rerun_type"] == "eval_only"

    with pytest.raises((EvalDispatchError, RerunDispatchError)) as caught:
        read(request_for(recording), recording)

    error = caught.value
    assert type(error) is (EvalDispatchError if only_evals else RerunDispatchError)
    assert error.delivery is Delivery.REJECTED
    assert "no Temporal server" in error.message
    consequence = "results are as before" if only_evals else "are failed now"
    assert consequence in error.message


@pytest.mark.parametrize("recording", these([e for e in STATUSES if e.status == 200]))
def test_the_status_is_that_of_the_newest_execution(recording):
    body = recording.body

    result = read(GetExecutionStatus(recording.id), recording)

    assert result.status == body["status"]
    assert result.exists == ("execution_id" in body)
    assert result.execution_id == body.get("execution_id")
    assert result.completed_calls == body.get("completed_calls", 0)
    assert (result.end_time is None) == (not body.get("end_time"))
    assert result.is_over == (body["status"] in {"completed", "cancelled", "failed"})


@pytest.mark.parametrize("recording", these([e for e in STATUSES if e.status != 200]))
def test_the_status_of_what_is_not_there_is_an_error(recording):
    with pytest.raises((NotFoundError, PermissionDeniedError, ServerError)):
        read(GetExecutionStatus(recording.id), recording)
