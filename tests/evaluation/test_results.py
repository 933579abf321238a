"""Scores are those of the service's own summary; counts leave nothing out."""

from __future__ import annotations

import re

import pytest
from evaluation_values import (
    DONE,
    ENTRIES,
    FAILED,
    PENDING,
    SKIPPED,
    call,
    call_of,
    execution,
    execution_id,
    ids,
    results_of,
    table_of,
)
from hypothesis import assume, example, given, settings, strategies as st

from futureagi_async.emulator.cells import store_cell
from futureagi_async.emulator.rows import Call, EvalConfig, Execution, RunTest
from futureagi_async.emulator.rules.summaries import config_entry, finished_results
from futureagi_async.endpoints.scores import read_scores
from futureagi_async.evaluation.overview import Overview
from futureagi_async.evaluation.results import (
    ExecutionResults,
    ResultCounts,
    ResultScope,
    ResultTable,
    read_results,
)
from futureagi_async.evaluation.scoring import ScoreAggregator
from futureagi_async.types import (
    ChoiceScores,
    EvalOutput,
    ExecutionStatus,
    NumericScores,
    PassFailScores,
)


(CONFIG,) = ids(1)

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**64 - 1),
    st.floats(-1e6, 1e6),
    st.integers(0, 1000).map(lambda thousandths: thousandths / 1000),
    st.booleans(),
)
WORDS = st.sampled_from(
    ["Passed", "Failed", "passed", "TRUE", "true", "False", "", "neither", True, False]
)
CHOICES = st.one_of(st.text(max_size=3), st.booleans(), st.integers(0, 3))
TYPED = {"Pass/Fail": WORDS, "score": NUMBERS, "choices": CHOICES}


def outputs_of(kind):
    """Results of one type, among them such as are not there yet, and never will be."""
    value = st.one_of(TYPED[kind], TYPED["choices"])
    done = st.builds(lambda each: {"value": each, "type": kind}, value)
    return st.lists(st.one_of(done, st.sampled_from([PENDING, FAILED, SKIPPED])))


def said_by_the_service(results):
    """What the service sums these results up to; they are listed newest first."""
    calls = [
        Call(str(n), "completed", {CONFIG: store_cell(each)})
        for n, each in enumerate(results)
    ]
    run_test = RunTest(
        "r", "r", "o", "w", executions=[Execution("e", calls=calls[::-1])]
    )
    found = finished_results(run_test, None).get(CONFIG, [])
    entry = config_entry(EvalConfig(CONFIG, "name", "t"), found)
    total_cells = entry["total_cells"]
    return read_scores(entry["output"], entry.get("avg_score"), total_cells)


def table_from(results):
    """What we sum them up to."""
    scope = ResultScope((CONFIG,))
    found = ExecutionResults(execution(0), scope)
    for each in results:
        found.add(call({CONFIG: each}))
    return ResultTable([found], scope)


@pytest.mark.parametrize("kind", TYPED)
def test_scores_are_those_of_the_services_summary(kind):
    @given(outputs_of(kind))
    def law(results):
        assert table_from(results).scores(CONFIG) == said_by_the_service(results)

    law()


@given(st.data())
def test_the_first_type_decides_as_in_the_services_summary(data):
    kinds = data.draw(st.lists(st.sampled_from(sorted(TYPED)), max_size=4))
    # A choice is a text for us; the service counts one that is a number as a number.
    values = TYPED | {"choices": st.text(max_size=3)}
    results = [
        {"value": data.draw(values[each]), "type": each, "status": "Completed"}
        for each in kinds
    ]

    assert table_from(results).scores(CONFIG) == said_by_the_service(results)


def test_an_average_is_rounded_from_the_sum_that_the_service_makes():
    # Added exactly they come to the other side of the half, and round to 49.8.
    values = [0.3058, 0.9167, 0.026, 0.7437]
    results = [{"value": each, "type": "score"} for each in values]

    scores = table_from(results).scores(CONFIG)

    assert isinstance(scores, NumericScores)
    assert scores == said_by_the_service(results)


def test_a_value_without_a_type_is_in_no_score_but_counts_as_a_result():
    typeless = {"value": "Failed", "status": "Completed"}
    table = table_from([typeless, DONE])

    assert table.scores(CONFIG) == PassFailScores(100.0, 0.0, 1, 0)
    assert table.scores(CONFIG) == said_by_the_service([typeless, DONE])
    assert table.config_counts(CONFIG).completed == 2


