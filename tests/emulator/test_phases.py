"""The phases of runs, reruns and evaluations, as time passes."""

from __future__ import annotations

import pytest
from emulator_busy_world import (
    ANN,
    BEN,
    CHAT,
    CHAT_GREETS,
    CHAT_QUALITY,
    CHATTED,
    CLEO,
    CLOSING,
    DAN,
    EVE,
    GREETS,
    LINE,
    OPENING,
    QUALITY,
    SPRING,
    SUMMER,
    BusyCaller,
)
from emulator_small_world import path_of


@pytest.fixture
def busy():
    """A service whose workers do their work."""
    return BusyCaller()


@pytest.mark.parametrize(
    ("seconds", "status", "calls"),
    [
        (0, "pending", []),
        (9, "pending", []),
        (10, "pending", ["pending", "pending"]),
        (15, "running", ["ongoing", "pending"]),
        (20, "running", ["ongoing", "ongoing"]),
        (25, "running", ["analyzing", "ongoing"]),
        (30, "evaluating", ["analyzing", "analyzing"]),
        (45, "evaluating", ["completed", "analyzing"]),
        (50, "completed", ["completed", "completed"]),
    ],
)
def test_a_voice_run_passes_its_phases(busy, seconds, status, calls):
    execution_id = busy.execute(LINE).json["execution_id"]

    busy.wait(seconds)

    assert busy.phase(execution_id) == (status, calls)


@pytest.mark.parametrize(
    ("seconds", "cells"),
    [
        (34, [[], []]),
        (35, [["greets"], []]),
        (40, [["greets"], ["greets"]]),
        (50, [["greets", "quality"], ["greets", "quality"]]),
    ],
)
def test_cells_come_config_by_config_while_a_call_is_analyzing(busy, seconds, cells):
    execution_id = busy.execute(LINE).json["execution_id"]

    busy.wait(seconds)

    assert busy.cells(execution_id) == cells


def test_the_stored_numbers_of_a_voice_run_are_set_at_its_end(busy):
    execution_id = busy.execute(LINE).json["execution_id"]

    busy.wait(49)
    before = busy.runs(execution_id)
    busy.wait(1)
    after = busy.runs(execution_id)

    assert (before["total_calls"], before["completed_calls"]) == (2, 0)
    assert (after["total_calls"], after["completed_calls"]) == (2, 2)
    assert before["completed_at"] is None
    assert after["completed_at"] is not None


def test_results_of_a_voice_run_store_no_status(busy):
    execution_id = busy.execute(LINE).json["execution_id"]

    busy.wait(50)

    (first, _) = busy.execution_row(execution_id).calls
    assert {"status" in cell for cell in first.eval_outputs.values()} == {False}


def test_a_run_test_without_configs_completes_its_calls_unevaluated(busy):
    run_test = busy.world.run_tests.get(LINE)
    run_test.eval_configs.clear()
    execution_id = busy.execute(LINE).json["execution_id"]

    busy.wait(30)

    assert busy.phase(execution_id) == ("completed", ["completed", "completed"])
    assert busy.cells(execution_id) == [[], []]


@pytest.mark.parametrize(
    ("seconds", "status", "calls"),
    [
        (0, "pending", ["pending", "pending"]),
        (10, "running", ["ongoing", "pending"]),
        (15, "running", ["completed", "ongoing"]),
        (59, "running", ["completed", "completed"]),
        (60, "evaluating", ["completed", "completed"]),
        (119, "evaluating", ["completed", "completed"]),
        (120, "completed", ["completed", "completed"]),
    ],
)
def test_a_text_run_waits_for_the_monitor(busy, seconds, status, calls):
    execution_id = busy.execute(CHAT).json["execution_id"]

    busy.wait(seconds)

    assert busy.phase(execution_id) == (status, calls)


@pytest.mark.parametrize(
    ("seconds", "cells"),
    [
        (29, [[], []]),
        (30, [["greets"], ["greets"]]),
        (40, [["greets", "quality"], ["greets", "quality"]]),
    ],
)
def test_cells_of_text_agents_are_absent_until_their_config_is_evaluated(
    busy, seconds, cells
):
    execution_id = busy.execute(CHAT).json["execution_id"]

    busy.wait(seconds)

    assert busy.cells(execution_id) == cells


