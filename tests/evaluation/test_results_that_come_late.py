"""Executions that are completed before the results of their calls are stored."""

from __future__ import annotations

import itertools

import pytest

from futureagi_async import EvaluationStatus
from futureagi_async.emulator.cells import pending
from futureagi_async.emulator.world import Call, Execution


LONG = {"timeout": 60, "poll_interval": 0.001}
PATIENT = {**LONG, "stuck_after": 2}

SCORED = EvaluationStatus.SCORED


def fill(execution, config, numbers=None):
    """Give calls of an execution, or all, a result of an eval config."""
    for number in range(len(execution.calls)) if numbers is None else numbers:
        execution.calls[number].eval_outputs[config.id] = {
            "value": "Passed",
            "type": "Pass/Fail",
            "output": "Passed",
            "output_type": "Pass/Fail",
            "name": config.name,
            "status": "Completed",
        }


def make_execution(run_test, number=0, count=4, **values):
    """Make an execution of completed calls without results."""
    id_ = run_test.id[2:]
    calls = [Call(f"{number}{each}{id_}") for each in range(count)]
    return Execution(f"{number}f{id_}", calls=calls, **values)


@pytest.fixture
def one(client, run_tests, configs):
    """A run test with two eval configs and one execution of four calls."""
    found = run_tests[0]
    client.ensure_eval_configs(found.id, configs[:2])
    found.executions[:] = [make_execution(found)]
    return found


@pytest.fixture
def life(when_served):
    """Have changes made before the readings of the executions, by their number."""

    def install(changes):
        readings = itertools.count()

        def change(_):
            changes.get(next(readings), lambda: None)()

        when_served(change, "executions", times=-1)

    return install


def complete(execution):
    execution.status = "completed"


def test_first_results_after_the_end_of_an_execution_are_waited_for(call, one, life):
    mood, contains = one.eval_configs
    fill(one.executions[0], mood)
    fill(one.executions[0], contains)
    new = make_execution(one, 1, status="evaluating")
    one.executions.insert(0, new)
    life({2: lambda: complete(new), 5: lambda: [fill(new, mood), fill(new, contains)]})

    (end,) = call("wait_for_evals", [one.id], **PATIENT)

    assert end.status is SCORED
    assert [(each.evaluated, each.pending) for each in end.configs] == [(8, 0)] * 2


def test_first_results_that_never_come_are_not_waited_for_forever(call, one, life):
    mood, _ = one.eval_configs
    fill(one.executions[0], mood)
    new = make_execution(one, 1, status="evaluating")
    one.executions.insert(0, new)
    life({2: lambda: complete(new)})

    (end,) = call("wait_for_evals", [one.id], **LONG)

    assert end.status is SCORED
    assert [(each.name, each.evaluated) for each in end.configs] == [("mood", 4)]


def test_what_was_missing_is_started_once_first_results_are_given_up(
    call, one, configs, life, emulator
):
    (execution,) = one.executions
    execution.status = "evaluating"
    life({2: lambda: complete(execution)})

    (end,) = call("evaluate", [one.id], configs[:2], **LONG)

    assert end.status is SCORED
    assert emulator.log.runs == {one.id: 1}


def test_a_config_that_is_deleted_while_its_results_are_pending_is_not_waited_for(
    call, one, life
):
    mood, contains = one.eval_configs
    (execution,) = one.executions
    execution.status = "evaluating"
    fill(execution, mood)
    for each in execution.calls:
        each.eval_outputs[contains.id] = pending()

    def delete():
        contains.deleted = True
        complete(execution)

    life({2: delete})

    (end,) = call("wait_for_evals", [one.id], **LONG)

    assert end.status is SCORED
    assert [each.name for each in end.configs] == ["mood"]


def test_missing_results_of_a_live_config_are_reported_though_it_was_read_again(
    call, one, life
):
    mood, contains = one.eval_configs
    (execution,) = one.executions
    execution.status = "evaluating"
    fill(execution, mood)
    for each in execution.calls:
        each.eval_outputs[contains.id] = pending()
    life({2: lambda: complete(execution)})

    (end,) = call("wait_for_evals", [one.id], **LONG)

    assert end.status is EvaluationStatus.NOT_STARTED
    assert [each.pending for each in end.configs] == [0, 4]