def test_results_that_never_had_a_type_have_no_scores():
    assert table_from([{"value": 1}, "plain text"]).scores(CONFIG) is None


STRANGE = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**64 - 1),
        st.floats(allow_nan=False),
        st.text(),
    ),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(max_examples=50)
@given(
    st.sampled_from(["Pass/Fail", "score", "choices", "numeric", "text", "", None, 7]),
    st.lists(STRANGE),
)
@example("score", [1e308, 1e308, -1e308])
def test_no_value_however_strange_raises(kind, values):
    table = table_from([{"value": each, "type": kind} for each in values])

    assert table.config_counts(CONFIG).finished == len(values)
    scores = table.scores(CONFIG)
    assert scores is None or isinstance(
        scores, PassFailScores | NumericScores | ChoiceScores
    )


@settings(max_examples=50)
@given(st.lists(st.one_of(STRANGE, st.sampled_from([DONE, FAILED, SKIPPED, PENDING]))))
def test_every_completed_call_is_counted_once_whatever_its_result(results):
    cells = table_from(results).config_counts(CONFIG)

    assert cells.finished + cells.unfinished == len(results)
    assert cells.not_prepared == 0


def test_scores_of_an_unknown_type_are_none():
    keeper = ScoreAggregator()
    keeper.add(EvalOutput.from_wire({"value": "x", "type": "essay"}))

    assert keeper.scores() is None


def test_numbers_that_are_none_leave_no_scores():
    assert table_from([{"value": "high", "type": "score"}]).scores(CONFIG) is None


def test_each_status_has_its_own_count():
    calls = ["done", "done", "failed", "skipped", "pending", "-"]
    cells = table_of({"completed": calls}, [CONFIG]).config_counts(CONFIG)

    assert cells == ResultCounts(
        completed=2, failed=1, skipped=1, pending=1, not_prepared=1
    )
    assert (cells.finished, cells.unfinished) == (4, 2)


@pytest.mark.parametrize(
    "entry",
    [
        {"value": None, "error": False, "status": "completed", "type": "Pass/Fail"},
        {"value": None, "status": "Completed", "type": "score", "reason": "no answer"},
        {"output": None, "output_type": "choices", "reason": "r", "name": "n"},
    ],
)
def test_an_evaluation_that_ended_without_an_answer_counts_as_skipped(entry):
    table = table_from([entry, DONE])

    assert table.config_counts(CONFIG) == ResultCounts(completed=1, skipped=1)
    assert table.scores(CONFIG) == PassFailScores(100.0, 0.0, 1, 0)


@pytest.mark.parametrize("status", ["failed", "cancelled", "ongoing", "pending", "odd"])
@pytest.mark.parametrize("cell", ["done", "failed", "pending"])
def test_calls_that_are_not_completed_are_in_no_count_and_no_score(status, cell):
    table = table_of({"completed": [f"{status}: {cell}"]}, [CONFIG])

    assert table.config_counts(CONFIG) == ResultCounts()
    assert table.scores(CONFIG) is None
    assert table.failures == {}
    assert table.completed_calls == {execution_id(0): 0}
    assert table.statuses == {ExecutionStatus(status): 1}


@pytest.mark.parametrize(
    ("status", "is_open"),
    [
        ("completed", False),
        ("failed", False),
        ("cancelled", False),
        ("analyzing", True),
        ("ongoing", True),
        ("pending", True),
        ("queued", True),
        ("Paused", True),
    ],
)
def test_a_call_is_open_until_nothing_happens_to_it_any_more(status, is_open):
    assert results_of(calls=[f"{status}: done"]).open_calls == is_open


def test_pending_results_are_those_of_calls_of_any_status_and_of_any_live_config():
    calls = ["pending done -", "failed: pending - -", "analyzing: - pending pending"]
    everything = results_of(calls=calls)
    requested = results_of(calls=calls, scope=ResultScope((CONFIG,)))
    live = results_of(calls=calls, scope=ResultScope(live_ids=(CONFIG,)))

    assert [everything.pending, requested.pending, live.pending] == [4, 4, 2]


