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
    execution,
    execution_id,
    ids,
    results_of,
    table_of,
)
from hypothesis import given, strategies as st

from futureagi_async import EvaluationStatus, RunNewEvals
from futureagi_async.evaluation.conclusion import final_status
from futureagi_async.evaluation.overview import can_be_evaluated
from futureagi_async.evaluation.plan import (
    Assessment,
    EvaluationPhase,
    StartedPairs,
    StartGroup,
    assess,
    describe_busy,
    is_busy,
    make_plan,
)
from futureagi_async.evaluation.results import ResultScope, ResultTable


CONFIGS = ids(3)

FINISHED = EvaluationPhase.FINISHED
UNDER_WAY = EvaluationPhase.UNDER_WAY
NOT_STARTED = EvaluationPhase.NOT_STARTED
MISSING = EvaluationPhase.MISSING
STUCK = EvaluationPhase.STUCK
ABANDONED = EvaluationPhase.ABANDONED

CALL_STATUSES = ["completed", "analyzing", "ongoing", "failed", "cancelled"]
CELLS = st.lists(st.sampled_from([*ENTRIES, "-"]), min_size=3, max_size=3).map(" ".join)
CALLS = st.lists(
    st.builds("{}: {}".format, st.sampled_from(CALL_STATUSES), CELLS)
    | CELLS.map("completed: {}".format),
    max_size=3,
)
STATUSES = st.sampled_from(
    ["completed", "evaluating", "running", "pending", "cancelling", "failed"]
)
EXECUTIONS = st.lists(st.tuples(STATUSES, CALLS), max_size=4)
BEGUN = st.lists(
    st.tuples(
        st.sets(st.sampled_from(CONFIGS), min_size=1),
        st.one_of(st.none(), st.sets(st.integers(0, 3), min_size=1)),
    ),
    max_size=2,
)
CREATED = st.sets(st.sampled_from(CONFIGS)).map(frozenset)
NOBODY_ELSE = frozenset(CONFIGS)


def table_from(rows, created_ids=frozenset()):
    scope = ResultScope(tuple(CONFIGS), created_ids=created_ids)
    return ResultTable(
        [results_of(status, calls, scope, n) for n, (status, calls) in enumerate(rows)],
        scope,
    )


def begun_of(requests):
    begun = StartedPairs()
    for config_ids, executions in requests:
        everything = executions is None
        named = None if everything else map(execution_id, executions)
        begun.add(RunNewEvals(RUN_TEST, config_ids, named, select_all=everything))
    return begun


def plan_of(table, begun=None, *, rerun=False, is_settled=False):
    begun = begun or StartedPairs()
    return make_plan(table, begun, rerun=rerun, is_settled=is_settled)


def pairs(plan):
    return [
        (execution_id_, config)
        for start in plan.starts
        for execution_id_ in start.execution_ids
        for config in start.config_ids
    ]


def has_open_cell(results):
    """Whether anything of an execution has no result, or a call of it has not ended."""
    counts = [results.counts(each) for each in CONFIGS]
    return results.open_calls or any(each.unfinished for each in counts)


@given(EXECUTIONS, CREATED, BEGUN, st.booleans(), st.booleans())
def test_no_start_is_planned_twice_or_where_it_is_impossible(
    rows, created, requests, rerun, is_settled
):
    table, begun = table_from(rows, created), begun_of(requests)

    plan = plan_of(table, begun, rerun=rerun, is_settled=is_settled)

    for id_, config in pairs(plan):
        assert not begun.has(id_, config)
        assert table.executions[id_].status == "completed"
        assert table.completed_calls[id_] > 0
        assert rerun or table.counts(id_, config).finished == 0


@given(EXECUTIONS, CREATED, BEGUN, st.booleans())
def test_an_execution_is_in_one_request_at_most(rows, created, requests, rerun):
    plan = plan_of(table_from(rows, created), begun_of(requests), rerun=rerun)

    named = [id_ for start in plan.starts for id_ in start.execution_ids]
    assert len(named) == len(set(named))
    assert all(start.config_ids and start.execution_ids for start in plan.starts)


@given(EXECUTIONS, BEGUN, st.booleans())
def test_every_possible_start_is_planned_when_nothing_changes(rows, requests, rerun):
    table, begun = table_from(rows), begun_of(requests)

    plan = plan_of(table, begun, rerun=rerun, is_settled=True)

    started = set(pairs(plan))
    assert not plan.is_unsettled
    for (id_, each), config in itertools.product(table.executions.items(), CONFIGS):
        if each.status != "completed" or not table.completed_calls[id_]:
            continue
        is_wanted = rerun or not table.counts(id_, config).finished
        assert ((id_, config) in started) is (is_wanted and not begun.has(id_, config))


