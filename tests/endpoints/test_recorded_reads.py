"""What a real instance of the service answered to reads, updates and deletions.

`tests/recordings` holds them.
"""

from __future__ import annotations

import json
import re
import uuid
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import pytest

from futureagi_async import (
    DeleteEvalConfig,
    GetEvalSummary,
    GetRunTest,
    UpdateEvalConfig,
)
from futureagi_async.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Delivery,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.response import parse_response
from futureagi_async.types import (
    ChoiceScores,
    EvalOutputStatus,
    ExecutionStatus,
    ListCallExecutions,
    ListEvalTemplates,
    ListRunTests,
    ListTestExecutions,
    NumericScores,
    PassFailScores,
)


RECORDING = Path(__file__).parents[1] / "recordings" / "scenarios.jsonl"
RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
CONFIG = "7bbd24d3-22e3-525d-9bf5-b54e5d107041"
HTML = b"<html><head><title>Not what was asked for</title></head></html>"

ENDPOINTS = {
    "GET": [
        ("run_tests", r"/simulate/run-tests/?"),
        ("run_test", r"/simulate/run-tests/[^/]+/?(?<!/get-id-by-name/)"),
        ("executions", r"/simulate/run-tests/[^/]+/executions/?"),
        ("calls", r"/simulate/run-tests/[^/]+/call-executions/?"),
        ("calls", r"/simulate/test-executions/[^/]+/"),
        ("call", r"/simulate/call-executions/[^/]+/"),
        ("summary", r"/simulate/run-tests/[^/]+/eval-summary/"),
        ("templates", r"/sdk/api/v1/get-evals/"),
    ],
    "POST": [("update", r"/simulate/run-tests/[^/]+/eval-configs/[^/]+/update/")],
    "DELETE": [("delete", r"/simulate/run-tests/[^/]+/eval-configs/[^/]+/")],
}

WHOLE_CONFIG = {
    "id": CONFIG,
    "name": "tone",
    "config": {},
    "mapping": None,
    "filters": {},
    "error_localizer": False,
    "model": None,
    "status": "Completed",
    "eval_group": None,
    "template_id": "8852dfdd-16f3-4a5a-9bb6-4025b3983786",
}
WHOLE_PAGE = {"next": None, "previous": None, "total_pages": 1, "current_page": 1}


class Exchange(NamedTuple):
    endpoint: str
    path: str
    status: int
    body: Any
    content: bytes
    location: str | None


def with_values(value: Any) -> Any:
    """Put real values where the recording has placeholders."""
    text = re.sub(
        r"<uuid:(\d+)>",
        lambda found: str(uuid.uuid5(uuid.NAMESPACE_URL, found[1])),
        json.dumps(value),
    )
    text = text.replace('"<number>"', "1").replace("<time>", "2026-08-01T10:20:30.5Z")
    return json.loads(text)


def completed(endpoint: str, body: Any, path: str) -> Any:
    """Add what the recording left out of an answer, as it cannot be compared."""
    match endpoint, body:
        case "run_test", dict():
            configs = [
                WHOLE_CONFIG | each
                for each in body.get("simulate_eval_configs_detail", [])
            ]
            known = {
                "id": path.split("/")[3],
                "name": "run test",
                "enable_tool_evaluation": False,
            }
            return known | body | {"simulate_eval_configs_detail": configs}
        case "calls", {"results": [*calls]}:
            belongs = {"test_execution_id": RUN_TEST}
            whole = [belongs | each for each in calls]
            return WHOLE_PAGE | body | {"results": whole}
        case "call", dict():
            return WHOLE_PAGE | {"count": 1, "results": [body]}
        case (("executions" | "run_tests"), dict()):
            return WHOLE_PAGE | body
        case _:
            return body


def endpoint_of(request: dict[str, Any]) -> str | None:
    path = request["path"].partition("?")[0]
    for name, pattern in ENDPOINTS.get(request["method"], []):
        if re.fullmatch(pattern, path):
            return name
    return None


def exchange(endpoint: str, step: dict[str, Any]) -> Exchange:
    request, response = with_values(step["request"]), with_values(step["response"])
    content = {"html": HTML, "empty": b""}.get(response.get("body_kind"))
    body = response.get("body")
    if response["status"] < 300:
        body = completed(endpoint, body, request["path"])
    return Exchange(
        endpoint,
        request["path"],
        response["status"],
        body,
        json.dumps(body).encode() if content is None else content,
        response.get("headers", {}).get("location"),
    )


