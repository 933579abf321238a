"""Instructions per request, beside bare aiohttp: the same on any machine.

A process sends the work three times: once to be warm, then two lengths of it. What the
longer needs more, divided by what it does more, is the cost of a request without the
opening of connections.
"""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import gc
from functools import partial
from typing import TYPE_CHECKING

from benchmarks import callgrind, clients
from benchmarks.rows import Row, skipped
from benchmarks.server import Address, running
from benchmarks.work import AddWork, RunWork


if TYPE_CHECKING:
    from collections.abc import Iterator


_IN_FLIGHT = 100
_CLIENTS = {"ours": clients.ours, "bare": clients.bare_aiohttp}
_WORK = {work.name: work for work in (RunWork(), AddWork())}
_GOAL = "<= 1.10"


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    counts = (100, 400) if quick else (300, 2_300)
    for work in list(_WORK)[:1] if quick else _WORK:
        name = f"{work}: instructions / best bare aiohttp"
        if not callgrind.is_installed():
            yield skipped(name, "valgrind is not installed", _GOAL)
            continue
        with running() as address:
            count = partial(_each_request, address.url, work=work, counts=counts)
            with concurrent.futures.ThreadPoolExecutor() as threads:
                # At the same time: what else the machine does is not counted.
                ours, bare = threads.map(count, _CLIENTS)
        yield Row(name, ours, bare, ours / bare, "instructions/request", _GOAL)


def _each_request(url: str, client: str, work: str, counts: tuple[int, int]) -> float:
    fewer, more = counts
    arguments = (url, client, work, str(fewer), str(more))
    shorter, longer = callgrind.counted(__name__, *arguments)
    return (longer - shorter) / (more - fewer)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("client", choices=_CLIENTS)
    parser.add_argument("work", choices=_WORK)
    parser.add_argument("count", type=int, nargs=2)
    options = parser.parse_args()
    client, work = _CLIENTS[options.client], _WORK[options.work]
    for count in (_IN_FLIGHT, *options.count):
        asyncio.run(client(Address(options.url), work, count, _IN_FLIGHT))
        gc.collect()
        # What the imports made is not walked through again: when that happens depends
        # on what was imported, and one time costs as much as a hundred requests.
        gc.freeze()
        callgrind.mark()


if __name__ == "__main__":
    _main()
