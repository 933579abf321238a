"""What is started, and what is not: laws over all that can be read of a run test."""

from __future__ import annotations

import itertools

import pytest
from evaluation_values import (
    DONE,
    ENTRIES,
    PENDING,
    RUN_TEST,
    call,
    config_id,
    entries,
    execution,
    execution_id,
    ids,
    tally_of,
)
from hypothesis import given, strategies as st

from futureagi_async import EvaluationStatus, RunNewEvals
from futureagi_async.evaluation.conclusion import state_of
from futureagi_async.evaluation.plan import (
    Assessment,
    Begun,
    EvaluationPhase,
    Start,
    assess,
    can_be_evaluated,
    make_plan,
)
from futureagi_async.evaluation.results import Tally


CONFIGS = ids(3)

CELLS = st.lists(st.sampled_from([*ENTRIES, "-"]), min_size=3, max_size=3).map(" ".join)
EXECUTIONS = st.lists(
    st.tuples(
        st.sampled_from(["completed", "evaluating"]), st.lists(CELLS, max_size=3)
    ),
    max_size=4,
)
BEGUN = st.lists(
    st.tuples(
        st.sets(st.sampled_from(CONFIGS), min_size=1),
        st.one_of(st.none(), st.sets(st.integers(0, 3), min_size=1)),
    ),
    max_size=2,
)


def tallied(rows):
    tally = Tally([execution(n, state) for n, (state, _) in enumerate(rows)], CONFIGS)
    for number, (_, calls) in enumerate(rows):
        for cells in calls:
            tally.add(call(number, entries(cells)))
    return tally


def begun_of(requests):
    begun = Begun()
    for config_ids, executions in requests:
        everything = executions is None
        named = None if everything else map(execution_id, executions)
        begun.add(RunNewEvals(RUN_TEST, config_ids, named, select_all=everything))
    return begun


def pairs(plan):
    return [
        (execution_id_, config)
        for start in plan.starts
        for execution_id_ in start.execution_ids
        for config in start.config_ids
    ]


@given(EXECUTIONS, BEGUN, st.booleans())
def test_nothing_is_started_twice_or_where_it_cannot_be(rows, requests, rerun):
    tally, begun = tallied(rows), begun_of(requests)

    plan = make_plan(tally, begun, rerun=rerun)

    for execution_id_, config in pairs(plan):
        assert not begun.has(execution_id_, config)
        assert not tally.executions[execution_id_].is_evaluating
        assert tally.completed_calls[execution_id_] > 0
        assert rerun or tally.of(execution_id_, config).ended == 0


@given(EXECUTIONS, BEGUN, st.booleans())
def test_an_execution_is_in_one_request_at_most(rows, requests, rerun):
    plan = make_plan(tallied(rows), begun_of(requests), rerun=rerun)

    named = [id_ for start in plan.starts for id_ in start.execution_ids]
    assert len(named) == len(set(named))
    assert all(start.config_ids and start.execution_ids for start in plan.starts)


@given(EXECUTIONS, BEGUN, st.booleans())
def test_whatever_may_be_started_is(rows, requests, rerun):
    tally, begun = tallied(rows), begun_of(requests)

    started = set(pairs(make_plan(tally, begun, rerun=rerun)))

    for (id_, each), config in itertools.product(tally.executions.items(), CONFIGS):
        if each.is_evaluating or not tally.completed_calls[id_]:
            continue
        is_wanted = rerun or not tally.of(id_, config).ended
        assert ((id_, config) in started) is (is_wanted and not begun.has(id_, config))


@given(EXECUTIONS)
def test_a_rerun_that_was_done_leaves_nothing_to_do(rows):
    tally, begun = tallied(rows), Begun()
    for start in make_plan(tally, begun, rerun=True).starts:
        begun.add(RunNewEvals(RUN_TEST, start.config_ids, start.execution_ids))

    assert make_plan(tally, begun, rerun=True).starts == ()