@given(EXECUTIONS, BEGUN, CREATED)
def test_what_seems_to_go_on_is_neither_erased_nor_forgotten(rows, requests, created):
    table, begun = table_from(rows, created), begun_of(requests)

    now = plan_of(table, begun)
    later = plan_of(table, begun, is_settled=True)

    put_off = set(pairs(later)) - set(pairs(now))
    assert set(pairs(now)) <= set(pairs(later))
    assert now.is_unsettled is bool(put_off)
    for id_, config in put_off:
        assert table.results[id_].is_uneven
        assert config not in created
    for id_, config in pairs(now):
        assert config in created or not table.results[id_].is_uneven


@given(EXECUTIONS)
def test_a_rerun_that_was_started_leaves_nothing_to_start(rows):
    table, begun = table_from(rows), StartedPairs()
    for start in plan_of(table, begun, rerun=True).starts:
        begun.add(RunNewEvals(RUN_TEST, start.config_ids, start.execution_ids))

    assert plan_of(table, begun, rerun=True).starts == ()


def test_executions_share_a_request_only_if_the_same_configs_are_missing():
    table = table_of(
        {
            "completed a": ["- done"],
            "completed b": ["done -"],
            "completed c": ["- failed"],
        },
        ids(2),
    )

    assert plan_of(table).starts == (
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
        (["done", "failed: -"], False, False),
    ],
)
def test_partial_results_are_left_and_marked(cells, is_started, is_partial):
    plan = plan_of(table_of({"completed": cells}, ids(1)), is_settled=True)

    assert bool(plan.starts) is is_started
    assert plan.is_partial is is_partial


@pytest.mark.parametrize(
    "calls",
    [
        ["pending -"],
        ["- done", "- -"],
        ["- done", "analyzing: - -"],
        ["- done", "ongoing: - -"],
        ["- done", "failed: - pending"],
    ],
)
def test_an_uneven_execution_takes_a_new_config_at_once_and_others_when_it_is_still(
    calls,
):
    def plan(**options):
        created = options.pop("created", frozenset())
        table = table_of({"completed": calls}, ids(1), created_ids=created)
        return plan_of(table, **options)

    start = (StartGroup((execution_id(0),), (config_id(0),)),)
    assert (plan().starts, plan().is_unsettled) == ((), True)
    assert plan(created=NOBODY_ELSE).starts == start
    assert plan(rerun=True).starts == start
    assert plan(is_settled=True).starts == start


def test_a_config_that_was_created_does_not_wait_for_one_that_was_not():
    table = table_of(
        {"completed": ["- - done", "- - -"]},
        ids(2),
        created_ids=frozenset({config_id(1)}),
    )

    plan = plan_of(table)

    assert plan.starts == (StartGroup((execution_id(0),), (config_id(1),)),)
    assert plan.is_unsettled


@pytest.mark.parametrize(
    "calls", [["- done", "- failed"], ["- -"], ["- done", "failed: - -"]]
)
def test_an_even_execution_is_started_at_once(calls):
    plan = plan_of(table_of({"completed": calls}, ids(1)))

    assert plan.starts == (StartGroup((execution_id(0),), (config_id(0),)),)
    assert not plan.is_unsettled


@pytest.mark.parametrize(
    ("calls", "rerun", "begun", "waits", "blocked"),
    [
        (["pending"], False, False, True, False),
        (["pending"], False, True, True, False),
        (["-"], False, False, True, True),
        (["-"], False, True, True, False),
        (["done"], False, False, False, False),
        (["done"], True, False, True, True),
        (["pending"], True, True, True, False),
        # What was rerun already has its results, whatever the execution's status.
        (["done"], True, True, False, False),
        (["done", "analyzing: done"], False, False, True, True),
        (["done", "analyzing: -"], False, True, True, False),
        (["done", "failed: -"], False, False, False, False),
        (["analyzing: -"], False, False, True, True),
        (["failed: -"], True, False, False, False),
        ([], True, False, False, False),
    ],
)
def test_a_running_evaluation_is_waited_for_if_it_matters(
    calls, rerun, begun, waits, blocked
):
    table = table_of({"evaluating": calls}, ids(1))
    done = begun_of([([config_id(0)], [0])] if begun else [])

    plan = plan_of(table, done, rerun=rerun)

    assert plan.starts == ()
    assert (plan.waits_for_running, plan.blocked_by_others) == (waits, blocked)


