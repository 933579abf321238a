"""Blocking calls one after the other, beside other blocking clients."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any

from benchmarks import clients, server
from benchmarks.pairs import compare
from benchmarks.rows import Row, skipped
from benchmarks.work import CONNECT, HEADERS, READ, RunWork


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Session = contextlib.AbstractContextManager[Callable[[str, Any], object]]


@contextlib.contextmanager
def _requests(address: server.Address) -> Iterator[Callable[[str, Any], object]]:
    requests: Any = importlib.import_module("requests")
    with requests.Session() as session:
        session.headers.update(HEADERS)

        def post(path: str, payload: Any) -> object:
            response = session.post(
                address.url + path,
                json=payload,
                headers={"X-Request-ID": str(uuid.uuid4())},
                timeout=(CONNECT, READ),
            )
            response.raise_for_status()
            return response.json()

        yield post


@contextlib.contextmanager
def _httpx(address: server.Address) -> Iterator[Callable[[str, Any], object]]:
    httpx: Any = importlib.import_module("httpx")
    timeout = httpx.Timeout(READ, connect=CONNECT)
    with httpx.Client(base_url=address.url, headers=HEADERS, timeout=timeout) as client:

        def post(path: str, payload: Any) -> object:
            headers = {"X-Request-ID": str(uuid.uuid4())}
            response = client.post(path, json=payload, headers=headers)
            response.raise_for_status()
            return response.json()

        yield post


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    count, rounds = (200, 3) if quick else (1_000, 11)
    for module, peer, session, goals in (
        ("requests", "requests.Session", _requests, (">= 2.2", "<= 0.5")),
        ("httpx", "httpx.Client", _httpx, ("", "")),
    ):
        name = f"blocking call / {peer}"
        if importlib.util.find_spec(module) is None:
            yield skipped(name, f"{module} is not installed", goals[0])
            continue
        with server.running() as address, session(address) as post:
            yield from _beside(name, address, post, (count, rounds), goals)


def _beside(
    name: str,
    address: server.Address,
    post: Callable[[str, Any], object],
    size: tuple[int, int],
    goals: tuple[str, str],
) -> Iterator[Row]:
    count, rounds = size
    took: tuple[list[float], list[float]] = ([], [])
    with clients.blocking_client(address, 1) as client:

        def ours() -> None:
            for request in RunWork().requests(count):
                started = time.perf_counter()
                client.send(request)
                took[0].append(time.perf_counter() - started)

        def peer() -> None:
            for path, payload in RunWork().posts(count):
                started = time.perf_counter()
                post(path, payload)
                took[1].append(time.perf_counter() - started)

        pair = compare(ours, peer, rounds).clock
    yield Row(
        f"{name}: throughput",
        count / pair.ours,
        count / pair.peer,
        1 / pair.ratio,
        "calls/s",
        goals[0],
    )
    mine, theirs = (statistics.median(each) * 1e6 for each in took)
    yield Row(f"{name}: p50", mine, theirs, mine / theirs, "us", goals[1])
