"""Throughput of batches beside the peers, with a server that answers at once."""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import pathlib
import tempfile
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks import certificates, clients, peers, server
from benchmarks.generated import GeneratedClient
from benchmarks.pairs import compare, timed
from benchmarks.rows import Row, skipped
from benchmarks.work import AddWork, RunWork


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.pairs import Pair, Rounds
    from benchmarks.work import Work


_IN_FLIGHT = 100
_RUN, _ADD = RunWork(), AddWork()


@attrs.frozen
class _Plan:
    """The work of one measurement."""

    address: server.Address
    count: int
    rounds: int
    work: Work = _RUN
    in_flight: int = _IN_FLIGHT

    def go(self, client: Callable[..., Any], **options: Any) -> Callable[[], None]:
        arguments = (self.address, self.work, self.count, self.in_flight)
        return _run(partial(client, *arguments, **options))

    def beside(self, peer: Callable[..., Any]) -> Rounds:
        return compare(self.go(clients.ours), self.go(peer), self.rounds)

    def throughput(self, name: str, rounds: Rounds, goal: str = "") -> Row:
        return Row(
            f"{self.work.name}: {name}, {self.in_flight} in flight",
            self.count / rounds.clock.ours,
            self.count / rounds.clock.peer,
            1 / rounds.clock.ratio,
            "requests/s",
            goal,
        )

    def price(self, name: str, pair: Pair, unit: str, goal: str = "") -> Row:
        ours, peer = (1e6 * each / self.count for each in (pair.ours, pair.peer))
        return Row(f"{self.work.name}: {name}", ours, peer, pair.ratio, unit, goal)


def _run(client: Callable[[], Any]) -> Callable[[], None]:
    def go() -> None:
        waiting = client()
        if waiting is not None:
            asyncio.run(waiting)

    return go


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    count, rounds = (600, 3) if quick else (5_000, 11)
    with server.running() as address:
        yield from _ceiling(_Plan(address, count, rounds))
        for work in (_RUN, _ADD):
            yield from _beside_aiohttp(_Plan(address, count, rounds, work))
        yield from _beside_others(address, count // 2, min(rounds, 5))
        yield from _by_ourselves(_Plan(address, count, rounds))
    yield from _encrypted(count, rounds)


def _ceiling(plan: _Plan) -> Iterator[Row]:
    go = plan.go(clients.bare_aiohttp)
    go()
    before = plan.address.ledger()
    throughput = plan.count / timed(go).clock
    served = plan.address.ledger().since(before)
    ceiling = served.answers / served.cpu
    yield Row(
        "server: requests of bare aiohttp / its ceiling",
        throughput,
        ceiling,
        throughput / ceiling,
        "requests/s",
        "<= 0.5",
        "ceiling: requests by CPU second of the server",
    )


def _beside_aiohttp(plan: _Plan) -> Iterator[Row]:
    rounds = plan.beside(clients.bare_aiohttp)
    yield plan.throughput("batch / best bare aiohttp", rounds, ">= 0.95")
    yield plan.price("client's CPU / bare aiohttp's", rounds.cpu, "us CPU/request")
    rounds = plan.beside(clients.usual_aiohttp)
    yield plan.throughput("batch / gather + semaphore + json", rounds, ">= 1.2")


def _beside_others(address: server.Address, count: int, rounds: int) -> Iterator[Row]:
    for module, name, client, in_flight, goal in (
        ("httpx", "httpx, async", peers.httpx_async, 10, ">= 5"),
        ("httpx", "httpx, 10 threads", peers.httpx_threads, 10, ""),
        ("requests", "requests, 100 threads", peers.requests_threads, 100, ">= 6"),
        ("requests_futures", "requests-futures", peers.requests_futures, 100, ""),
        ("requests_futures", "the official SDK's way", peers.official_sdk, 100, ">= 8"),
    ):
        plan = _Plan(address, count, rounds, in_flight=in_flight)
        if importlib.util.find_spec(module) is None:
            yield skipped(f"batch / {name}", f"{module} is not installed", goal)
            continue
        yield plan.throughput(f"batch / {name}", plan.beside(client), goal)
    yield from _beside_generated(_Plan(address, count, rounds, in_flight=10))


def _beside_generated(plan: _Plan) -> Iterator[Row]:
    name = "batch / a client of openapi-python-client"
    if importlib.util.find_spec("openapi_python_client") is None:
        yield skipped(name, "openapi-python-client is not installed")
        return
    with tempfile.TemporaryDirectory() as folder:
        client = GeneratedClient.generate(pathlib.Path(folder))
        for work in (_RUN, _ADD):
            each = attrs.evolve(plan, work=work)
            yield each.throughput(name, each.beside(client.send))


def _by_ourselves(plan: _Plan) -> Iterator[Row]:
    """Measure the effect of options; the peer is this package without them."""
    plain = plan.go(clients.ours)
    rounds = compare(plan.go(clients.ours_blocking), plain, plan.rounds)
    name = "blocking batch / async batch"
    yield plan.price(name, rounds.clock, "us/request", "<= 1.05")
    with tempfile.TemporaryDirectory() as folder:
        fresh = (pathlib.Path(folder, f"{each}.journal") for each in itertools.count())

        def with_journal() -> None:
            plan.go(clients.ours, journal=next(fresh))()

        rounds = compare(with_journal, plain, plan.rounds)
        size = pathlib.Path(folder, "0.journal").stat().st_size / plan.count
    yield plan.throughput("with a journal / without one", rounds, ">= 0.8")
    yield Row("size of a journal", size, None, None, "B/run test")
    yield from _on_uvloop(plan)


def _on_uvloop(plan: _Plan) -> Iterator[Row]:
    name = "on uvloop"
    if importlib.util.find_spec("uvloop") is None:
        yield skipped(name, "uvloop is not installed")
        return
    run = importlib.import_module("uvloop").run
    arguments = (plan.address, plan.work, plan.count, plan.in_flight)

    def ours() -> None:
        run(clients.ours(*arguments))

    def bare() -> None:
        run(clients.bare_aiohttp(*arguments))

    rounds = compare(ours, plan.go(clients.ours), plan.rounds)
    yield plan.throughput("on uvloop / on asyncio's loop, both ours", rounds)
    rounds = compare(ours, bare, plan.rounds)
    yield plan.throughput("batch / best bare aiohttp, both on uvloop", rounds)


def _encrypted(count: int, rounds: int) -> Iterator[Row]:
    name = "batch / best bare aiohttp, TLS"
    if not certificates.can_be_made():
        yield skipped(name, "openssl is not installed", ">= 0.95")
        return
    with (
        certificates.throwaway() as certificate,
        server.running(certificate=certificate) as address,
    ):
        plan = _Plan(address, count, rounds)
        yield plan.throughput(name, plan.beside(clients.bare_aiohttp), ">= 0.95")
