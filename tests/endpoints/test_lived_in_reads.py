"""The recorded account, read by the client from the emulator: one truth everywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from futureagi_async import AsyncFutureAGI, RetryPolicy, ServerError
from futureagi_async.emulator import Emulator, World


WORLD = Path(__file__).parents[1] / "recordings" / "lived" / "world.json"
ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture(scope="module")
def emulator():
    with Emulator(World.load(WORLD)) as emulator:
        yield emulator


@pytest.fixture
async def client(emulator):
    keys = emulator.api_key, emulator.secret_key
    async with AsyncFutureAGI(*keys, base_url=emulator.url, retry=ONCE) as client:
        yield client


@pytest.fixture
async def run_tests(client):
    return [each async for each in client.list_run_tests()]


async def collected(iterator):
    return [each async for each in iterator]


async def executions_with_runs(client, run_test):
    """The executions of a run test that the lighter endpoint can answer for."""
    async for execution in client.list_test_executions(run_test):
        try:
            runs = await client.get_simulation_runs(execution)
        except ServerError:  # it has results of numbers or reasons
            continue
        yield execution, runs


def results_of(calls):
    return {
        call.id: {
            config_id: (output.status, output.value, output.type, output.reason)
            for config_id, output in call.eval_outputs.items()
        }
        for call in calls
    }


async def test_results_are_the_same_in_the_list_of_calls_and_by_execution(
    client, run_tests
):
    compared = 0
    for run_test in run_tests:
        async for execution, runs in executions_with_runs(client, run_test):
            calls = client.list_call_executions(run_test, execution=execution)
            assert results_of(runs.calls) == results_of(await collected(calls))
            compared += len(runs.calls)
    assert compared > 300


async def test_no_call_is_listed_twice_and_none_is_missed(client, run_tests, emulator):
    for run_test in run_tests:
        calls = await collected(client.list_call_executions(run_test))
        kept = [
            call.id
            for execution in emulator.world.run_tests.get(run_test.id).executions
            for call in execution.calls
            if not execution.deleted and not call.deleted
        ]
        assert sorted(call.id for call in calls) == sorted(kept)
        assert not any(call.is_snapshot for call in calls)


async def test_snapshots_are_listed_beside_the_calls_that_they_are_of(
    client, run_tests
):
    snapshots = 0
    for run_test in run_tests:
        calls = await collected(client.list_call_executions(run_test, snapshots=True))
        ids = {call.id for call in calls if not call.is_snapshot}
        originals = [
            each.original_call_execution_id for each in calls if each.is_snapshot
        ]
        assert ids.issuperset(originals)
        snapshots += len(originals)
    assert snapshots >= 7


async def test_a_comparison_has_the_scores_of_each_execution(client, run_tests):
    compared = 0
    for run_test in run_tests:
        found = [each async for each, _ in executions_with_runs(client, run_test)]
        if not found:
            continue
        comparison = await client.compare_executions(run_test, found)
        for execution in found:
            summary = await client.get_eval_summary(run_test, execution)
            assert comparison.configs(execution) == summary.configs
            compared += 1
    assert compared > 40


async def test_metrics_have_the_state_that_the_execution_has(client, run_tests):
    for run_test in run_tests:
        async for execution, runs in executions_with_runs(client, run_test):
            metrics = await client.get_simulation_metrics(execution)
            assert metrics.status is runs.status is execution.status
            assert metrics.calls.total >= len(runs.calls)  # with deleted calls


async def test_calls_are_filtered_by_each_of_their_states(client, run_tests):
    states = set()
    for run_test in run_tests:
        calls = await collected(client.list_call_executions(run_test))
        for state in {call.status for call in calls}:
            filtered = client.list_call_executions(run_test, status=state)
            ids = {call.id for call in await collected(filtered)}
            assert ids == {call.id for call in calls if call.status is state}
            states.add(state)
    assert len(states) >= 6


async def test_eval_configs_of_the_list_are_those_of_the_run_test(client, run_tests):
    for entry in run_tests:
        run_test = await client.get_run_test(entry)
        details = entry.simulate_eval_configs_detail
        assert details == run_test.simulate_eval_configs_detail


async def test_pages_that_are_too_large_are_read_in_smaller_ones(
    emulator, run_tests, monkeypatch
):
    monkeypatch.setattr(
        "futureagi_async.transport.aiohttp_backend.MAX_RESPONSE_BYTES", 2**20
    )
    (run_test,) = (each for each in run_tests if each.name == "insurance talks")
    keys = emulator.api_key, emulator.secret_key
    emulator.log.clear()

    async with AsyncFutureAGI(*keys, base_url=emulator.url) as client:
        calls = await collected(client.list_call_executions(run_test))

    assert len({call.id for call in calls}) == len(calls) == 104
    assert all(call.transcript for call in calls)
    # Twice too large, and never repeated: 100, 50, and then pages that can be read.
    assert 5 <= emulator.log.counts["call_executions", 200] <= 30
