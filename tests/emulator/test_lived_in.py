"""Accounts that people have worked in, made up."""

from __future__ import annotations

import json

import pytest
from emulator_small_world import Caller, path_of

from futureagi_async.emulator import World
from futureagi_async.emulator.cells import PENDING
from futureagi_async.emulator.lived_in import KINDS


class LivedIn:
    """A lived-in world with a caller of its own key."""

    def __init__(self, world, dispatch="accept"):
        self.world = world
        self.ask = Caller(world, dispatch, 1.0)
        self.keys = {"X-Api-Key": world.api_key, "X-Secret-Key": world.secret_key}

    def get(self, path, **headers):
        return self.ask("GET", path, key=None, headers={**self.keys, **headers})

    def row(self, kind):
        """Return the run test of a kind."""
        return self.world.run_tests.get(
            self.world.run_test_ids[list(KINDS).index(kind)]
        )

    def listed(self, kind):
        path = path_of(self.row(kind).id, "call-executions/?limit=1000")
        return self.get(path).json

    def summary(self, kind):
        return self.get(path_of(self.row(kind).id, "eval-summary/"))

    def cells(self, kind):
        """Return the cells that the list of calls shows."""
        return [
            cell
            for call in self.listed(kind)["results"]
            for cell in call["eval_outputs"].values()
        ]


@pytest.fixture
def account():
    return LivedIn(World.lived_in(len(KINDS)))


def states(row):
    return [execution.status for execution in row.executions]


def statuses(execution):
    return {call.status for call in execution.calls}


@pytest.mark.parametrize("place", range(len(KINDS)))
def test_run_tests_are_named_after_their_kinds(account, place):
    kind = list(KINDS)[place]

    assert account.row(kind).name == f"{kind} {place}"


