"""Requests to execute, cancel and rerun: what they accept, send, and take as answers."""

from __future__ import annotations

import json
from uuid import UUID

import attrs
import pytest

from futureagi_async import InvalidRequestError, UnexpectedResponseError
from futureagi_async.errors import (
    EvalDispatchError,
    ExecutionStartError,
    RerunDispatchError,
)
from futureagi_async.model import codec
from futureagi_async.types import (
    CallExecution,
    CancelExecution,
    ExecuteRunTest,
    ExecutionStarted,
    GetExecutionStatus,
    RerunCalls,
    RerunExecutions,
    TestExecution,
)


RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
FIRST = "0c35b85e-4e90-52e9-851e-70a919fc3735"
SECOND = "cd6df449-ea36-546b-b6bf-618e2163cd5f"


def sent(request):
    return request.method, request.path, json.loads(request.body)


def result_of(request, body):
    """What the package makes of an answer."""
    result = codec.decode_result(json.dumps(body).encode(), request.result_type, "r-1")
    rejection = request.validate_response(result)
    return rejection or request.merge(result)


EXECUTE = f"/simulate/run-tests/{RUN_TEST}/execute/"
CANCEL = f"/simulate/test-executions/{FIRST}/cancel/"
RERUN = f"/simulate/run-tests/{RUN_TEST}/rerun-test-executions/"
RERUN_CALLS = f"/simulate/test-executions/{FIRST}/rerun-calls/"


@pytest.mark.parametrize(
    ("request_", "path", "body"),
    [
        (ExecuteRunTest(RUN_TEST.upper()), EXECUTE, {}),
        (
            ExecuteRunTest(RUN_TEST, (UUID(FIRST), SECOND.upper())),
            EXECUTE,
            {"scenario_ids": [FIRST, SECOND]},
        ),
        (CancelExecution(UUID(FIRST)), CANCEL, {}),
        (CancelExecution(FIRST, even_if_completed=True), CANCEL, {}),
        (
            RerunExecutions(RUN_TEST, "eval_only", [FIRST, FIRST.upper()]),
            RERUN,
            {"rerun_type": "eval_only", "test_execution_ids": [FIRST]},
        ),
        (
            RerunExecutions(RUN_TEST, "call_and_eval", select_all=True),
            RERUN,
            {"rerun_type": "call_and_eval", "select_all": True},
        ),
        (
            RerunCalls(RUN_TEST, FIRST, "eval_only", [SECOND, SECOND]),
            RERUN_CALLS,
            {"rerun_type": "eval_only", "call_execution_ids": [SECOND]},
        ),
        (
            RerunCalls(RUN_TEST, FIRST, "call_and_eval", select_all=True),
            RERUN_CALLS,
            {"rerun_type": "call_and_eval", "select_all": True},
        ),
    ],
)
def test_what_is_sent_is_what_the_service_takes(request_, path, body):
    assert sent(request_) == ("POST", path, body)
    assert not request_.idempotent


def test_reading_the_status_has_no_body_and_may_be_repeated():
    request = GetExecutionStatus(RUN_TEST.upper())

    assert request.path == f"/simulate/run-tests/{RUN_TEST}/status/"
    assert (request.method, request.body) == ("GET", None)
    assert request.idempotent


def test_objects_of_the_service_are_taken_for_their_ids():
    execution = TestExecution(id=FIRST, status="completed")
    call = CallExecution(
        raw={},
        id=SECOND,
        status="completed",
        test_execution_id=FIRST,
        eval_outputs={},
    )
    started = ExecutionStarted(
        raw={}, message="", execution_id=SECOND, run_test_id=RUN_TEST, status="started"
    )

    rerun = RerunExecutions(RUN_TEST, "eval_only", [execution, started])
    calls = RerunCalls(RUN_TEST, execution, "eval_only", [call])

    assert rerun.test_execution_ids == (FIRST, SECOND)
    assert (calls.execution_id, calls.call_execution_ids) == (FIRST, (SECOND,))
    assert CancelExecution(started).execution_id == SECOND


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: ExecuteRunTest("abc"), r"run_test_id: 'abc' is no UUID"),
        (lambda: ExecuteRunTest(RUN_TEST, []), r"scenario_ids: the list is empty"),
        (lambda: ExecuteRunTest(RUN_TEST, FIRST), r"scenario_ids: a list of ids"),
        (lambda: ExecuteRunTest(RUN_TEST, ["abc"]), r"scenario_ids\[0\]: 'abc'"),
        (
            lambda: ExecuteRunTest(RUN_TEST, [FIRST, SECOND, UUID(FIRST)]),
            rf"scenario_ids\[2\]: {FIRST} comes twice",
        ),
        (
            lambda: ExecuteRunTest(
                RUN_TEST, [TestExecution(id=FIRST, status="completed")]
            ),
            r"scenario_ids\[0\]: a scenario is expected, not an execution",
        ),
        (lambda: CancelExecution("abc"), r"execution_id: 'abc' is no UUID"),
        (lambda: CancelExecution(""), r"execution_id: is empty"),
        (
            lambda: CancelExecution(FIRST, even_if_completed=1),
            r"even_if_completed: True or False",
        ),
        (
            lambda: RerunExecutions(RUN_TEST, "evals", [FIRST]),
            r"rerun_type: 'eval_only' or 'call_and_eval' is expected, not 'evals'",
        ),
        (
            lambda: RerunExecutions(RUN_TEST, "eval_only"),
            r"neither test_execution_ids nor select_all=True",
        ),
        (
            lambda: RerunExecutions(RUN_TEST, "eval_only", []),
            r"neither test_execution_ids nor select_all=True",
        ),
        (
            lambda: RerunExecutions(RUN_TEST, "eval_only", [FIRST], select_all=True),
            r"pass one of them; the service would leave out just these",
        ),
        (
            lambda: RerunExecutions(RUN_TEST, "eval_only", select_all="yes"),
            r"select_all: True or False",
        ),
        (
            lambda: RerunCalls(RUN_TEST, FIRST, "eval_only"),
            r"neither call_execution_ids nor select_all=True",
        ),
        (
            lambda: RerunCalls(RUN_TEST, FIRST, "eval_only", ["abc"]),
            r"call_execution_ids\[0\]: 'abc'",
        ),
        (
            lambda: RerunCalls(RUN_TEST, FIRST, "eval_only", select_all="yes"),
            r"select_all: True or False",
        ),
    ],
)
def test_what_could_never_be_accepted_is_refused_with_its_place(make, problem):
    with pytest.raises(InvalidRequestError, match=problem):
        make()


