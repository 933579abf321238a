"""Executions with their scores, read by the name of their run test."""

from __future__ import annotations

import asyncio
import datetime as dt
import random

import pytest
from evaluation_values import config_id, execution_id

from futureagi_async import (
    APITimeoutError,
    Delivery,
    EvaluationStatus,
    NotFoundError,
    RateLimitError,
    ResponseTooLargeError,
    ServerError,
    UnexpectedResponseError,
)
from futureagi_async.emulator.world import Call, Execution
from futureagi_async.endpoints.get_eval_summary import ConfigSummary, TemplateSummary
from futureagi_async.endpoints.list_simulation_runs import (
    SimulationRun,
    SimulationRunsPage,
)
from futureagi_async.endpoints.scores import (
    ChoiceScores,
    NumericScores,
    PassFailScores,
)
from futureagi_async.evaluation.overview import (
    ALL_EXECUTIONS,
    ExecutionFilter,
    read_scored_overview,
)
from futureagi_async.evaluation.results import ExecutionResults, ResultScope
from futureagi_async.evaluation.scoring import ScoreAggregator
from futureagi_async.types import ExecutionStatus, TestExecution


SCOPE = ResultScope((config_id(0),))
PASSED = PassFailScores(50.0, 50.0, 1, 1)


def summary(config=0, cells=2, scores=PASSED):
    return ConfigSummary(
        name="tone", id=config_id(config), total_cells=cells, scores=scores
    )


def run(number=0, status="completed", *configs, **counts):
    result = TemplateSummary(
        name="tone",
        id=config_id(99),
        output_type="Pass/Fail",
        result=tuple(configs or [summary()]),
    )
    counts = {"total_calls": 2, "completed_calls": 2, "failed_calls": 0} | counts
    return SimulationRun(
        id=execution_id(number),
        status=ExecutionStatus(status),
        started_at=dt.datetime(2026, 1, 1 + number, tzinfo=dt.UTC),
        eval_results=(result,),
        **counts,
    )


def read(*runs, pages=1, scope=SCOPE, execution_filter=ALL_EXECUTIONS, error=None):
    """Read the overview of a run test whose name has these executions."""

    async def respond(request):
        assert request.run_test_name == "support"
        if error is not None:
            raise error
        return SimulationRunsPage(
            raw={},
            count=len(runs),
            total_pages=pages,
            current_page=1,
            results=tuple(runs),
        )

    return asyncio.run(
        read_scored_overview(respond, "support", execution_filter, scope.expected_ids)
    )


def test_executions_come_with_their_scores():
    overview = read(run(1), run(0, "evaluating"))

    assert [each.id for each in overview.executions] == [
        execution_id(1),
        execution_id(0),
    ]
    assert overview.runs.keys() == {execution_id(1), execution_id(0)}


def test_an_execution_without_the_eval_configs_is_another_run_tests():
    overview = read(run(1), run(0, "completed", summary(config=7)))

    assert [each.id for each in overview.executions] == [execution_id(1)]


def test_without_an_execution_of_the_run_test_the_name_tells_nothing():
    assert read(run(0, "completed", summary(config=7))) is None
    assert read() is None


def test_more_executions_than_a_page_has_are_not_read_by_name():
    assert read(run(0), pages=2) is None


def test_as_many_executions_as_are_chosen_are_enough():
    chosen = ExecutionFilter(latest_executions=1)

    overview = read(run(1), run(0), pages=2, execution_filter=chosen)

    assert [each.id for each in overview.executions] == [execution_id(1)]


def test_an_execution_that_is_listed_twice_counts_once():
    assert len(read(run(0), run(0)).executions) == 1


def test_what_cannot_be_evaluated_is_left_out():
    assert read(run(1, "failed"), run(0)).left_out == {execution_id(1): "failed"}


CONTEXT = {"delivery": Delivery.NOT_SENT}


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("no", status_code=404, **CONTEXT),
        ServerError("numbers", status_code=500, **CONTEXT),
        UnexpectedResponseError("what", status_code=200, **CONTEXT),
        APITimeoutError("too slow", **CONTEXT),
        ResponseTooLargeError("too long", status_code=200, **CONTEXT),
    ],
    ids=repr,
)
def test_what_cannot_be_read_by_name_is_read_otherwise(error):
    assert read(error=error) is None


@pytest.mark.parametrize(
    "error",
    [
        ServerError("bad gateway", status_code=502, **CONTEXT),
        RateLimitError("slow down", status_code=429, **CONTEXT),
    ],
    ids=repr,
)
def test_what_every_read_would_meet_is_raised(error):
    with pytest.raises(type(error)):
        read(error=error)


def from_summary(found, scope=SCOPE):
    execution = TestExecution(id=found.id, status=found.status)
    return ExecutionResults.from_summary(found, execution, scope)


def test_scores_of_all_completed_calls_stand_for_the_calls():
    results = from_summary(run(0))

    assert results.completed_calls == 2
    assert results.counts(config_id(0)).completed == 2
    assert results.statuses == {"completed": 2}
    assert results.score_of(config_id(0)).scores() == PASSED


@pytest.mark.parametrize(
    "found",
    [
        run(0, "evaluating"),
        run(0, total_calls=3),  # one call is neither completed nor failed
        run(0, total_calls=3, failed_calls=1),  # it can be completed meanwhile
        run(0, completed_calls=0, total_calls=0),  # nothing was stored
        run(0, completed_calls=3, total_calls=3),  # one result is missing
        run(0, "completed", summary(cells=0, scores=None)),
        run(0, "completed", summary(scores=ChoiceScores({"a": 33.33}))),
        run(0, "completed", summary(config=7)),
    ],
    ids=range(8),
)
def test_scores_that_do_not_fit_the_calls_prove_nothing(found):
    assert from_summary(found) is None


