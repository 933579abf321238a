"""What one reading, or a number that was stored long ago, does not prove."""

from __future__ import annotations

import asyncio
import datetime as dt

import attrs
import pytest
from evaluation_values import RUN_TEST, call_of, config_id, execution, ids, table_of
from jumping_clock import on_a_jumping_clock

from futureagi_async import EvaluationStatus, RetryPolicy
from futureagi_async.emulator.world import Call, Execution
from futureagi_async.evaluation.conclusion import final_status
from futureagi_async.evaluation.plan import assess
from futureagi_async.evaluation.results import ResultScope
from futureagi_async.evaluation.start import RunTestState
from futureagi_async.types import (
    ExecutionStatus,
    ListTestExecutions,
    SimulationRuns,
    TestExecutionsPage,
)


LONG = {"timeout": 60, "poll_interval": 0.01}


@pytest.fixture
def one(client, run_tests, configs):
    """A run test with two eval configs and one execution of four calls."""
    found = run_tests[0]
    client.ensure_eval_configs(found.id, configs[:2])
    first = found.executions[0]
    calls = [Call(f"{number}{first.calls[0].id[1:]}") for number in range(4)]
    found.executions[:] = [Execution(first.id, calls=calls)]
    return found


def fill(run_test, numbers, config):
    """Give some calls a result of an eval config."""
    stored = run_test.eval_configs[config]
    for number in numbers:
        run_test.executions[0].calls[number].eval_outputs[stored.id] = {
            "output": "Passed",
            "output_type": "Pass/Fail",
            "status": "Completed",
            "name": stored.name,
        }


def failed_execution(run_test, **values):
    id_ = f"9{run_test.executions[0].id[1:]}"
    return Execution(id_, status="failed", **values)


def test_what_was_left_out_is_named_after_polls_too(client, one, configs):
    other = failed_execution(one)
    one.executions.append(other)

    (end,) = client.evaluate([one.id], configs[:2], **LONG)

    assert end.status is EvaluationStatus.SCORED
    assert end.warnings == (f"1 failed execution was left out: {other.id}",)


def test_executions_before_the_chosen_time_are_not_missed(client, one, configs):
    fill(one, range(4), 0)
    long_ago = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    one.executions.insert(0, failed_execution(one, started_at=long_ago))
    since = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)

    (end,) = client.evaluate([one.id], configs[:1], started_after=since, **LONG)

    assert end.warnings == ()


def test_partial_results_are_not_reported_as_started(client, one, configs):
    fill(one, range(2), 0)
    fill(one, range(4), 1)

    (end,) = client.evaluate([one.id], configs[:2], timeout=60, wait=False)

    assert end.status is EvaluationStatus.NOT_STARTED
    assert "seem to come in still" in end.reason


def test_results_that_are_prepared_again_are_not_reported_as_started(
    client, one, configs, journal
):
    client.evaluate([one.id], configs[:2], journal=journal, **LONG)
    for each in one.executions[0].calls:
        each.eval_outputs.update({key: {} for key in each.eval_outputs})

    (end,) = client.evaluate(
        [one.id], configs[:2], journal=journal, timeout=60, wait=False
    )

    assert end.status is EvaluationStatus.NOT_STARTED


def test_one_slow_reading_is_no_proof_that_nothing_changes():
    async def read(request):
        page = {"raw": {}, "count": 1, "total_pages": 1, "current_page": 1}
        if isinstance(request, ListTestExecutions):
            return TestExecutionsPage(results=(execution(0),), **page)
        await asyncio.sleep(90)  # it waits for the rate limiter
        calls = call_of("done -"), attrs.evolve(call_of("- -"), id="other")
        return SimulationRuns(
            results=calls,
            execution_id=request.execution_id,
            status=ExecutionStatus.COMPLETED,
            **page,
        )

    async def main():
        scope = ResultScope((config_id(1),))
        state = RunTestState(run_test_id=RUN_TEST, scope=scope)
        await state.read(read)
        return state.is_settled

    assert on_a_jumping_clock(main()) is False


def test_a_cancelled_execution_that_has_all_its_results_is_scored():
    table = table_of({"cancelled": ["done"], "completed": ["done"]}, ids(1))

    status = final_status(assess(table).phase, table, None)

    assert status is EvaluationStatus.SCORED


def test_what_was_started_and_is_gone_is_reported_so(client, one, configs, journal):
    client.evaluate([one.id], configs[:2], journal=journal, **LONG)
    for each in one.executions[0].calls:
        each.eval_outputs.clear()

    (end,) = client.evaluate(
        [one.id], configs[:2], journal=journal, stuck_after=30, **LONG
    )

    assert end.status is EvaluationStatus.NOT_STARTED
    assert "was undone, or never ran" in end.reason


@pytest.mark.parametrize("state", ["analyzing", "failed"])
def test_a_result_in_a_call_that_does_not_count_is_a_change(state):
    def fingerprint(cells):
        return table_of({"completed": ["done done", f"{state}: {cells}"]}).fingerprint

    assert fingerprint("- -") != fingerprint("done -")


def test_results_that_others_erase_after_the_start_are_waited_for(
    client, run_tests, configs, when_served, leave
):
    leave("accept")
    one = run_tests[0]
    one.executions[:] = one.executions[:1]
    polls = iter(range(60))

    def erase(_):
        if next(polls, 0) > 1:
            one.executions[0].status = "evaluating"
            for each in one.executions[0].calls:
                each.eval_outputs.clear()

    when_served(erase, "executions", times=-1)
    (end,) = client.evaluate([one.id], configs[:2], timeout=2, poll_interval=0.01)

    assert end.status is EvaluationStatus.PENDING


def test_an_execution_that_is_cancelled_while_it_is_waited_for_is_named(
    client, one, configs, leave, when_served
):
    leave("accept")
    client.evaluate([one.id], configs[:2], timeout=60, wait=False)
    polls = iter(range(1000))

    def cancel(_):
        if next(polls, 0) == 2:
            one.executions[0].status = "cancelled"

    when_served(cancel, "executions", times=-1)
    (end,) = client.wait_for_evals([one.id], **LONG)

    assert end.status is EvaluationStatus.CANCELLED


def test_an_unknown_start_is_not_resolved_by_what_is_unsettled(
    client, one, configs, emulator
):
    blind = client.with_options(retry=RetryPolicy(reconcile=False, max_attempts=1))
    emulator.faults.add("dispatch", endpoint="run_new_evals", times=1)
    emulator.faults.add("drop_after", endpoint="run_new_evals", times=1)

    (end,) = blind.evaluate([one.id], configs[:2], timeout=60, wait=False)

    assert end.status is EvaluationStatus.FAILED
    assert not any("shows the outcome" in each for each in end.warnings)


def test_an_execution_in_an_unknown_state_is_not_called_cancelled():
    table = table_of({"Paused": ["-"]}, ids(1))

    status = final_status(assess(table).phase, table, None)

    assert status is not EvaluationStatus.CANCELLED