@pytest.mark.parametrize("status", ["pending", "running", "cancelling", "Paused"])
def test_an_execution_that_runs_again_is_waited_for(status):
    plan = plan_of(table_of({status: ["pending: -", "done"]}, ids(1)))

    assert plan.starts == ()
    assert plan.waits_for_running


@pytest.mark.parametrize("status", ["cancelled", "failed"])
def test_an_execution_that_takes_nothing_is_left(status):
    plan = plan_of(table_of({status: ["-"]}, ids(1)), rerun=True, is_settled=True)

    assert plan.starts == ()
    assert not plan.waits_for_running


@pytest.mark.parametrize(
    ("status", "evaluable", "busy"),
    [
        ("Completed", True, False),
        ("evaluating", True, True),
        ("FAILED", False, False),
        ("cancelled", False, False),
        ("Paused", False, True),
        ("Running", False, True),
        ("pending", False, True),
        ("queued", False, True),
        ("ongoing", False, True),
        ("analyzing", False, True),
        ("cancelling", False, True),
    ],
)
def test_the_status_of_an_execution_decides_what_it_accepts_and_whether_it_ends(
    status, evaluable, busy
):
    assert can_be_evaluated(execution(0, status)) is evaluable
    assert is_busy(results_of(status)) is busy


CERTAIN, UNCERTAIN = True, False

ASSESSMENTS = [
    ({}, FINISHED, CERTAIN),
    ({"completed": []}, FINISHED, CERTAIN),
    ({"completed": ["done failed"]}, FINISHED, CERTAIN),
    ({"completed": ["done failed", "failed: - -"]}, FINISHED, CERTAIN),
    # A call that has not ended can have results later, as a worker completes it.
    ({"completed": ["done failed", "analyzing: - -"]}, FINISHED, UNCERTAIN),
    ({"completed": ["done failed", "Paused: - -"]}, FINISHED, UNCERTAIN),
    # The execution becomes completed last, up to a minute after its last result.
    ({"evaluating": ["done done"]}, FINISHED, UNCERTAIN),
    ({"evaluating": ["done done", "failed: - -"]}, FINISHED, UNCERTAIN),
    # An analyzing call is being evaluated, whatever has its results.
    ({"evaluating": ["analyzing: - -"]}, UNDER_WAY, CERTAIN),
    ({"evaluating": ["analyzing: done done"]}, UNDER_WAY, CERTAIN),
    ({"evaluating": ["done done", "analyzing: - -"]}, UNDER_WAY, CERTAIN),
    ({"evaluating": ["done done", "analyzing: done done"]}, UNDER_WAY, CERTAIN),
    # Absent cells come config by config, and after an evaluation-only rerun.
    ({"evaluating": ["- -"]}, UNDER_WAY, CERTAIN),
    ({"evaluating": ["- done"]}, UNDER_WAY, CERTAIN),
    ({"evaluating": ["done done", "done -"]}, UNDER_WAY, CERTAIN),
    ({"evaluating": ["done pending"]}, UNDER_WAY, CERTAIN),
    # A failed call with a transcript gets a result too.
    ({"evaluating": ["done done", "failed: pending -"]}, UNDER_WAY, CERTAIN),
    ({"completed": ["- done"], "evaluating": ["- done"]}, UNDER_WAY, CERTAIN),
    ({"completed": ["pending done"], "evaluating": ["- -"]}, UNDER_WAY, CERTAIN),
    ({"cancelled": ["- done"], "evaluating": ["- done"]}, UNDER_WAY, CERTAIN),
    ({"running": ["done done"]}, UNDER_WAY, CERTAIN),
    ({"pending": []}, UNDER_WAY, CERTAIN),
    ({"cancelling": ["done done"]}, UNDER_WAY, CERTAIN),
    ({"completed": ["done pending"]}, NOT_STARTED, UNCERTAIN),
    ({"completed": ["- pending"]}, NOT_STARTED, UNCERTAIN),
    (
        {"completed": ["pending done"], "evaluating": ["done done"]},
        NOT_STARTED,
        UNCERTAIN,
    ),
    ({"completed": ["- done"]}, MISSING, CERTAIN),
    ({"completed": ["- done", "- failed"]}, MISSING, CERTAIN),
    # Finalizers do not look at results: others of the same execution can come later.
    ({"completed": ["- done", "- -"]}, MISSING, UNCERTAIN),
    ({"completed": ["done done", "done -"]}, MISSING, UNCERTAIN),
    ({"completed": ["- done", "analyzing: - -"]}, MISSING, UNCERTAIN),
    ({"completed": ["- done", "failed: - pending"]}, MISSING, UNCERTAIN),
    ({"completed": ["- done"], "evaluating": ["done done"]}, MISSING, UNCERTAIN),
    ({"evaluating": []}, STUCK, UNCERTAIN),
    ({"evaluating": ["failed: - -", "cancelled: - -"]}, STUCK, UNCERTAIN),
    ({"completed": ["done done"], "evaluating": []}, STUCK, UNCERTAIN),
    ({"evaluating a": [], "evaluating b": ["done done"]}, STUCK, UNCERTAIN),
    ({"cancelled": ["- -"]}, ABANDONED, CERTAIN),
    ({"failed": ["- -"], "completed": ["done done"]}, ABANDONED, CERTAIN),
]


