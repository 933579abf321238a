"""Results of evaluations in their two forms."""

from __future__ import annotations

import pytest

from futureagi_async.emulator.cells import show_cell, show_cells, store_cell


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ("positive", ["positive"]),
        (["price", "delivery"], ["price", "delivery"]),
        ({"score": 1.0, "choice": "Yes"}, ["Yes"]),
        ({"choice": "No"}, ["No"]),
        ({"score": 0.4, "choices": ["price"]}, ["price"]),
        ({"score": 0.0, "choices": []}, []),
        ({"score": 0.0, "choice": None}, []),
        ({"score": 0.0}, []),
        ([], []),
        (None, None),
        (3, [3]),
        (True, [True]),
    ],
)
def test_a_choice_is_a_list_in_lists_of_calls(stored, value):
    assert show_cell({"output": stored, "output_type": "choices"})["value"] == value


@pytest.mark.parametrize("kind", ["score", "Pass/Fail", "numeric", "reason"])
def test_any_other_value_is_shown_as_it_is(kind):
    assert show_cell({"output": {"a": 1}, "output_type": kind})["value"] == {"a": 1}


@pytest.mark.parametrize(
    ("stored", "error", "status"),
    [
        ({}, False, "completed"),
        ({"status": "Completed"}, False, "Completed"),
        ({"status": "error"}, True, "error"),
        ({"error": "error"}, True, "error"),
        ({"error": True, "status": "Failed"}, True, "Failed"),
        ({"error": "oh"}, False, "completed"),
        ({"status": None}, False, None),
    ],
)
def test_the_status_is_the_stored_one_or_follows_from_the_error(stored, error, status):
    shown = show_cell(stored)

    assert (shown["error"], shown["status"]) == (error, status)


@pytest.mark.parametrize("stored", [{"skipped": True}, {"status": "skipped"}])
def test_a_skipped_evaluation_says_so_in_one_of_two_ways(stored):
    assert show_cell(stored)["skipped"] is True


def test_what_a_cell_lacks_is_an_empty_text():
    shown = show_cell({"output": 1, "name": None})

    assert (shown["type"], shown["reason"], shown["name"]) == ("", "", None)


def test_a_pending_cell_is_empty_and_one_that_is_no_object_is_left_out():
    assert show_cells({"1": {"status": "pending"}, "2": "text", "3": None}) == {"1": {}}
    assert show_cells(None) == {}


def test_a_shown_cell_is_shown_again_as_it_was():
    shown = {
        "value": 0.5,
        "reason": "r",
        "type": "score",
        "name": "n",
        "error": True,
        "status": "Failed",
        "skipped": True,
    }

    assert show_cell(store_cell(shown)) == shown
    assert show_cell(store_cell({})) == {}
