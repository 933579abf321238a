"""Peak memory of a long input, in processes that open no socket."""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from benchmarks import clients, server
from benchmarks.rows import Row
from benchmarks.work import RunWork
from futureagi_async.batch.worker_pool import WorkerPool
from futureagi_async.transport import aiohttp_backend
from futureagi_async.transport.http import HTTPResponse


if TYPE_CHECKING:
    from collections.abc import Iterator

    from futureagi_async.transport.http import HTTPRequest


_WORKERS = 100
_FEWER = 20_000
_MORE = {
    "worker pool": 1_000_000,
    "stream": 1_000_000,
    "blocking stream": 1_000_000,
    "stream with a journal": 200_000,
}
_NOWHERE = server.Address("http://127.0.0.1")


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    ways = {"stream": 100_000} if quick else _MORE
    for way, more in ways.items():
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
    yield _kept("batch", "send_many", "request, result and outcome of each")


def _kept(way: str, name: str, note: str) -> Row:
    few, many = _FEWER, 4 * _FEWER
    kept = (_peak(way, many) - _peak(way, few)) * 2**20 / (many - few)
    return Row(f"memory that {name} keeps", kept, None, None, "B/run test", note=note)


def _peak(way: str, count: int) -> float:
    command = [sys.executable, "-m", __name__, way, str(count)]
    result = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - this module
    return float(result.stdout)


def _peak_of_this_process() -> float:
    """Return the most MiB that were resident."""
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    # On Linux getrusage reports no less than the parent process had.
    (peak,) = re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(peak) / 1024


class _Backend:
    """A backend that answers at once, without a socket."""

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        await asyncio.sleep(0)
        body = server.answer(attempt.path.encode(), attempt.body or b"")
        return HTTPResponse(200, "OK", attempt.request_id, None, None, body)

    async def aclose(self) -> None:
        pass


async def _worker_pool(count: int) -> None:
    async def work(request: object) -> object:
        await asyncio.sleep(0)
        return request

    requests: Any = RunWork().requests(count)
    await WorkerPool(requests, work, lambda *_: None, workers=_WORKERS).run()


async def _stream(count: int, journal: str | None = None) -> None:
    client = clients.client(_NOWHERE, _WORKERS)
    requests: Any = RunWork().requests(count)
    async with (
        client,
        client.stream(requests, max_concurrency=_WORKERS, journal=journal) as outcomes,
    ):
        async for outcome in outcomes:
            _check(outcome)


def _stream_with_journal(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_stream(count, f"{folder}/journal"))


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
    "worker pool": lambda count: asyncio.run(_worker_pool(count)),
    "stream": lambda count: asyncio.run(_stream(count)),
    "stream with a journal": _stream_with_journal,
    "blocking stream": _blocking_stream,
    "batch": lambda count: asyncio.run(_batch(count)),
}


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=_WAYS)
    parser.add_argument("count", type=int)
    options = parser.parse_args()
    stand_in: Any = _Backend
    aiohttp_backend.AiohttpBackend = lambda _: stand_in()  # type: ignore[assignment, misc]  # nothing is to be sent
    _WAYS[options.way](options.count)
    print(_peak_of_this_process())


if __name__ == "__main__":
    _main()
