"""Requests and bytes of evaluations, counted from the log of the emulator.

Nothing is timed: another machine counts the same, but for polls of evaluations that take
long, of which there is one more or less.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks.rows import Row
from futureagi_async import AsyncFutureAGI, EvaluationStatus, RateLimit
from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.filling import FilledTranscript
from futureagi_async.types import ListCallExecutions


if TYPE_CHECKING:
    from collections.abc import Iterator

    from futureagi_async.emulator.log import Log
    from futureagi_async.emulator.rows import RunTest


_SECONDS = 20.0
"""How long evaluations take that are not finished at the first poll."""

_QUICKER = 10
"""By how much these evaluations, and the polls of them, are quicker with `--quick`."""

_USUAL_CALLS = 100
_USUAL_TALK = FilledTranscript(60, 12_000)
_USUAL_GRAPH_BYTES = 9_000
_USUAL_REASON = "The agent has asked back. " * 13
"""What makes a page of 100 calls of the emulator as heavy as the service's: 4.0 MB."""

_USUAL_TEMPLATES = 164
_USUAL_CRITERIA = "Does the agent answer the question? " * 66
"""What makes the list of eval templates as heavy as the service's: 0.43 MB."""

_TIGHT = RateLimit(requests=250, per=60)
_TIGHT_RUN_TESTS = 100


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the counted rows."""
    count, quicker = (200, _QUICKER) if quick else (1_000, 1)
    note = f"{count:,} run tests with 1 eval config and 2 calls"
    fresh, there = _requests(count)
    yield _per_run_test("fresh", fresh, "<= 4.2", note)
    yield _per_run_test("when all results are there", there, "<= 1.1", note)
    seconds, interval = _SECONDS / quicker, 1.0 / quicker
    slow, _ = _requests(count, seconds, interval)
    note = f"{count:,} run tests; {seconds:g} s, poll_interval={interval:g}"
    yield _per_run_test("when evaluations take 20 s", slow, "<= 7", note)
    yield from _weights()
    yield _started_before_first_score()


def _per_run_test(when: str, requests: float, goal: str, note: str) -> Row:
    name = f"evaluate: requests per run test, {when}"
    return Row(name, requests, None, requests, "requests/run test", goal, note)


def _requests(
    count: int, seconds: float = 0.0, poll_interval: float = 1.0
) -> tuple[float, float]:
    """Return the requests per run test of an evaluation, and of the same once more."""

    async def evaluate_twice(emulator: Emulator) -> tuple[float, float]:
        ids = emulator.world.run_test_ids
        configs, options = _configs(emulator, 1), {"poll_interval": poll_interval}
        async with _client(emulator) as client:
            log = await _evaluate(client, emulator, ids, configs, **options)
            fresh = log.counts.total()
            log = await _evaluate(client, emulator, ids, configs, **options)
            return fresh / count, log.counts.total() / count

    world = World.synthetic(run_tests=count)
    with Emulator(world, dispatch="run", run_seconds=seconds) as emulator:
        return asyncio.run(evaluate_twice(emulator))


def _weights() -> Iterator[Row]:
    """Yield the bytes of all responses for the scores of one execution."""

    async def evaluate(emulator: Emulator) -> list[float]:
        weights, log = [], emulator.log
        configs = _configs(emulator, 5)
        async with _client(emulator) as client:
            for run_test_id, include_calls in zip(
                emulator.world.run_test_ids, (False, False, True), strict=True
            ):
                options = {"include_calls": include_calls}
                await _evaluate(client, emulator, [run_test_id], configs, **options)
                weights.append(log.response_bytes.total() / 1e6)
            log.clear()
            await client.send(ListCallExecutions(run_test_id, limit=_USUAL_CALLS))
        return [*weights, log.response_bytes.total() / 1e6]

    with Emulator(_usual_world(), dispatch="run") as emulator:
        *weights, page = asyncio.run(evaluate(emulator))
    name = f"evaluate: responses for {_USUAL_CALLS} usual calls"
    known = f"{name}, templates known"
    names = name, known, f"{known}, include_calls"
    note = "peer: a page of the list of calls; the goal is for ours"
    for each, weight in zip(names, weights, strict=True):
        yield Row(each, weight, page, weight, "MB", "<= 0.4", note)


def _started_before_first_score() -> Row:
    async def evaluate(emulator: Emulator) -> int:
        ids, configs = emulator.world.run_test_ids, _configs(emulator, 1)
        async with (
            _client(emulator, rate_limit=_TIGHT) as client,
            client.stream_evaluations(ids, configs, timeout=600) as stream,
        ):
            first = await anext(stream)
            _check_scored([first.status])
            return emulator.log.runs.total()

    world = World.synthetic(run_tests=_TIGHT_RUN_TESTS)
    with Emulator(world, dispatch="run") as emulator:
        started = asyncio.run(evaluate(emulator))
    return Row(
        "evaluations started before the first score, 250 requests a minute",
        started,
        None,
        started,
        "run tests",
        "<= 10",
        f"of {_TIGHT_RUN_TESTS} run tests; an evaluation takes 0.5 s",
    )


def _usual_world() -> World:
    """Return a world of three run tests with an execution of usual calls each."""
    world = World.synthetic(3, calls=_USUAL_CALLS, templates=_USUAL_TEMPLATES)
    for template in world.templates.values():
        template.criteria = _USUAL_CRITERIA
        value = {"choices": "negative", "score": 0.5}.get(template.output_type)
        world.score(template.name, value or "Passed", reason=_USUAL_REASON)
    for run_test in map(world.run_tests.get, world.run_test_ids):
        if run_test is not None:
            _make_usual(run_test)
    return world


def _make_usual(run_test: RunTest) -> None:
    run_test.agent_type = "voice"
    run_test.scenarios = [
        attrs.evolve(each, graph_bytes=_USUAL_GRAPH_BYTES, dataset=True)
        for each in run_test.scenarios
    ]
    for _, call in run_test.calls():
        call.transcript = _USUAL_TALK


def _client(emulator: Emulator, **options: Any) -> AsyncFutureAGI:
    keys = emulator.api_key, emulator.secret_key
    return AsyncFutureAGI(*keys, base_url=emulator.url, **options)


def _configs(emulator: Emulator, count: int) -> list[dict[str, Any]]:
    """Return eval configs of the first templates, with the mappings that these need."""
    return [
        {
            "template_id": each.id,
            "name": each.name,
            "mapping": dict.fromkeys(each.required_keys, "transcript"),
        }
        for each in list(emulator.world.templates.values())[:count]
    ]


async def _evaluate(
    client: AsyncFutureAGI, emulator: Emulator, *args: Any, **options: Any
) -> Log:
    """Evaluate with an empty log, and return it."""
    emulator.log.clear()
    report = await client.evaluate(*args, timeout=600, **options)
    _check_scored([each.status for each in report])
    return emulator.log


def _check_scored(statuses: list[EvaluationStatus]) -> None:
    """Raise `RuntimeError` unless everything was scored: the counts would be others."""
    others = {each.value for each in statuses} - {EvaluationStatus.SCORED.value}
    if others:
        raise RuntimeError(f"evaluations are {', '.join(sorted(others))}")
