"""Instructions a request, counted by valgrind's callgrind: the same on any machine.

Two runs of different length are counted in processes of their own; what the longer one
needs more, divided by what it does more, is the price of a request without start-up.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

from benchmarks import clients, server
from benchmarks.rows import Row, skipped
from benchmarks.work import AddWork, RunWork


if TYPE_CHECKING:
    from collections.abc import Iterator


_IN_FLIGHT = 100
_COUNTS = 400, 1_400
_CLIENTS = {"ours": clients.ours, "bare": clients.bare_aiohttp}
_WORK = {work.name: work for work in (RunWork(), AddWork())}
_COLLECTED = re.compile(r"Collected\s*:\s*(\d+)")


def rows(*, quick: bool) -> Iterator[Row]:
    """Measure."""
    names = list(_WORK)[:1] if quick else list(_WORK)
    for work in names:
        name = f"{work}: instructions / best bare aiohttp"
        if shutil.which("valgrind") is None:
            yield skipped(name, "valgrind is not installed")
            continue
        with server.running() as url:
            ours, bare = (each_request(url, client, work) for client in _CLIENTS)
        unit = "instructions/request"
        yield Row(name, ours, bare, ours / bare, unit, "<= 1.10")


def each_request(url: str, client: str, work: str) -> float:
    """Give the instructions that a client needs for a request more."""
    fewer, more = (_counted(url, client, work, count) for count in _COUNTS)
    return (more - fewer) / (_COUNTS[1] - _COUNTS[0])


def _counted(url: str, client: str, work: str, count: int) -> int:
    with tempfile.NamedTemporaryFile() as profile:
        result = subprocess.run(  # noqa: S603 - this module
            [  # noqa: S607 - wherever valgrind is
                "valgrind",
                "--tool=callgrind",
                f"--callgrind-out-file={profile.name}",
                *(sys.executable, "-m", __name__),
                *(url, client, work, str(count)),
            ],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": "0"},
        )
    found = _COLLECTED.search(result.stderr)
    if found is None:
        raise RuntimeError(result.stderr)
    return int(found[1])


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("client", choices=_CLIENTS)
    parser.add_argument("work", choices=_WORK)
    parser.add_argument("count", type=int)
    asked = parser.parse_args()
    client, work = _CLIENTS[asked.client], _WORK[asked.work]
    asyncio.run(client(asked.url, work, asked.count, _IN_FLIGHT))


if __name__ == "__main__":
    _main()
