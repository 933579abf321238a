"""How many requests evaluations take, and how many bytes they receive."""

from __future__ import annotations

import attrs
import pytest

from futureagi_async import EvaluationStatus, RateLimit
from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.filling import FilledTranscript


LONG = {"timeout": 60, "poll_interval": 0.05}
COUNT = 30
PAGES = 1
"""Pages of the list of run tests, of a hundred each."""

RUNS = "/sdk/api/v1/simulation/runs/"


@pytest.fixture
def emulator():
    """Thirty run tests with one execution of two calls each."""
    world = World.synthetic(run_tests=COUNT)
    with Emulator(world, dispatch="run", run_seconds=0.0) as emulator:
        yield emulator


@pytest.fixture
def wanted(configs):
    """One eval config."""
    return configs[1:2]


def assert_all_are_scored(report):
    assert {each.status for each in report} == {EvaluationStatus.SCORED}


async def assert_scores_are_the_services(client, report):
    """Compare the scores with the summaries of the service."""
    assert_all_are_scored(report)
    for each in report:
        summary = await client.get_eval_summary(each.run_test_id)
        expected = {config.id: config.scores for config in summary.configs}
        assert {c.eval_config_id: c.scores for c in each.configs} == expected


def requests_for_runs(emulator):
    return sum(each.path == RUNS for each in emulator.log.requests)


async def test_an_evaluation_takes_four_requests_per_run_test(
    emulator, connect, run_test_ids, wanted
):
    async with connect() as client:
        report = await client.evaluate(run_test_ids, wanted, **LONG)

    assert_all_are_scored(report)
    assert emulator.log.counts.total() <= 4 * COUNT + 2 * PAGES


async def test_an_evaluation_whose_results_are_there_takes_one_request_per_run_test(
    emulator, connect, run_test_ids, wanted
):
    async with connect() as client:
        await client.evaluate(run_test_ids, wanted, **LONG)
        emulator.log.clear()
        report = await client.evaluate(run_test_ids, wanted, **LONG)

    assert_all_are_scored(report)
    assert emulator.log.counts.total() <= COUNT + PAGES


@pytest.mark.parametrize("include_calls", [False, True])
async def test_transcripts_are_not_received(
    emulator, connect, run_tests, wanted, include_calls
):
    for run_test in run_tests:
        run_test.scenarios = [
            attrs.evolve(each, graph_bytes=9_000) for each in run_test.scenarios
        ]
        for _, call in run_test.calls():
            call.transcript = FilledTranscript(60, 12_000)

    async with connect() as client:
        options = {"include_calls": include_calls, **LONG}
        report = await client.evaluate(
            [each.id for each in run_tests], wanted, **options
        )

    assert_all_are_scored(report)
    # One call in the list of calls alone has 40 kB.
    assert emulator.log.response_bytes.total() / COUNT < 8_000


async def test_without_the_light_endpoint_scores_are_right_and_it_is_asked_once(
    emulator, connect, run_test_ids, wanted
):
    emulator.faults.add("status", status=404, endpoint="runs")
    first, others = run_test_ids[:1], run_test_ids[1:]

    async with connect() as client:
        reports = [
            await client.evaluate(ids, wanted, **LONG) for ids in (first, others)
        ]
        asked = requests_for_runs(emulator)
        for report in reports:
            await assert_scores_are_the_services(client, report)

    assert asked == 1


async def test_at_a_tight_limit_the_first_score_comes_before_a_tenth_were_started(
    emulator, connect, wanted
):
    count = 100
    emulator.reset(World.synthetic(run_tests=count))
    ids = emulator.world.run_test_ids
    # As 250 requests a minute, and polls after a second, but ten times quicker.
    limit, options = RateLimit(250, per=6), {"timeout": 60, "poll_interval": 0.1}

    async with (
        connect(rate_limit=limit) as client,
        client.stream_evaluations(ids, wanted, **options) as stream,
    ):
        first = await anext(stream)
        started = emulator.log.runs.total()

    assert first.status is EvaluationStatus.SCORED
    assert started < count / 10
