"""Executions in a journaled batch survive `kill -9`: none is started twice."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
from typing import TYPE_CHECKING, Any

import executing_child
import pytest

from futureagi_async.emulator import Emulator, World


if TYPE_CHECKING:
    import pathlib


pytestmark = pytest.mark.slow

SEED = int(
    os.environ.get("FUTUREAGI_TEST_SEED") or random.SystemRandom().getrandbits(32)
)
KILLS = 10
RUN_TESTS = 60
ENOUGH = 60.0
"""Seconds after which a child that has not ended is stuck."""


def run_until_killed(
    processes: Any, job: executing_child.Job, emulator: Emulator, after: float | None
) -> Any:
    """Run the job in a child; return its report, or `None` if it was killed before.

    It is killed so many seconds after its first request has arrived.
    """
    arrived = sum(emulator.log.counts.values())
    receiver, sender = processes.Pipe(duplex=False)
    child = processes.Process(target=executing_child.carry_out, args=(job, sender))
    child.start()
    sender.close()
    try:
        assert receiver.poll(ENOUGH)
        assert receiver.recv() == "begun"
        while after is not None and not receiver.poll(0.005):
            if sum(emulator.log.counts.values()) > arrived:
                break
        if not receiver.poll(ENOUGH if after is None else after):
            child.kill()
            return None
        with contextlib.suppress(EOFError):  # it ended without a report: it has failed
            return receiver.recv()
        raise AssertionError("the child failed; see its traceback")
    finally:
        child.join()
        receiver.close()


def test_no_execution_is_started_twice_however_often_the_process_is_killed(
    tmp_path: pathlib.Path,
):
    rng = random.Random(SEED)
    processes = multiprocessing.get_context("forkserver")
    processes.set_forkserver_preload(["executing_child"])
    with Emulator(World.synthetic(run_tests=RUN_TESTS), latency=0.02) as emulator:
        ids = tuple(emulator.world.run_test_ids)
        job = executing_child.Job(
            emulator.url,
            emulator.api_key,
            emulator.secret_key,
            ids,
            str(tmp_path / "executions.db"),
            0.1,
        )
        report, kills = None, 0
        while report is None:
            after = rng.uniform(0.0, 0.1) if kills < KILLS else None
            report = run_until_killed(processes, job, emulator, after)
            kills += report is None
        new = {
            id_: [each.id for each in emulator.world.run_tests.get(id_).executions[1:]]
            for id_ in ids
        }

    started, unknown = report
    label = f"seed {SEED}, {kills} kills"
    assert kills, label
    assert all(len(executions) == 1 for executions in new.values()), label
    assert started == {id_: executions[0] for id_, executions in new.items()}, label
    assert not unknown, label