def test_what_was_read_before_makes_no_other_request():
    state = TestExecution(id=FIRST, status="completed")

    assert attrs.evolve(ExecuteRunTest(RUN_TEST), before=(state,)) == ExecuteRunTest(
        RUN_TEST
    )


STARTED = {
    "message": "ok",
    "execution_id": FIRST,
    "run_test_id": RUN_TEST,
    "status": "started",
}


@pytest.mark.parametrize(
    ("request_", "body", "problem"),
    [
        (ExecuteRunTest(SECOND), STARTED, f"about run test {RUN_TEST}"),
        (
            GetExecutionStatus(SECOND),
            {"run_test_id": RUN_TEST, "status": "running"},
            f"about run test {RUN_TEST}",
        ),
        (
            CancelExecution(SECOND),
            {"success": True, "message": "ok", "test_execution_id": FIRST},
            f"about execution {FIRST}",
        ),
        (
            CancelExecution(FIRST),
            {"success": False, "message": "sorry", "test_execution_id": FIRST},
            "no success: sorry",
        ),
    ],
)
def test_an_answer_to_something_else_is_no_success(request_, body, problem):
    error_class, message = result_of(request_, body)

    assert error_class is UnexpectedResponseError
    assert problem in message


def rerun(id_, *calls, failed=(), **fields):
    return {
        "test_execution_id": id_,
        "success_count": len(calls),
        "failure_count": len(failed),
        "successful_reruns": list(calls),
        "failed_reruns": [
            {"call_execution_id": each, "error": "no line"} for each in failed
        ],
        "dispatch_error": None,
    } | fields


def executions_rerun(*results, run_test_id=RUN_TEST):
    return {
        "message": "prepared",
        "run_test_id": run_test_id,
        "rerun_type": "eval_only",
        "total_test_executions": len(results),
        "results": list(results),
        "overall_success_count": sum(each["success_count"] for each in results),
        "overall_failure_count": sum(each["failure_count"] for each in results),
    }


BOTH = RerunExecutions(RUN_TEST, "eval_only", [FIRST, SECOND])


def test_an_execution_that_is_left_out_without_a_word_is_reported():
    result = result_of(BOTH, executions_rerun(rerun(FIRST.upper(), SECOND)))

    assert result.left_out == (SECOND,)
    (warning,) = result.warnings
    assert warning.startswith(
        f"execution {SECOND} was left out: it is unknown, or pend"
    )
    assert result.raw["message"] == "prepared"
    assert result.request_id == "r-1"


def test_an_execution_that_could_not_be_dispatched_beside_another_is_a_warning():
    failed = rerun(FIRST, failed=[SECOND], dispatch_error="no server")

    result = result_of(BOTH, executions_rerun(failed, rerun(SECOND, FIRST)))

    (warning,) = result.warnings
    assert warning == f"execution {FIRST}: 1 of 1 calls are not run again: no line"
    assert result.results[0].dispatch_error == "no server"
    assert result.results[0].failed_reruns[0].error == "no line"
    assert result.left_out == ()


