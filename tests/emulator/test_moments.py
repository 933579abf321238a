"""Moments: rows that change as the service's workers change them."""

from __future__ import annotations

import http.client
import json

import pytest
from emulator_small_world import (
    FIRST_CALL,
    MONDAY,
    NOBODY,
    POLITE,
    REMOVED,
    SECOND_CALL,
    SHOP,
    SHORT,
    TUESDAY,
    Caller,
    path_of,
    small_world,
)

from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.loading import WorldError
from futureagi_async.emulator.moments import apply_changes


NEW_CALL = "d0000000-0000-4000-8000-0000000000aa"
SNAPSHOT = "d1000000-0000-4000-8000-000000000001"
STORED = {"output": "Failed", "output_type": "Pass/Fail", "reason": "rude"}


def change(ask, *changes):
    """Make a moment at the time of the caller."""
    apply_changes(ask.world, changes, lambda: ask.world.clock.stamp(2e9))


def listed(ask):
    """Return the list of calls of the shop."""
    return ask.get(path_of(SHOP, "call-executions/?limit=100")).json["results"]


def test_the_fields_of_a_row_are_set_and_the_others_stay(ask):
    change(ask, {"call": FIRST_CALL, "status": "failed", "duration_seconds": 7})

    call = ask.get(f"/simulate/call-executions/{FIRST_CALL}/").json
    assert (call["status"], call["duration_seconds"]) == ("failed", 7)
    assert call["eval_outputs"][POLITE]["value"] == "Passed"


def test_eval_outputs_replace_all_cells(ask):
    change(ask, {"call": FIRST_CALL, "eval_outputs": {SHORT: STORED}})

    outputs = ask.listed_outputs(SHOP, FIRST_CALL)
    assert list(outputs) == [SHORT]


def test_cells_are_set_and_removed_one_by_one(ask):
    change(ask, {"call": FIRST_CALL, "cells": {SHORT: STORED, REMOVED: None}})

    outputs = ask.listed_outputs(SHOP, FIRST_CALL)
    assert list(outputs) == [POLITE, SHORT]
    assert outputs[SHORT]["value"] == "Failed"


def test_cells_of_a_call_without_any_are_set(ask):
    change(ask, {"call": FIRST_CALL, "eval_outputs": None})
    change(ask, {"call": FIRST_CALL, "cells": {SHORT: STORED}})

    assert list(ask.listed_outputs(SHOP, FIRST_CALL)) == [SHORT]


def test_a_touched_call_is_the_first_of_the_list(ask):
    change(ask, {"call": FIRST_CALL, "status": "failed"})
    assert listed(ask)[0]["id"] != FIRST_CALL

    change(ask, {"call": FIRST_CALL, "touched": True})
    assert listed(ask)[0]["id"] == FIRST_CALL


def test_of_two_times_now_the_later_one_is_the_newer(ask):
    change(
        ask,
        {"call": SECOND_CALL, "updated_at": "now"},
        {"call": FIRST_CALL, "updated_at": "now"},
    )

    assert [each["id"] for each in listed(ask)[:2]] == [FIRST_CALL, SECOND_CALL]


def test_an_execution_a_config_and_a_run_test_change(ask):
    change(
        ask,
        {"execution": MONDAY, "status": "evaluating", "completed_at": None},
        {"config": REMOVED, "deleted": False, "name": "back"},
        {"run_test": SHOP, "name": "market", "enable_tool_evaluation": True},
    )

    body = ask.get(path_of(SHOP)).json
    assert ask.states(SHOP)[MONDAY] == "Evaluating"
    assert [each["name"] for each in body["evals_detail"]] == [
        "back",
        "short",
        "polite",
    ]
    assert (body["name"], body["enable_tool_evaluation"]) == ("market", True)


def test_a_new_call_is_known_everywhere(ask):
    change(
        ask,
        {"new": "call", "execution": TUESDAY, "id": NEW_CALL, "created_at": "now"},
        {"call": NEW_CALL, "status": "ongoing"},
    )

    assert listed(ask)[0]["id"] == NEW_CALL
    assert ask.get(f"/simulate/call-executions/{NEW_CALL}/").json["status"] == "ongoing"


