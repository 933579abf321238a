"""Lost responses: nothing is run twice, and what stays unknown is reported."""

from __future__ import annotations

import itertools

import pytest

from futureagi_async import (
    Delivery,
    EvalDispatchError,
    EvaluationStatus,
    Journal,
    JournalError,
    RetryPolicy,
    RunNewEvals,
)
from futureagi_async.journal.writer import JournalWriter
from futureagi_async.types import JournalState


LONG = {"timeout": 60, "poll_interval": 0.01}

SCORED = EvaluationStatus.SCORED
FAILED = EvaluationStatus.FAILED

NEVER_DONE = ["drop_before"]
DONE_ALL_THE_SAME = ["drop_after", "truncate", "garbage"]
LOST = NEVER_DONE + DONE_ALL_THE_SAME

BLIND = RetryPolicy(reconcile=False, max_attempts=1)
"""Neither polls what came of a request, nor sends it again."""


@pytest.fixture
def blind(client):
    """A blocking client for which every lost response is an unknown outcome."""
    return client.with_options(retry=BLIND)


@pytest.fixture
def one(emulator):
    """A run test."""
    return emulator.world.run_tests.get(emulator.world.run_test_ids[0])


def one_row(run_test):
    """Results by config, of all calls."""
    return [len(call.eval_outputs) for _, call in run_test.calls()]


@pytest.fixture(params=itertools.product(["add_eval_configs", "run_new_evals"], LOST))
def answer_is_lost(request, emulator):
    """Have the answer to one write be lost, or the write itself."""
    endpoint, fault = request.param
    emulator.faults.add(fault, endpoint=endpoint, times=1)


@pytest.mark.usefixtures("answer_is_lost")
@pytest.mark.parametrize("journalled", [False, True])
def test_after_a_lost_response_everything_is_scored_and_run_once(
    call, emulator, configs, journal, journalled
):
    one = emulator.world.run_tests.get(emulator.world.run_test_ids[0])
    used = journal if journalled else None

    (end,) = call("evaluate", [one.id], configs, journal=used, **LONG)

    assert end.status is SCORED
    assert emulator.log.runs == {one.id: 1}
    assert emulator.log.configs == {one.id: 3}


@pytest.mark.parametrize("fault", DONE_ALL_THE_SAME)
def test_an_unknown_start_that_was_applied_is_waited_for(
    blind, emulator, one, configs, fault
):
    emulator.faults.add(fault, endpoint="run_new_evals", times=1)

    (end,) = blind.evaluate([one.id], configs, **LONG)

    assert end.status is SCORED
    assert end.requests == 0
    assert "what was read afterwards shows the outcome" in end.warnings[0]
    assert emulator.log.runs == {one.id: 1}


def test_after_an_unknown_start_other_executions_are_started_when_they_are_free(
    blind, emulator, one, configs, when_served
):
    emulator.faults.add("drop_after", endpoint="run_new_evals", times=1)
    readings = itertools.count()
    one.executions[1].status = "evaluating"

    def free_late(_):
        if next(readings) == 3:
            one.executions[1].status = "completed"

    when_served(free_late, "executions", times=-1)

    (end,) = blind.evaluate([one.id], configs, **LONG)

    assert end.status is SCORED
    assert [each.evaluated for each in end.configs] == [4, 4, 4]
    assert end.requests == 1
    assert emulator.log.runs == {one.id: 2}


def test_an_unknown_start_without_trace_is_not_sent_again(
    blind, emulator, one, configs
):
    emulator.faults.add("drop_before", endpoint="run_new_evals", times=1)

    (end,) = blind.evaluate([one.id], configs, **LONG)

    assert end.status is FAILED
    assert end.error.delivery is Delivery.UNKNOWN
    assert end.warnings == ()
    assert not emulator.log.runs

    (again,) = blind.evaluate([one.id], configs, **LONG)

    assert again.status is SCORED