def test_counts_are_by_execution_and_by_config():
    one, other = ids(2)
    states = {"completed a": ["done pending"], "completed b": ["failed -"]}
    table = table_of(states, [one, other])

    assert table.counts(execution_id(0), one) == ResultCounts(completed=1)
    assert table.counts(execution_id(0), other) == ResultCounts(pending=1)
    assert table.counts(execution_id(1), other) == ResultCounts(not_prepared=1)
    assert table.config_counts(one) == ResultCounts(completed=1, failed=1)
    assert table.config_counts(other) == ResultCounts(pending=1, not_prepared=1)


def test_of_what_was_not_requested_only_what_was_run_on_an_execution_counts_there():
    _, other = ids(2)
    states = {"completed a": ["done done"], "completed b": ["done -", "- -"]}
    table = table_of(states | {"evaluating": ["done -"]})

    assert table.counts(execution_id(1), other) == ResultCounts()
    assert table.counts(execution_id(2), other) == ResultCounts(not_prepared=1)


def test_the_requested_configs_count_in_their_order_also_where_no_call_has_them():
    one, other = ids(2)
    table = table_of({"completed": ["done -"]}, [other, one])

    assert table.config_ids == [other, one]
    assert table.config_counts(other) == ResultCounts(not_prepared=1)


def test_without_config_ids_whatever_completed_calls_have_is_counted_under_its_name():
    one, other, third = ids(3)
    found = ExecutionResults(execution(0), ResultScope())
    found.add(call({one: {**DONE, "name": "tone"}, other: PENDING}))
    found.add(call({one: {**DONE, "name": None}}))
    found.add(call({third: DONE}, status="analyzing"))
    table = ResultTable([found])

    assert table.config_ids == [one, other]
    assert table.names == {one: "tone"}
    assert table.config_counts(other) == ResultCounts(pending=1, not_prepared=1)


def test_results_of_deleted_configs_are_neither_counted_nor_named():
    live, deleted = ids(2)
    scope = ResultScope(live_ids=(live,))
    found = ExecutionResults(execution(0), scope)
    broken = {**FAILED, "reason": "broken", "name": "old"}
    found.add(call({live: DONE, deleted: broken}))
    found.add(call({live: DONE, deleted: PENDING}))
    table = ResultTable([found], scope)

    assert table.config_ids == [live]
    assert (table.names, table.failures) == ({}, {})
    assert (found.pending, found.is_uneven) == (0, False)
    assert table.config_counts(deleted).finished == 0


def test_a_config_that_was_requested_is_live_though_it_is_not_listed():
    one, other = ids(2)
    table = table_of({"completed": ["done done"]}, [other], live_ids=(one,))

    assert table.config_counts(other) == ResultCounts(completed=1)


def named_results(number, *entries_):
    found = ExecutionResults(execution(number), ResultScope())
    for each in entries_:
        found.add(call({CONFIG: each}))
    return found


def test_a_config_that_was_renamed_has_the_name_of_its_newest_result():
    newer = named_results(
        1, PENDING, {**DONE, "name": "new"}, {**DONE, "name": "older"}
    )
    older = named_results(0, {**DONE, "name": "oldest"})

    assert ResultTable([newer, older]).names == {CONFIG: "new"}


def test_the_reason_of_a_failure_is_that_of_the_newest_one_that_has_a_reason():
    newest = named_results(2, FAILED, DONE)
    newer = named_results(1, {**FAILED, "reason": "new"}, {**FAILED, "reason": "old"})
    older = named_results(0, {**FAILED, "reason": "older"})

    assert ResultTable([newest, newer, older]).failures == {CONFIG: "new"}


def test_a_limit_of_the_account_is_noted_with_the_first_reason_that_states_it():
    reasons = ["too long", "credit limit reached", "usage limit exceeded"]
    found = named_results(0, *({**FAILED, "reason": each} for each in reasons))

    assert found.limit_reached == "credit limit reached"
    assert named_results(0, {**FAILED, "reason": "too long"}).limit_reached == ""


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ([], False),
        (["done -", "done -"], False),
        (["done failed", "done skipped"], False),
        (["done -", "failed: - -"], False),
        (["done -", "done done"], True),
        (["pending -", "pending -"], True),
        (["done done", "failed: pending -"], True),
        (["done done", "analyzing: done done"], True),
    ],
)
def test_an_execution_is_uneven_where_something_seems_to_go_on(calls, expected):
    assert results_of(calls=calls).is_uneven is expected


