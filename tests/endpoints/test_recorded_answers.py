"""What a real instance of the service answered, read by the package.

`tests/recordings` holds them.
"""

from __future__ import annotations

import json
import re
import uuid
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import pytest

from futureagi_async import AddEvalConfigs, EvalConfig, RunNewEvals
from futureagi_async.errors import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    Delivery,
    EvalDispatchError,
    ExecutionsNotCompletedError,
    ItemError,
    NameConflictError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.response import parse_response


RECORDING = Path(__file__).parents[1] / "recordings" / "scenarios.jsonl"
ENDPOINTS = ("/eval-configs/", "/run-new-evals/")
DISPATCHED = (
    "New evaluations dispatched successfully. Individual tasks will run in parallel."
)
NOT_DISPATCHED = (
    "New evaluations marked pending; async dispatch failed and can be retried."
)
HTML = b"<html><head><title>Not what\n was asked for</title></head></html>"
REQUEST_ID = "3f1b6a52-5f4c-4d1b-9a65-0d4f3f1d7a10"
TEMPLATE = "8852dfdd-16f3-4a5a-9bb6-4025b3983786"
WHOLE_CONFIG = {
    "id": "6fd8a87c-ab69-56dc-85ea-3d5411a2f047",
    "name": "tone",
    "config": {},
    "mapping": None,
    "filters": {},
    "error_localizer": False,
    "model": None,
    "status": "Completed",
    "eval_group": None,
    "template_id": TEMPLATE,
}


class Exchange(NamedTuple):
    path: str
    sent: Any
    status: int
    body: Any
    content: bytes
    location: str | None


def with_ids(value: Any) -> Any:
    """Put real ids where the recording has placeholders."""
    text = re.sub(
        r"<uuid:(\d+)>",
        lambda found: str(uuid.uuid5(uuid.NAMESPACE_URL, found[1])),
        json.dumps(value),
    )
    return json.loads(text)


def completed(body: Any, run_test_id: str) -> Any:
    """Add what the recording left out of an answer, as it cannot be compared."""
    match body:
        case {"created_eval_configs": [*configs]}:
            whole = [WHOLE_CONFIG | config for config in configs]
            return {"run_test_id": run_test_id} | body | {"created_eval_configs": whole}
        case _:
            return body


def is_for_endpoint(request: dict[str, Any]) -> bool:
    path = request["path"].partition("?")[0]
    return request["method"] == "POST" and f"{path.rstrip('/')}/".endswith(ENDPOINTS)


def exchange(step: dict[str, Any]) -> Exchange:
    request, response = with_ids(step["request"]), with_ids(step["response"])
    content = {"html": HTML, "empty": b""}.get(response.get("body_kind"))
    path = request["path"]
    body = completed(response.get("body"), path.split("/")[3])
    return Exchange(
        path=path,
        sent=request.get("body"),
        status=response["status"],
        body=body,
        content=json.dumps(body).encode() if content is None else content,
        location=response.get("headers", {}).get("location"),
    )


def recorded() -> dict[str, Exchange]:
    lines = RECORDING.read_text("utf-8").splitlines()
    scenarios = map(json.loads, lines)
    return {
        f"{scenario['name']}-{number}": exchange(step)
        for scenario in scenarios
        for number, step in enumerate(scenario["steps"])
        if is_for_endpoint(step["request"])
    }


def those(*, at: str = "", status: range) -> list[Any]:
    """Parametrize over the recorded answers of an endpoint in a range of statuses."""
    return [
        pytest.param(each, id=name)
        for name, each in RECORDED.items()
        if at in each.path and each.status in status
    ]


RECORDED = recorded()
SUCCESS, REFUSAL = range(200, 300), range(300, 600)


def request_for(recording: Exchange) -> AddEvalConfigs | RunNewEvals:
    """Make the request of the package that could have had this answer."""
    try:
        run_test_id = str(uuid.UUID(recording.path.split("/")[3]))
    except ValueError:
        run_test_id = "b968b200-c57b-5aca-9c9f-60672e3183e7"
    if "/run-new-evals" in recording.path:
        return RunNewEvals(run_test_id, [TEMPLATE], select_all=True)
    match recording.sent:
        case {"evaluations_config": [_, *_] as sent}:
            asked = len(sent)
        case _:
            asked = 1
    names = [str(number) for number in range(asked)]
    return AddEvalConfigs(run_test_id, [EvalConfig(TEMPLATE, name) for name in names])


def read(recording: Exchange) -> Any:
    answer = HTTPResponse(
        status=recording.status,
        reason=HTTPStatus(recording.status).phrase,
        request_id=REQUEST_ID,
        retry_after=None,
        location=recording.location,
        body=recording.content,
    )
    return parse_response(request_for(recording), answer, 0.0)


def refused(recording: Exchange) -> APIStatusError:
    with pytest.raises(APIStatusError) as caught:
        read(recording)
    return caught.value


