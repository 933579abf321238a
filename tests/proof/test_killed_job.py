"""A journaled evaluation survives `kill -9` and Ctrl-C at any moment."""

from __future__ import annotations

import collections
import functools
import json
import multiprocessing
import os
import random
import signal
from typing import TYPE_CHECKING

import evaluating_child
import pytest
from killing import ENOUGH, Moment, message, run_until_killed, started
from proven import POLL, SEED, TEMPLATES

from futureagi_async import Delivery, FutureAGI, Journal
from futureagi_async.emulator import Emulator, World
from futureagi_async.types import JournalState


if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from evaluating_child import End, Job


pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("FUTUREAGI_TEST_KILLS", "3"))
"""How often each test kills or interrupts in all; the long session sets it to 200."""

RUN_TESTS = 50
"""So many that the job takes about a second, which is what the kills spread over."""

LATENCY = 0.01
"""How much longer every answer takes: most kills come while something is on the wire."""

RUN_SECONDS = 0.3
"""How long evaluations take: some finish between two polls."""

SETTLE_AFTER = 0.25
"""When to reconcile an unknown outcome: long after the service has acted."""


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    """Processes that begin with everything imported, and with nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["evaluating_child"])
    return context


@pytest.fixture
def worlds() -> Iterator[World]:
    """One world after another."""
    return (World.synthetic(RUN_TESTS, seed=number) for number in range(1, 10_000))


def job_on(emulator: Emulator, journal: pathlib.Path, *, rerun: bool) -> Job:
    return evaluating_child.Job(
        url=emulator.url,
        api_key=emulator.api_key,
        secret_key=emulator.secret_key,
        run_test_ids=tuple(emulator.world.run_test_ids),
        template_ids=tuple(emulator.world.template_ids[:TEMPLATES]),
        journal=str(journal),
        rerun=rerun,
        reconcile_after=SETTLE_AFTER,
        poll_interval=POLL,
        timeout=ENOUGH,
    )


def serve(world: World) -> Emulator:
    return Emulator(
        world, latency=LATENCY, dispatch="run", run_seconds=RUN_SECONDS, log_size=0
    )


def have_results(emulator: Emulator, job: Job) -> None:
    """Evaluate every run test beforehand, and clear the log."""
    arguments = job.evaluation | {"rerun": False, "journal": None}
    with FutureAGI(**job.client) as client:
        report = client.evaluate(**arguments)
    assert len(report.scored) == RUN_TESTS
    emulator.log.clear()


@pytest.mark.parametrize("rerun", [False, True])
def test_no_evaluation_is_lost_or_done_twice_by_a_kill(
    rerun,
    processes,
    worlds: Iterator[World],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    rng = random.Random(SEED)
    killed = rounds = unknown = 0
    while killed < KILLS:
        rounds += 1
        with serve(next(worlds)) as emulator:
            job = job_on(emulator, tmp_path / f"evals-{rounds}.db", rerun=rerun)
            if rerun:
                have_results(emulator, job)
            result = None
            while result is None:
                moment = functools.partial(Moment.of, rng, emulator.log)
                is_on = killed < KILLS
                result = run_until_killed(processes, job, moment if is_on else None)
                killed += result is None
            assert_true(emulator, job, result)
            # With the same journal it stays so, however often it is done again.
            runs = dict(emulator.log.runs)
            assert_true(emulator, job, run_until_killed(processes, job, None))
            assert emulator.log.runs == runs
            unknown += sum(not each.is_scored for each in result)
    with capsys.disabled():
        print(
            f"\n{rerun}: {killed} kills in {rounds} jobs, "
            f"{unknown} left unknown (seed {SEED})"
        )


def test_no_evaluation_is_lost_or_done_twice_by_ctrl_c(
    processes,
    worlds: Iterator[World],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    rng = random.Random(SEED)
    interrupted = rounds = 0
    again = evaluating_child.carry_out_again_and_again
    while interrupted < KILLS:
        rounds += 1
        with serve(next(worlds)) as emulator:
            job = job_on(emulator, tmp_path / f"evals-{rounds}.db", rerun=False)
            with started(processes, again, job) as (child, receiver):
                result = message(receiver)
                while result == "started":
                    is_on = interrupted < KILLS
                    moment = Moment.of(rng, emulator.log)
                    if is_on and moment.comes_before_the_end(receiver):
                        os.kill(child.pid, signal.SIGINT)
                        interrupted += 1
                    result = message(receiver)
            assert_true(emulator, job, result)
            assert all(each.is_scored for each in result)
    with capsys.disabled():
        print(f"\n{interrupted} times Ctrl-C in {rounds} jobs (seed {SEED})")


def test_a_rerun_that_is_continued_starts_new_executions_only(
    tmp_path: pathlib.Path,
):
    world = World.synthetic(3, executions=3)
    ids = list(world.run_test_ids)
    newest = [executions(world, each)[-1] for each in ids]
    with serve(world) as emulator:
        job = job_on(emulator, tmp_path / "evals.db", rerun=True)
        with FutureAGI(**job.client) as client:
            for execution in newest:
                execution.status = "running"
            first = client.evaluate(**job.evaluation)
            for execution in newest:
                execution.status = "completed"
            second = client.evaluate(**job.evaluation)

    assert [each.executions for each in first.scored] == [2, 2, 2]
    assert [each.executions for each in second.scored] == [3, 3, 3]
    started = executions_started(job)
    assert started.keys() == {e.id for each in ids for e in executions(world, each)}
    assert set(started.values()) == {1}


def executions(world: World, run_test_id: str):
    return world.run_tests.get(run_test_id).executions


def executions_started(job: Job) -> collections.Counter[str]:
    """How often, as the journal has it, something was started on each execution."""
    with Journal.open(job.journal) as journal:
        bodies = [
            json.loads(each.body)
            for each in journal
            if each.endpoint == "RunNewEvals" and each.state is JournalState.DONE
        ]
    return collections.Counter(id_ for b in bodies for id_ in b["test_execution_ids"])


def assert_true(emulator: Emulator, job: Job, ends: list[End] | None) -> None:
    """Compare the report and the journal with what the service really did."""
    assert ends is not None
    log = emulator.log
    label = f"seed {SEED}: {[each for each in ends if is_unknown(each)][:3]}"
    asked_to_add = 0 if job.rerun else TEMPLATES
    assert [each.run_test_id for each in ends] == list(job.run_test_ids)
    assert max(log.runs.values()) == 1, f"run twice: {label}"
    assert max(log.configs.values(), default=0) <= asked_to_add, f"added twice: {label}"
    for each in ends:
        if each.is_scored:
            assert log.runs[each.run_test_id] == 1, f"scored without a run: {label}"
            assert log.configs[each.run_test_id] == asked_to_add, label
        else:
            assert each.delivery == Delivery.UNKNOWN.value, f"not unknown: {label}"
            assert each.reason, f"without a reason: {label}"
    with Journal.open(job.journal) as journal:
        states = [(each.run_test_id, each.state) for each in journal]
    done = {id_ for id_, state in states if state is JournalState.DONE}
    unknown = {id_ for id_, state in states if state is not JournalState.DONE}
    assert done >= {each.run_test_id for each in ends if each.is_scored}, label
    # What is unknown is reported: as such, or as a warning beside scores.
    assert unknown == {each.run_test_id for each in ends if is_unknown(each)}, label
    assert max(executions_started(job).values(), default=1) == 1, label


def is_unknown(end: End) -> bool:
    return not end.is_scored or any("may have been done" in w for w in end.warnings)
