"""What is started, and what is not: properties of all that can be read of a run test."""

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
    table_of,
)
from hypothesis import given, strategies as st

from futureagi_async import EvaluationStatus, RunNewEvals
from futureagi_async.evaluation.conclusion import final_status
from futureagi_async.evaluation.plan import (
    Assessment,
    EvaluationPhase,
    StartedPairs,
    StartGroup,
    assess,
    make_plan,
)
from futureagi_async.evaluation.results import ResultTable, can_be_evaluated


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


def table_from(rows):
    table = ResultTable(
        [execution(n, state) for n, (state, _) in enumerate(rows)], CONFIGS
    )
    for number, (_, calls) in enumerate(rows):
        for cells in calls:
            table.add(call(number, entries(cells)))
    return table


def begun_of(requests):
    begun = StartedPairs()
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
def test_no_start_is_planned_twice_or_where_it_is_impossible(rows, requests, rerun):
    table, begun = table_from(rows), begun_of(requests)

    plan = make_plan(table, begun, rerun=rerun)

    for execution_id_, config in pairs(plan):
        assert not begun.has(execution_id_, config)
        assert not table.executions[execution_id_].is_evaluating
        assert table.completed_calls[execution_id_] > 0
        assert rerun or table.counts(execution_id_, config).finished == 0


@given(EXECUTIONS, BEGUN, st.booleans())
def test_an_execution_is_in_one_request_at_most(rows, requests, rerun):
    plan = make_plan(table_from(rows), begun_of(requests), rerun=rerun)

    named = [id_ for start in plan.starts for id_ in start.execution_ids]
    assert len(named) == len(set(named))
    assert all(start.config_ids and start.execution_ids for start in plan.starts)


@given(EXECUTIONS, BEGUN, st.booleans())
def test_every_possible_start_is_planned(rows, requests, rerun):
    table, begun = table_from(rows), begun_of(requests)

    started = set(pairs(make_plan(table, begun, rerun=rerun)))

    for (id_, each), config in itertools.product(table.executions.items(), CONFIGS):
        if each.is_evaluating or not table.completed_calls[id_]:
            continue
        is_wanted = rerun or not table.counts(id_, config).finished
        assert ((id_, config) in started) is (is_wanted and not begun.has(id_, config))


@given(EXECUTIONS)
def test_a_rerun_that_was_started_leaves_nothing_to_start(rows):
    table, begun = table_from(rows), StartedPairs()
    for start in make_plan(table, begun, rerun=True).starts:
        begun.add(RunNewEvals(RUN_TEST, start.config_ids, start.execution_ids))

    assert make_plan(table, begun, rerun=True).starts == ()


def test_executions_share_a_request_only_if_the_same_configs_are_missing():
    table = table_of(
        {
            "completed a": ["- done"],
            "completed b": ["done -"],
            "completed c": ["- failed"],
        },
        ids(2),
    )

    assert make_plan(table, StartedPairs(), rerun=False).starts == (
        StartGroup((execution_id(0), execution_id(2)), (config_id(0),)),
        StartGroup((execution_id(1),), (config_id(1),)),
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
def test_partial_results_are_left_and_marked(cells, is_started, is_partial):
    plan = make_plan(
        table_of({"completed": cells}, ids(1)), StartedPairs(), rerun=False
    )

    assert bool(plan.starts) is is_started
    assert plan.is_partial is is_partial


@pytest.mark.parametrize(
    ("cells", "rerun", "expected"),
    [("pending", False, True), ("-", False, False), ("pending", True, False)],
)
def test_a_start_of_prepared_evaluations_is_marked(cells, rerun, expected):
    plan = make_plan(
        table_of({"completed": [cells]}, ids(1)), StartedPairs(), rerun=rerun
    )

    assert plan.starts
    assert plan.relies_on_prepared is expected


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
def test_a_running_evaluation_is_waited_for_if_it_matters(
    cells, rerun, begun, expected
):
    table = table_of({"evaluating": [cells]}, ids(1))
    done = begun_of([([config_id(0)], [0])] if begun else [])

    plan = make_plan(table, done, rerun=rerun)

    assert plan.starts == ()
    assert plan.waits_for_running is expected


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
def test_only_completed_and_evaluating_executions_can_be_evaluated(status, expected):
    assert can_be_evaluated(execution(0, status)) is expected


ASSESSMENTS = [
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


@pytest.mark.parametrize(("executions", "expected"), ASSESSMENTS)
def test_each_table_has_its_phase(executions, expected):
    assert assess(table_of(executions, ids(2))) == expected


@given(EXECUTIONS)
def test_no_table_with_an_unfinished_call_is_finished(rows):
    table = table_from(rows)
    phase = assess(table).phase

    if any(table.execution_counts(id_).unfinished for id_ in table.executions):
        assert phase is not EvaluationPhase.FINISHED


NOTHING = {"completed": []}
SCORED = {"completed": ["done"]}
PARTLY = {"completed": ["done", "pending"]}
UNSTARTED = {"completed": ["pending"]}


@pytest.mark.parametrize(
    ("executions", "phase", "is_planned", "state"),
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
def test_each_phase_has_its_final_status(executions, phase, is_planned, state):
    table = table_of(executions, ids(1))
    plan = make_plan(table, StartedPairs(), rerun=False) if is_planned else None

    assert final_status(phase, table, plan) is state


def test_select_all_has_started_its_configs_on_all_executions():
    begun = begun_of([([config_id(0)], None)])

    assert begun.has(execution_id(7), config_id(0))
    assert not begun.has(execution_id(7), config_id(1))


def test_a_request_has_started_its_configs_on_its_executions_only():
    begun = begun_of([([config_id(0)], [1]), ([config_id(1)], [2])])

    assert begun.has(execution_id(1), config_id(0))
    assert not begun.has(execution_id(2), config_id(0))
    assert not begun.has(execution_id(1), config_id(1))


def test_a_pending_entry_is_no_result():
    table = ResultTable([execution(0)], ids(2))
    table.add(call(0, {config_id(0): PENDING, config_id(1): DONE}))

    plan = make_plan(table, StartedPairs(), rerun=False)

    assert plan.starts == (StartGroup((execution_id(0),), (config_id(0),)),)
