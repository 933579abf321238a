"""The scores of several executions with one request."""

from __future__ import annotations

import json
from urllib.parse import unquote
from uuid import UUID

import pytest

from futureagi_async import InvalidRequestError, ServerError, UnexpectedResponseError
from futureagi_async.transport.http import HTTPResponse
from futureagi_async.transport.response import parse_response
from futureagi_async.types import (
    CompareExecutions,
    ExecutionStatus,
    PassFailScores,
    TestExecution,
)


RUN_TEST = "1215b657-d0e9-5770-b234-6e0093673167"
FIRST = "4c3618e3-6d9d-5b1e-8c40-7107ac2285ef"
SECOND = "8e326e6f-9276-5e09-b6b5-ef3b2e1251db"
PASSES = {"pass": 50.0, "fail": 50.0, "pass_count": 1, "fail_count": 1}
CONFIG = {"name": "greets", "id": "c-1", "total_cells": 2, "output": PASSES}
EMPTY = {"name": "quality", "id": "c-2", "total_cells": 0, "output": {}}
TEMPLATE = {"name": "t", "id": "t-1", "output_type": "Pass/Fail"}


def answered(result, request, status=200):
    response = HTTPResponse(
        status=status,
        reason="",
        request_id=None,
        retry_after=None,
        location=None,
        body=json.dumps({"status": True, "result": result}).encode(),
    )
    return parse_response(request, response, 0.0)


def both():
    return CompareExecutions(RUN_TEST, [FIRST, SECOND])


def test_executions_are_sent_as_a_json_list_once_each():
    execution = TestExecution(id=FIRST.upper(), status=ExecutionStatus.COMPLETED)
    request = CompareExecutions(RUN_TEST, [execution, UUID(SECOND), FIRST])

    path, _, query = request.path.partition("?execution_ids=")
    assert path == f"/simulate/run-tests/{RUN_TEST}/eval-summary-comparison/"
    assert json.loads(unquote(query)) == [FIRST, SECOND]
    assert (request.method, request.body, request.idempotent) == ("GET", None, True)


@pytest.mark.parametrize(
    ("ids", "problem"),
    [
        ([], "^execution_ids: the list is empty"),
        (FIRST, "^execution_ids: a list of ids is expected"),
        ([FIRST, "abc"], r"^execution_ids\[1\]: 'abc' is no UUID"),
    ],
)
def test_what_cannot_be_compared_is_refused(ids, problem):
    with pytest.raises(InvalidRequestError, match=problem):
        CompareExecutions(RUN_TEST, ids)


def test_scores_are_read_by_execution():
    scored, empty = TEMPLATE | {"result": [CONFIG]}, TEMPLATE | {"result": [EMPTY]}

    comparison = answered({FIRST: [scored, empty], SECOND: [empty]}, both())

    first = comparison.configs(FIRST.upper())
    assert [each.scores for each in first] == [PassFailScores(50.0, 50.0, 1, 1), None]
    assert [each.total_cells for each in comparison.configs(SECOND)] == [0]


def test_an_execution_that_was_not_compared_has_no_scores_to_return():
    comparison = answered({FIRST: [], SECOND: []}, both())

    with pytest.raises(InvalidRequestError, match=f"was not compared; .* {FIRST}, "):
        comparison.configs(RUN_TEST)


def test_a_run_test_without_eval_configs_has_no_scores_of_any_execution():
    comparison = answered({}, both())

    assert comparison.configs(FIRST) == ()


def test_an_answer_without_one_of_the_executions_is_refused():
    with pytest.raises(
        UnexpectedResponseError, match=f"no scores of execution {SECOND}"
    ):
        answered({FIRST: []}, both())


def test_a_500_says_what_can_be_the_reason():
    with pytest.raises(ServerError) as caught:
        answered({}, both(), status=500)

    assert "template of numbers or reasons" in str(caught.value)