def test_a_monitor_that_looks_all_the_time_holds_up_nothing():
    busy = BusyCaller(monitor_seconds=0.0)
    execution_id = busy.execute(CHAT).json["execution_id"]

    busy.wait(20)
    seen = busy.status(execution_id)
    busy.wait(20)

    assert (seen, busy.status(execution_id)) == ("evaluating", "completed")


def test_a_text_run_with_results_before_the_first_look_is_completed_by_the_second(
    busy,
):
    execution_id = busy.execute(CHAT).json["execution_id"]

    busy.wait(61)

    assert busy.status(execution_id) == "evaluating"
    assert busy.runs(execution_id)["completed_calls"] == 2


def test_a_rerun_keeps_a_text_run_from_being_completed_by_the_monitor():
    busy = BusyCaller(monitor_seconds=10.0)
    execution_id = busy.execute(CHAT).json["execution_id"]
    busy.wait(35)
    busy.work()
    busy.workers.settings.evaluation_seconds = 100.0

    busy.rerun_calls(execution_id, "eval_only", select_all=True)
    busy.wait(100)
    before = busy.status(execution_id)
    busy.wait(200)

    assert (before, busy.status(execution_id)) == ("evaluating", "completed")


def test_run_new_evals_stores_results_after_an_evaluations_time(busy):
    busy.run(LINE, [GREETS, QUALITY], test_execution_ids=[SPRING])

    busy.wait(9)
    before = busy.phase(SPRING), busy.cells(SPRING)
    busy.wait(1)
    after = busy.phase(SPRING), busy.cells(SPRING)

    assert before == (("evaluating", ["completed"] * 2), [["former"], []])
    assert after[0] == ("completed", ["completed"] * 2)
    assert [sorted(names) for names in after[1]] == [
        ["former", "greets", "quality"],
        ["greets", "quality"],
    ]


@pytest.mark.parametrize(("seconds", "pending"), [(9, 4), (10, 3), (30, 1), (40, 0)])
def test_evaluations_are_made_a_few_at_a_time_call_by_call(seconds, pending):
    busy = BusyCaller(evaluations_at_once=1)
    busy.run(LINE, [GREETS, QUALITY], test_execution_ids=[SPRING])

    busy.wait(seconds)

    cells = [
        busy.row(call_id).eval_outputs[config_id]
        for call_id in (ANN, BEN)
        for config_id in (GREETS, QUALITY)
    ]
    waiting = [cell == {"status": "pending"} for cell in cells]
    assert waiting == [False] * (4 - pending) + [True] * pending
    assert busy.status(SPRING) == ("evaluating" if pending else "completed")


def test_places_that_were_free_for_long_do_not_make_evaluations_earlier():
    busy = BusyCaller(evaluations_at_once=2)
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy.wait(1000)

    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy.wait(9)

    assert busy.status(SPRING) == "evaluating"


def test_failed_and_cancelled_calls_are_evaluated_if_both_sides_talked(busy):
    busy.run(LINE, [GREETS], test_execution_ids=[SUMMER])

    busy.wait(10)

    results = {each: busy.row(each).eval_outputs[GREETS] for each in (CLEO, DAN, EVE)}
    assert results[DAN]["output"] == "Passed"
    assert [results[each]["status"] for each in (CLEO, EVE)] == ["skipped"] * 2
    assert results[CLEO] == {
        "output": None,
        "output_type": None,
        "reason": "Call transcript is unavailable, so processing was skipped.",
        "status": "skipped",
        "skipped": True,
        "name": "greets",
    }


def test_an_execution_without_a_completed_call_is_evaluating_for_ever(busy):
    busy.run(LINE, [GREETS], test_execution_ids=[SUMMER])

    busy.wait(10_000)

    assert busy.status(SUMMER) == "evaluating"


