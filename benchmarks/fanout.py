"""Many requests: throughput beside the peers, and the share of ideal concurrency."""

from __future__ import annotations

import asyncio
import importlib.util
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks import clients, server
from benchmarks.rows import Row, compare, seconds, skipped
from benchmarks.work import AddWork, RunWork


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.work import Work


_IN_FLIGHT = 100
_LATENCY = 0.05

_WORK: tuple[Work, ...] = (RunWork(), AddWork())


def rows(*, quick: bool) -> Iterator[Row]:
    """Measure."""
    count, rounds = (2_000, 5) if quick else (5_000, 9)
    with server.running() as url:
        yield _ceiling(url, count)
        for work in _WORK:
            yield from _beside_aiohttp(url, work, count, rounds)
        yield from _beside_others(url, count // 4, rounds)
        yield _blocking_batch(url, count, rounds)
    with server.running(_LATENCY) as url:
        yield from _shares(url, quick=quick)


def _ceiling(url: str, count: int) -> Row:
    go = _run(clients.ours, url, RunWork(), count, _IN_FLIGHT)
    go()
    before = server.cpu_seconds(url)
    ours = count / seconds(go)
    ceiling = count / (server.cpu_seconds(url) - before)
    return Row(
        "server: its ceiling / what this package asks of it",
        ours,
        ceiling,
        ceiling / ours,
        "requests/s",
        ">= 2",
        "ceiling: requests by CPU second of the server",
    )


def _run(client: Callable[..., Any], *args: Any) -> Callable[[], None]:
    if asyncio.iscoroutinefunction(client):
        return lambda: asyncio.run(client(*args))
    return partial(client, *args)


def _throughput(
    name: str,
    peer: Callable[..., Any],
    work: tuple[str, Work, int, int],
    rounds: int,
    goal: str = "",
) -> Row:
    _, _, count, in_flight = work
    pair = compare(_run(clients.ours, *work), _run(peer, *work), rounds)
    return Row(
        f"{name}, {in_flight} in flight",
        count / pair.ours,
        count / pair.peer,
        1 / pair.ratio,
        "requests/s",
        goal,
    )


def _beside_aiohttp(url: str, work: Work, count: int, rounds: int) -> Iterator[Row]:
    asked = (url, work, count, _IN_FLIGHT)
    bare, usual = clients.bare_aiohttp, clients.usual_aiohttp
    yield _throughput(
        f"{work.name}: fan-out / best bare aiohttp", bare, asked, rounds, ">= 0.95"
    )
    pair = compare(
        _run(clients.ours, *asked), _run(bare, *asked), rounds, time.process_time
    )
    yield Row(
        f"{work.name}: client's CPU / best bare aiohttp",
        1e6 * pair.ours / count,
        1e6 * pair.peer / count,
        pair.ratio,
        "us/request",
    )
    yield _throughput(
        f"{work.name}: fan-out / gather + semaphore + json",
        usual,
        asked,
        rounds,
        ">= 1.2",
    )


def _beside_others(url: str, count: int, rounds: int) -> Iterator[Row]:
    for module, client, in_flight, goal in (
        ("httpx", clients.httpx_async, 10, ">= 5"),
        ("requests", clients.requests_threads, _IN_FLIGHT, ">= 6"),
    ):
        name = f"run_new_evals: fan-out / {client.__name__}"
        if importlib.util.find_spec(module) is None:
            yield skipped(name, f"{module} is not installed")
            continue
        asked = (url, RunWork(), count, in_flight)
        yield _throughput(name, client, asked, min(rounds, 5), goal)


def _blocking_batch(url: str, count: int, rounds: int) -> Row:
    asked = (url, RunWork(), count, _IN_FLIGHT)
    pair = compare(
        _run(clients.ours_blocking, *asked), _run(clients.ours, *asked), rounds
    )
    return Row(
        "run_new_evals: blocking batch / async batch",
        1e6 * pair.ours / count,
        1e6 * pair.peer / count,
        pair.ratio,
        "us/request",
        "<= 1.05",
    )


def _shares(url: str, *, quick: bool) -> Iterator[Row]:
    plan = ((10, 500), (100, 5_000)) if quick else ((10, 1_000), (100, 10_000))
    for in_flight, count in plan:
        ideal = count / in_flight * _LATENCY
        shares = []
        for client in (clients.ours, clients.bare_aiohttp):
            go = _run(client, url, RunWork(), count, in_flight)
            shares.append(max(ideal / seconds(go) for _ in range(3)))
        yield Row(
            f"share of ideal concurrency at {_LATENCY * 1e3:.0f} ms latency, "
            f"{in_flight} in flight",
            shares[0],
            shares[1],
            shares[0],
            "share",
            ">= 0.95",
            f"{count:,} run tests; peer: bare aiohttp; ratio: ours / ideal",
        )
