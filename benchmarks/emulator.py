"""Throughput of the emulator, measured with a raw client."""

from __future__ import annotations

import asyncio
import contextlib
import re
import subprocess
import sys
import time
import urllib.parse
from typing import TYPE_CHECKING

import orjson

from benchmarks.rows import Row
from futureagi_async.emulator import World


if TYPE_CHECKING:
    from collections.abc import Iterator


_CONNECTIONS = 50
_RUN_TESTS = 100_000
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    count = 5_000 if quick else 20_000
    # The emulator of the other process makes the same world.
    world = World.synthetic(run_tests=_RUN_TESTS)
    ids, template = world.run_test_ids, world.template_ids[0]
    keys = f"X-Api-Key: {world.api_key}\r\nX-Secret-Key: {world.secret_key}\r\n"
    add = orjson.dumps({"evaluations_config": [{"template_id": template}]})
    adding = [
        _post(f"/simulate/run-tests/{ids[i]}/eval-configs/", keys, add)
        for i in range(count)
    ]
    health = [b"GET /health/ HTTP/1.1\r\nHost: emulator\r\n\r\n"] * count
    started = time.perf_counter()
    with _running() as address:
        start = time.perf_counter() - started
        yield Row(
            "emulator: start with 100,000 run tests", start, None, start, "s", "<= 1"
        )
        for name, requests in (("health", health), ("add eval configs", adding)):
            rate = asyncio.run(_rate(address, requests))
            yield Row(f"emulator: {name}", rate, None, None, "requests/s")


def _post(path: str, keys: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: emulator\r\n{keys}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@contextlib.contextmanager
def _running() -> Iterator[tuple[str, int]]:
    command = [sys.executable, "-m", "futureagi_async.emulator", "--port", "0"]
    command += ["--run-tests", str(_RUN_TESTS), "--dispatch", "accept"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own
        try:
            lines = iter(process.stdout or ())
            url = next(each for each in lines if each.startswith("FI_BASE_URL="))
            parts = urllib.parse.urlsplit(url.strip().partition("=")[2])
            yield parts.hostname or "", parts.port or 0
        finally:
            process.terminate()


async def _rate(address: tuple[str, int], requests: list[bytes]) -> float:
    waiting = iter(requests)

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(*address)
        for request in waiting:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            await reader.readexactly(int(length[1]) if length else 0)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(_CONNECTIONS)))
    return len(requests) / (time.perf_counter() - started)
