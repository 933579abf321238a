"""Scores are those of the service's own summary; counts leave nothing out."""

from __future__ import annotations

import re

import pytest
from evaluation_values import DONE, FAILED, PENDING, SKIPPED, call, execution, ids
from hypothesis import example, given, settings, strategies as st

from futureagi_async.emulator.rules.summaries import config_entry, finished_results
from futureagi_async.emulator.world import Call, EvalConfig, Execution, RunTest
from futureagi_async.endpoints.scores import read_scores
from futureagi_async.evaluation.results import (
    ResultCounts,
    ResultTable,
    ScoreAggregator,
)
from futureagi_async.types import (
    ChoiceScores,
    EvalOutput,
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
    calls = [Call(str(n), "completed", {CONFIG: r}) for n, r in enumerate(results)]
    run_test = RunTest(
        "r", "r", "o", "w", executions=[Execution("e", calls=calls[::-1])]
    )
    found = finished_results(run_test, None).get(CONFIG, [])
    entry = config_entry(EvalConfig(CONFIG, "name", "t"), found)
    total_cells = entry["total_cells"]
    return read_scores(entry["output"], entry.get("avg_score"), total_cells)


def table_from(results):
    """What we sum them up to."""
    table = ResultTable([execution(0)], [CONFIG])
    for each in results:
        table.add(call(0, {CONFIG: each}))
    return table


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
    table = table_from([DONE, DONE, FAILED, SKIPPED, PENDING])
    table.add(call(0, {}))

    cells = table.config_counts(CONFIG)

    assert cells == ResultCounts(
        completed=2, failed=1, skipped=1, pending=1, not_prepared=1
    )
    assert (cells.finished, cells.unfinished) == (4, 2)


@pytest.mark.parametrize("status", ["failed", "ongoing", "pending", "who knows"])
def test_calls_that_are_not_completed_count_for_nothing(status):
    table = ResultTable([execution(0)], [CONFIG])
    table.add(call(0, {CONFIG: DONE}, status=status))

    assert table.config_counts(CONFIG) == ResultCounts()
    assert table.completed_calls == {execution(0).id: 0}


def test_calls_of_other_executions_count_for_nothing():
    table = ResultTable([execution(0)], [CONFIG])
    table.add(call(1, {CONFIG: DONE}))

    assert table.config_counts(CONFIG) == ResultCounts()


def test_counts_are_by_execution_and_by_config():
    one, other = ids(2)
    table = ResultTable([execution(0), execution(1)], [one, other])
    table.add(call(0, {one: DONE, other: PENDING}))
    table.add(call(1, {one: FAILED}))

    assert table.counts(execution(0).id, one) == ResultCounts(completed=1)
    assert table.counts(execution(1).id, other) == ResultCounts(not_prepared=1)
    assert table.execution_counts(execution(0).id) == ResultCounts(
        completed=1, pending=1
    )
    assert table.config_counts(one) == ResultCounts(completed=1, failed=1)
    assert table.config_ids == [one, other]


def test_without_config_ids_whatever_the_calls_have_is_counted_under_its_name():
    one, other = ids(2)
    table = ResultTable([execution(0)], None)
    table.add(call(0, {one: {**DONE, "name": "tone"}, other: PENDING}))
    table.add(call(0, {one: {**DONE, "name": None}}))

    assert table.config_ids == [one, other]
    assert table.names == {one: "tone"}
    assert table.config_counts(other) == ResultCounts(pending=1)


def test_a_config_that_was_renamed_has_the_name_of_its_newest_result():
    table = ResultTable([execution(0)], None)
    for result in (PENDING, {**DONE, "name": "new"}, {**DONE, "name": "old"}):
        table.add(call(0, {CONFIG: result}))

    assert table.names == {CONFIG: "new"}


def test_a_config_that_no_call_has_counts_zero():
    assert (
        ResultTable([execution(0)], [CONFIG]).counts(execution(0).id, CONFIG)
        == ResultCounts()
    )
    assert ResultTable([], None).scores(CONFIG) is None


def test_percentiles_are_those_of_the_service():
    scores = table_from([{"value": 0.5, "type": "score"}]).scores(CONFIG)
    service = said_by_the_service([{"value": 0.5, "type": "score"}])

    assert isinstance(scores, NumericScores)
    assert scores.percentiles == service.percentiles
    assert all(re.fullmatch(r"50\.0", str(v)) for v in scores.percentiles.values())
