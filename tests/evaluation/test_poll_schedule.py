"""When a run test is polled: not before it can be finished, and soon after."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from futureagi_async.evaluation.poll_schedule import PollSchedule


def schedule(*durations, pause=1.0, random=0.5):
    found = PollSchedule(pause, lambda: random)
    for each in durations:
        found.learn(each)
    return found


@pytest.mark.parametrize(
    ("age", "expected"), [(0, 1), (1, 1), (2, 1), (3, 1.5), (20, 10), (60, 15)]
)
def test_the_pauses_of_a_scout_grow_with_its_age_up_to_fifteen_times_the_first(
    age, expected
):
    assert schedule().pause_after(age, is_scout=True) == expected


@pytest.mark.parametrize(("age", "expected"), [(0, 10), (4, 6), (10, 5), (60, 15)])
def test_others_wait_for_ten_pauses_while_nothing_has_ended(age, expected):
    assert schedule().pause_after(age, is_scout=False) == expected


def test_others_are_polled_when_they_are_as_old_as_those_that_have_ended():
    learned = schedule(20.0)

    assert learned.pause_after(0.0, is_scout=False) == 20.0
    assert learned.pause_after(15.0, is_scout=False) == 5.0
    assert learned.pause_after(20.0, is_scout=False) == 2.0
    assert learned.pause_after(30.0, is_scout=False) == 5.0


def test_the_quicker_ones_decide_how_long_evaluations_take():
    assert schedule().typical is None
    assert schedule(8.0, 2.0, 4.0, 100.0).typical == 4.0


def test_only_the_last_ones_are_remembered():
    assert schedule(*[100.0] * 64, *[1.0] * 64).typical == 1.0


def test_only_the_first_that_ends_changes_what_was_planned():
    fresh = schedule()

    assert [fresh.learn(5.0), fresh.learn(6.0)] == [True, False]


@pytest.mark.parametrize(
    ("scouts", "waiting", "expected"),
    [(0, 0, True), (7, 7, True), (8, 8, False), (8, 200, True), (10, 200, False)],
)
def test_eight_run_tests_or_a_twentieth_of_them_are_scouts(scouts, waiting, expected):
    assert schedule().needs_scout(scouts, waiting) is expected


@given(st.floats(0, 1, exclude_max=True))
def test_a_pause_is_a_fifth_shorter_or_longer_at_most(share):
    pause = schedule(random=share).pause_after(0.0, is_scout=True)

    assert 0.8 <= pause <= 1.2
    assert pause == pytest.approx(0.8 + 0.4 * share)