@pytest.mark.parametrize(("executions", "phase", "is_certain"), ASSESSMENTS)
def test_each_table_has_its_phase(executions, phase, is_certain):
    assert assess(table_of(executions, ids(2))) == Assessment(phase, is_certain)


def test_no_one_else_evaluates_a_config_that_was_created_just_now():
    created = frozenset({config_id(0)})
    both = frozenset(ids(2))

    def found(calls, created_ids):
        return assess(table_of({"evaluating": calls}, ids(2), created_ids=created_ids))

    assert found(["- done"], created) == Assessment(STUCK, is_certain=False)
    assert found(["- -"], created) == Assessment(UNDER_WAY, is_certain=True)
    assert found(["- -"], both) == Assessment(STUCK, is_certain=False)
    assert found(["pending done"], both) == Assessment(UNDER_WAY, is_certain=True)


def test_a_created_config_is_waited_for_only_where_it_was_started():
    def found(started_on):
        return assess(
            table_of(
                {"completed": ["done done"], "evaluating": ["- done"]},
                ids(2),
                created_ids=frozenset({config_id(0)}),
                started_on=frozenset({execution_id(started_on)}),
            )
        )

    assert found(0) == Assessment(STUCK, is_certain=False)
    assert found(1) == Assessment(UNDER_WAY, is_certain=True)


def test_a_config_that_nobody_ran_is_waited_for_until_the_execution_is_completed():
    def found(status):
        return assess(table_of({status: ["done -"]}, live_ids=tuple(ids(2))))

    assert found("evaluating") == Assessment(UNDER_WAY, is_certain=True)
    assert found("completed") == Assessment(FINISHED, is_certain=True)


def test_without_known_configs_those_that_were_seen_are_expected():
    def found(*calls):
        return assess(table_of({"evaluating": calls}))

    assert found("done -", "done done") == Assessment(UNDER_WAY, is_certain=True)
    assert found("done -", "done -") == Assessment(FINISHED, is_certain=False)


@pytest.mark.parametrize("status", ["evaluating", "completed"])
def test_a_config_that_was_deleted_is_not_waited_for(status):
    live = tuple(ids(1))

    pending = assess(table_of({status: ["done pending"]}, live_ids=live))
    absent = assess(table_of({status: ["done done", "done -"]}, live_ids=live))

    assert pending == absent
    assert pending == Assessment(FINISHED, is_certain=status == "completed")


def test_other_configs_are_waited_for_where_they_are_prepared_only():
    live = tuple(ids(2))

    def found(cells):
        return assess(table_of({"evaluating": [cells]}, ids(1), live_ids=live))

    assert found("done pending") == Assessment(UNDER_WAY, is_certain=True)
    assert found("done -") == Assessment(FINISHED, is_certain=False)


@given(EXECUTIONS, CREATED)
def test_a_table_with_anything_open_is_never_finished_for_certain(rows, created):
    table = table_from(rows, created)

    found = assess(table)

    if any(map(has_open_cell, table.results.values())):
        assert found != Assessment(FINISHED, is_certain=True)


@given(EXECUTIONS, CREATED)
def test_no_table_with_a_completed_call_without_its_result_is_finished(rows, created):
    table = table_from(rows, created)

    if any(table.config_counts(each).unfinished for each in CONFIGS):
        assert assess(table).phase is not FINISHED