def test_executions_share_a_request_only_where_the_same_configs_are_missing():
    tally = tally_of(
        {
            "completed a": ["- done"],
            "completed b": ["done -"],
            "completed c": ["- failed"],
        },
        ids(2),
    )

    assert make_plan(tally, Begun(), rerun=False).starts == (
        Start((execution_id(0), execution_id(2)), (config_id(0),)),
        Start((execution_id(1),), (config_id(1),)),
    )


@pytest.mark.parametrize(
    ("cells", "is_started", "is_partial"),
    [
        (["-", "-"], True, False),
        (["-", "pending"], True, False),
        (["done", "-"], False, True),
        (["failed", "pending"], False, True),
        (["done", "done"], False, False),
        (["skipped", "failed"], False, False),
    ],
)
def test_what_has_results_in_part_is_left_so_and_told(cells, is_started, is_partial):
    plan = make_plan(tally_of({"completed": cells}, ids(1)), Begun(), rerun=False)

    assert bool(plan.starts) is is_started
    assert plan.is_partial is is_partial


@pytest.mark.parametrize(
    ("cells", "rerun", "expected"),
    [("pending", False, True), ("-", False, False), ("pending", True, False)],
)
def test_a_start_that_rests_on_pending_results_says_so(cells, rerun, expected):
    plan = make_plan(tally_of({"completed": [cells]}, ids(1)), Begun(), rerun=rerun)

    assert plan.starts
    assert plan.rests_on_pending is expected


@pytest.mark.parametrize(
    ("cells", "rerun", "begun", "expected"),
    [
        ("pending", False, False, True),
        ("-", False, False, True),
        ("done", False, False, False),
        ("done", True, False, True),
        ("pending", True, True, True),
        # What was rerun already has its results, whatever the execution says.
        ("done", True, True, False),
    ],
)
def test_what_is_being_evaluated_is_awaited_where_it_matters(
    cells, rerun, begun, expected
):
    tally = tally_of({"evaluating": [cells]}, ids(1))
    done = begun_of([([config_id(0)], [0])] if begun else [])

    plan = make_plan(tally, done, rerun=rerun)

    assert plan.starts == ()
    assert plan.is_awaited is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Completed", True),
        ("evaluating", True),
        ("FAILED", False),
        ("Running", False),
        ("cancelled", False),
        ("Paused", False),
    ],
)
def test_only_what_is_or_will_be_completed_can_be_evaluated(status, expected):
    assert can_be_evaluated(execution(0, status)) is expected


VERDICTS = [
    ({}, Assessment(EvaluationPhase.FINISHED, is_certain=True)),
    ({"completed": []}, Assessment(EvaluationPhase.FINISHED, is_certain=True)),
    (
        {"completed": ["done failed"]},
        Assessment(EvaluationPhase.FINISHED, is_certain=True),
    ),
    (
        {"evaluating": ["done done"]},
        Assessment(EvaluationPhase.FINISHED, is_certain=False),
    ),
    (
        {"evaluating": ["done pending"]},
        Assessment(EvaluationPhase.UNDER_WAY, is_certain=True),
    ),
    ({"evaluating": ["- -"]}, Assessment(EvaluationPhase.STUCK, is_certain=False)),
    ({"evaluating": ["- done"]}, Assessment(EvaluationPhase.STUCK, is_certain=False)),
    (
        {"completed": ["- done"], "evaluating": ["- done"]},
        Assessment(EvaluationPhase.MISSING, is_certain=True),
    ),
    (
        {"completed": ["pending done"], "evaluating": ["pending done"]},
        Assessment(EvaluationPhase.UNDER_WAY, is_certain=True),
    ),
    (
        {"completed": ["done pending"]},
        Assessment(EvaluationPhase.NOT_STARTED, is_certain=False),
    ),
    (
        {"completed": ["- pending"]},
        Assessment(EvaluationPhase.NOT_STARTED, is_certain=False),
    ),
    (
        {"completed": ["pending done"], "evaluating": ["done done"]},
        Assessment(EvaluationPhase.NOT_STARTED, is_certain=False),
    ),
    ({"completed": ["- done"]}, Assessment(EvaluationPhase.MISSING, is_certain=True)),
    ({"evaluating": []}, Assessment(EvaluationPhase.STUCK, is_certain=False)),
    (
        {"completed": ["done done"], "evaluating": []},
        Assessment(EvaluationPhase.STUCK, is_certain=False),
    ),
    (
        {"evaluating a": [], "evaluating b": ["done done"]},
        Assessment(EvaluationPhase.STUCK, is_certain=False),
    ),
]


