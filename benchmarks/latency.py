"""The share of ideal concurrency with a server that answers late.

Ideal is that each worker has sent its next request at the moment in which the response
to the last one leaves the server. The server measures how long it held a response back:
its timers fire late, and that is not due to the client.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import statistics
from typing import TYPE_CHECKING, Any

from benchmarks import certificates, clients, server
from benchmarks.pairs import compare, timed
from benchmarks.rows import Row, skipped
from benchmarks.work import RunWork


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_LATENCY = 0.05
_SHARE = ">= 0.95"
_THREADS = 8


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    # The most in flight need many requests before the first connections matter less.
    in_flight = (10, 100) if quick else (10, 100, 1_000)
    with server.running(_LATENCY) as address:
        for each in in_flight:
            yield _share(address, each, quick=quick)
        yield _threads(address, *((15, 1) if quick else (100, 3)))
    if not certificates.can_be_made():
        yield skipped("share of ideal, TLS", "openssl is not installed", _SHARE)
        return
    with (
        certificates.throwaway() as certificate,
        server.running(_LATENCY, certificate) as address,
    ):
        for each in in_flight:
            yield _share(address, each, quick=quick)


def _share(address: server.Address, in_flight: int, *, quick: bool) -> Row:
    # Long enough for the first connections not to matter, which take CPU, too.
    turns, rounds = (20, 1) if quick else (100, 3)
    count = in_flight * turns
    shares: dict[Callable[..., Any], list[float]] = {
        clients.ours: [],
        clients.bare_aiohttp: [],
    }
    for _ in range(rounds):
        for client, taken in shares.items():
            taken.append(_taken(client, address, count, in_flight))
    ours, bare = map(statistics.median, shares.values())
    return Row(
        f"share of ideal concurrency at {_LATENCY * 1e3:.0f} ms latency"
        f"{', TLS' if address.tls else ''}, {in_flight:,} in flight",
        ours,
        bare,
        ours,
        "share",
        _SHARE,
        f"{count:,} run tests; peer: bare aiohttp; the goal is for ours",
    )


def _taken(
    client: Callable[..., Any], address: server.Address, count: int, in_flight: int
) -> float:
    before = address.ledger()
    go = timed(lambda: asyncio.run(client(address, RunWork(), count, in_flight)))
    served = address.ledger().since(before)
    return served.waited / in_flight / go.clock


def _threads(address: server.Address, turns: int, rounds: int) -> Row:
    count = _THREADS * turns
    requests = list(RunWork().requests(count))
    with contextlib.ExitStack() as opened:
        client = opened.enter_context(clients.blocking_client(address, _THREADS))
        threads = opened.enter_context(concurrent.futures.ThreadPoolExecutor(_THREADS))

        def eight() -> None:
            for _ in threads.map(client.send, requests):
                pass

        def one() -> None:
            for request in requests[:turns]:
                client.send(request)

        pair = compare(eight, one, rounds).clock
    return Row(
        f"blocking calls from {_THREADS} threads / from one, at 50 ms latency",
        count / pair.ours,
        turns / pair.peer,
        _THREADS / pair.ratio,
        "calls/s",
        f">= {_THREADS * 0.95}",
        "one client",
    )