@pytest.mark.parametrize("fault", LOST)
def test_an_unknown_rerun_is_an_error_whatever_is_read(
    blind, emulator, one, configs, fault
):
    blind.evaluate([one.id], configs, **LONG)
    emulator.faults.add(fault, endpoint="run_new_evals", times=1)

    (end,) = blind.evaluate([one.id], configs, rerun=True, **LONG)

    assert end.status is FAILED
    assert end.error.delivery is Delivery.UNKNOWN
    assert emulator.log.runs == {one.id: 1 + (fault in DONE_ALL_THE_SAME)}


@pytest.mark.parametrize("fault", DONE_ALL_THE_SAME)
def test_an_unknown_rerun_is_an_error_though_something_is_under_way(
    blind, emulator, one, configs, fault
):
    blind.evaluate([one.id], configs, **LONG)
    emulator.state.service.workers.dispatch = "accept"
    emulator.faults.add(fault, endpoint="run_new_evals", times=1)

    (end,) = blind.evaluate([one.id], configs, rerun=True, timeout=None, wait=False)

    assert end.status is FAILED
    assert end.error.delivery is Delivery.UNKNOWN


@pytest.mark.parametrize("fault", LOST)
def test_unknown_configs_are_an_error_and_found_the_next_time(
    blind, emulator, one, configs, fault
):
    emulator.faults.add(fault, endpoint="add_eval_configs", times=1)

    (end,) = blind.evaluate([one.id], configs, **LONG)
    (again,) = blind.evaluate([one.id], configs, **LONG)

    assert end.status is FAILED
    assert end.error.delivery is Delivery.UNKNOWN
    assert again.status is SCORED
    assert emulator.log.configs == {one.id: 3}


@pytest.mark.usefixtures("answer_is_lost")
@pytest.mark.parametrize("rerun", [False, True])
def test_with_a_journal_unknown_outcomes_are_reconciled_and_nothing_is_done_twice(
    client, emulator, configs, journal, rerun
):
    one = emulator.world.run_test_ids[0]
    options = {"journal": journal, "rerun": rerun, **LONG}

    client.with_options(retry=BLIND).evaluate([one], configs, **options)
    (end,) = client.evaluate([one], configs, **options)

    assert end.status is SCORED
    assert emulator.log.runs == {one: 1}
    assert emulator.log.configs == {one: 3}


@pytest.mark.parametrize("fault", LOST)
def test_an_unknown_update_is_reconciled(client, emulator, configs, journal, fault):
    one = emulator.world.run_tests.get(emulator.world.run_test_ids[0])
    client.evaluate([one.id], configs[:1], **LONG)
    emulator.faults.add(fault, endpoint="update_eval_config", times=1)
    wanted = [{**configs[0], "model": "new"}]
    options = {"journal": journal, "on_conflict": "update", **LONG}

    client.with_options(retry=BLIND).evaluate([one.id], wanted, **options)
    (end,) = client.evaluate([one.id], wanted, **options)

    assert end.status is SCORED
    assert one.eval_configs[0].model == "new"
    with Journal.open(journal) as entries:
        assert [each.state for each in entries] == [JournalState.DONE]


def test_an_outcome_that_stays_unknown_is_an_error_again(
    blind, emulator, one, configs, journal
):
    blind.evaluate([one.id], configs, **LONG)
    emulator.faults.add("drop_before", endpoint="run_new_evals", times=1)
    options = {"journal": journal, "rerun": True, **LONG}

    (first,) = blind.evaluate([one.id], configs, **options)
    (again,) = blind.evaluate([one.id], configs, **options)

    assert first.error.delivery is again.error.delivery is Delivery.UNKNOWN
    assert emulator.log.runs == {one.id: 1}


