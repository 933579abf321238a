"""Calls and their snapshots: what is asked, what is read, and what is left out."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from simulation import FakeSender, answer, simulated

from futureagi_async import (
    APITimeoutError,
    Delivery,
    InvalidRequestError,
    NotFoundError,
    UnexpectedResponseError,
)
from futureagi_async.endpoints.list_call_executions import CALL_STATUSES, call_filter
from futureagi_async.types import (
    CallExecution,
    ExecutionStatus,
    GetCallExecution,
    ListCallExecutions,
    TranscriptTurn,
)


RUN_TEST = "3d5c289c-30de-5c0f-ab05-653022fe4bf6"
EXECUTION = "ebb70d90-0fba-52de-9271-a8f5db476bae"
OTHER = "f66ac3fa-7961-5561-89bc-8da19b49dbd1"
CALL_ID = "392938f6-dce6-5aee-9d4c-f975ebf426a6"
CALL = {
    "id": CALL_ID,
    "status": "completed",
    "test_execution_id": EXECUTION,
    "eval_outputs": {},
    "is_snapshot": False,
}
SNAPSHOT = {
    "id": "cf0fe4bd-5eb3-5c48-8714-8d36c950bc38",
    "status": None,
    "eval_outputs": {"c-1": {"status": "pending"}},
    "is_snapshot": True,
    "rerun_type": "call_and_eval",
    "original_call_execution_id": CALL_ID,
    "snapshot_timestamp": "2026-08-10T10:00:35Z",
}


def page(entries, request):
    """The page of these entries that is asked for."""
    query = {k: v[0] for k, v in parse_qs(urlsplit(request.path).query).items()}
    number, limit = int(query["page"]), int(query["limit"])
    body = {
        "count": len(entries),
        "total_pages": max(1, -(-len(entries) // limit)),
        "current_page": number,
        "results": entries[(number - 1) * limit : number * limit],
    }
    return answer(body=json.dumps(body).encode())


def listed(entries, /, **options):
    """What a client lists of these entries, and the requests that it sent."""
    sender = FakeSender(lambda request: page(entries, request))

    async def main():
        calls = simulated(sender).list_call_executions(RUN_TEST, **options)
        return [call.id async for call in calls]

    return asyncio.run(main()), [attempt.path for attempt in sender.attempts]


def test_a_snapshot_is_read_as_what_it_is():
    snapshot = CallExecution.from_wire(SNAPSHOT)

    assert snapshot.is_snapshot
    assert (snapshot.status, snapshot.test_execution_id) == (None, None)
    assert snapshot.rerun_type == "call_and_eval"
    assert snapshot.original_call_execution_id == CALL_ID
    assert snapshot.snapshot_timestamp == datetime(2026, 8, 10, 10, 0, 35, tzinfo=UTC)


def test_a_call_is_no_snapshot_unless_that_is_said():
    call = CallExecution.from_wire(
        {k: v for k, v in CALL.items() if k != "is_snapshot"}
    )

    assert not call.is_snapshot
    assert call.original_call_execution_id is None


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("x", "an object belongs here, not text"),
        ({}, "id: missing"),
        (CALL | {"id": 5}, "id: text belongs here"),
        (CALL | {"status": None}, "status: text belongs here, not null"),
        (
            {k: v for k, v in CALL.items() if k != "test_execution_id"},
            "test_execution_id",
        ),
        (
            CALL | {"eval_outputs": []},
            "eval_outputs: an object belongs here, not a list",
        ),
        (SNAPSHOT | {"id": None}, "id: text belongs here, not null"),
    ],
)
def test_a_call_of_another_shape_is_refused(entry, problem):
    with pytest.raises(TypeError, match=problem):
        CallExecution.from_wire(entry)


def test_a_call_has_what_it_was_about():
    call = CallExecution.from_wire(
        CALL
        | {
            "scenario": "late parcel",
            "scenario_id": "s-1",
            "start_time": "2026-08-10T10:00:00Z",
            "duration": 0.0,
            "duration_seconds": 40,
            "cost_cents": 12.5,
            "call_summary": "The parcel comes tomorrow.",
            "audio_url": "https://example.com/call.wav",
        }
    )

    assert (call.scenario_name, call.scenario_id) == ("late parcel", "s-1")
    assert call.started_at == datetime(2026, 8, 10, 10, tzinfo=UTC)
    assert (call.duration_seconds, call.cost_cents) == (40.0, 12.5)
    assert call.summary == "The parcel comes tomorrow."
    assert call.recording_url == "https://example.com/call.wav"


def test_what_a_call_does_not_have_is_none():
    call = CallExecution.from_wire(CALL | {"duration": "long", "scenario": None})

    assert call.duration_seconds is None
    assert (call.scenario_name, call.started_at, call.cost_cents) == (None, None, None)
    assert call.transcript == ()
    assert call.raw == CALL | {"duration": "long", "scenario": None}


@pytest.mark.parametrize(
    ("turn", "role", "text"),
    [
        ({"speaker_role": "user", "content": "Hello."}, "user", "Hello."),
        ({"role": "assistant", "content": "Hello."}, "assistant", "Hello."),
        ({"content": [{"role": "user", "content": "Hello."}]}, "user", "Hello."),
        (
            {"role": "assistant", "content": [{"content": "a"}, {"content": "b"}]},
            "assistant",
            "a\nb",
        ),
        ({"content": {"role": "tool", "content": None}}, "tool", ""),
        ({"role": "user", "content": None}, "user", ""),
        ({"content": ["a", 5]}, None, "a\n5"),
        ({}, None, ""),
        ("Hello.", None, "Hello."),
    ],
)
def test_a_turn_is_read_in_every_form(turn, role, text):
    call = CallExecution.from_wire(CALL | {"transcript": [turn]})

    (found,) = call.transcript
    assert (found.role, found.text) == (role, text)
    assert found.raw == (turn if isinstance(turn, dict) else {"content": turn})
    assert isinstance(found, TranscriptTurn)


def test_snapshots_are_left_out_unless_they_are_asked_for():
    entries = [CALL, SNAPSHOT]

    assert listed(entries)[0] == [CALL_ID]
    assert listed(entries, snapshots=True)[0] == [CALL_ID, SNAPSHOT["id"]]


def test_calls_of_one_execution_are_chosen_here():
    entries = [CALL, SNAPSHOT, CALL | {"id": "c-2", "test_execution_id": OTHER}]

    found, paths = listed(entries, execution=EXECUTION.upper())

    assert found == [CALL_ID]
    assert paths == [
        f"/simulate/run-tests/{RUN_TEST}/call-executions/?page=1&limit=100"
    ]


@pytest.mark.parametrize(
    "status", ["Completed", " completed ", ExecutionStatus.COMPLETED]
)
def test_a_status_is_sent_in_the_lower_case_that_the_filter_takes(status):
    _, paths = listed([CALL], status=status)

    assert paths[0].endswith("&status=completed")


@pytest.mark.parametrize("status", CALL_STATUSES)
def test_every_state_of_a_call_can_be_asked_for(status):
    assert ListCallExecutions(RUN_TEST, status=status).status is status


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (
            {"status": "registered"},
            "'registered' is no state of a call, which is one of",
        ),
        ({"status": "evaluating"}, "'evaluating' is no state of a call"),
        ({"status": " "}, "status: is blank"),
        ({"status": 5}, "status: text is expected"),
        ({"execution": "x"}, "execution: 'x' is no UUID"),
        ({"snapshots": "yes"}, "snapshots: True or False is expected"),
        ({"execution": EXECUTION, "snapshots": True}, "snapshots: they belong to no"),
    ],
)
def test_what_no_call_can_fit_is_refused_before_anything_is_sent(options, problem):
    with pytest.raises(InvalidRequestError, match=problem):
        listed([CALL], **options)


def test_an_execution_can_be_what_a_list_returned():
    is_wanted = call_filter(uuid.UUID(EXECUTION))

    assert is_wanted(CallExecution.from_wire(CALL))
    assert not is_wanted(CallExecution.from_wire(SNAPSHOT))


def test_a_page_without_an_answer_is_asked_for_in_halves_and_not_again():
    sizes = []

    def handle(request):
        limit = int(parse_qs(urlsplit(request.path).query)["limit"][0])
        sizes.append(limit)
        if limit > 25:
            raise APITimeoutError("no answer", delivery=Delivery.UNKNOWN)
        return page([CALL], request)

    async def main():
        calls = simulated(FakeSender(handle)).list_call_executions(RUN_TEST)
        return [call.id async for call in calls]

    assert asyncio.run(main()) == [CALL_ID]
    assert sizes == [100, 50, 25]


def received(body, status=200):
    """What a client makes of the answer about a single call."""
    sender = FakeSender(lambda _: answer(status, json.dumps(body).encode()))

    async def main():
        return await simulated(sender).send(GetCallExecution(CALL_ID.upper()))

    return asyncio.run(main()), sender.attempts[0].path


def test_a_single_call_is_read_by_its_id():
    call, path = received(
        CALL | {"transcript": [{"role": "user", "content": "Hello."}]}
    )

    assert path == f"/simulate/call-executions/{CALL_ID}/"
    assert (call.id, call.test_execution_id) == (CALL_ID, EXECUTION)
    assert [turn.text for turn in call.transcript] == ["Hello."]
    assert call.request_id == "from-server"
    assert call.raw["is_snapshot"] is False


def test_a_call_can_be_what_a_list_returned():
    request = GetCallExecution(CallExecution.from_wire(CALL))

    assert request.call_execution_id == CALL_ID
    assert (request.method, request.body, request.run_test_id) == ("GET", None, None)


def test_the_answer_about_another_call_is_refused():
    with pytest.raises(UnexpectedResponseError, match="is about call c-2"):
        received(CALL | {"id": "c-2"})


def test_a_call_that_does_not_exist_is_not_found():
    with pytest.raises(NotFoundError):
        received({"detail": "Call execution not found."}, status=404)