def recorded() -> dict[str, Exchange]:
    lines = RECORDING.read_text("utf-8").splitlines()
    return {
        f"{scenario['name']}-{number}": exchange(endpoint, step)
        for scenario in map(json.loads, lines)
        for number, step in enumerate(scenario["steps"])
        if (endpoint := endpoint_of(step["request"]))
    }


RECORDED = recorded()
SUCCESS, REFUSAL = range(200, 300), range(300, 600)


def those(*endpoints: str, status: range) -> list[Any]:
    """Parametrize over the recorded answers of endpoints in a range of statuses."""
    return [
        pytest.param(each, id=name)
        for name, each in RECORDED.items()
        if (not endpoints or each.endpoint in endpoints) and each.status in status
    ]


def id_in(path: str, place: int, otherwise: str) -> str:
    try:
        return str(uuid.UUID(path.split("/")[place]))
    except (ValueError, IndexError):
        return otherwise


def request_for(recording: Exchange) -> Any:
    """Make the request of the package that could have had this answer."""
    path = recording.path.partition("?")[0]
    run_test_id = id_in(path, 3, RUN_TEST)
    config_id = id_in(path, 5, CONFIG)
    requests = {
        "run_tests": ListRunTests(),
        "run_test": GetRunTest(run_test_id),
        "executions": ListTestExecutions(run_test_id),
        "calls": ListCallExecutions(run_test_id),
        "call": ListCallExecutions(run_test_id),
        "summary": GetEvalSummary(run_test_id),
        "templates": ListEvalTemplates(),
        "update": UpdateEvalConfig(run_test_id, config_id, name="x"),
        "delete": DeleteEvalConfig(run_test_id, config_id),
    }
    return requests[recording.endpoint]


def read(recording: Exchange) -> Any:
    answer = HTTPResponse(
        status=recording.status,
        reason=HTTPStatus(recording.status).phrase,
        request_id="r-1",
        retry_after=None,
        location=recording.location,
        body=recording.content,
    )
    return parse_response(request_for(recording), answer, 0.0)


def test_the_recording_has_every_endpoint_with_successes_and_rejections():
    every = {name for entries in ENDPOINTS.values() for name, _ in entries}

    assert {e.endpoint for e in RECORDED.values() if e.status in SUCCESS} == every
    assert {e.endpoint for e in RECORDED.values() if e.status in REFUSAL} == every


@pytest.mark.parametrize("recording", those(status=SUCCESS))
def test_a_success_is_read_whole(recording):
    result = read(recording)

    assert result.raw == recording.body
    assert result.request_id == "r-1"
    assert not result.reconciled
    assert result.warnings == ()


@pytest.mark.parametrize("recording", those("run_test", status=SUCCESS))
def test_a_run_test_is_read_with_its_eval_configs(recording):
    result = read(recording)

    kept = [attrs.asdict(each) for each in result.simulate_eval_configs_detail]
    assert kept == recording.body["simulate_eval_configs_detail"]
    assert all(result.eval_config(each["id"]) is not None for each in kept)


@pytest.mark.parametrize("recording", those("run_tests", status=SUCCESS))
def test_run_tests_are_read_field_by_field(recording):
    result = read(recording)

    assert result.count == recording.body["count"]
    assert result.total_pages == recording.body["total_pages"]
    assert len(result.results) == len(recording.body["results"])
    for entry, raw in zip(result.results, recording.body["results"], strict=True):
        assert (entry.id, entry.name) == (raw["id"], raw["name"])
        assert entry.enable_tool_evaluation is raw["enable_tool_evaluation"]
        assert list(entry.simulate_eval_configs) == raw["simulate_eval_configs"]
        assert entry.description == raw.get("description")
        assert entry.last_run_at == raw.get("last_run_at")


@pytest.mark.parametrize("recording", those("executions", status=SUCCESS))
def test_executions_are_read_with_a_state_that_is_known(recording):
    result = read(recording)

    for entry, raw in zip(result.results, recording.body["results"], strict=True):
        assert entry.id == raw["id"]
        assert entry.status == raw["status"].lower()
        assert entry.status.is_known
        assert entry.is_evaluating is (raw["status"] == "Evaluating")
        assert entry.calls == raw.get("calls")
        moment = raw.get("start_time")
        assert entry.start_time == (moment and datetime.fromisoformat(moment))


def expected_state(output: dict[str, Any]) -> EvalOutputStatus:
    match output:
        case {"skipped": True}:
            return EvalOutputStatus.SKIPPED
        case {"error": True}:
            return EvalOutputStatus.FAILED
        case {"value": str()}:
            return EvalOutputStatus.COMPLETED
    assert output == {}
    return EvalOutputStatus.PENDING


