"""What the fan-out itself costs: time over the floor, and memory for a long input.

Nothing is sent here. The floor is as many workers on one shared iterator, awaiting a
coroutine that does nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from benchmarks import clients, server
from benchmarks.rows import Row, seconds
from benchmarks.work import RunWork
from futureagi_async.transport import session
from futureagi_async.transport.sender import Answer


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from futureagi_async.transport.sender import Attempt


_WORKERS = 100
_UNIT = "us/item"


def rows(*, quick: bool) -> Iterator[Row]:
    """Measure."""
    rounds = 7 if quick else 15
    yield _over_the_floor(20_000, rounds)
    yield _memory(20_000, 200_000 if quick else 1_000_000)


def _over_the_floor(count: int, rounds: int) -> Row:
    requests = list(RunWork().requests(count))

    async def batch() -> None:
        client: Any = clients.client("http://127.0.0.1", _WORKERS)
        client._transport = _NoTransport()  # noqa: SLF001 - all above it is measured
        await client.send_many(requests, max_concurrency=_WORKERS)

    ours = _least(batch, rounds) / count * 1e6
    floor = _least(lambda: _floor(requests), rounds) / count * 1e6
    name = "scheduler: send_many - floor, outcome object included"
    note = "the goal is for ours - peer, which stands as the ratio"
    return Row(name, ours, floor, ours - floor, _UNIT, "<= 1.0", note)


def _least(work: Callable[[], Coroutine[Any, Any, Any]], rounds: int) -> float:
    return min(seconds(lambda: asyncio.run(work())) for _ in range(rounds))


class _NoTransport:
    """Stands where the transport is; every call ends at once."""

    async def open(self) -> None:
        pass

    async def call(self, request: Any, *_: Any) -> tuple[Any, int]:
        return request, 1


async def _nothing(item: object) -> object:
    return item


async def _floor(items: list[Any]) -> None:
    shared = iter(items)

    async def work() -> None:
        for item in shared:
            await _nothing(item)

    async with asyncio.TaskGroup() as workers:
        for _ in range(_WORKERS):
            workers.create_task(work())


def _memory(fewer: int, more: int) -> Row:
    small, large = _peak(fewer), _peak(more)
    return Row(
        f"peak memory of stream: {more:,} run tests - {fewer:,}",
        large,
        small,
        large - small,
        "MiB",
        "<= 2",
        "processes of their own; the goal is for the difference",
    )


def _peak(count: int) -> float:
    command = [sys.executable, "-m", __name__, str(count)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this module
    return float(result.stdout)


class _Sender:
    """Answers at once, without a socket."""

    async def send(self, attempt: Attempt) -> Answer:
        await asyncio.sleep(0)
        body = server.answer(attempt.path.encode(), attempt.body or b"")
        return Answer(200, "OK", attempt.request_id, None, None, body)

    async def aclose(self) -> None:
        pass


async def _stream(count: int) -> None:
    stand_in: Any = _Sender
    session.AiohttpSender = lambda _: stand_in()  # type: ignore[assignment, misc]  # nothing is to be sent
    client = clients.client("http://127.0.0.1", _WORKERS)
    requests: Any = RunWork().requests(count)
    async with client, client.stream(requests, max_concurrency=_WORKERS) as outcomes:
        async for outcome in outcomes:
            if not outcome.attempts:
                raise RuntimeError(outcome)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    asyncio.run(_stream(parser.parse_args().count))
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    _main()