def test_a_new_snapshot_stands_at_its_time(ask):
    snapshot = {"id": SNAPSHOT, "snapshot_timestamp": "now", "status": None}
    change(ask, {"new": "snapshot", "call": FIRST_CALL, **snapshot})

    first = listed(ask)[0]
    assert (first["id"], first["is_snapshot"], first["status"]) == (
        SNAPSHOT,
        True,
        None,
    )
    assert first["original_call_execution_id"] == FIRST_CALL


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        ({}, "names the row"),
        ({"status": "failed"}, "one of call, execution, config, run_test, or new"),
        ({"call": FIRST_CALL, "execution": MONDAY}, "names the row"),
        ({"call": NOBODY}, f"no call {NOBODY}"),
        ({"execution": NOBODY}, f"no execution {NOBODY}"),
        ({"config": NOBODY}, f"no config {NOBODY}"),
        ({"run_test": NOBODY}, f"no run_test {NOBODY}"),
        ({"call": 5}, "no call 5"),
        ({"call": FIRST_CALL, "id": NOBODY}, "id cannot be set; the fields are "),
        ({"call": FIRST_CALL, "colour": 1, "age": 2}, "age, colour cannot be set"),
        ({"call": FIRST_CALL, "status": 5}, "status is a text, not 5"),
        ({"call": FIRST_CALL, "started_at": "soon"}, "started_at is a time"),
        ({"call": FIRST_CALL, "cells": []}, "cells is an object"),
        ({"execution": MONDAY, "cells": {}}, "for calls alone"),
        ({"call": FIRST_CALL, "touched": "yes"}, "touched is true or false"),
        ({"execution": MONDAY, "touched": True}, "touched is for calls alone"),
        ({"new": "run_test"}, "new is call or snapshot, not 'run_test'"),
        ({"new": "call", "id": NEW_CALL}, "no execution None"),
        ({"new": "call", "execution": MONDAY, "id": FIRST_CALL}, "a call .* already"),
        ({"new": "call", "execution": MONDAY}, "new call: id is missing"),
        ({"new": "call", "execution": MONDAY, "id": 1}, "new call.id is a text"),
        ({"new": "snapshot", "call": NOBODY}, "no call"),
        ("call", "an object is expected, not 'call'"),
    ],
)
def test_one_bad_change_undoes_those_before_it(ask, bad, problem):
    before = listed(ask)
    good = [
        {"call": FIRST_CALL, "status": "failed", "cells": {SHORT: STORED}},
        {"new": "call", "execution": MONDAY, "id": NEW_CALL},
        {"new": "snapshot", "call": FIRST_CALL, "id": SNAPSHOT},
        {"call": SECOND_CALL, "touched": True},
    ]

    with pytest.raises(WorldError, match=f"^change 4: .*{problem}"):
        change(ask, *good, bad)

    assert listed(ask) == before
    assert ask.get(f"/simulate/call-executions/{NEW_CALL}/").status == 404


@pytest.mark.parametrize("changes", [{}, "call", None])
def test_a_moment_that_is_no_list_is_rejected(ask, changes):
    with pytest.raises(WorldError, match="a list of changes"):
        apply_changes(ask.world, changes, lambda: ask.world.clock.stamp(0))


def test_rows_of_a_synthetic_world_change_and_are_added():
    world = World.synthetic(2)
    run_test = world.run_tests.get(world.run_test_ids[0])
    execution = run_test.executions[0]

    apply_changes(
        world,
        [{"new": "call", "execution": execution.id, "id": NEW_CALL}],
        lambda: world.clock.stamp(0),
    )
    with pytest.raises(WorldError):
        apply_changes(
            world,
            [{"new": "call", "execution": execution.id, "id": SNAPSHOT}, {}],
            lambda: world.clock.stamp(0),
        )

    assert [each.id for each in execution.calls][2:] == [NEW_CALL]
    assert world.run_tests.of_call(NEW_CALL) is run_test
    assert world.run_tests.of_call(SNAPSHOT) is None


def test_a_config_that_was_added_to_a_synthetic_world_is_found():
    ask = Caller(World.synthetic(1))
    keys = {"X-Api-Key": ask.world.api_key, "X-Secret-Key": ask.world.secret_key}
    path = path_of(ask.world.run_test_ids[0], "eval-configs/")
    body = {"evaluations_config": [{"template_id": ask.world.template_ids[0]}]}
    added = ask("POST", path, body, key=None, headers=keys).json["created_eval_configs"]

    change(ask, {"config": added[0]["id"], "status": "Failed"})

    run_test = ask.world.run_tests.get(ask.world.run_test_ids[0])
    assert run_test.eval_configs[0].status == "Failed"


def post_rows(emulator, changes):
    """Send a moment to the emulator's own path; return the status and the body."""
    connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"))
    try:
        connection.request("POST", "/_emulator/rows", json.dumps(changes))
        response = connection.getresponse()
        return response.status, json.load(response)
    finally:
        connection.close()


def test_moments_are_sent_over_http_or_made_in_python():
    with Emulator(World.load(small_world())) as emulator:
        emulator.change_rows([{"call": FIRST_CALL, "status": "failed"}])
        sent = post_rows(emulator, [{"call": SECOND_CALL, "status": "ongoing"}])
        calls = {
            call.id: call for _, call in emulator.world.run_tests.get(SHOP).calls()
        }

    assert sent == (200, {"changes": 1})
    assert calls[FIRST_CALL].status == "failed"
    assert calls[SECOND_CALL].status == "ongoing"


def test_a_bad_moment_is_a_400_that_names_the_change():
    with Emulator(World.load(small_world())) as emulator:
        status, body = post_rows(emulator, [{"call": NOBODY}])

    assert status == 400
    assert body == {"error": f"change 0: there is no call {NOBODY}"}