def test_an_execution_whose_calls_could_not_be_dispatched_is_failed():
    request = RerunExecutions(RUN_TEST, "call_and_eval", [FIRST, SECOND])
    failed = rerun(FIRST, failed=[SECOND], dispatch_error="no server")

    result = result_of(request, executions_rerun(failed, rerun(SECOND, FIRST)))

    (warning,) = result.warnings
    assert warning.endswith(
        "no line; it is failed now, and earlier results are in snapshots only"
    )


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({}, "it has no call to run again"),
        ({"reason": "No call executions found"}, "No call executions found"),
        ({"dispatch_error": "no server"}, "0 of 0 calls are not run again: no server"),
        ({"failure_count": 2}, "2 of 2 calls are not run again: without a reason"),
    ],
)
def test_an_execution_of_which_nothing_is_run_again_is_a_warning(fields, problem):
    body = executions_rerun(rerun(FIRST, **fields), rerun(SECOND, FIRST))

    assert result_of(BOTH, body).warnings == (f"execution {FIRST}: {problem}",)


def test_an_execution_without_calls_alone_is_no_error():
    result = result_of(BOTH, executions_rerun(rerun(FIRST), rerun(SECOND)))

    assert len(result.warnings) == 2


def test_what_is_reported_comes_back_from_the_answer_in_a_journal():
    result = result_of(BOTH, executions_rerun(rerun(FIRST, SECOND)))

    again = codec.decode_result(result.body, BOTH.result_type, "r-1")

    assert again == result
    assert again.left_out == (SECOND,)


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "Failed to start test execution: no", ExecutionStartError),
        (400, "Failed to start hosted test execution: no", ExecutionStartError),
        (400, "No scenario", None),
        (500, "Failed to start test execution: no", None),
    ],
)
def test_a_start_that_failed_is_known_by_its_words(status, message, expected):
    assert ExecuteRunTest(RUN_TEST).error_class(status, message) is expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("eval_only", EvalDispatchError), ("call_and_eval", RerunDispatchError)],
)
def test_reasons_of_a_failed_dispatch_are_named_once(kind, expected):
    request = RerunExecutions(RUN_TEST, kind, select_all=True)
    body = executions_rerun(rerun(FIRST, failed=[SECOND, RUN_TEST]))

    error_class, message = result_of(request, body)

    assert error_class is expected
    assert message.startswith("prepared: no line; ")


def test_a_failed_dispatch_without_a_reason_is_one_too():
    error_class, message = result_of(
        BOTH, executions_rerun(rerun(FIRST, failure_count=1))
    )

    assert error_class is EvalDispatchError
    assert message == "prepared; earlier results are as before"


def test_an_answer_about_another_run_test_is_no_success():
    error_class, _ = result_of(BOTH, executions_rerun(run_test_id=FIRST))

    assert error_class is UnexpectedResponseError


def calls_rerun(*calls, failed=(), **fields):
    return {
        "message": "prepared",
        "test_execution_id": FIRST,
        "rerun_type": "eval_only",
        "total_processed": len(calls) + len(failed),
        "successful_reruns": list(calls),
        "failed_reruns": [
            {"call_execution_id": each, "error": "no line"} for each in failed
        ],
        "success_count": len(calls),
        "failure_count": len(failed),
        "dispatch_error": None,
    } | fields


CALLS = [SECOND, RUN_TEST]
TWO_CALLS = RerunCalls(RUN_TEST, FIRST, "eval_only", CALLS)


def test_calls_that_are_all_run_again_give_no_warning():
    result = result_of(TWO_CALLS, calls_rerun(SECOND.upper(), RUN_TEST))

    assert result.warnings == result.left_out == ()


def test_a_call_that_is_left_out_without_a_word_is_reported():
    result = result_of(TWO_CALLS, calls_rerun(SECOND))

    assert result.left_out == (RUN_TEST,)
    assert result.warnings == (f"call {RUN_TEST} was left out: it is unknown there",)


def test_a_call_that_could_not_be_started_beside_another_is_a_warning():
    result = result_of(TWO_CALLS, calls_rerun(SECOND, failed=[RUN_TEST]))

    assert result.warnings == (f"call {RUN_TEST}: no line",)
    assert result.left_out == ()


@pytest.mark.parametrize(
    "body",
    [calls_rerun(failed=[SECOND]), calls_rerun(dispatch_error="no server")],
)
def test_calls_of_which_none_could_be_started_are_an_error(body):
    error_class, message = result_of(TWO_CALLS, body)

    assert error_class is EvalDispatchError
    assert "no line" in message or "no server" in message


def test_an_answer_about_another_execution_is_no_success():
    body = calls_rerun(SECOND, test_execution_id=SECOND)

    assert result_of(TWO_CALLS, body)[0] is UnexpectedResponseError


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (ExecuteRunTest(RUN_TEST, [FIRST]), {"execution_id": "", "total_scenarios": 1}),
        (ExecuteRunTest(RUN_TEST), {"execution_id": "", "total_scenarios": None}),
        (CancelExecution(FIRST), {"test_execution_id": FIRST, "success": True}),
        (BOTH, {"results": (), "left_out": (), "overall_success_count": 0}),
        (TWO_CALLS, {"test_execution_id": FIRST, "success_count": 2}),
    ],
)
def test_what_a_person_decided_has_a_result(request_, expected):
    result = request_.result_from(None)

    assert result.reconciled
    assert result.message == (
        "no response came, but a person decided that it was applied"
    )
    assert {name: getattr(result, name) for name in expected} == expected
