"""Unknown outcomes in a journal: reconciled if they are requested now, else left."""

from __future__ import annotations

import time

import pytest
from ensuring import ensures

from futureagi_async import (
    AddEvalConfigs,
    EvaluationStatus,
    Failure,
    FutureAGIError,
    Journal,
    RetryPolicy,
    RunNewEvals,
    Success,
    UpdateEvalConfig,
)
from futureagi_async.evaluation.recovery import Recovery
from futureagi_async.model.operation import Operation
from futureagi_async.model.reconciliation import Applied, NotApplied
from futureagi_async.model.request import Result
from futureagi_async.types import JournalState


LONG = {"timeout": 60, "poll_interval": 0.01}

BLIND = RetryPolicy(reconcile=False, max_attempts=1)

SCORED = EvaluationStatus.SCORED


@pytest.fixture
def one(emulator):
    """A run test."""
    return emulator.world.run_tests.get(emulator.world.run_test_ids[0])


@pytest.fixture
def leave_in_doubt(client, emulator, journal):
    """Send a request whose answer is lost, and write that into the journal."""

    def leave(request, endpoint, fault="drop_before"):
        emulator.faults.add(fault, endpoint=endpoint, times=1)
        (outcome,) = client.with_options(retry=BLIND).send_many(
            [request], journal=journal
        )
        assert isinstance(outcome, Failure)

    return leave


def states(journal):
    with Journal.open(journal) as entries:
        return [each.state for each in entries]


def names(run_test):
    return [each.name for each in run_test.eval_configs if not each.deleted]


def test_an_unknown_addition_that_is_not_requested_is_not_sent(
    client, one, configs, journal, leave_in_doubt
):
    mistaken = {**configs[0], "name": "mistaken"}
    leave_in_doubt(AddEvalConfigs(one.id, [mistaken]), "add_eval_configs")

    (end,) = client.evaluate([one.id], configs, journal=journal, **LONG)

    assert end.status is SCORED
    assert names(one) == ["mood", "contains", "similar"]
    assert states(journal)[0] is JournalState.UNKNOWN
    (warning,) = end.warnings
    assert f"run test {one.id} has an earlier" in warning
    assert "AddEvalConfigs" in warning


def test_an_unknown_addition_that_is_not_requested_and_was_applied_is_no_warning(
    client, one, configs, journal, leave_in_doubt
):
    request = AddEvalConfigs(one.id, configs[2:])
    leave_in_doubt(request, "add_eval_configs", "drop_after")

    (end,) = client.evaluate([one.id], configs[:1], journal=journal, **LONG)

    assert (end.status, end.warnings) == (SCORED, ())


def test_an_unknown_update_that_was_superseded_is_not_sent_again(
    client, emulator, one, configs, *, journal, leave_in_doubt
):
    client.ensure_eval_configs(one.id, configs[:1])
    id_ = one.eval_configs[0].id
    leave_in_doubt(UpdateEvalConfig(one.id, id_, model="bad"), "update_eval_config")
    emulator.log.clear()

    (end,) = client.evaluate(
        [one.id],
        [{**configs[0], "model": "good"}],
        on_conflict="update",
        journal=journal,
        **LONG,
    )

    assert one.eval_configs[0].model == "good"
    assert emulator.log.counts["update_eval_config", 200] == 1
    assert any("UpdateEvalConfig" in each for each in end.warnings)


def test_an_unknown_start_of_other_executions_is_not_sent(
    client, emulator, one, configs, *, journal, leave_in_doubt
):
    ensured = client.ensure_eval_configs(one.id, configs[:1])
    executions = [each.id for each in client.list_test_executions(one.id)]
    start = RunNewEvals(one.id, [ensured.created[0].id], [executions[-1]])
    leave_in_doubt(start, "run_new_evals")

    (end,) = client.evaluate(
        [one.id], configs[:1], latest_executions=1, journal=journal, **LONG
    )

    assert end.status is SCORED
    assert emulator.log.runs == {one.id: 1}
    assert any("RunNewEvals" in each for each in end.warnings)
    assert JournalState.UNKNOWN in states(journal)


def test_an_unknown_start_of_other_configs_is_left_without_reconciling(
    client, emulator, one, configs, *, journal, leave_in_doubt
):
    ensured = client.ensure_eval_configs(one.id, configs[:2])
    start = RunNewEvals(one.id, [ensured.created[1].id], select_all=True)
    leave_in_doubt(start, "run_new_evals")

    (end,) = client.with_options(retry=BLIND).evaluate(
        [one.id], configs[:1], journal=journal, **LONG
    )

    assert end.status is SCORED
    assert emulator.log.runs == {one.id: 1}
    assert any("RunNewEvals" in each for each in end.warnings)