def test_what_was_started_after_it_was_read_is_pending_without_scores():
    table = table_of({"completed a": ["done failed"], "completed b": ["done done"]})
    one, other = ids(2)

    table.mark_pending([execution_id(0)], [one])

    assert table.counts(execution_id(0), one) == ResultCounts(pending=1)
    assert table.counts(execution_id(0), other) == ResultCounts(failed=1)
    assert table.config_counts(one) == ResultCounts(completed=1, pending=1)
    assert table.scores(one) == PassFailScores(100.0, 0.0, 1, 0)


def test_the_reason_of_a_failure_is_gone_with_its_result():
    table = ResultTable([named_results(0, {**FAILED, "reason": "too long"})])

    table.mark_pending([execution_id(0)], [CONFIG])

    assert table.failures == {}


def test_completed_calls_are_kept_on_request():
    kept = results_of(
        calls=["done", "analyzing: done"], scope=ResultScope(keeps_calls=True)
    )

    assert kept.calls == [call_of("done")]
    assert results_of(calls=["done"]).calls == []


def test_scores_are_those_of_all_executions_together():
    values = [({"value": n / 10, "type": "score"},) for n in range(4)]
    apart = [named_results(n, *each) for n, each in enumerate(values)]

    assert ResultTable(apart).scores(CONFIG) == ResultTable(
        [named_results(0, *(each for (each,) in values))]
    ).scores(CONFIG)


def test_a_table_without_executions_has_no_configs_and_no_scores():
    table = ResultTable()

    assert (table.config_ids, table.executions, table.scores(CONFIG)) == ([], {}, None)


STATES = st.sampled_from(["completed", "analyzing", "failed", "pending"])
ROWS = st.lists(
    st.tuples(
        STATES, st.lists(st.sampled_from([*ENTRIES, "-"]), min_size=2, max_size=2)
    ),
    min_size=1,
    max_size=4,
)


def fingerprint(rows, status="evaluating"):
    calls = [f"{state}: {' '.join(cells)}" for state, cells in rows]
    return table_of({status: calls}).fingerprint


@given(ROWS, st.data())
def test_the_fingerprint_changes_with_the_status_of_any_call(rows, data):
    index = data.draw(st.integers(0, len(rows) - 1))
    old, cells = rows[index]
    new = data.draw(STATES.filter(lambda each: each != old))

    assert fingerprint(rows) != fingerprint(
        [*rows[:index], (new, cells), *rows[index + 1 :]]
    )


@given(ROWS, st.data())
def test_the_fingerprint_changes_with_any_result_of_a_completed_call(rows, data):
    index = data.draw(st.integers(0, len(rows) - 1))
    _, cells = rows[index]
    column = data.draw(st.integers(0, 1))
    new = data.draw(st.sampled_from([*ENTRIES, "-"]))
    assume(new != cells[column])
    changed = [new if n == column else each for n, each in enumerate(cells)]

    def with_cells(each):
        return fingerprint([*rows[:index], ("completed", each), *rows[index + 1 :]])

    assert with_cells(cells) != with_cells(changed)


def test_the_fingerprint_changes_when_a_result_of_any_call_is_prepared_or_ends():
    prints = [
        fingerprint([(state, [cell, "done"])])
        for state in ("failed", "analyzing")
        for cell in ("pending", "done")
    ]

    assert len(set(prints)) == 4


def test_the_fingerprint_changes_with_the_status_of_an_execution_and_with_their_number():
    rows = [("completed", ["done", "-"])]
    twice = table_of({"evaluating a": ["done -"], "evaluating b": ["done -"]})

    assert fingerprint(rows) != fingerprint(rows, "completed")
    assert fingerprint(rows) != twice.fingerprint


@given(ROWS, st.randoms())
def test_the_fingerprint_does_not_depend_on_the_order_of_the_calls(rows, random):
    shuffled = rows.copy()
    random.shuffle(shuffled)

    assert fingerprint(rows) == fingerprint(shuffled)


async def test_without_an_execution_nothing_is_read():
    table = await read_results(pytest.fail, "run test", Overview([], {}), ResultScope())

    assert table.executions == {}


def test_percentiles_are_those_of_the_service():
    scores = table_from([{"value": 0.5, "type": "score"}]).scores(CONFIG)
    service = said_by_the_service([{"value": 0.5, "type": "score"}])

    assert isinstance(scores, NumericScores)
    assert scores.percentiles == service.percentiles
    assert all(re.fullmatch(r"50\.0", str(v)) for v in scores.percentiles.values())
