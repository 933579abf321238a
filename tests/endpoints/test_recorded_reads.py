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
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import attrs
import pytest

from futureagi_async import (
    DeleteEvalConfig,
    GetEvalSummary,
    GetRunTest,
    UpdateEvalConfig,
)
from futureagi_async.endpoints.get_call_execution import GetCallExecution
from futureagi_async.endpoints.get_simulation_metrics import GetSimulationMetrics
from futureagi_async.endpoints.get_simulation_runs import (
    GetSimulationRuns,
    SimulationCall,
)
from futureagi_async.endpoints.list_simulation_runs import ListSimulationRuns
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
from futureagi_async.evaluation.scoring import ScoreAggregator
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.response import parse_response
from futureagi_async.types import (
    CallExecution,
    ChoiceScores,
    CompareExecutions,
    EvalOutput,
    EvalOutputStatus,
    ExecutionStatus,
    ListCallExecutions,
    ListEvalTemplates,
    ListRunTests,
    ListTestExecutions,
    NumericScores,
    PassFailScores,
)


if TYPE_CHECKING:
    from collections.abc import Iterable


RECORDINGS = Path(__file__).parents[1] / "recordings"
SCENARIOS = ["scenarios.jsonl", "probes.jsonl", "lived/scenarios.jsonl"]
RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
CONFIG = "7bbd24d3-22e3-525d-9bf5-b54e5d107041"
HTML = b"<html><head><title>Not what was asked for</title></head></html>"