@pytest.mark.parametrize("recording", those("calls", "call", status=SUCCESS))
def test_calls_are_read_with_the_state_of_each_evaluation(recording):
    result = read(recording)

    for entry, raw in zip(result.results, recording.body["results"], strict=True):
        assert entry.status == raw["status"]
        assert entry.status.is_known
        assert entry.eval_outputs.keys() == raw["eval_outputs"].keys()
        for config_id, output in raw["eval_outputs"].items():
            found = entry.eval_outputs[config_id]
            assert found.status is expected_state(output)
            assert found.raw == output
            for field in ("value", "reason", "type", "name"):
                assert getattr(found, field) == output.get(field)


def test_the_recording_has_evaluations_in_every_state():
    states = {
        output.status
        for each in RECORDED.values()
        if each.endpoint == "calls" and each.status in SUCCESS
        for call in read(each).results
        for output in call.eval_outputs.values()
    }

    assert states == set(EvalOutputStatus)


def as_on_the_wire(scores: Any) -> dict[str, Any]:
    """Write scores as the service does."""
    match scores:
        case None:
            return {"output": {}}
        case PassFailScores(passed, failed, pass_count, fail_count):
            output: dict[str, Any] = {"pass": passed, "fail": failed}
            counts = {"pass_count": pass_count, "fail_count": fail_count}
            return {"output": output | counts}
        case NumericScores(average, percentiles):
            output = {f"p{share}": value for share, value in percentiles.items()}
            return {"output": output, "avg_score": average}
    assert isinstance(scores, ChoiceScores)
    return {"output": scores.shares}


@pytest.mark.parametrize("recording", those("summary", status=SUCCESS))
def test_scores_are_read_without_loss(recording):
    result = read(recording)

    written = [
        {
            "name": template.name,
            "id": template.id,
            "output_type": template.output_type,
            "result": [
                {
                    "name": config.name,
                    "id": config.id,
                    "total_cells": config.total_cells,
                    **as_on_the_wire(config.scores),
                }
                for config in template.result
            ],
            **{
                total: getattr(template, total)
                for total in ("total_pass_rate", "total_avg", "total_choices_avg")
                if getattr(template, total) is not None
            },
        }
        for template in result.result
    ]
    assert written == recording.body["result"]


@pytest.mark.parametrize("recording", those("templates", status=SUCCESS))
def test_templates_are_read_by_id_and_name(recording):
    result = read(recording)

    found = [{"id": each.id, "name": each.name} for each in result.result]
    assert found == recording.body["result"]
    assert {"contains", "length_between"} <= {each.name for each in result.result}


@pytest.mark.parametrize("recording", those("update", "delete", status=SUCCESS))
def test_changes_are_read_with_their_confirmation(recording):
    result = read(recording)

    assert result.message == recording.body["message"]
    if recording.endpoint == "update":
        assert result.eval_config_id == recording.body["eval_config_id"]
        assert result.run_test_id == recording.body["run_test_id"]


@pytest.mark.parametrize("recording", those(status=REFUSAL))
def test_a_rejection_gets_the_error_class_of_its_status(recording):
    expected = {
        400: BadRequestError,
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        500: ServerError,
    }.get(recording.status, APIStatusError)

    with pytest.raises(APIStatusError) as caught:
        read(recording)

    error = caught.value
    assert type(error) is expected
    assert error.status_code == recording.status
    is_unknown = recording.status == 500
    assert error.delivery is (Delivery.UNKNOWN if is_unknown else Delivery.REJECTED)
    if isinstance(recording.body, dict):
        assert error.message == recording.body["message"]


PAGES = those("run_tests", "executions", "calls", status=SUCCESS)


@pytest.mark.parametrize("recording", PAGES)
@pytest.mark.parametrize("field", ["count", "total_pages", "current_page", "results"])
def test_a_page_that_lost_a_field_is_rejected_by_name(recording, field):
    body = {k: v for k, v in recording.body.items() if k != field}
    cut = recording._replace(content=json.dumps(body).encode())

    with pytest.raises(UnexpectedResponseError, match=f"{field}"):
        read(cut)


def test_every_state_that_was_recorded_is_known():
    pages = [
        read(each)
        for each in RECORDED.values()
        if each.endpoint in ("executions", "calls") and each.status in SUCCESS
    ]

    states = {entry.status for page in pages for entry in page.results}
    assert states >= {
        ExecutionStatus.EVALUATING,
        ExecutionStatus.COMPLETED,
        ExecutionStatus.CANCELLING,
    }
    assert all(state.is_known for state in states)
