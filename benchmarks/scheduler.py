"""The cost of a batch without its requests; nothing is sent here.

The floor is the same number of workers on one shared iterator, awaiting a coroutine that does
nothing.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from benchmarks import clients
from benchmarks.pairs import compare
from benchmarks.rows import Row
from benchmarks.server import Address
from benchmarks.work import RunWork


if TYPE_CHECKING:
    from collections.abc import Iterator

    from futureagi_async import AsyncFutureAGI


_WORKERS = 100


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    count = 20_000
    requests = list(RunWork().requests(count))
    pair = compare(
        lambda: asyncio.run(batch(requests)),
        lambda: asyncio.run(_floor(requests)),
        7 if quick else 21,
    ).least
    ours, floor = pair.ours / count * 1e6, pair.peer / count * 1e6
    yield Row(
        "scheduler: send_many - floor, outcome object included",
        ours,
        floor,
        ours - floor,
        "us/item",
        "<= 1.0",
        "the goal is for ours - peer, which stands as the ratio",
    )


async def batch(requests: list[Any]) -> None:
    """Send a batch over a transport that does nothing."""
    await _client().send_many(requests, max_concurrency=_WORKERS)


async def stream(requests: list[Any]) -> None:
    """Stream over a transport that does nothing."""
    async with _client().stream(requests, max_concurrency=_WORKERS) as outcomes:
        async for _ in outcomes:
            pass


def _client() -> AsyncFutureAGI:
    client: Any = clients.client(Address("http://127.0.0.1"), _WORKERS)
    client._transport = _NoTransport()  # noqa: SLF001 - all above it is measured
    return client  # type: ignore[no-any-return]  # one whose transport is another


class _NoTransport:
    """A transport whose calls return at once."""

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