ENDPOINTS = {
    "GET": [
        ("named_runs", "^"),  # told from "runs" by its parameters
        ("run_tests", r"/simulate/run-tests/?"),
        ("run_test", r"/simulate/run-tests/[^/%]+/?(?<!/get-id-by-name/)"),
        ("executions", r"/simulate/run-tests/[^/]+/executions/?"),
        ("calls", r"/simulate/run-tests/[^/]+/call-executions/?"),
        ("calls", r"/simulate/test-executions/[^/]+/"),
        ("call", r"/simulate/call-executions/[^/]+/"),
        ("summary", r"/simulate/run-tests/[^/]+/eval-summary/"),
        ("comparison", r"/simulate/run-tests/[^/]+/eval-summary-comparison/"),
        ("templates", r"/sdk/api/v1/get-evals/"),
        ("runs", r"/sdk/api/v1/simulation/runs/"),
        ("metrics", r"/sdk/api/v1/simulation/metrics/"),
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
WHOLE_RUN = {
    "status": "completed",
    "started_at": None,
    "completed_at": None,
    "total_calls": 0,
    "completed_calls": 0,
    "failed_calls": 0,
    "eval_results": [],
}
WHOLE_RUN_CALL = {
    "status": "completed",
    "scenario_id": None,
    "scenario_name": None,
    "duration_seconds": None,
    "eval_outputs": {},
}
WHOLE_ENTRIES = {
    "executions": {"id": RUN_TEST, "status": "Completed"},
    "run_tests": {
        "id": RUN_TEST,
        "name": "run test",
        "enable_tool_evaluation": False,
        "simulate_eval_configs": [],
    },
}


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


def id_of_execution(path: str) -> str:
    named = re.search(r"(?<!call_)execution_id=([0-9a-f-]{36})", path)
    return named[1] if named else RUN_TEST


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
        case "calls", {"results": calls}:
            # A recording that holds some elements of a list has them by their number.
            some = calls.values() if isinstance(calls, dict) else calls
            whole = [whole_call(each, path) for each in some]
            return WHOLE_PAGE | {"count": 0} | body | {"results": whole}
        case "runs", {"result": {"call_results": page} as result}:
            whole = [WHOLE_RUN_CALL | each for each in page["results"]]
            execution = {"execution_id": id_of_execution(path)} | WHOLE_RUN | result
            return {"result": execution | {"call_results": page | {"results": whole}}}
        case "call", dict():
            return whole_call(body, path)
        case (("executions" | "run_tests"), dict()):
            whole = [WHOLE_ENTRIES[endpoint] | each for each in body.get("results", [])]
            return WHOLE_PAGE | body | {"results": whole}
        case _:
            return body


def whole_call(call: dict[str, Any], path: str) -> dict[str, Any]:
    known = {"id": path.split("/")[3], "status": "completed", "eval_outputs": {}}
    if not call.get("is_snapshot"):
        known["test_execution_id"] = RUN_TEST
    return known | call


def endpoint_of(request: dict[str, Any]) -> str | None:
    path, _, query = request["path"].partition("?")
    if "call_execution_id=" in query:
        return None  # which the package does not ask for
    if "run_test_name=" in query:
        return "named_runs" if path.endswith("/runs/") else None
    ids = re.search(r"execution_ids=(\[.*?\])", unquote(query))
    if ids and not re.fullmatch(r'\[("[0-9a-f-]{36}"(, *)?)+\]', ids[1]):
        return None  # which it does not send
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
    lines = [
        line
        for name in SCENARIOS
        for line in (RECORDINGS / name).read_text("utf-8").splitlines()
    ]
    return {
        f"{scenario['name']}-{number}": exchange(endpoint, step)
        for scenario in map(json.loads, lines)
        for number, step in enumerate(scenario["steps"])
        if "request" in step and (endpoint := endpoint_of(step["request"]))
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


def ids_of_executions(recording: Exchange) -> list[str]:
    is_success = recording.endpoint == "comparison" and recording.status in SUCCESS
    found = list(recording.body["result"]) if is_success else []
    return found or [RUN_TEST]


def request_for(recording: Exchange) -> Any:
    """Make the request of the package that could have had this answer."""
    path = recording.path.partition("?")[0]
    run_test_id = id_in(path, 3, RUN_TEST)
    config_id = id_in(path, 5, CONFIG)
    execution_id = id_of_execution(recording.path)
    requests = {
        "run_tests": ListRunTests(),
        "run_test": GetRunTest(run_test_id),
        "executions": ListTestExecutions(run_test_id),
        "calls": ListCallExecutions(run_test_id),
        "call": GetCallExecution(run_test_id),
        "runs": GetSimulationRuns(execution_id),
        "metrics": GetSimulationMetrics(execution_id),
        "named_runs": ListSimulationRuns("twin line"),
        "summary": GetEvalSummary(run_test_id),
        "comparison": CompareExecutions(run_test_id, ids_of_executions(recording)),
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
        details = entry.simulate_eval_configs_detail
        kept = details and [attrs.asdict(each) for each in details]
        assert (kept or None) == (raw.get("simulate_eval_configs_detail") or None)


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


def expected_state(output: Any) -> EvalOutputStatus:
    match output:
        case {"skipped": True} | {"status": "skipped"}:
            return EvalOutputStatus.SKIPPED
        case {"error": True | "error"}:
            return EvalOutputStatus.FAILED
        case {} | {"status": "pending"} if len(output) < 2:
            return EvalOutputStatus.PENDING
    return EvalOutputStatus.COMPLETED


def expected_value(output: dict[str, Any]) -> Any:
    """Write the forms of choices down once more: lists of calls wrap them."""
    value = output.get("value", output.get("output"))
    match output.get("type", output.get("output_type")), value:
        case "choices", {"choice": str(choice)}:
            return (choice,)
        case "choices", {"choices": [*choices]}:
            return tuple(choices)
        case "choices", {}:
            return ()
        case "choices", [*choices]:
            return tuple(str(each) for each in choices)
        case "choices", str() | int():
            return (str(value),)
    return value


def check_outputs(found: dict[str, EvalOutput], raw: dict[str, Any] | None) -> None:
    """Compare the results of a call with what was recorded."""
    assert found.keys() == (raw or {}).keys()
    for config_id, output in (raw or {}).items():
        each = found[config_id]
        assert each.status is expected_state(output)
        assert each.value == expected_value(output)
        assert each.raw == output
        assert each.reason == (output.get("reason") or None)
        assert each.name == (output.get("name") or None)
        assert each.type == output.get("type", output.get("output_type"))


def calls_in(recording: Exchange) -> list[tuple[CallExecution, dict[str, Any]]]:
    """Return the calls in a recorded response as they are read, and as they were."""
    result = read(recording)
    if recording.endpoint == "call":
        return [(result, recording.body)]
    return list(zip(result.results, recording.body["results"], strict=True))


@pytest.mark.parametrize("recording", those("calls", "call", status=SUCCESS))
def test_calls_are_read_with_the_state_of_each_evaluation(recording):
    for entry, raw in calls_in(recording):
        assert entry.status == raw["status"]
        assert entry.status is None or entry.status.is_known
        assert entry.test_execution_id == raw.get("test_execution_id")
        assert entry.raw == raw
        check_outputs(entry.eval_outputs, raw["eval_outputs"])


@pytest.mark.parametrize("recording", those("calls", "call", status=SUCCESS))
def test_calls_are_read_with_what_they_were_about(recording):
    for entry, raw in calls_in(recording):
        assert entry.scenario_name == raw.get("scenario")
        assert entry.scenario_id == raw.get("scenario_id")
        assert entry.duration_seconds == raw.get(
            "duration_seconds", raw.get("duration")
        )
        assert entry.is_snapshot is raw.get("is_snapshot", False)
        assert entry.rerun_type == raw.get("rerun_type")
        original = raw.get("original_call_execution_id")
        assert entry.original_call_execution_id == original
        for field in ("start_time", "snapshot_timestamp"):
            known = {"start_time": entry.started_at}.get(
                field, entry.snapshot_timestamp
            )
            moment = raw.get(field)
            assert known == (moment and datetime.fromisoformat(moment))


@pytest.mark.parametrize("recording", those("calls", "call", status=SUCCESS))
def test_every_turn_of_a_recorded_transcript_has_a_role_and_a_text(recording):
    for entry, raw in calls_in(recording):
        turns = entry.transcript
        assert len(turns) == len(raw.get("transcript") or [])
        assert all(turn.text and turn.role for turn in turns)


def test_the_recording_has_evaluations_in_every_state():
    states = {
        (each.endpoint, call.is_snapshot, output.status)
        for each in RECORDED.values()
        if each.endpoint in ("calls", "call") and each.status in SUCCESS
        for call, _ in calls_in(each)
        for output in call.eval_outputs.values()
    }

    assert {state for endpoint, _, state in states if endpoint == "calls"} == set(
        EvalOutputStatus
    )
    assert {state for _, is_snapshot, state in states if is_snapshot} >= {
        EvalOutputStatus.PENDING,
        EvalOutputStatus.COMPLETED,
        EvalOutputStatus.FAILED,
    }


def test_the_recording_has_transcripts_of_voice_and_of_text_agents():
    forms = {
        (type(turn.raw["content"]), turn.role)
        for each in RECORDED.values()
        if each.endpoint in ("calls", "call") and each.status in SUCCESS
        for call, _ in calls_in(each)
        for turn in call.transcript
    }

    assert forms >= {(str, "user"), (str, "tool_calls"), (list, "assistant")}


def time_of(text: str | None) -> datetime | None:
    return text and datetime.fromisoformat(text)


@pytest.mark.parametrize("recording", those("runs", "metrics", status=SUCCESS))
def test_an_execution_is_read_with_its_state_and_numbers(recording):
    result, raw = read(recording), recording.body["result"]

    assert result.execution_id == raw["execution_id"]
    assert result.status == raw["status"]
    assert result.status.is_known
    assert result.started_at == time_of(raw["started_at"])
    assert result.completed_at == time_of(raw["completed_at"])
    for field in ("total_calls", "completed_calls", "failed_calls"):
        assert getattr(result, field) == raw[field]


@pytest.mark.parametrize("recording", those("metrics", status=SUCCESS))
def test_metrics_are_read_with_the_calls_by_state(recording):
    result, raw = read(recording), recording.body["result"]["metrics"]

    assert attrs.asdict(result.calls) == raw["calls"]
    assert result.calls.other >= 0
    assert result.total_duration_seconds == raw["cost"]["total_duration_seconds"]


@pytest.mark.parametrize("recording", those("runs", status=SUCCESS))
def test_runs_are_read_with_every_call(recording):
    result, raw = read(recording), recording.body["result"]["call_results"]

    assert (result.count, result.total_pages) == (raw["count"], raw["total_pages"])
    assert result.current_page == raw["current_page"]
    for entry, call in zip(result.calls, raw["results"], strict=True):
        assert entry.id == call["call_execution_id"]
        assert entry.status == call["status"]
        assert entry.scenario_id == call["scenario_id"]
        assert entry.scenario_name == call["scenario_name"]
        assert entry.duration_seconds == call["duration_seconds"]
        check_outputs(entry.eval_outputs, call["eval_outputs"])


@pytest.mark.parametrize("recording", those("named_runs", status=SUCCESS))
def test_executions_of_a_name_are_read_with_their_scores(recording):
    result, raw = read(recording), recording.body["result"]

    assert (result.count, result.total_pages) == (raw["count"], raw["total_pages"])
    for entry, run in zip(result.results, raw["results"], strict=True):
        assert entry.id == run["execution_id"]
        assert entry.status == run["status"]
        assert entry.completed_at == time_of(run["completed_at"])
        cells = [
            c["total_cells"] for each in run["eval_results"] for c in each["result"]
        ]
        assert [config.total_cells for config in entry.configs.values()] == cells


def scores_of(calls: Iterable[SimulationCall]) -> dict[str, Any]:
    """Sum up the results of completed calls as the summary does, by eval config."""
    aggregators: dict[str, ScoreAggregator] = {}
    for call in calls:
        for config_id, output in call.eval_outputs.items():
            is_counted = call.status is ExecutionStatus.COMPLETED and output.has_value
            if is_counted and output.status is EvalOutputStatus.COMPLETED:
                aggregators.setdefault(config_id, ScoreAggregator()).add(output)
    return {config_id: each.scores() for config_id, each in aggregators.items()}


WHOLE_RUNS = [
    each
    for each in those("runs", status=SUCCESS)
    if each.values[0].body["result"]["call_results"]["total_pages"] == 1
]


@pytest.mark.parametrize("recording", WHOLE_RUNS)
def test_scores_of_the_calls_are_those_of_the_summary(recording):
    result = read(recording)

    counted = scores_of(result.calls)
    for template in result.eval_results:
        for config in template.result:
            assert counted.get(config.id) == config.scores


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


LABELS = {
    "{'score': 1.0, 'choice': 'Yes'}": "Yes",
    "{'score': 0.5, 'choice': 'Partly'}": "Partly",
    "{'score': 0.0, 'choice': 'No'}": "No",
    "{'choice': 'No'}": "No",
    "{'score': 0.0, 'choice': None}": "[]",
    "{'score': 0.0, 'choices': []}": "[]",
    "{'score': 1.0, 'choices': ['quality']}": "quality",
    "{'score': 0.4, 'choices': ['price', 'delivery']}": "['price', 'delivery']",
    "{'score': 0.6, 'choice': 'delivery'}": "delivery",
    "['other']": "other",
}


def rounded(value: Any) -> Any:
    """Compare numbers, which were rounded one by one, with less than a thousandth."""
    if isinstance(value, list):
        return [rounded(each) for each in value]
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return pytest.approx(value, abs=0.02) if isinstance(value, float) else value


def with_labels(value: Any) -> Any:
    """Put the choices in the place of the texts that the service counts."""
    if isinstance(value, list):
        return [with_labels(each) for each in value]
    if not isinstance(value, dict):
        return value
    labelled: dict[str, Any] = {}
    for key, item in value.items():
        label = LABELS.get(key, key)
        share = with_labels(item)
        labelled[label] = labelled[label] + share if label in labelled else share
    return labelled


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
    assert written == rounded(with_labels(recording.body["result"]))


def as_tuple(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


@pytest.mark.parametrize("recording", those("comparison", status=SUCCESS))
def test_comparisons_have_the_scores_of_every_execution(recording):
    result = read(recording)

    assert list(result.result) == list(recording.body["result"])
    for execution_id, templates in recording.body["result"].items():
        cells = [c["total_cells"] for each in templates for c in each["result"]]
        configs = result.configs(execution_id)
        assert [config.total_cells for config in configs] == cells
        assert [bool(config.scores) for config in configs] == [
            "avg_score" in each or bool(each["output"])
            for template in templates
            for each in template["result"]
        ]


@pytest.mark.parametrize("recording", those("templates", status=SUCCESS))
def test_templates_are_read_by_id_and_name(recording):
    result = read(recording)

    raw = recording.body["result"]
    found = [(each.id, each.name) for each in result.result]
    assert found == [(each["id"], each["name"]) for each in raw]
    for template, entry in zip(result.result, raw, strict=True):
        config = entry.get("config", {})
        assert template.output_type == config.get("output")
        assert template.required_keys == as_tuple(config.get("required_keys"))
        assert template.choices == as_tuple(entry.get("choices"))


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
    if isinstance(recording.body, dict) and "message" in recording.body:
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
        if each.endpoint in ("executions", "calls", "runs") and each.status in SUCCESS
    ]

    states = {entry.status for page in pages for entry in page.results} - {None}
    assert states >= {
        ExecutionStatus.EVALUATING,
        ExecutionStatus.COMPLETED,
        ExecutionStatus.CANCELLING,
    }
    assert all(state.is_known for state in states)