def test_scores_prove_nothing_about_each_call():
    kept = ResultScope((config_id(0),), keeps_calls=True)

    assert from_summary(run(0), kept) is None


CHOSEN = ChoiceScores({"a": 50.0, "b": 50.0})
AVERAGE = NumericScores(50.0, {50: 50.0})


@pytest.mark.parametrize("scores", [PASSED, CHOSEN, AVERAGE], ids=repr)
def test_scores_are_the_services_own(scores):
    assert ScoreAggregator.from_summary(summary(scores=scores)).scores() == scores


def test_scores_of_several_executions_are_merged():
    merged = ScoreAggregator()
    for _ in range(2):
        merged.merge(ScoreAggregator.from_summary(summary()))

    assert merged.scores() == PassFailScores(50.0, 50.0, 2, 2)


def test_a_result_that_is_none_of_the_known_words_keeps_its_share():
    half = PassFailScores(50.0, 0.0, 1, 0)

    assert ScoreAggregator.from_summary(summary(scores=half)) is None


def test_numbers_of_several_executions_are_read_one_by_one(
    client, run_tests, configs, emulator
):
    one = run_tests[0]
    client.evaluate([one.id], configs[2:], timeout=60, poll_interval=0.01)
    emulator.log.clear()

    (end,) = client.evaluate([one.id], configs[2:], timeout=60)

    assert end.status is EvaluationStatus.SCORED
    read_of_calls = [
        each
        for each in emulator.log.requests
        if each.path.endswith("/simulation/runs/")
    ]
    assert len(read_of_calls) == 3  # by name, and both executions
    expected = client.get_eval_summary(one.id).configs[0].scores
    assert end.configs[0].scores == expected


@pytest.mark.parametrize(
    "name",
    ["", "   ", "a\x00b", "x" * 3000],
    ids=["empty", "blank", "with a null", "long"],
)
def test_a_run_test_whose_name_cannot_be_asked_for_is_scored_too(
    call, run_tests, configs, name
):
    one = run_tests[0]
    call("evaluate", [one.id], configs, timeout=60, poll_interval=0.01)
    one.name = name

    (end,) = call("evaluate", [one.id], configs, timeout=60)
    (waited,) = call("wait_for_evals", [one.id], timeout=60)

    assert end.status is waited.status is EvaluationStatus.SCORED


KINDS = {
    "choices": ["positive", ["price", "delivery"], {"score": 1.0, "choice": "a"}, []],
    "Pass/Fail": ["Passed", "Failed"],
    "score": [0, 1, 0.333, 0.5],
}


def make_cell(chosen, config, kind):
    """Make a stored result, which seldom is a failed or a skipped one."""
    chance = chosen.random()
    if chance < 0.02:
        return {"status": "skipped", "skipped": True}
    cell = {"output_type": kind, "name": config.name, "reason": "why"}
    if chance < 0.05:
        return {**cell, "output": None, "error": "error", "status": "Failed"}
    return {**cell, "output": chosen.choice(KINDS[kind]), "status": "Completed"}


def make_execution(chosen, run_test, number):
    """Make a completed execution, the stored counts of which can be those of before."""
    calls = [
        Call(
            f"{number}{each:03d}{run_test.id[4:]}",
            status=chosen.choice(["completed"] * 9 + ["failed"]),
            deleted=chosen.random() < 0.03,
            eval_outputs={
                config.id: make_cell(chosen, config, kind)
                for config, kind in zip(run_test.eval_configs, KINDS, strict=True)
            },
        )
        for each in range(chosen.randrange(1, 12))
    ]
    total = sum(not each.deleted for each in calls)
    found = sum(each.status == "completed" and not each.deleted for each in calls)
    completed = chosen.choice([found] * 6 + [chosen.randrange(total + 1)])
    return Execution(
        f"{number}f{run_test.id[2:]}",
        calls=calls,
        total_calls=total,
        completed_calls=completed,
        failed_calls=total - completed,
    )


def told(evaluation):
    """What an evaluation tells of the results, whoever created the eval configs."""
    configs = [{**each.to_dict(), "origin": None} for each in evaluation.configs]
    counts = evaluation.calls_counted, evaluation.calls_not_counted
    return counts, sorted(configs, key=lambda each: each["name"])


@pytest.mark.parametrize("seed", range(5))
def test_scores_tell_the_same_as_the_calls(client, emulator, run_tests, configs, seed):
    chosen, ids = random.Random(seed), [each.id for each in run_tests]
    for each in run_tests:
        client.ensure_eval_configs(each.id, configs)
        numbers = range(chosen.choice([1, 1, 2, 3]))
        each.executions[:] = [make_execution(chosen, each, n) for n in numbers]
    emulator.log.clear()

    by_scores = client.evaluate(ids, configs, timeout=60)
    few = len(emulator.log.requests)
    by_calls = client.evaluate(ids, configs, include_calls=True, timeout=60)
    waited = client.wait_for_evals(ids, timeout=60)

    assert few < len(emulator.log.requests) - few
    assert [each.status for each in by_scores] == [each.status for each in by_calls]
    assert list(map(told, by_scores)) == list(map(told, by_calls))
    assert list(map(told, waited)) == list(map(told, by_calls))