def test_a_config_that_is_deleted_meanwhile_has_no_result(busy):
    busy.run(LINE, [GREETS, QUALITY], test_execution_ids=[SPRING])
    busy("DELETE", path_of(LINE, f"eval-configs/{GREETS}/"))

    busy.wait(10)

    assert busy.status(SPRING) == "completed"
    assert busy.row(ANN).eval_outputs[GREETS] == {"status": "pending"}


def test_an_execution_stays_evaluating_when_all_that_is_evaluated_is_deleted(busy):
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy("DELETE", path_of(LINE, f"eval-configs/{GREETS}/"))

    busy.wait(10_000)

    assert busy.status(SPRING) == "evaluating"


def test_workers_can_bring_a_deleted_config_back():
    busy = BusyCaller(restore_configs=True)
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy("DELETE", path_of(LINE, f"eval-configs/{GREETS}/"))

    busy.wait(10)

    assert busy.status(SPRING) == "completed"
    assert busy.world.run_tests.get(LINE).live_config(GREETS).name == "greets"
    assert busy.row(ANN).eval_outputs[GREETS]["output"] == "Passed"


def test_workers_can_undo_an_update_of_a_config():
    busy = BusyCaller(restore_configs=True)
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy.update(LINE, GREETS, name="welcomes")

    busy.wait(10)
    busy.work()

    assert busy.world.run_tests.get(LINE).live_config(GREETS).name == "greets"


def test_an_evaluation_that_fails_sets_the_status_of_its_config(busy):
    config = busy.world.run_tests.get(LINE).live_config(GREETS)
    config.on_run = {"output": None, "output_type": "Pass/Fail", "error": "error"}
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy.wait(10)
    busy.work()
    failed = config.status

    config.on_run = None
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy.wait(10)
    busy.work()

    assert (failed, config.status) == ("Failed", "Completed")


def test_a_skipped_evaluation_leaves_the_status_of_its_config(busy):
    config = busy.world.run_tests.get(LINE).live_config(GREETS)
    config.status = "Failed"
    busy.row(DAN).transcript = None
    busy.run(LINE, [GREETS], test_execution_ids=[SUMMER])

    busy.wait(10)
    busy.work()

    assert config.status == "Failed"


@pytest.mark.parametrize(
    ("seconds", "status", "calls"),
    [
        (0, "evaluating", ["completed", "completed"]),
        (5, "evaluating", ["completed", "analyzing"]),
        (10, "evaluating", ["analyzing", "analyzing"]),
        (25, "evaluating", ["analyzing", "completed"]),
        (30, "completed", ["completed", "completed"]),
    ],
)
def test_calls_whose_evaluations_are_rerun_are_analyzed_again(
    busy, seconds, status, calls
):
    busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])

    busy.wait(seconds)

    assert busy.phase(SPRING) == (status, calls)


def test_failed_and_cancelled_calls_are_completed_by_a_rerun_of_evaluations(busy):
    busy.rerun(LINE, "eval_only", test_execution_ids=[SUMMER])

    busy.wait(1000)

    assert busy.phase(SUMMER) == ("completed", ["completed"] * 3)
    assert busy.runs(SUMMER)["completed_calls"] == 3


@pytest.mark.parametrize(
    ("seconds", "status", "calls"),
    [
        (0, "running", ["pending", "pending"]),
        (5, "running", ["pending", "ongoing"]),
        (15, "running", ["ongoing", "analyzing"]),
        (20, "evaluating", ["analyzing", "analyzing"]),
        (40, "completed", ["completed", "completed"]),
    ],
)
def test_calls_that_are_made_again_pass_the_phases_of_a_run(
    busy, seconds, status, calls
):
    busy.rerun(LINE, "call_and_eval", test_execution_ids=[SPRING])

    busy.wait(seconds)

    assert busy.phase(SPRING) == (status, calls)


def test_a_second_rerun_begins_anew(busy):
    busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])
    busy.wait(20)

    busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])
    emptied = busy.cells(SPRING)
    busy.wait(29)
    before = busy.status(SPRING)
    busy.wait(1)

    assert emptied == [[], []]
    assert (before, busy.status(SPRING)) == ("evaluating", "completed")