def test_an_unknown_start_of_other_configs_that_was_applied_is_no_warning(
    *,
    client,
    emulator,
    one,
    configs,
    journal,
    leave_in_doubt,
    leave,
    when_served,
    monkeypatch,
):
    ensured = client.ensure_eval_configs(one.id, configs[:2])
    leave("run", 3600.0)
    start = RunNewEvals(one.id, [ensured.created[1].id], select_all=True)
    leave_in_doubt(start, "run_new_evals", "drop_after")

    looked_at, is_applied = [], Recovery.is_applied

    async def note(past, executor, request):
        looked_at.append(await is_applied(past, executor, request))
        return looked_at[-1]

    def finish_once_it_was_seen(_):
        if looked_at:
            emulator.state.service.workers.work_until(time.time() + 3600.0)

    monkeypatch.setattr(Recovery, "is_applied", note)
    when_served(finish_once_it_was_seen, "executions", times=-1)

    (end,) = client.evaluate([one.id], configs[:1], journal=journal, **LONG)

    assert (end.status, end.warnings) == (SCORED, ())


def test_after_an_unknown_start_is_rejected_the_next_read_decides(
    client, emulator, one, configs, *, journal, leave_in_doubt
):
    ensured = client.ensure_eval_configs(one.id, configs[:1])
    ids = [each.id for each in client.list_test_executions(one.id)]
    start = RunNewEvals(one.id, [ensured.created[0].id], ids[:1])
    leave_in_doubt(start, "run_new_evals")
    emulator.faults.add("status", status=400, endpoint="run_new_evals", times=1)

    (end,) = client.evaluate([one.id], configs[:1], journal=journal, **LONG)

    assert end.status is SCORED


def test_rejected_keys_stop_the_recovery(
    client, emulator, one, configs, *, journal, leave_in_doubt
):
    ensured = client.ensure_eval_configs(one.id, configs[:1])
    start = RunNewEvals(one.id, [ensured.created[0].id], select_all=True)
    leave_in_doubt(start, "run_new_evals")
    emulator.faults.add("status", status=401, endpoint="run_new_evals", times=1)

    (end,) = client.evaluate([one.id], configs[:1], journal=journal, **LONG)

    assert end.status is EvaluationStatus.FAILED
    assert "401" in end.reason


@pytest.mark.parametrize(("status", "is_success"), [(400, True), (401, False)])
def test_after_an_unknown_addition_is_rejected_the_next_read_decides(
    client, emulator, one, configs, *, journal, leave_in_doubt, status, is_success
):
    leave_in_doubt(AddEvalConfigs(one.id, configs[:1]), "add_eval_configs")
    emulator.faults.add("status", status=status, endpoint="add_eval_configs", times=1)

    (outcome,) = client.send_many(ensures([one.id], configs), journal=journal)

    assert isinstance(outcome, Success) is is_success


def test_an_unknown_addition_is_reconciled_before_configs_are_compared(
    client, emulator, one, configs, *, journal, leave_in_doubt
):
    leave_in_doubt(AddEvalConfigs(one.id, configs[:1]), "add_eval_configs")

    (outcome,) = client.send_many(ensures([one.id], configs), journal=journal)

    assert isinstance(outcome, Success)
    assert names(one) == ["mood", "contains", "similar"]
    assert set(states(journal)) == {JournalState.DONE}


def test_an_addition_done_in_the_journal_and_undone_since_fails_its_run_test_alone(
    client, emulator, run_tests, configs, journal
):
    ids = [each.id for each in run_tests[:2]]
    client.send_many(ensures(ids, configs), journal=journal)
    for each in run_tests[0].eval_configs:
        each.deleted = True

    first, second = client.send_many(ensures(ids, configs), journal=journal)

    assert type(first.error) is FutureAGIError
    assert "the journal has this AddEvalConfigs as done" in str(first.error)
    assert "use another journal" in str(first.error)
    assert isinstance(second, Success)
    (anew,) = client.send_many(ensures(ids[:1], configs))
    assert len(anew.result.created) == 3


def test_an_update_done_in_the_journal_and_undone_since_is_an_error(
    client, one, configs, journal
):
    client.ensure_eval_configs(one.id, configs[:1])
    wanted = [{**configs[0], "model": "new"}]
    updates = ensures([one.id], wanted, on_conflict="update")
    client.send_many(updates, journal=journal)
    one.eval_configs[0].model = "old"

    (outcome,) = client.send_many(updates, journal=journal)

    assert "the journal has this UpdateEvalConfig as done" in str(outcome.error)


class Look(Operation[Result]):
    """An operation that only probes another request."""

    run_test_id = ""

    def __init__(self, request, found):
        self.__dict__.update(request=request, found=found)

    async def run(self, executor):
        self.found.append(await executor.probe(self.request))
        return Result(raw={})


def test_an_operation_outside_a_batch_can_probe(client, one, configs):
    found = []
    request = AddEvalConfigs(one.id, configs)

    client.send(Look(request, found))
    client.add_eval_configs(one.id, configs)
    client.send(Look(request, found))

    assert [type(each) for each in found] == [NotApplied, Applied]