@pytest.mark.parametrize(("executions", "finding"), VERDICTS)
def test_a_reading_is_judged(executions, finding):
    assert assess(tally_of(executions, ids(2))) == finding


@given(EXECUTIONS)
def test_nothing_is_called_finished_while_a_result_is_open(rows):
    tally = tallied(rows)
    verdict = assess(tally).verdict

    if any(tally.of_execution(id_).open for id_ in tally.executions):
        assert verdict is not EvaluationPhase.FINISHED


NOTHING = {"completed": []}
SCORED = {"completed": ["done"]}
PARTLY = {"completed": ["done", "pending"]}
UNSTARTED = {"completed": ["pending"]}


@pytest.mark.parametrize(
    ("executions", "verdict", "is_planned", "state"),
    [
        (SCORED, EvaluationPhase.FINISHED, True, EvaluationStatus.SCORED),
        (SCORED, EvaluationPhase.FINISHED, False, EvaluationStatus.SCORED),
        (NOTHING, EvaluationPhase.FINISHED, True, EvaluationStatus.NOTHING_TO_EVALUATE),
        ({}, EvaluationPhase.FINISHED, False, EvaluationStatus.NOTHING_TO_EVALUATE),
        (
            {"evaluating": []},
            EvaluationPhase.STUCK,
            True,
            EvaluationStatus.STUCK,
        ),
        (
            {"evaluating": [], **SCORED},
            EvaluationPhase.STUCK,
            False,
            EvaluationStatus.STUCK,
        ),
        (
            {"evaluating": [], **SCORED},
            EvaluationPhase.STUCK,
            True,
            EvaluationStatus.SCORED,
        ),
        (PARTLY, EvaluationPhase.NOT_STARTED, True, EvaluationStatus.PARTIAL),
        (PARTLY, EvaluationPhase.NOT_STARTED, False, EvaluationStatus.NOT_STARTED),
        (UNSTARTED, EvaluationPhase.NOT_STARTED, True, EvaluationStatus.NOT_STARTED),
        (
            {"completed": ["done", "-"]},
            EvaluationPhase.MISSING,
            True,
            EvaluationStatus.PARTIAL,
        ),
        (
            {"completed": ["-"]},
            EvaluationPhase.MISSING,
            True,
            EvaluationStatus.NOT_STARTED,
        ),
    ],
)
def test_a_verdict_is_a_state_where_nothing_more_is_to_be_started(
    executions, verdict, is_planned, state
):
    tally = tally_of(executions, ids(1))
    plan = make_plan(tally, Begun(), rerun=False) if is_planned else None

    assert state_of(verdict, tally, plan) is state


def test_select_all_has_begun_its_configs_everywhere():
    begun = begun_of([([config_id(0)], None)])

    assert begun.has(execution_id(7), config_id(0))
    assert not begun.has(execution_id(7), config_id(1))


def test_what_was_begun_is_that_config_on_that_execution():
    begun = begun_of([([config_id(0)], [1]), ([config_id(1)], [2])])

    assert begun.has(execution_id(1), config_id(0))
    assert not begun.has(execution_id(2), config_id(0))
    assert not begun.has(execution_id(1), config_id(1))


def test_a_pending_entry_is_no_result():
    tally = Tally([execution(0)], ids(2))
    tally.add(call(0, {config_id(0): PENDING, config_id(1): DONE}))

    plan = make_plan(tally, Begun(), rerun=False)

    assert plan.starts == (Start((execution_id(0),), (config_id(0),)),)