@pytest.mark.parametrize("method", ["evaluate", "wait_for_evals"])
def test_calls_that_were_evaluated_again_after_they_had_failed_are_not_left_out(
    call, one, configs, method
):
    _, contains = one.eval_configs
    # Stored when it ended: two calls had failed, which are completed meanwhile.
    counts = {"total_calls": 4, "completed_calls": 2, "failed_calls": 2}
    one.executions[:] = [make_execution(one, **counts)]
    fill(one.executions[0], contains, range(2))
    wants = [configs[1:2]] if method == "evaluate" else []

    (end,) = call(method, [one.id], *wants, **LONG)

    assert end.status is EvaluationStatus.PARTIAL
    assert end.calls_counted == 4
    by_name = {each.name: (each.evaluated, each.pending) for each in end.configs}
    assert by_name["contains"] == (2, 2)


def test_without_wait_open_calls_of_a_completed_execution_are_pending(
    call, one, configs
):
    (execution,) = one.executions
    fill(execution, one.eval_configs[1], range(1))
    for each in execution.calls[1:]:
        each.status = "analyzing"

    (end,) = call("evaluate", [one.id], configs[1:2], timeout=60, wait=False)

    assert end.status is EvaluationStatus.PENDING
    assert "although calls of it have not ended" in end.reason


@pytest.fixture
def executing(one, leave, emulator, life):
    """Have the execution that a run test is asked for do what a test says.

    The changes are made before the readings of executions that come after it began.
    """
    leave("accept")
    known = {each.id for each in one.executions}

    def install(*changes):
        left = iter(changes)

        def change():
            new = [each for each in one.executions if each.id not in known]
            for execution in new:
                next(left, lambda _: None)(execution)

        life(dict.fromkeys(range(1000), change))

    return install


def end_without_results(execution):
    execution.calls[:] = [Call(f"{n}{execution.id[1:]}") for n in range(3)]
    execution.total_calls = execution.completed_calls = 3
    execution.status = "completed"


def test_results_of_a_new_execution_are_not_started_again(
    call, one, configs, executing, emulator
):
    contains = one.eval_configs[1]
    executing(
        lambda _: None,
        end_without_results,
        lambda _: None,
        lambda execution: fill(execution, contains),
    )

    (end,) = call("evaluate", [one.id], configs[1:2], execute=True, **PATIENT)

    assert (end.status, end.executions) == (SCORED, 1)
    assert [each.evaluated for each in end.configs] == [3]
    assert not emulator.log.runs


def test_a_read_that_fails_after_the_execution_began_is_repeated(
    call, one, configs, emulator, when_served
):
    faults = emulator.faults
    when_served(
        lambda _: [
            faults.add("status", status=503, endpoint=endpoint, times=3)
            for endpoint in ("executions", "runs")
        ],
        "execute",
    )

    (end,) = call("evaluate", [one.id], configs[1:2], execute=True, **LONG)

    assert (end.status, end.error) == (SCORED, None)
    assert len(one.executions) == 2


def test_evaluate_starts_nothing_while_first_results_can_come(
    call, one, configs, life, emulator
):
    mood, contains = one.eval_configs
    (execution,) = one.executions
    execution.status = "evaluating"
    life(
        {
            2: lambda: complete(execution),
            5: lambda: [fill(execution, mood), fill(execution, contains)],
        }
    )

    (end,) = call("evaluate", [one.id], configs[:2], **PATIENT)

    assert end.status is SCORED
    assert not emulator.log.runs


def test_a_config_is_not_waited_for_beside_the_results_of_another(call, one, life):
    mood, contains = one.eval_configs
    for config in one.eval_configs:
        fill(one.executions[0], config)
    new = make_execution(one, 1, status="evaluating")
    one.executions.insert(0, new)
    life({2: lambda: complete(new), 5: lambda: fill(new, mood)})

    (end,) = call("wait_for_evals", [one.id], **PATIENT)

    assert end.status is SCORED
    by_id = {each.eval_config_id: each.evaluated for each in end.configs}
    assert by_id == {mood.id: 8, contains.id: 4}


def test_an_execution_that_ends_alone_and_without_a_result_is_not_taken_for_empty(
    call, one, life
):
    mood, contains = one.eval_configs
    (execution,) = one.executions
    execution.status = "evaluating"
    life(
        {
            2: lambda: complete(execution),
            5: lambda: [fill(execution, mood), fill(execution, contains)],
        }
    )

    (end,) = call("wait_for_evals", [one.id], **PATIENT)

    assert end.status is SCORED
    assert [each.evaluated for each in end.configs] == [4, 4]
