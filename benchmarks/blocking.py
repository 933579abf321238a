"""One call after the other from a script, beside a `requests.Session`."""

from __future__ import annotations

import importlib
import importlib.util
import statistics
import time
import uuid
from typing import TYPE_CHECKING, Any

from benchmarks import clients, server
from benchmarks.rows import Row, compare, skipped
from benchmarks.work import CONNECT, HEADERS, READ, RunWork


if TYPE_CHECKING:
    from collections.abc import Iterator


def rows(*, quick: bool) -> Iterator[Row]:
    """Measure."""
    name = "blocking call / requests.Session"
    if importlib.util.find_spec("requests") is None:
        yield skipped(name, "requests is not installed")
        return
    requests: Any = importlib.import_module("requests")
    count, rounds = (300, 5) if quick else (1_000, 9)
    took: dict[str, list[float]] = {"ours": [], "requests": []}
    with (
        server.running() as url,
        clients.blocking_client(url, 1) as client,
        requests.Session() as session,
    ):
        session.headers.update(HEADERS)

        def ours() -> None:
            for request in RunWork().requests(count):
                started = time.perf_counter()
                client.send(request)
                took["ours"].append(time.perf_counter() - started)

        def peer() -> None:
            for path, payload in RunWork().posts(count):
                started = time.perf_counter()
                response = session.post(
                    url + path,
                    json=payload,
                    headers={"X-Request-ID": str(uuid.uuid4())},
                    timeout=(CONNECT, READ),
                )
                response.raise_for_status()
                response.json()
                took["requests"].append(time.perf_counter() - started)

        pair = compare(ours, peer, rounds)
    throughput = 1 / pair.ratio
    yield Row(
        f"{name}: throughput",
        count / pair.ours,
        count / pair.peer,
        throughput,
        "calls/s",
        ">= 2.2",
    )
    mine, theirs = (statistics.median(each) * 1e6 for each in took.values())
    yield Row(f"{name}: p50", mine, theirs, mine / theirs, "us", "<= 0.5")