def test_a_run_test_is_found_by_its_kind_and_its_name(account):
    found = account.get("/simulate/run-tests/?search=stuck").json["results"]
    named = account.get("/simulate/run-tests/get-id-by-name/stuck 13/").json["result"]

    assert [each["name"] for each in found] == ["stuck 13"]
    assert named["run_test_id"] == found[0]["id"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_row_is_found_by_its_id(account, kind):
    row = account.row(kind)

    for execution in row.live_executions():
        assert account.world.run_tests.of_execution(execution.id) is row
        for call in execution.live_calls():
            assert account.get(f"/simulate/call-executions/{call.id}/").status == 200


@pytest.mark.parametrize("kind", KINDS)
def test_no_two_rows_have_one_id(account, kind):
    row = account.row(kind)
    calls = [call for execution in row.executions for call in execution.calls]
    found = [
        row.id,
        *(each.id for each in row.scenarios),
        *(each.id for each in row.eval_configs),
        *(each.id for each in row.executions),
        *(each.id for each in calls),
        *(each.id for call in calls for each in call.snapshots),
    ]

    assert len(set(found)) == len(found)


@pytest.mark.parametrize("kind", KINDS)
def test_every_run_test_is_answered_for(account, kind):
    row = account.row(kind)

    assert account.get(path_of(row.id)).status == 200
    assert account.get(path_of(row.id, "executions/")).json["count"] == len(
        row.live_executions()
    )
    assert account.listed(kind)["count"] == len(row.places())
    assert account.summary(kind).status == (500 if kind == "numbers" else 200)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_numbers_make_the_same_rows(kind):
    place = list(KINDS).index(kind)
    one, same, other = (
        World.lived_in(40, seed=seed, calls=4).run_tests for seed in (1, 1, 2)
    )
    one.get(one.ids[0])  # what was made before does not matter

    assert one.get(one.ids[place]) == same.get(same.ids[place])
    assert one.ids[place] != other.ids[place]


def test_sizes_are_as_asked_for():
    world = World.lived_in(3, executions=2, calls=5)
    scored = world.run_tests.get(world.run_test_ids[1])

    assert len(world.run_test_ids) == 3
    assert [len(each.calls) for each in scored.executions] == [5, 5]
    assert [each.total_calls for each in scored.executions] == [5, 5]


@pytest.mark.parametrize("sizes", [{"executions": 0}, {"calls": 0}])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_may_be_empty(sizes, kind):
    empty = LivedIn(World.lived_in(len(KINDS), **sizes))

    assert empty.get(path_of(empty.row(kind).id)).status == 200


@pytest.mark.parametrize(
    "sizes", [{"run_tests": -1}, {"executions": 4_001}, {"calls": 4_097}, {"seed": -1}]
)
def test_sizes_that_make_no_sense_are_rejected(sizes):
    with pytest.raises(ValueError, match="must be a whole number"):
        World.lived_in(**sizes)


def test_a_large_world_is_there_at_once():
    world = World.lived_in(1_000_000)

    assert world.run_tests.get(world.run_test_ids[-1]).name.endswith(" 999999")
    assert len(list(world.run_tests.used())) == 1


def test_a_reset_makes_it_anew(account):
    account.row("fresh").executions.clear()

    renewed = LivedIn(account.world.reset_copy())

    assert len(renewed.row("fresh").executions) == 3
    assert renewed.world.run_test_ids[0] == account.world.run_test_ids[0]


def test_the_keys_of_the_account_reach_its_workspaces(account):
    free, viewer = account.world.keys[1:]
    second = account.world.workspaces[1].id
    listing = "/simulate/run-tests/?limit=1"

    everything = account.get(listing, **{"X-Api-Key": free.api_key})
    elsewhere = account.get(
        listing, **{"X-Api-Key": free.api_key, "X-Workspace-Id": second}
    )

    assert everything.json["count"] == len(KINDS)
    assert elsewhere.json["count"] == 0
    assert account.get(listing, **{"X-Api-Key": viewer.api_key}).status == 200


def test_a_fresh_run_test_has_no_eval_config(account):
    assert account.row("fresh").eval_configs == []
    assert states(account.row("fresh")) == ["completed"] * 3


def test_a_scored_run_test_has_all_results(account):
    assert len(account.cells("scored")) == 3 * 30
    assert {each["status"] for each in account.cells("scored")} == {"completed"}


def test_results_of_a_chat_have_a_status_of_their_own(account):
    assert {each["status"] for each in account.cells("chat")} == {"Completed"}
    assert account.listed("chat")["results"][0]["simulation_call_type"] == "text"


def test_call_by_call_results_are_there_in_part(account):
    newest = account.row("call by call").executions[-1]
    counts = {len(call.eval_outputs) for call in newest.calls}

    assert newest.status == "evaluating"
    assert statuses(newest) == {"analyzing", "completed"}
    assert counts == {0, 1, 2}


def test_evaluations_that_were_asked_for_are_pending(account):
    newest = account.row("under way").executions[-1]

    assert newest.status == "evaluating"
    assert all(PENDING in call.eval_outputs.values() for call in newest.calls)


def test_an_emptied_execution_has_no_results(account):
    newest = account.row("emptied").executions[-1]

    assert (newest.status, statuses(newest)) == ("evaluating", {"completed"})
    assert all(call.eval_outputs == {} for call in newest.calls)


def test_a_rerun_left_snapshots_of_every_status(account):
    listed = account.listed("rerun")["results"]
    snapshots = [each for each in listed if each["is_snapshot"]]

    assert {each["status"] for each in snapshots} == {"completed", "failed", None}
    assert {each["rerun_type"] for each in snapshots} == {"call_and_eval"}


def test_holes_are_at_the_beginning_and_in_the_middle(account):
    path = path_of(account.row("holes").id, "call-executions/?limit=5")
    first = account.get(path).json

    assert first["results"] == []
    assert first["count"] > len(account.listed("holes")["results"]) > 0
    assert len(account.row("holes").live_executions()) == 3


def test_results_of_deleted_configs_are_left_in_calls(account):
    row = account.row("deleted configs")
    deleted = {each.id for each in row.eval_configs if each.deleted}
    cells = [
        (config_id, cell)
        for call in account.listed("deleted configs")["results"]
        for config_id, cell in call["eval_outputs"].items()
        if config_id in deleted
    ]

    assert {bool(cell) for _, cell in cells} == {True, False}


def test_choices_are_stored_in_all_their_forms(account):
    shown = {json.dumps(each["value"]) for each in account.cells("choices")}

    assert shown >= {'["Yes"]', '["Yes", "Partly"]', "[]", "null", "[3]", "[true]"}


def test_failures_are_of_every_kind(account):
    row = account.row("failures")
    cells = account.cells("failures")

    assert set.union(*map(statuses, row.executions)) == {
        "completed",
        "failed",
        "cancelled",
    }
    assert any(each["error"] for each in cells)
    assert any(each["skipped"] for each in cells)


def test_large_calls_have_long_transcripts(account):
    call = account.listed("large")["results"][0]

    assert len(json.dumps(call["transcript"])) > 30_000
    assert len(json.dumps(call["scenario_graph"])) > 8_000


def test_executions_have_every_status_at_the_end(account):
    row = account.row("statuses")

    assert states(row)[3:] == ["failed", "cancelled", "completed"]
    assert row.executions[3].error_reason == "All calls failed"


@pytest.mark.parametrize("dispatch", ["accept", "run"])
def test_a_stuck_execution_never_ends(dispatch):
    account = LivedIn(World.lived_in(len(KINDS)), dispatch)
    account.ask.now += 10_000
    account.listed("stuck")
    account.ask.now += 10_000

    account.listed("stuck")

    assert states(account.row("stuck"))[2:] == ["evaluating", "evaluating"]


def test_a_running_execution_has_calls_in_every_phase(account):
    newest = account.row("running").executions[-1]

    assert newest.status == "running"
    assert statuses(newest) == {"pending", "ongoing", "analyzing", "completed"}


def test_old_rows_have_null_in_place_of_names_and_results(account):
    (config,) = account.row("nameless").eval_configs
    calls = [call for _, call in account.row("nameless").calls()]

    assert (config.name, config.config, config.mapping) == (None, None, None)
    assert any(call.eval_outputs is None for call in calls)


@pytest.mark.parametrize("kind", ["call by call", "under way", "emptied", "running"])
@pytest.mark.parametrize("made_before", [True, False])
def test_workers_go_on_with_what_is_under_way(kind, made_before):
    world = World.lived_in(len(KINDS))
    if made_before:
        world.run_tests.get(world.run_test_ids[list(KINDS).index(kind)])
    account = LivedIn(world, "run")
    account.listed(kind)
    assert states(account.row(kind))[-1] in ("evaluating", "running")

    account.ask.now += 100
    account.listed(kind)

    row = account.row(kind)
    wanted = {config.id for config in row.live_configs()}
    assert states(row)[-1] == "completed"
    assert all(call.eval_outputs.keys() >= wanted for call in row.executions[-1].calls)


def test_nobody_goes_on_where_work_is_only_accepted(account):
    account.listed("emptied")
    account.ask.now += 100
    account.listed("emptied")

    assert states(account.row("emptied"))[-1] == "evaluating"
