"""The delivery of a failed evaluation: unknown if it is unknown, and only then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from proven import DEADLINE, POLL, configs_for, settings, without_jitter

from futureagi_async import (
    AsyncFutureAGI,
    ClientClosedError,
    Delivery,
    EvaluationStatus,
    RetryPolicy,
)
from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.rules.service import Service


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator


SETTLE_AFTER = 0.05
"""The service here acts at once, or not at all."""


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(World.synthetic(1), dispatch="run", run_seconds=0.0) as emulator:
        yield emulator


@pytest.fixture
async def client(emulator: Emulator) -> AsyncIterator[AsyncFutureAGI]:
    async with AsyncFutureAGI(**settings(emulator, SETTLE_AFTER)) as client:
        without_jitter(client)
        yield client


async def evaluated(client: AsyncFutureAGI, emulator: Emulator):
    """What comes of the one run test."""
    report = await client.evaluate(
        emulator.world.run_test_ids,
        configs_for(emulator.world),
        timeout=DEADLINE,
        poll_interval=POLL,
    )
    return report[0]


@pytest.mark.parametrize("fault", ["drop_after", "truncate", "garbage"])
@pytest.mark.parametrize(
    "endpoints", [["run_test"], ["executions"], ["runs", "call_executions"]], ids=str
)
async def test_a_failed_read_leaves_no_unknown_outcome(
    client: AsyncFutureAGI, emulator: Emulator, fault, endpoints: list[str]
):
    for endpoint in endpoints:
        emulator.faults.add(fault, endpoint=endpoint)

    ended = await evaluated(client, emulator)

    assert ended.status is EvaluationStatus.FAILED
    assert ended.error is not None
    assert ended.error.delivery is Delivery.NOT_SENT
    assert "may have been done" not in ended.reason
    assert ended.requests == emulator.log.runs.total() == (endpoints[0] == "runs")


@pytest.mark.parametrize("endpoint", ["runs"])
async def test_a_failed_read_hides_no_unknown_outcome(
    client: AsyncFutureAGI,
    emulator: Emulator,
    endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
):
    emulator.faults.add("drop_after", endpoint="run_new_evals", times=1)
    serve = Service.serve

    def serve_and_close(self: Service, request: Any, *args: Any, **more: Any) -> Any:
        """From now on nothing is read: the wait that is asked for is too long."""
        if request.path.endswith("/run-new-evals/"):
            emulator.faults.add(
                "rate_limit", endpoint=endpoint, per_minute=0, retry_after=3600
            )
        return serve(self, request, *args, **more)

    monkeypatch.setattr(Service, "serve", serve_and_close)

    ended = await evaluated(client, emulator)

    assert emulator.log.runs.total() == 1
    assert ended.status is EvaluationStatus.FAILED
    assert ended.error is not None
    assert ended.error.delivery is Delivery.UNKNOWN
    assert "may have been done" in ended.reason
    assert "Rate limit exceeded" in ended.reason
    assert ended.warnings == ()


async def test_an_unknown_start_is_not_repeated_though_no_result_is_read(
    emulator: Emulator,
):
    # The service has taken the request, and takes longer than anybody waits.
    on_the_wire = emulator.faults.add("latency", endpoint="run_new_evals", seconds=60)
    policy = RetryPolicy(reconcile=False)
    async with AsyncFutureAGI(**settings(emulator) | {"retry": policy}) as client:
        ended = await evaluated(client, emulator)

    assert on_the_wire.hits == 1
    assert ended.status is EvaluationStatus.FAILED
    assert ended.error is not None
    assert ended.error.delivery is Delivery.UNKNOWN
    assert "may have been done" in ended.reason


async def test_a_closed_client_hides_no_unknown_outcome(
    client: AsyncFutureAGI, emulator: Emulator
):
    on_the_wire = emulator.faults.add("latency", endpoint="run_new_evals", seconds=60)
    work = asyncio.create_task(evaluated(client, emulator))
    async with asyncio.timeout(60):
        while not on_the_wire.hits:
            await asyncio.sleep(0.002)

    await client.aclose()
    ended = await work

    assert ended.status is EvaluationStatus.FAILED
    assert isinstance(ended.error, ClientClosedError)
    assert ended.error.delivery is Delivery.UNKNOWN
    assert "may have been done" in ended.reason
