"""Requests parsed from a journal: each is the one that was sent, or an error."""

from __future__ import annotations

from types import SimpleNamespace

import attrs
import pytest
from evaluation_values import RUN_TEST, config_id, execution_id

from futureagi_async import (
    AddEvalConfigs,
    DeleteEvalConfig,
    FutureAGIError,
    GetRunTest,
    RunNewEvals,
    UpdateEvalConfig,
)
from futureagi_async.evaluation import recovery
from futureagi_async.journal.entry import request_digest, request_key
from futureagi_async.types import JournalState


TEMPLATE = "22222222-2222-4222-8222-222222222222"

REQUESTS = [
    AddEvalConfigs(
        RUN_TEST,
        [
            {
                "template_id": TEMPLATE,
                "name": "  tone ",
                "config": {"params": {"k": 1}},
            },
            {"template_id": TEMPLATE, "mapping": {"a": "ü"}, "filters": []},
            {"template_id": TEMPLATE, "name": "x", "filters": {}, "model": "m"},
        ],
    ),
    RunNewEvals(RUN_TEST, [config_id(1), config_id(0)], [execution_id(0)]),
    RunNewEvals(RUN_TEST, [config_id(0)], select_all=True),
    RunNewEvals(
        RUN_TEST, [config_id(0)], select_all=True, enable_tool_evaluation=False
    ),
    UpdateEvalConfig(RUN_TEST, config_id(0), name=" tone ", error_localizer=True),
    UpdateEvalConfig(RUN_TEST, config_id(0), filters=[], template_id=TEMPLATE),
]


@attrs.frozen
class Entry:
    """What `request_of` polls at of an entry."""

    endpoint: str
    path: str
    run_test_id: str | None
    body: bytes | None
    request_digest: bytes
    sequence: int = 7
    state: JournalState = JournalState.IN_FLIGHT

    @property
    def is_done(self):
        return self.state is JournalState.DONE

    @property
    def is_unknown(self):
        return self.state in {JournalState.IN_FLIGHT, JournalState.UNKNOWN}


def entry_of(request, **changes):
    entry = Entry(
        type(request).__name__,
        request.path,
        request.run_test_id,
        request.body,
        request_digest(request),
    )
    return attrs.evolve(entry, **changes)


@pytest.mark.parametrize("request_", REQUESTS, ids=repr)
def test_a_request_comes_back_as_it_was(request_):
    again = recovery.parse_request(entry_of(request_))

    assert again == request_
    assert again.body == request_.body
    assert request_key("url", None, again) == request_key("url", None, request_)


FOREIGN = [
    entry_of(GetRunTest(RUN_TEST)),
    entry_of(DeleteEvalConfig(RUN_TEST, config_id(0))),
    entry_of(REQUESTS[0], endpoint="_AddRest"),
]

CONFUSED = [
    entry_of(REQUESTS[0], endpoint="RunNewEvals"),
    entry_of(REQUESTS[1], endpoint="AddEvalConfigs"),
    entry_of(REQUESTS[1], endpoint="UpdateEvalConfig"),
]


@pytest.mark.parametrize("entry", FOREIGN)
def test_an_entry_of_another_endpoint_has_no_request(entry):
    assert recovery.parse_request(entry) is None


DAMAGED = [
    {"body": None},
    {"body": b""},
    {"body": b"{"},
    {"body": b"null"},
    {"body": b"[]"},
    {"body": b"{}"},
    {"body": b'{"eval_config_ids": 7, "select_all": true}'},
    {"body": b'{"eval_config_ids": ["x"], "select_all": true}'},
    {"body": b'{"eval_config_ids": [], "from_a_later_version": 1}'},
    {"request_digest": b"another digest"},
    {"run_test_id": None},
    {"run_test_id": "no id"},
    {"run_test_id": TEMPLATE},
]


@pytest.mark.parametrize("damage", DAMAGED, ids=repr)
@pytest.mark.parametrize("request_", [REQUESTS[0], REQUESTS[1], REQUESTS[4]])
def test_a_damaged_entry_is_an_error_that_names_it(request_, damage):
    with pytest.raises(
        FutureAGIError, match=r"entry 7 of the journal, \w+ of run test"
    ):
        recovery.parse_request(entry_of(request_, **damage))


@pytest.mark.parametrize("entry", CONFUSED)
def test_an_entry_with_the_wrong_endpoint_is_an_error(entry):
    with pytest.raises(
        FutureAGIError, match="cannot be read as the request that was sent"
    ):
        recovery.parse_request(entry)


@pytest.mark.parametrize("path", ["", "/", "/simulate/run-tests/x/"])
def test_an_update_of_an_unknown_path_is_an_error(path):
    with pytest.raises(
        FutureAGIError, match="cannot be read as the request that was sent"
    ):
        recovery.parse_request(entry_of(REQUESTS[4], path=path))


@pytest.mark.parametrize("state", JournalState)
def test_an_unreadable_start_is_ignored_only_if_it_failed(state):
    entries = [entry_of(REQUESTS[1], state=state, body=None)]

    if state is JournalState.FAILED:
        assert (
            recovery.started_requests(entries),
            recovery.unknown_requests(entries),
        ) == ([], [])
        return
    with pytest.raises(FutureAGIError, match="entry 7"):
        (
            recovery.started_requests
            if state is JournalState.DONE
            else recovery.unknown_requests
        )(entries)


def test_an_unreadable_addition_that_is_done_is_ignored():
    entries = [entry_of(REQUESTS[0], state=JournalState.DONE, body=None)]

    assert (recovery.started_requests(entries), recovery.unknown_requests(entries)) == (
        [],
        [],
    )


def test_unknown_requests_are_the_writes_in_flight_or_unknown():
    entries = [entry_of(REQUESTS[1], state=state) for state in JournalState]
    entries += FOREIGN

    assert recovery.unknown_requests(entries) == [REQUESTS[1], REQUESTS[1]]


def test_started_requests_are_the_starts_that_are_done():
    entries = [
        entry_of(request, state=state) for request in REQUESTS for state in JournalState
    ]

    assert recovery.started_requests(entries) == REQUESTS[1:4]


def test_an_entry_without_a_run_test_has_no_request():
    entry = SimpleNamespace(
        endpoint="RunNewEvals", body=b"{}", run_test_id=None, sequence=7
    )

    with pytest.raises(FutureAGIError, match="entry 7"):
        recovery.parse_request(entry)
