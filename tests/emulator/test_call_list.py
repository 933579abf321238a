"""The list of calls: snapshots, holes, searches and pages."""

from __future__ import annotations

import pytest
from emulator_small_world import (
    FIRST_CALL,
    MONDAY,
    SECOND_CALL,
    SHOP,
    TUESDAY,
    path_of,
)

from futureagi_async.emulator.rows import Snapshot
from futureagi_async.emulator.rules.search import like


THIRD_CALL = "d0000000-0000-4000-8000-000000000003"
SNAPSHOT = "d1000000-0000-4000-8000-000000000001"

PENDING = {"status": "pending"}


@pytest.fixture
def shop(ask):
    return ask.world.run_tests.get(SHOP)


def calls_of(shop):
    """Return the rows of all calls by their ids."""
    return {call.id: call for each in shop.executions for call in each.calls}


def listed(ask, query=""):
    return ask.get(path_of(SHOP, f"call-executions/{query}")).json


def ids(body):
    return [each["id"] for each in body["results"]]


def test_a_snapshot_stands_in_the_list_with_its_cells_as_they_are_stored(ask, shop):
    call = calls_of(shop)[FIRST_CALL]
    call.snapshots.append(Snapshot(SNAPSHOT, status=None, eval_outputs={"1": PENDING}))

    body = listed(ask)
    snapshot = next(each for each in body["results"] if each["id"] == SNAPSHOT)

    assert body["count"] == 4
    assert snapshot["eval_outputs"] == {"1": PENDING}
    assert snapshot["is_snapshot"] is True
    assert "test_execution_id" not in snapshot
    assert "tool_outputs" not in snapshot
    assert snapshot["original_call_execution_id"] == FIRST_CALL


def test_a_snapshot_of_an_evaluation_alone_is_not_listed(ask, shop):
    call = calls_of(shop)[FIRST_CALL]
    call.snapshots.append(Snapshot(SNAPSHOT, rerun_type="eval_only"))

    assert listed(ask)["count"] == 3


def test_a_snapshot_has_a_status_of_its_own(ask, shop):
    call = calls_of(shop)[FIRST_CALL]
    call.snapshots += [Snapshot(SNAPSHOT, status="failed"), Snapshot("2", status=None)]

    assert ids(listed(ask, "?status=failed")) == [SNAPSHOT]
    assert listed(ask, "?status=completed")["count"] == 3


def test_a_deleted_call_leaves_an_empty_place_and_its_snapshots(ask, shop):
    call = calls_of(shop)[SECOND_CALL]
    call.snapshots.append(Snapshot(SNAPSHOT))
    call.deleted = True

    body = listed(ask)

    assert body["count"] == 4
    assert ids(body) == [THIRD_CALL, SNAPSHOT, FIRST_CALL]


def test_a_deleted_execution_leaves_the_places_of_its_calls(ask, shop):
    shop.execution(TUESDAY).deleted = True

    first, rest = listed(ask, "?limit=1"), listed(ask, "?limit=2&page=2")

    assert (first["count"], first["total_pages"], ids(first)) == (3, 3, [])
    assert ids(rest) == [FIRST_CALL]


def test_deleting_a_call_moves_its_place_to_the_front(ask):
    reply = ask("DELETE", f"/simulate/call-executions/{FIRST_CALL}/delete/")

    assert (reply.status, reply.text) == (204, "")
    assert ids(listed(ask, "?limit=1")) == []
    assert ids(listed(ask)) == [THIRD_CALL, SECOND_CALL]
    assert (
        ask("DELETE", f"/simulate/call-executions/{FIRST_CALL}/delete/").status == 404
    )


