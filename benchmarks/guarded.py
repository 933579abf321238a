"""The pieces of work that the guard counts, and the process in which they are counted.

Each piece is done three times, with the collector off: once to be warm, then in two
lengths. What the longer needs more, divided by what it does more, is the cost of one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import sys
from typing import TYPE_CHECKING, Any

import attrs

from benchmarks import callgrind, clients, scheduler, server
from benchmarks.values import decode, encode
from benchmarks.work import AddWork, RunWork, configs


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


# Few enough for the order of what happens hardly to depend on the machine.
_IN_FLIGHT = 10
YARDSTICK = "bare aiohttp, a request"
"""The piece of work without this package."""


@attrs.frozen
class Piece:
    """Work of any length, and the two lengths that are counted."""

    name: str
    work: Callable[[int], object]
    fewer: int
    more: int

    def each(self, fewer: float, more: float) -> float:
        """Return the cost of one, from the counts of both lengths."""
        return (more - fewer) / (self.more - self.fewer)


def pieces(address: server.Address) -> list[Piece]:
    """Return the pieces; their requests go to the address."""
    requests = list(RunWork().requests(3_500))

    def yardstick(count: int) -> None:
        asyncio.run(clients.bare_aiohttp(address, RunWork(), count, _IN_FLIGHT))

    def run_new_evals(count: int) -> None:
        asyncio.run(clients.ours(address, RunWork(), count, _IN_FLIGHT))

    def add_eval_configs(count: int) -> None:
        asyncio.run(clients.ours(address, AddWork(), count, _IN_FLIGHT))

    def send_many(count: int) -> None:
        asyncio.run(scheduler.batch(requests[:count]))

    def stream(count: int) -> None:
        asyncio.run(scheduler.stream(requests[:count]))

    return [
        Piece(YARDSTICK, yardstick, 50, 350),
        Piece("run_new_evals, a request", run_new_evals, 50, 350),
        Piece("add_eval_configs, a request", add_eval_configs, 50, 350),
        Piece("send_many without transport, an item", send_many, 500, 3_500),
        Piece("stream without transport, an item", stream, 500, 3_500),
        Piece("ids to request to bytes, a request", _make_requests, 100, 1_100),
        Piece("dict to request to bytes, a config", _encode, 100, 1_100),
        Piece("bytes to result, a config", _decode, 100, 1_100),
    ]


def _make_requests(count: int) -> None:
    for request in RunWork().requests(count):
        request.body  # noqa: B018 - it is encoded when it is first read


def _encode(count: int) -> None:
    encode(configs(count))


def _decode(count: int) -> None:
    decode(server.added(count))


def instructions(address: server.Address) -> dict[str, float]:
    """Count the instructions of each piece, in a process under callgrind."""
    counted = iter(callgrind.counted(__name__, address.url, "--mark"))
    prices = {}
    for piece in pieces(address):
        _warm, fewer, more = (next(counted) for _ in range(3))
        prices[piece.name] = piece.each(fewer, more)
    return prices


def _mark(found: list[Piece]) -> None:
    callgrind.mark()
    for piece in found:
        for count in (piece.fewer, piece.fewer, piece.more):
            piece.work(count)
            gc.collect()
            callgrind.mark()


@attrs.define
class _Calls:
    """A counter of calls, of Python functions and of built-in ones."""

    count: int = 0

    def note(self, frame: FrameType, event: str, arg: Any) -> None:
        del frame, arg
        if event in {"call", "c_call"}:
            self.count += 1


def calls_and_garbage(found: list[Piece]) -> dict[str, dict[str, float]]:
    """Count the calls of each piece, and the garbage, in this process."""
    prices = {piece.name: list(_prices(piece)) for piece in found}
    calls, garbage = zip(*prices.values(), strict=True)
    return {
        "calls": dict(zip(prices, calls, strict=True)),
        "garbage": dict(zip(prices, garbage, strict=True)),
    }


def _prices(piece: Piece) -> Iterator[float]:
    piece.work(piece.fewer)
    gc.collect()
    counted = [_counted(piece, count) for count in (piece.fewer, piece.more)]
    for fewer, more in zip(*counted, strict=True):
        yield piece.each(fewer, more)


def _counted(piece: Piece, count: int) -> tuple[int, int]:
    """Return the calls, and the objects that only the collector could free."""
    calls = _Calls()
    sys.setprofile(calls.note)
    try:
        piece.work(count)
    finally:
        sys.setprofile(None)
    return calls.count, gc.collect()


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--mark", action="store_true", help="for callgrind")
    options = parser.parse_args()
    gc.disable()
    found = pieces(server.Address(options.url))
    if options.mark:
        _mark(found)
    else:
        print(json.dumps(calls_and_garbage(found)))


if __name__ == "__main__":
    _main()
