"""Rejected starts with a journal: what is planned again is sent again."""

from __future__ import annotations

import pytest

from futureagi_async import EvaluationStatus, ExecutionsNotCompletedError, Journal
from futureagi_async.types import JournalState


LONG = {"timeout": 60, "poll_interval": 0.01}

TRIES = 3
"""How often a start is planned before whoever is in the way is named."""


@pytest.fixture
def in_the_way(run_tests, when_served):
    """Have executions be evaluated whenever something is started, so many times.

    It gives the run test.
    """
    one = run_tests[0]

    def install(times):
        def set_status(status):
            for each in one.executions:
                each.status = status

        when_served(lambda _: set_status("evaluating"), "run-new-evals", times)
        when_served(lambda _: set_status("completed"), "executions", times=-1)
        return one

    return install


def test_a_rejected_start_is_sent_again_once_others_are_finished(
    call, emulator, configs, journal, in_the_way
):
    one = in_the_way(times=TRIES - 1)

    (end,) = call("evaluate", [one.id], configs, journal=journal, **LONG)

    assert end.status is EvaluationStatus.SCORED
    assert emulator.log.counts["run_new_evals", 400] == TRIES - 1
    assert emulator.log.runs == {one.id: 1}
    with Journal.open(journal) as entries:
        assert {each.state for each in entries} == {JournalState.DONE}


def test_a_start_that_is_rejected_each_time_is_an_error_after_three_plans(
    call, emulator, configs, journal, in_the_way
):
    one = in_the_way(times=-1)

    (end,) = call("evaluate", [one.id], configs, journal=journal, **LONG)

    assert end.status is EvaluationStatus.FAILED
    assert isinstance(end.error, ExecutionsNotCompletedError)
    assert emulator.log.counts["run_new_evals", 400] == TRIES