def test_a_rerun_of_one_call_leaves_the_work_on_the_others(busy):
    busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])
    busy.wait(20)

    busy.rerun_calls(SPRING, "eval_only", call_execution_ids=[BEN])
    busy.wait(10)
    one_is_done = busy.phase(SPRING)
    busy.wait(20)

    assert one_is_done == ("evaluating", ["completed", "analyzing"])
    assert busy.phase(SPRING) == ("completed", ["completed", "completed"])


def test_pending_evaluations_do_not_complete_an_execution_that_is_rerun(busy):
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy.rerun_calls(SPRING, "eval_only", call_execution_ids=[BEN])

    busy.wait(11)
    before = busy.phase(SPRING)
    busy.wait(19)

    assert before == ("evaluating", ["completed", "analyzing"])
    assert busy.status(SPRING) == "completed"


def test_an_execution_of_which_a_rerun_is_done_waits_for_pending_evaluations(busy):
    busy.workers.settings.evaluation_seconds = 100.0
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])
    busy.work()
    busy.workers.settings.evaluation_seconds = 1.0
    busy.rerun_calls(SPRING, "eval_only", call_execution_ids=[BEN])

    busy.wait(50)
    before = busy.status(SPRING)
    busy.wait(50)

    assert (before, busy.status(SPRING)) == ("evaluating", "completed")


def test_a_cancelled_workflow_cleans_up_after_a_while(busy):
    execution_id = busy.execute(LINE).json["execution_id"]

    busy.cancel(execution_id)
    busy.wait(9)
    before = busy.status(execution_id)
    busy.wait(1)

    assert (before, busy.status(execution_id)) == ("cancelling", "cancelled")


def test_calls_that_are_analyzed_stay_so_when_their_workflow_is_cancelled(busy):
    execution_id = busy.execute(LINE).json["execution_id"]
    busy.wait(25)
    busy.work()
    busy.workers.settings.call_seconds = 2.0

    busy.cancel(execution_id)
    busy.wait(1000)

    assert busy.phase(execution_id) == ("cancelled", ["analyzing", "cancelled"])
    assert busy.cells(execution_id) == [[], []]


def test_a_cancelled_execution_without_workflow_loses_its_pending_evaluations(busy):
    busy.run(LINE, [GREETS], test_execution_ids=[SPRING])

    busy.cancel(SPRING)
    busy.wait(1000)

    assert busy.status(SPRING) == "cancelled"
    assert busy.row(ANN).eval_outputs[GREETS] == {"status": "pending"}


def test_a_workflow_at_its_end_cannot_be_signalled(busy):
    execution_id = busy.execute(LINE).json["execution_id"]
    busy.wait(100)

    reply = busy.cancel(execution_id)

    assert reply.json["message"] == "Test execution cancellation initiated"
    assert busy.phase(execution_id) == ("cancelled", ["completed", "completed"])


def test_only_the_scenarios_that_were_asked_for_are_played(busy):
    execution_id = busy.execute(LINE, scenario_ids=[CLOSING]).json["execution_id"]

    busy.wait(50)

    (call,) = busy.runs(execution_id)["call_results"]["results"]
    assert call["scenario_name"] == "closing time"
    assert OPENING not in str(call)


def test_what_is_accepted_but_not_run_stays_as_it_is():
    busy = BusyCaller("accept")
    execution_id = busy.execute(LINE).json["execution_id"]
    busy.rerun(LINE, "eval_only", test_execution_ids=[SPRING])

    busy.wait(10_000)

    assert busy.phase(execution_id) == ("pending", [])
    assert busy.phase(SPRING) == ("evaluating", ["completed", "completed"])


def test_evaluations_of_a_chat_are_rerun_like_those_of_a_voice_run(busy):
    busy.rerun(CHAT, "eval_only", test_execution_ids=[CHATTED])

    busy.wait(10)
    analyzed = busy.phase(CHATTED)
    busy.wait(20)

    assert analyzed == ("evaluating", ["analyzing"])
    assert busy.phase(CHATTED) == ("completed", ["completed"])
    (row,) = busy.execution_row(CHATTED).calls
    assert set(row.eval_outputs) == {CHAT_GREETS, CHAT_QUALITY}