@given(EXECUTIONS, CREATED)
def test_a_call_under_evaluation_is_under_way_for_certain(rows, created):
    rows.append(("evaluating", ["analyzing: done done done"]))

    assert assess(table_from(rows, created)) == Assessment(UNDER_WAY, is_certain=True)


@given(EXECUTIONS, CREATED)
def test_an_execution_that_is_still_evaluating_is_never_concluded_at_once(
    rows, created
):
    rows.append(("evaluating", ["done done done"]))

    found = assess(table_from(rows, created))

    assert found.phase in (UNDER_WAY, ABANDONED) or not found.is_certain


@pytest.mark.parametrize(
    ("calls", "seen"),
    [
        ([], ""),
        (["- done", "done done"], " with 2 completed of 2 calls"),
        (
            ["done done", "analyzing: - -", "analyzing: done -", "failed: - -"],
            " with 2 analyzing, 1 completed, 1 failed of 4 calls",
        ),
        (
            ["pending pending", "failed: - pending"],
            " with 1 completed, 1 failed of 2 calls, 3 results pending",
        ),
    ],
)
def test_an_execution_that_is_not_over_is_described_by_its_calls(calls, seen):
    table = table_of({"evaluating": calls, "completed": ["done done"]}, ids(2))

    assert list(describe_busy(table)) == [
        f"execution {execution_id(0)} was evaluating when last read{seen}"
    ]


def test_every_execution_that_is_not_over_is_described():
    over = {"failed": [], "completed": ["done"]}
    table = table_of(
        {"running": [], "evaluating": [], "pending": [], "completed a": ["pending"]}
        | over
    )

    assert [each.partition(" was ")[2] for each in describe_busy(table)] == [
        "running when last read",
        "evaluating when last read",
        "pending when last read",
        "completed when last read with 1 completed of 1 calls, 1 results pending",
    ]


NOTHING = {"completed": []}
SCORED = {"completed": ["done"]}
PARTLY = {"completed": ["done", "pending"]}
UNSTARTED = {"completed": ["pending"]}
STUCK_AND_SCORED = {"evaluating": [], **SCORED}


@pytest.mark.parametrize(
    ("executions", "phase", "is_planned", "state"),
    [
        (SCORED, FINISHED, True, EvaluationStatus.SCORED),
        (SCORED, FINISHED, False, EvaluationStatus.SCORED),
        (NOTHING, FINISHED, True, EvaluationStatus.NOTHING_TO_EVALUATE),
        ({}, FINISHED, False, EvaluationStatus.NOTHING_TO_EVALUATE),
        ({"evaluating": []}, STUCK, True, EvaluationStatus.STUCK),
        (STUCK_AND_SCORED, STUCK, False, EvaluationStatus.STUCK),
        (STUCK_AND_SCORED, STUCK, True, EvaluationStatus.SCORED),
        ({"evaluating": ["-"], **SCORED}, STUCK, True, EvaluationStatus.STUCK),
        (PARTLY, NOT_STARTED, True, EvaluationStatus.PARTIAL),
        (PARTLY, NOT_STARTED, False, EvaluationStatus.NOT_STARTED),
        (UNSTARTED, NOT_STARTED, True, EvaluationStatus.NOT_STARTED),
        ({"completed": ["done", "-"]}, MISSING, True, EvaluationStatus.PARTIAL),
        ({"completed": ["done", "-"]}, MISSING, False, EvaluationStatus.PARTIAL),
        ({"completed": ["-"]}, MISSING, True, EvaluationStatus.NOT_STARTED),
        ({"cancelled": ["-"]}, ABANDONED, True, EvaluationStatus.CANCELLED),
        ({"failed": ["-"], **SCORED}, ABANDONED, False, EvaluationStatus.CANCELLED),
    ],
)
def test_each_phase_has_its_final_status(executions, phase, is_planned, state):
    table = table_of(executions, ids(1))
    plan = plan_of(table, is_settled=True) if is_planned else None

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
    results = results_of(scope=ResultScope(tuple(ids(2))))
    results.add(call({config_id(0): PENDING, config_id(1): DONE}))

    plan = plan_of(ResultTable([results], ResultScope(tuple(ids(2)))), is_settled=True)

    assert plan.starts == (StartGroup((execution_id(0),), (config_id(0),)),)
