"""The guard of the benchmarks: counts beside a stored baseline."""

from __future__ import annotations

import gc

import pytest

from benchmarks.guard import NoBaselineError, compare
from benchmarks.guarded import YARDSTICK, Piece, calls_and_garbage
from benchmarks.walks import evaluation_walks, single_walks


def worse(counted, baseline):
    return [each.piece for each in compare(counted, baseline) if each.is_worse]


def test_five_percent_more_calls_pass_and_six_do_not():
    baseline = {"calls": {"a request": 100.0, "an item": 100.0}}
    counted = {"calls": {"a request": 105.0, "an item": 106.0}}

    assert worse(counted, baseline) == ["an item"]


def test_garbage_where_there_was_none_is_worse():
    baseline = {"garbage": {"a request": 0.0, "an item": 0.0}}
    counted = {"garbage": {"a request": 0.04, "an item": 1.0}}

    assert worse(counted, baseline) == ["an item"]


def test_instructions_of_a_python_that_needs_more_for_everything_are_not_worse():
    baseline = {"instructions": {YARDSTICK: 1000.0, "a request": 1200.0}}

    assert not worse(
        {"instructions": {YARDSTICK: 2000.0, "a request": 2400.0}}, baseline
    )


def test_instructions_that_only_the_package_needs_more_are_worse():
    baseline = {"instructions": {YARDSTICK: 1000.0, "a request": 1200.0}}
    counted = {"instructions": {YARDSTICK: 1000.0, "a request": 1300.0}}

    assert worse(counted, baseline) == ["a request"]


def test_calls_are_not_scaled_by_the_yardstick():
    baseline = {"calls": {YARDSTICK: 100.0, "a request": 100.0}}
    counted = {"calls": {YARDSTICK: 200.0, "a request": 200.0}}

    assert worse(counted, baseline) == ["a request"]


def test_a_gain_that_the_baseline_does_not_have_yet_is_reported():
    (each,) = compare({"calls": {"an item": 90.0}}, {"calls": {"an item": 100.0}})

    assert each.is_better
    assert str(each).endswith("-10.0% better")


@pytest.mark.parametrize(
    "baseline", [{}, {"calls": {}}, {"instructions": {"an item": 1.0}}]
)
def test_what_has_no_baseline_is_named(baseline):
    with pytest.raises(NoBaselineError, match="calls, an item"):
        list(compare({"calls": {"an item": 1.0}}, baseline))


def test_a_call_more_for_each_item_is_counted_as_one():
    def once(count):
        for _ in range(count):
            abs(1)

    def twice(count):
        for _ in range(count):
            abs(abs(1))

    counted = calls_and_garbage(
        [Piece("once", once, 10, 20), Piece("twice", twice, 10, 20)]
    )

    assert counted["calls"] == {"once": 1.0, "twice": 2.0}


@pytest.fixture
def _no_automatic_collection():
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_automatic_collection")
def test_what_only_the_collector_frees_is_counted_as_garbage():
    def rings(count):
        for _ in range(count):
            ring = []
            ring.append(ring)

    counted = calls_and_garbage([Piece("rings", rings, 10, 20)])

    assert counted["garbage"] == {"rings": 1.0}


def test_few_frames_stand_between_an_evaluation_and_the_wire():
    walks = evaluation_walks()

    assert [walk.endpoint for walk in walks] == ["eval-configs", "run-new-evals"]
    assert max(len(walk.frames) for walk in walks) <= 25


def test_few_frames_stand_between_a_single_call_and_the_wire():
    (walk,) = single_walks()

    assert walk.frames[0] == ("client", "AsyncFutureAGI.add_eval_configs")
    assert len(walk.frames) <= 12
