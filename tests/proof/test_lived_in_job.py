"""The whole job on accounts that people work in: the true scores, or a true reason."""

from __future__ import annotations

import collections
import functools
import multiprocessing
import os
import random
from typing import TYPE_CHECKING, Any

import evaluating_child
import pytest
from killing import ENOUGH, Moment, run_until_killed
from proven import (
    DEADLINE,
    LATENCY,
    POLL,
    RUN_SECONDS,
    SEED,
    TEMPLATES,
    settings,
    trouble,
    without_jitter,
)
from truth import assert_true, chosen

from futureagi_async import (
    AsyncFutureAGI,
    Delivery,
    EvalConfig,
    EvaluationStatus,
    FutureAGI,
    GetEvalSummary,
)
from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.rules import running


if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable, Iterator

    from futureagi_async import EvaluationReport, RunTestEvaluation


pytestmark = pytest.mark.slow

RUN_TESTS = int(os.environ.get("FUTUREAGI_TEST_RUN_TESTS", "300"))
"""How many run tests there are, of every kind of history alike."""

KILLS = int(os.environ.get("FUTUREAGI_TEST_KILLS", "3"))
"""How often the job is killed."""

STUCK_AFTER = 2.0
"""Seconds without a change that are believed: far more than evaluations take."""

ONCE_MORE = 12.0
"""The deadline of a job that finds nearly everything done. What has been evaluating for
ever is waited for until then: nothing shows that a known eval config will not come."""

BORNE = 0.75
"""The share of run tests that has to be scored through all the trouble."""

SCORED = EvaluationStatus.SCORED

EXPLAINED = {
    EvaluationStatus.PARTIAL,
    EvaluationStatus.STUCK,
    EvaluationStatus.NO_RESULT,
}
"""How a run test can end that is not scored, if nothing goes wrong with requests."""


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> collections.Counter[tuple[str, str]]:
    """How often the service has started each eval config on each execution."""
    counts: collections.Counter[tuple[str, str]] = collections.Counter()
    start = running.start_pending_evaluations

    def counted(workers, run_test, executions, config_ids):
        counts.update((e.id, config) for e in executions for config in config_ids)
        start(workers, run_test, executions, config_ids)

    monkeypatch.setattr(running, "start_pending_evaluations", counted)
    return counts


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A service in trouble, whose workers go on with what was under way."""
    world = World.lived_in(RUN_TESTS, executions=2, calls=3, seed=SEED % 1000)
    with Emulator(
        world,
        dispatch="run",
        run_seconds=RUN_SECONDS,
        call_seconds=2 * RUN_SECONDS,
        latency=LATENCY,
        log_size=0,
    ) as emulator:
        trouble(emulator, SEED)
        yield emulator


def work(world: World) -> dict[str, Any]:
    """What is to be done: an eval config that many have, and two that nobody has."""
    templates = {each.name: each for each in world.templates.values()}
    names = {"contains": "contains", "tone": "new tone", "solved_at_once": "solved"}
    return {
        "run_tests": list(world.run_test_ids),
        "configs": [
            EvalConfig(
                templates[template].id,
                name=name,
                mapping=dict.fromkeys(templates[template].required_keys, "transcript"),
            )
            for template, name in names.items()
        ],
        "on_conflict": "keep",
        "timeout": DEADLINE,
        "poll_interval": POLL,
        "stuck_after": STUCK_AFTER,
    }


def assert_report(
    report: Iterable[RunTestEvaluation],
    emulator: Emulator,
    starts: collections.Counter[tuple[str, str]],
    label: str,
) -> None:
    """Compare the report on every run test with the rows, and what was started."""
    for each in report:
        assert_true(each, emulator.world.run_tests.get(each.run_test_id or ""))
        if each.error is not None and each.error.delivery is not Delivery.UNKNOWN:
            assert each.requests == emulator.log.runs[each.run_test_id or ""], label
    assert set(starts.values()) <= {1}, label


def assert_explained(report: EvaluationReport) -> None:
    """Every run test that is not scored ended so without a fault."""
    for each in report.unscored:
        is_stuck = (each.run_test_name or "").startswith("stuck")
        is_pending = is_stuck and each.status is EvaluationStatus.PENDING
        is_unknown = each.error and each.error.delivery is Delivery.UNKNOWN
        assert is_pending or is_unknown or each.status in EXPLAINED, each


def label_of(report: EvaluationReport, emulator: Emulator, capsys) -> str:
    """Show what came of it, for the record and for every message."""
    requests = sum(emulator.log.counts.values())
    line = f"seed {SEED}: {report!r}, {requests} requests"
    with capsys.disabled():
        print(f"\n{line}")
    return line


async def assert_like_summaries(
    client: AsyncFutureAGI, report: EvaluationReport, world: World
) -> None:
    """Compare with the service's summaries, where those are of the same calls."""
    compared = 0
    asked = [each for each in report.scored if has_summary(each, world)]
    summaries = await client.send_many(GetEvalSummary(e.run_test_id) for e in asked)
    for each, outcome in zip(asked, summaries, strict=True):
        theirs = {c.id: (c.total_cells, c.scores) for c in outcome.result.configs}
        for config in each.configs:
            ours = config.evaluated, config.scores
            assert theirs[config.eval_config_id] == ours, each
            compared += 1
    assert compared > len(report)


