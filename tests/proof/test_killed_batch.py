"""A journaled batch survives `kill -9`: nothing lost, nothing done twice."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
from typing import TYPE_CHECKING

import killed_child
import pytest

from futureagi_async import Journal
from futureagi_async.emulator import Emulator, World
from futureagi_async.journal.entry import JournalState


if TYPE_CHECKING:
    import pathlib


pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("FUTUREAGI_TEST_KILLS", "50"))
"""How often a process is killed in all; the long session sets it to 1000."""
SEED = int(
    os.environ.get("FUTUREAGI_TEST_SEED") or random.SystemRandom().getrandbits(32)
)
RUN_TESTS = 300
LATENCY = 0.01
SETTLE_AFTER = 0.25
ENOUGH = 60.0
"""Seconds after which a child that has not ended is stuck."""


@pytest.fixture(scope="module")
def processes() -> multiprocessing.context.ForkServerContext:
    """Processes that begin with everything imported, and with nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "killed_child",
            "futureagi_async.transport.aiohttp_backend",
            "futureagi_async.batch.journaling",
        ]
    )
    return context


def run_until_killed(processes, job: killed_child.Job, kill_after: float | None):
    """Run the job in a child; give its report, or `None` if it was killed before."""
    receiver, sender = processes.Pipe(duplex=False)
    child = processes.Process(target=killed_child.carry_out, args=(job, sender))
    child.start()
    sender.close()
    try:
        assert receiver.poll(ENOUGH)
        assert receiver.recv() == "begun"
        if not receiver.poll(ENOUGH if kill_after is None else kill_after):
            child.kill()
            return None
        with contextlib.suppress(EOFError):  # it ended without a report: it has failed
            return receiver.recv()
        raise AssertionError("the child failed; see its traceback")
    finally:
        child.join()
        receiver.close()


def test_nothing_is_lost_or_done_twice_however_often_the_process_is_killed(
    processes, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    rng = random.Random(SEED)
    killed = rounds = unknown = 0
    while killed < KILLS:
        rounds += 1
        journal = str(tmp_path / f"evals-{rounds}.db")
        world = World.synthetic(run_tests=RUN_TESTS, seed=rounds)
        emulator = Emulator(world, latency=LATENCY, dispatch="run", run_seconds=0.3)
        with emulator:
            job = killed_child.Job(
                emulator.url,
                emulator.api_key,
                emulator.secret_key,
                tuple(world.run_test_ids),
                tuple(world.template_ids[:2]),
                journal,
                SETTLE_AFTER,
            )
            undone = None
            while undone is None:
                kill_after = rng.uniform(0.0, 0.5) if killed < KILLS else None
                undone = run_until_killed(processes, job, kill_after)
                killed += undone is None
            unknown += len(undone)
            assert_true(emulator, job, undone)
    with capsys.disabled():
        print(f"\n{killed} kills, {unknown} left unknown (seed {SEED})")


def assert_true(emulator: Emulator, job: killed_child.Job, undone: list[str]) -> None:
    """Hold the journal and the report against what the service has really done."""
    named = {each.partition(":")[0] for each in undone}
    label = f"seed {SEED}: {undone}"
    for run_test_id in job.run_test_ids:
        assert emulator.log.runs[run_test_id] <= 1, label
        assert emulator.log.configs[run_test_id] <= len(job.template_ids), label
        if run_test_id not in named:
            assert emulator.log.configs[run_test_id] == len(job.template_ids), label
            assert emulator.log.runs[run_test_id] == 1, label
    assert all(": unknown: " in each for each in undone), label
    with Journal.open(job.journal) as journal:
        open_ids = {
            each.run_test_id for each in journal if each.state is not JournalState.DONE
        }
    assert open_ids == named, label
