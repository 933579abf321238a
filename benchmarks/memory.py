"""Peak memory of a long input, in processes of their own that open no socket."""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from benchmarks import clients, server
from benchmarks.rows import Row
from benchmarks.work import RunWork
from futureagi_async.fanout import FanOut
from futureagi_async.transport import session
from futureagi_async.transport.sender import Answer


if TYPE_CHECKING:
    from collections.abc import Iterator

    from futureagi_async.transport.sender import Attempt


_WORKERS = 100
_FEWER = 20_000
_NOWHERE = server.Address("http://127.0.0.1")


def rows(*, quick: bool) -> Iterator[Row]:
    """Measure."""
    more = 100_000 if quick else 1_000_000
    for way in ("stream",) if quick else ("fan-out", "stream", "blocking stream"):
        small, large = _peak(way, _FEWER), _peak(way, more)
        yield Row(
            f"peak memory of a {way}: {more:,} lazy run tests - {_FEWER:,}",
            large,
            small,
            large - small,
            "MiB",
            "<= 2",
            "the goal is for ours - peer, which stands as the ratio",
        )
    few, many = _FEWER, 3 * _FEWER
    kept = (_peak("batch", many) - _peak("batch", few)) * 2**20 / (many - few)
    note = "a batch keeps request, result and outcome of each"
    yield Row("memory that send_many keeps", kept, None, None, "B/run test", note=note)


def _peak(way: str, count: int) -> float:
    command = [sys.executable, "-m", __name__, way, str(count)]
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


async def _fan_out(count: int) -> None:
    async def work(request: object) -> object:
        await asyncio.sleep(0)
        return request

    requests: Any = RunWork().requests(count)
    await FanOut(requests, work, lambda *_: None, workers=_WORKERS).work()


async def _stream(count: int) -> None:
    client = clients.client(_NOWHERE, _WORKERS)
    requests: Any = RunWork().requests(count)
    async with client, client.stream(requests, max_concurrency=_WORKERS) as outcomes:
        async for outcome in outcomes:
            _check(outcome)


async def _batch(count: int) -> None:
    requests: Any = RunWork().requests(count)
    async with clients.client(_NOWHERE, _WORKERS) as client:
        for outcome in await client.send_many(requests, max_concurrency=_WORKERS):
            _check(outcome)


def _blocking_stream(count: int) -> None:
    client = clients.blocking_client(_NOWHERE, _WORKERS)
    requests: Any = RunWork().requests(count)
    with client, client.stream(requests, max_concurrency=_WORKERS) as outcomes:
        for outcome in outcomes:
            _check(outcome)


def _check(outcome: Any) -> None:
    if not outcome.attempts:
        raise RuntimeError(outcome)


_WAYS: dict[str, Any] = {
    "fan-out": lambda count: asyncio.run(_fan_out(count)),
    "stream": lambda count: asyncio.run(_stream(count)),
    "blocking stream": _blocking_stream,
    "batch": lambda count: asyncio.run(_batch(count)),
}


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=_WAYS)
    parser.add_argument("count", type=int)
    asked = parser.parse_args()
    stand_in: Any = _Sender
    session.AiohttpSender = lambda _: stand_in()  # type: ignore[assignment, misc]  # nothing is to be sent
    _WAYS[asked.way](asked.count)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


if __name__ == "__main__":
    _main()