def expected_class(recording: Exchange) -> type[APIStatusError]:
    message = (recording.body or {}).get("message", "")
    if message.startswith("An evaluation config with the name"):
        return NameConflictError
    if message.startswith("Only test executions with COMPLETED status"):
        return ExecutionsNotCompletedError
    return {
        400: BadRequestError,
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
        500: ServerError,
    }.get(recording.status, APIStatusError)


def items_in(details: dict[str, list[str]]) -> tuple[ItemError, ...]:
    """Read item errors off the text in another way than the package does."""
    return tuple(
        ItemError(field, int(index), message)
        for field, (text, *_) in details.items()
        if re.match(r"\d+: ", text)
        for index, message in re.findall(r"(\d+): (.*?)(?=; \d+: |$)", text, re.DOTALL)
    )


def test_the_recording_has_both_endpoints_and_each_status():
    statuses = {each.status for each in RECORDED.values()}

    paths = [each.path for each in RECORDED.values()]
    assert all(any(at in path for path in paths) for at in ENDPOINTS)
    assert statuses >= {200, 201, 301, 400, 401, 403, 404, 406, 415, 500}


@pytest.mark.parametrize("recording", those(at="/eval-configs", status=SUCCESS))
def test_what_was_created_is_read_field_by_field(recording):
    result = read(recording)

    created = [attrs.asdict(each) for each in result.created_eval_configs]
    assert created == recording.body["created_eval_configs"]
    assert result.message == recording.body["message"]
    assert result.run_test_id == recording.body["run_test_id"]
    assert list(result.warnings) == recording.body.get("warnings", [])
    assert result.raw == recording.body
    assert result.request_id == REQUEST_ID


def dispatched(message: str) -> list[Any]:
    return [
        each
        for each in those(at="/run-new-evals", status=SUCCESS)
        if each.values[0] is None or each.values[0].body["message"] == message
    ]


@pytest.mark.parametrize("recording", dispatched(DISPATCHED))
def test_what_was_started_is_read_field_by_field(recording):
    result = read(recording)

    assert result.message == recording.body["message"]
    assert result.run_test_id == recording.body["run_test_id"]
    assert result.call_execution_count == recording.body["call_execution_count"]
    assert result.warnings == ()
    assert result.raw == recording.body
    assert result.request_id == REQUEST_ID


@pytest.mark.parametrize("recording", dispatched(NOT_DISPATCHED))
def test_a_dispatch_that_failed_is_an_error_despite_its_status(recording):
    with pytest.raises(EvalDispatchError) as caught:
        read(recording)

    assert caught.value.message == NOT_DISPATCHED
    assert caught.value.status_code == 200
    assert caught.value.delivery is Delivery.REJECTED
    assert caught.value.request_id == REQUEST_ID


@pytest.mark.parametrize("recording", those(status=REFUSAL))
def test_a_rejection_gets_the_error_class_of_its_status_and_message(recording):
    error = refused(recording)

    assert type(error) is expected_class(recording)
    assert error.status_code == recording.status
    assert error.request_id == REQUEST_ID
    assert error.body == recording.content


@pytest.mark.parametrize("recording", those(status=REFUSAL))
def test_a_rejection_says_if_the_work_may_have_been_done(recording):
    error = refused(recording)

    is_unknown = recording.status == 500
    assert error.delivery is (Delivery.UNKNOWN if is_unknown else Delivery.REJECTED)


@pytest.mark.parametrize("recording", those(status=REFUSAL))
def test_a_rejection_says_its_message_once(recording):
    error = refused(recording)

    phrase = HTTPStatus(recording.status).phrase
    if recording.content == HTML:
        expected = f"{phrase} (an HTML page: Not what was asked for)"
    elif recording.location:
        expected = (
            f"{phrase} (an empty response) (redirects are not followed; "
            f"to {recording.location})"
        )
    else:
        expected = recording.body["message"]
    assert error.message == expected
    assert str(error).count(" ".join(expected.split())[:200]) == 1


@pytest.mark.parametrize("recording", those(status=REFUSAL))
def test_a_rejection_keeps_code_and_details(recording):
    error = refused(recording)

    body = recording.body or {}
    details = {k: tuple(v) for k, v in body.get("details", {}).items()}
    assert error.code == body.get("code")
    assert error.details == details


@pytest.mark.parametrize("recording", those(status=REFUSAL))
def test_a_rejection_names_the_items_it_is_about(recording):
    error = refused(recording)

    details = (recording.body or {}).get("details", {})
    assert error.item_errors == items_in(details)


@pytest.mark.parametrize("recording", those(status=SUCCESS))
def test_an_answer_that_lost_a_field_is_rejected_by_name(recording):
    body = {k: v for k, v in recording.body.items() if k != "message"}
    cut = recording._replace(content=json.dumps(body).encode())

    with pytest.raises(UnexpectedResponseError, match="message"):
        read(cut)
