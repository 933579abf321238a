"""Executions as they are evaluated, rerun, left uneven, cancelled and counted."""

from __future__ import annotations

import itertools

import pytest

from futureagi_async import EvaluationStatus
from futureagi_async.emulator.world import Call, Execution


LONG = {"timeout": 60, "poll_interval": 0.001}

SCORED = EvaluationStatus.SCORED
NOT_STARTED = EvaluationStatus.NOT_STARTED
STARTED = EvaluationStatus.STARTED

METHODS = ["evaluate", "wait_for_evals"]


def result(name, *, passed=True, **values):
    """A result in the form of lists, and in that in which it is stored."""
    word, kind = "Passed" if passed else "Failed", "Pass/Fail"
    entry = {"value": word, "type": kind, "output": word, "output_type": kind}
    return {**entry, "name": name, "status": "Completed", **values}


@pytest.fixture
def wanted(configs):
    """The eval configs that are requested."""
    return configs[:2]


@pytest.fixture
def one(client, run_tests, wanted):
    """A run test with these eval configs, and one execution of four calls."""
    found = run_tests[0]
    client.ensure_eval_configs(found.id, wanted)
    id_ = found.executions[0].calls[0].id
    calls = [Call(f"{n}{id_[1:]}") for n in range(4)]
    found.executions[:] = [Execution(found.executions[0].id, calls=calls)]
    return found


@pytest.fixture
def life(one, when_served):
    """Have a change made to the execution before each reading of the executions."""

    def install(*changes):
        left = iter(changes)

        def change(_):
            for each in itertools.islice(left, 1):
                each(one.executions[0])

        when_served(change, "executions", times=-1)

    return install


@pytest.fixture
def ask(call, one, wanted):
    """Evaluate or wait for the one run test."""

    def ask(method, configs=wanted, **options):
        wants = [configs] if method == "evaluate" else []
        (end,) = call(method, [one.id], *wants, **LONG | options)
        return end

    return ask


def status(value):
    return lambda execution: setattr(execution, "status", value)


def call_status(number, value):
    return lambda execution: setattr(execution.calls[number], "status", value)


def output(one, number, config, **values):
    """Have a result of a call come."""
    found = one.eval_configs[config]
    entry = result(found.name, **values)
    return lambda execution: execution.calls[number].eval_outputs.update(
        {found.id: entry}
    )


def evaluate_calls(one):
    """The changes by which four calls are evaluated, each completed by its last result."""
    for number in range(4):
        yield output(one, number, 0)
        yield output(one, number, 1, passed=number > 0)
        yield call_status(number, "completed")


def begin(one, call_status_="analyzing"):
    """Have the execution be evaluated, without any result."""
    (execution,) = one.executions
    execution.status = "evaluating"
    for each in execution.calls:
        each.status = call_status_


@pytest.mark.parametrize("method", METHODS)
def test_calls_that_are_completed_one_by_one_are_all_in_the_scores(
    one, life, ask, emulator, method
):
    begin(one)
    life(*evaluate_calls(one), status("completed"))

    end = ask(method)

    assert end.status is SCORED
    assert {each.name: (each.evaluated, each.pass_rate) for each in end.configs} == {
        "mood": (4, 100.0),
        "contains": (4, 75.0),
    }
    assert (end.calls_counted, end.calls_not_counted) == (4, {})
    assert not emulator.log.runs


@pytest.mark.parametrize("method", METHODS)
def test_results_that_come_config_by_config_are_all_in_the_scores(
    one, life, ask, emulator, method
):
    begin(one, "completed")
    cells = itertools.product(range(2), range(4))
    life(*(output(one, n, config) for config, n in cells), status("completed"))

    end = ask(method)

    assert end.status is SCORED
    assert [each.evaluated for each in end.configs] == [4, 4]
    assert not emulator.log.runs


@pytest.mark.parametrize("method", METHODS)
def test_an_execution_that_stays_evaluating_after_its_last_result_is_scored(
    one, life, ask, method
):
    begin(one)
    life(*evaluate_calls(one))

    end = ask(method)

    assert end.status is SCORED
    assert [each.evaluated for each in end.configs] == [4, 4]