def has_summary(evaluation: RunTestEvaluation, world: World) -> bool:
    """Whether the service can sum up a run test, and counts nothing that was left out."""
    run_test = world.run_tests.get(evaluation.run_test_id or "")
    assert run_test is not None
    counted = chosen(run_test, evaluation)
    left_out = [each for each in run_test.live_executions() if each not in counted]
    return not run_test.name.startswith("numbers") and not any(
        call.status == "completed" for each in left_out for call in each.live_calls()
    )


async def test_every_run_test_has_its_true_scores_or_a_true_reason(
    emulator: Emulator, starts, capsys: pytest.CaptureFixture[str]
):
    job = work(emulator.world)
    async with AsyncFutureAGI(**settings(emulator)) as client:
        without_jitter(client)

        report = await client.evaluate(**job)

        line = label_of(report, emulator, capsys)
        assert [each.run_test_id for each in report] == job["run_tests"]
        assert_report(report, emulator, starts, line)
        assert len(report.scored) >= BORNE * len(report), line

        # Without trouble the same call does what is missing, and only that.
        emulator.faults.clear()
        again = await client.evaluate(**job | {"timeout": ONCE_MORE})
        line = label_of(again, emulator, capsys)
        assert_report(again, emulator, starts, line)
        assert_explained(again)
        assert not any(each.error for each in again), again.failures
        await assert_like_summaries(client, again, emulator.world)


def test_the_evaluations_of_a_stream_are_true_when_they_are_returned(
    emulator: Emulator, starts, capsys: pytest.CaptureFixture[str]
):
    job = work(emulator.world)
    seen = []
    with FutureAGI(**settings(emulator)) as client:
        without_jitter(client)
        with client.stream_evaluations(**job, max_in_progress=50) as stream:
            for each in stream:
                assert_report([each], emulator, starts, f"seed {SEED}")
                seen.append(each)

    assert sorted(e.run_test_id for e in seen) == sorted(job["run_tests"])
    assert sum(each.is_scored for each in seen) >= BORNE * len(seen)


async def test_what_the_service_began_by_itself_is_waited_for(
    emulator: Emulator, starts, capsys: pytest.CaptureFixture[str]
):
    job = work(emulator.world)
    del job["configs"], job["on_conflict"]
    async with AsyncFutureAGI(**settings(emulator)) as client:
        without_jitter(client)

        report = await client.wait_for_evals(**job)

    line = label_of(report, emulator, capsys)
    assert_report(report, emulator, starts, line)
    assert not starts
    assert len(report.scored) >= 0.5 * len(report), line


async def test_a_killed_job_is_resumed_and_starts_nothing_twice(
    emulator: Emulator, starts, tmp_path: pathlib.Path, capsys
):
    job = evaluating_child.Job(
        url=emulator.url,
        api_key=emulator.api_key,
        secret_key=emulator.secret_key,
        run_test_ids=tuple(emulator.world.run_test_ids),
        template_ids=tuple(emulator.world.template_ids[:TEMPLATES]),
        journal=str(tmp_path / "evals.db"),
        rerun=False,
        reconcile_after=STUCK_AFTER,
        poll_interval=POLL,
        timeout=ENOUGH,
        stuck_after=STUCK_AFTER,
    )
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["evaluating_child"])
    moment = functools.partial(Moment.of, random.Random(SEED), emulator.log)
    killed = [run_until_killed(processes, job, moment) for _ in range(KILLS)]
    emulator.faults.clear()

    async with AsyncFutureAGI(**job.client) as client:
        report = await client.evaluate(**job.evaluation | {"timeout": ONCE_MORE})

    line = label_of(report, emulator, capsys)
    assert None in killed
    assert_report(report, emulator, starts, line)
    assert_explained(report)