def test_an_outcome_that_was_resolved_by_hand_is_no_error(
    blind, emulator, one, configs, journal
):
    blind.evaluate([one.id], configs, **LONG)
    emulator.faults.add("drop_before", endpoint="run_new_evals", times=1)
    options = {"journal": journal, "rerun": True, **LONG}
    blind.evaluate([one.id], configs, **options)

    with Journal.open(journal) as entries:
        (entry,) = [each for each in entries if each.state is JournalState.UNKNOWN]
        entries.resolve(entry, done=False)
    (end,) = blind.evaluate([one.id], configs, **options)

    assert end.status is SCORED
    assert emulator.log.runs == {one.id: 2}


def test_with_a_journal_a_start_that_failed_is_tried_the_next_time(
    client, emulator, one, configs, journal
):
    emulator.faults.add("dispatch", endpoint="run_new_evals", times=3)
    options = {"journal": journal, "rerun": True, **LONG}

    (failed,) = client.evaluate([one.id], configs, **options)
    (end,) = client.evaluate([one.id], configs, **options)

    assert isinstance(failed.error, EvalDispatchError)
    assert end.status is SCORED
    assert emulator.log.runs == {one.id: 1}


def test_with_a_journal_a_lost_start_is_reported_and_not_repeated(
    client, emulator, one, configs, journal
):
    options = {"journal": journal, **LONG}
    client.evaluate([one.id], configs, **options)
    for _, call in one.calls():
        call.eval_outputs = {id_: {"status": "pending"} for id_ in call.eval_outputs}

    (lost,) = client.evaluate([one.id], configs, **options)
    (anew,) = client.evaluate([one.id], configs, **LONG)

    assert lost.status is EvaluationStatus.NOT_STARTED
    assert "evaluate again, with another journal" in lost.reason
    assert anew.status is SCORED


def test_a_later_error_does_not_hide_an_unknown_outcome(
    blind, emulator, one, configs, when_served
):
    """Of two starts one is unknown, and the other is rejected."""
    blind.evaluate([one.id], configs[:1], latest_executions=1, **LONG)
    emulator.faults.add("drop_after", endpoint="run_new_evals", times=1)
    when_served(
        lambda _: emulator.faults.add("status", status=403, endpoint="run_new_evals"),
        "run-new-evals",
    )

    (end,) = blind.evaluate([one.id], configs, **LONG)

    assert end.status is FAILED
    assert end.error.delivery is Delivery.UNKNOWN
    assert "afterwards: 403" in end.reason


def test_an_unknown_outcome_stays_until_a_restart_resolves_it(
    blind, emulator, one, configs
):
    """One of two starts is unknown, the other is applied."""
    blind.evaluate([one.id], configs[:1], latest_executions=1, **LONG)
    emulator.faults.add("drop_after", endpoint="run_new_evals", times=1)

    (end,) = blind.evaluate([one.id], configs, **LONG)

    assert end.status is SCORED
    assert end.requests == 1
    assert emulator.log.runs == {one.id: 3}
    assert one_row(one) == [3, 3, 3, 3]


def test_a_journal_that_cannot_be_read_fails_every_run_test(
    client, emulator, configs, journal, monkeypatch
):
    async def refuse(*_, **options):
        raise JournalError("the disk is gone")

    monkeypatch.setattr(JournalWriter, "history", refuse)

    report = client.evaluate(
        emulator.world.run_test_ids, configs, journal=journal, **LONG
    )

    assert {each.reason for each in report} == {"the disk is gone"}
    assert not emulator.log.counts


def test_starts_by_another_request_in_the_journal_are_not_repeated(
    client, emulator, one, configs, journal
):
    ensured = client.ensure_eval_configs(one.id, configs)
    ids = [each.id for each in ensured.created]
    client.send_many(
        [RunNewEvals(one.id, ids[:1], select_all=True)], journal=journal
    ).raise_for_failures()

    (end,) = client.evaluate([one.id], configs, rerun=True, journal=journal, **LONG)

    assert end.status is SCORED
    assert end.requests == 1
    assert emulator.log.runs == {one.id: 2}