def test_the_list_of_executions_counts_deleted_calls_and_not_their_duration(ask, shop):
    call = calls_of(shop)[FIRST_CALL]
    call.deleted = True
    calls_of(shop)[SECOND_CALL].status = "pending"

    listed_executions = ask.get(path_of(SHOP, "executions/")).json["results"]
    monday = next(each for each in listed_executions if each["id"] == MONDAY)

    assert (monday["calls"], monday["calls_attempted"]) == (2, 1)
    assert (monday["connected_calls"], monday["duration"]) == (2, 40)
    assert monday["success_rate"] == 50.0


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("buyer", "Angry BUYER", True),
        ("seller", "Angry buyer", False),
        ("a%r", "Angry buyer", True),
        ("b_y", "Angry buyer", True),
        ("b_r", "Angry buyer", False),
        (r"\%", "100 %", True),
        (r"\%", "100", False),
        ("\\", "100 %", True),
        ("\\", "100", False),
        (r"\u", "buyer", True),
        ("a.g", "Angry", False),
        ("a\n", "a\nb", True),
        ("%%%%%%%%%%%%%%%%%%%%%%x", "a" * 100, False),
    ],
)
def test_a_search_is_a_pattern_of_the_database(text, name, found):
    assert like(text)(name) is found


@pytest.mark.parametrize(
    ("query", "found"),
    [("buy", 3), ("B_YER", 3), ("%25", 3), ("555", 1), ("5_5", 1), ("%2B1555", 1)],
)
def test_a_search_finds_scenarios_and_telephone_numbers(ask, shop, query, found):
    calls_of(shop)[FIRST_CALL].phone_number = "+15550101"

    assert listed(ask, f"?search={query}")["count"] == found


@pytest.mark.parametrize("what", ["search", "status"])
@pytest.mark.parametrize("view", ["executions", "call-executions"])
def test_a_nul_is_nothing_that_the_database_can_search_for(ask, what, view):
    reply = ask.get(path_of(SHOP, f"{view}/?{what}=a%00b"))

    assert reply.status == 500
    assert "cannot contain NUL (0x00) bytes" in reply.message


def test_a_nul_in_a_name_is_a_500(ask):
    reply = ask.get("/simulate/run-tests/get-id-by-name/a%00/")

    assert (reply.status, reply.message) == (500, "Failed to get run test id by name")


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("limit=9223372036854775808", "bigint out of range"),
        ("limit=-9223372036854775809", "bigint out of range"),
        ("page=922337203685477582", "bigint out of range"),
        ("page=0", "OFFSET must not be negative"),
        ("limit=-1", "LIMIT must not be negative"),
    ],
)
def test_numbers_that_the_database_cannot_take_are_a_500(ask, query, problem):
    reply = ask.get(path_of(SHOP, f"call-executions/?{query}"))

    assert (reply.status, reply.message) == (
        500,
        f"Failed to retrieve call executions: {problem}",
    )


def test_the_largest_limit_is_one_page(ask):
    body = listed(ask, "?limit=9223372036854775807")

    assert (body["total_pages"], len(body["results"])) == (1, 3)


@pytest.mark.parametrize(
    ("search", "found"), [("compl", 2), ("COMPLETED", 2), ("run", 0)]
)
def test_executions_are_searched_by_their_status(ask, search, found):
    reply = ask.get(path_of(SHOP, f"executions/?search={search}"))

    assert reply.json["count"] == found


def test_a_call_of_a_voice_has_turns_and_a_chat_has_messages(ask, shop):
    for kind, turn in (("voice", "speaker_role"), ("text", "role")):
        shop.agent_type = kind
        calls_of(shop)[THIRD_CALL].transcript = [("user", "Hello.")]
        newest = listed(ask, "?limit=1")["results"][0]
        assert newest["transcript"][0][turn] == "user"
        assert newest["simulation_call_type"] == kind


def test_a_chat_lasts_from_its_first_to_its_last_message(ask, shop):
    shop.agent_type = "text"
    calls_of(shop)[THIRD_CALL].transcript = [("user", "Hello.")]

    newest, silent, _ = listed(ask)["results"]

    assert 0 <= newest["duration"] < 0.1
    assert newest["duration_seconds"] == 40
    assert silent["duration"] is None
