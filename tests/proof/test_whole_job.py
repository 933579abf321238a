"""The whole job with every fault: scored or explained, nothing done twice."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from proven import (
    DEADLINE,
    LATENCY,
    POLL,
    RUN_SECONDS,
    SEED,
    assert_all_done_once,
    assert_reported_correctly,
    configs_for,
    settings,
    trouble,
    without_jitter,
)

from futureagi_async import AsyncFutureAGI, FutureAGI, GetEvalSummary
from futureagi_async.emulator import Emulator, World


if TYPE_CHECKING:
    from collections.abc import Iterator


pytestmark = pytest.mark.slow

RUN_TESTS = int(os.environ.get("FUTUREAGI_TEST_RUN_TESTS", "150"))
"""How many run tests there are; the long session sets it to 1000."""

BORNE = 0.9
"""The share that has to be scored at the first go, through all the trouble."""


@pytest.fixture
def seed() -> int:
    """The one of this run; `FUTUREAGI_TEST_SEED` sets it."""
    return SEED


@pytest.fixture
def emulator(seed: int) -> Iterator[Emulator]:
    """A service in trouble; every run test has two executions of two calls."""
    world = World.synthetic(RUN_TESTS, executions=2, calls=2, seed=seed)
    emulator = Emulator(
        world, dispatch="run", run_seconds=RUN_SECONDS, latency=LATENCY, log_size=0
    )
    trouble(emulator, seed)
    with emulator:
        yield emulator


def label_of(seed: int, report, capsys: pytest.CaptureFixture[str], emulator) -> str:
    """Show what came of it, for the record and for every message."""
    line = f"seed {seed}: {report!r}, {sum(emulator.log.counts.values())} requests"
    with capsys.disabled():
        print(f"\n{line}")
    return line


async def test_every_run_test_is_scored_or_explained_and_nothing_is_done_twice(
    emulator: Emulator, seed: int, capsys: pytest.CaptureFixture[str]
):
    ids, configs = list(emulator.world.run_test_ids), configs_for(emulator.world)
    async with AsyncFutureAGI(**settings(emulator)) as client:
        without_jitter(client)

        report = await client.evaluate(
            ids, configs, timeout=DEADLINE, poll_interval=POLL
        )

        line = label_of(seed, report, capsys, emulator)
        assert [each.run_test_id for each in report] == ids
        assert_reported_correctly(report, emulator.log, line)
        assert len(report.scored) >= BORNE * len(report), line
        assert all(fault.hits for fault in emulator.faults.active), line

        # Without trouble the same call does what is missing, and only that.
        emulator.faults.clear()
        again = await client.evaluate(
            ids, configs, timeout=DEADLINE, poll_interval=POLL
        )
        summaries = await client.send_many(GetEvalSummary(each) for each in ids)
        assert_all_done_once(
            again,
            emulator.log,
            [each.result for each in summaries.raise_for_failures().successes],
            line,
        )


def test_every_run_test_is_scored_or_explained_with_the_blocking_client(
    emulator: Emulator, seed: int, capsys: pytest.CaptureFixture[str]
):
    ids, configs = list(emulator.world.run_test_ids), configs_for(emulator.world)
    with FutureAGI(**settings(emulator)) as client:
        without_jitter(client)

        report = client.evaluate(
            iter(ids), configs, timeout=DEADLINE, poll_interval=POLL
        )

        line = label_of(seed, report, capsys, emulator)
        assert [each.run_test_id for each in report] == ids
        assert_reported_correctly(report, emulator.log, line)
        assert len(report.scored) >= BORNE * len(report), line

        emulator.faults.clear()
        again = client.evaluate(ids, configs, timeout=DEADLINE, poll_interval=POLL)
        summaries = client.send_many(GetEvalSummary(each) for each in ids)
        assert_all_done_once(
            again,
            emulator.log,
            [each.result for each in summaries.raise_for_failures().successes],
            line,
        )