@pytest.mark.parametrize("method", METHODS)
def test_failed_calls_of_an_execution_under_evaluation_are_not_counted(
    one, life, ask, method
):
    begin(one)
    one.executions[0].calls[3].status = "failed"
    one.executions[0].calls[2].status = "cancelled"
    changes = itertools.islice(evaluate_calls(one), 6)
    life(*changes, status("completed"))

    end = ask(method)

    assert end.status is SCORED
    assert (end.calls_counted, end.calls_not_counted) == (
        2,
        {"cancelled": 1, "failed": 1},
    )
    assert [each.evaluated for each in end.configs] == [2, 2]


@pytest.mark.parametrize("method", METHODS)
def test_calls_under_evaluation_at_the_deadline_are_pending_and_counted(
    one, ask, method, emulator, leap_when_seen
):
    begin(one)
    emulator.log.runs[one.id] = 1  # as if by a request: the service began by itself
    for change in itertools.islice(evaluate_calls(one), 3):
        change(one.executions[0])
    leap_when_seen(1)

    end = ask(method, timeout=3600)

    assert end.status is EvaluationStatus.PENDING
    assert (end.calls_counted, end.calls_not_counted) == (1, {"analyzing": 3})
    assert end.reason.endswith(
        f"execution {one.executions[0].id} was evaluating when last read with "
        "3 analyzing, 1 completed of 4 calls"
    )


@pytest.mark.parametrize("method", METHODS)
def test_an_evaluation_only_rerun_is_waited_for(one, life, ask, emulator, method):
    begin(one, "completed")
    rerun = [
        step
        for n in range(4)
        for step in (
            call_status(n, "analyzing"),
            output(one, n, 0),
            output(one, n, 1),
            call_status(n, "completed"),
        )
    ]
    life(*rerun, status("completed"))

    end = ask(method)

    assert end.status is SCORED
    assert [each.evaluated for each in end.configs] == [4, 4]
    assert not emulator.log.runs


def fill(one, numbers, config):
    """Give calls a result of an eval config."""
    for number in numbers:
        output(one, number, config)(one.executions[0])


def test_results_that_seem_to_come_are_not_started_without_wait(one, ask, emulator):
    fill(one, range(2), 0)

    end = ask("evaluate", wait=False)

    assert end.status is NOT_STARTED
    assert "results of a completed execution seem to come in still" in end.reason
    assert not emulator.log.runs


def test_what_is_missing_beside_partial_results_is_started_once_nothing_changes(
    one, life, ask, emulator
):
    fill(one, range(2), 0)
    life(*[output(one, 2, 0)] * 3)

    end = ask("evaluate")

    assert end.status is EvaluationStatus.PARTIAL
    assert [(each.evaluated, each.pending) for each in end.configs] == [(3, 1), (4, 0)]
    assert emulator.log.runs == {one.id: 1}


def test_results_that_come_in_a_completed_execution_are_not_erased(
    one, life, ask, emulator
):
    fill(one, range(1), 0)
    cells = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (2, 1), (3, 1)]
    life(*(output(one, n, config) for n, config in cells))

    end = ask("evaluate")

    assert end.status is SCORED
    assert not emulator.log.runs


def test_an_eval_config_that_was_created_is_started_at_once_in_an_uneven_execution(
    client, one, configs, emulator
):
    fill(one, range(2), 0)
    new = [configs[2]]

    (end,) = client.evaluate([one.id], new, timeout=60, wait=False)

    assert (end.status, end.requests) == (STARTED, 1)
    assert emulator.log.runs == {one.id: 1}


def test_an_execution_that_accepts_no_new_config_is_stuck_beside_one_that_does(
    one, ask, configs, emulator
):
    for config in range(2):
        fill(one, range(4), config)
    stuck = Execution(
        f"9{one.executions[0].id[1:]}",
        "evaluating",
        calls=[
            Call(f"{n}{each.id[1:]}", eval_outputs=dict(each.eval_outputs))
            for n, each in enumerate(one.executions[0].calls, 4)
        ],
    )
    one.executions.append(stuck)

    end = ask("evaluate", configs=[configs[2]])

    assert end.status is EvaluationStatus.STUCK
    assert [(each.evaluated, each.pending) for each in end.configs] == [(4, 4)]
    assert emulator.log.runs == {one.id: 1}


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_an_execution_that_was_cancelled_meanwhile_is_said_to_be(
    one, life, ask, leave, state
):
    leave("accept")
    life(lambda _: None, status(state))

    end = ask("evaluate")

    assert end.status is EvaluationStatus.CANCELLED
    assert (end.requests, end.is_complete) == (1, False)
    assert "was cancelled, or has failed" in end.reason


def test_the_evaluations_of_a_call_that_is_made_again_are_waited_for(
    one, life, ask, leave
):
    leave("run")
    again = [
        lambda execution: execution.calls[0].eval_outputs.clear(),
        call_status(0, "pending"),
        status("running"),
        call_status(0, "analyzing"),
        status("evaluating"),
        output(one, 0, 0),
        output(one, 0, 1),
        call_status(0, "completed"),
        status("completed"),
    ]

    def rerun(execution):
        for step in again[:3]:
            step(execution)

    life(lambda _: None, rerun, *again[3:])

    end = ask("evaluate")

    assert end.status is SCORED
    assert [each.evaluated for each in end.configs] == [4, 4]


@pytest.mark.parametrize("method", METHODS)
def test_executions_that_cannot_be_evaluated_are_named_by_their_status(
    one, ask, method
):
    fill(one, range(4), 0)
    fill(one, range(4), 1)
    states = ["failed"] * 4 + ["running"]
    others = [
        Execution(f"{n}{one.executions[0].id[1:]}", status=state)
        for n, state in enumerate(states, 1)
    ]
    one.executions += others

    end = ask(method)

    assert (end.status, end.executions) == (SCORED, 1)
    named = ", ".join(others[n].id for n in (3, 2, 1))
    assert end.warnings == (
        f"1 running execution was left out: {others[4].id}",
        f"4 failed executions were left out: {named}, ...",
    )


@pytest.mark.parametrize("state", ["completed", "evaluating"])
def test_a_result_of_a_deleted_config_is_neither_waited_for_nor_reported(
    one, ask, state
):
    fill(one, range(4), 0)
    deleted = one.eval_configs[1]
    one.executions[0].calls[0].eval_outputs[deleted.id] = {}
    fill(one, range(1, 4), 1)
    deleted.deleted = True
    one.executions[0].status = state

    end = ask("wait_for_evals")

    assert end.status is SCORED
    assert [(each.name, each.evaluated) for each in end.configs] == [("mood", 4)]


@pytest.mark.parametrize("method", METHODS)
def test_an_evaluator_without_an_answer_is_counted_as_skipped(one, ask, method):
    fill(one, range(4), 0)
    fill(one, range(3), 1)
    output(one, 3, 1, value=None, output=None)(one.executions[0])

    end = ask(method)

    counts = {each.name: (each.evaluated, each.skipped) for each in end.configs}
    assert end.status is SCORED
    assert counts == {"mood": (4, 0), "contains": (3, 1)}


@pytest.mark.parametrize("method", METHODS)
def test_calls_with_their_results_and_reasons_are_returned_on_request(one, ask, method):
    fill(one, range(4), 0)
    fill(one, range(4), 1)
    output(one, 2, 1, passed=False, reason="no greeting")(one.executions[0])
    one.executions[0].calls[3].status = "failed"

    end, without = ask(method, include_calls=True), ask(method)

    (execution,) = one.executions
    by_id = {each.call_execution_id: each.results for each in end.calls}
    assert by_id.keys() == {each.id for each in execution.calls[:3]}
    assert {each.test_execution_id for each in end.calls} == {execution.id}
    found = by_id[execution.calls[2].id]
    assert {name: each.value for name, each in found.items()} == {
        "mood": "Passed",
        "contains": "Failed",
    }
    assert found["contains"].reason == "no greeting"
    assert without.calls == ()
    assert without.calls_counted == 3


def test_a_limit_of_the_account_is_a_warning(one, ask):
    fill(one, range(4), 0)
    for number in range(4):
        lost = {"value": None, "output": None, "error": True, "status": "Failed"}
        output(one, number, 1, **lost, reason="Usage limit exceeded")(one.executions[0])

    end = ask("wait_for_evals")

    assert end.status is EvaluationStatus.NO_RESULT
    assert end.warnings == ("a limit of the account was reached: Usage limit exceeded",)
