"""The cost of imports and of a first request, each in a fresh process.

Bytecode is cached for all of them, in a folder of its own: an installed package has
been compiled, and a checkout under `PYTHONDONTWRITEBYTECODE` would be each time.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING

from benchmarks import server
from benchmarks.rows import Row
from benchmarks.work import API_KEY, HEADERS, SECRET_KEY, RunWork


if TYPE_CHECKING:
    from collections.abc import Iterator


_IMPORT = """\
import sys, time
started = time.perf_counter()
{statement}
took = time.perf_counter() - started
print(took * 1e3, sum(each.split(".")[0] == "aiohttp" for each in sys.modules))
"""

_OURS = f"""\
import asyncio, sys
from futureagi_async import AsyncFutureAGI, RunNewEvals

async def main(url, run_test_id, *eval_config_ids):
    async with AsyncFutureAGI({API_KEY!r}, {SECRET_KEY!r}, base_url=url) as client:
        await client.send(RunNewEvals(run_test_id, eval_config_ids, select_all=True))

asyncio.run(main(*sys.argv[1:]))
"""

_BARE = f"""\
import asyncio, sys, uuid
import aiohttp, orjson

async def main(url, run_test_id, *eval_config_ids):
    body = {{"select_all": True, "eval_config_ids": eval_config_ids}}
    async with aiohttp.ClientSession(headers={HEADERS!r}) as session:
        async with session.post(
            f"{{url}}/simulate/run-tests/{{run_test_id}}/run-new-evals/",
            data=orjson.dumps(body),
            headers={{"X-Request-ID": str(uuid.uuid4())}},
        ) as response:
            response.raise_for_status()
            orjson.loads(await response.read())

asyncio.run(main(*sys.argv[1:]))
"""


def rows(*, quick: bool) -> Iterator[Row]:
    """Yield the measured rows."""
    rounds = 5 if quick else 21
    with _compiled_once() as environment:
        yield from _import_rows(rounds, environment)
        yield _first_request(rounds, environment)


@contextlib.contextmanager
def _compiled_once() -> Iterator[dict[str, str]]:
    """Yield an environment in which only the first process compiles its imports."""
    with tempfile.TemporaryDirectory() as folder:
        yield {
            **os.environ,
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPYCACHEPREFIX": folder,
        }


def _import_rows(rounds: int, environment: dict[str, str]) -> Iterator[Row]:
    statement = "import futureagi_async"
    took, modules, aiohttp = _imported(statement, rounds, environment)
    yield Row(
        "import futureagi_async, beside import aiohttp",
        took,
        aiohttp,
        took,
        "ms",
        "<= 2",
        "the goal is for ours, which stands as the ratio",
    )
    models = "from futureagi_async import EvalConfig, RunNewEvals, APIError"
    took, modules, aiohttp = _imported(models, rounds, environment)
    yield Row(f"{models} / import aiohttp", took, aiohttp, took / aiohttp, "ms")
    yield Row(
        "modules of aiohttp that importing models and errors loads",
        modules,
        None,
        modules,
        "modules",
        "<= 0",
    )
    whole = "from futureagi_async import AsyncFutureAGI, FutureAGI"
    took, modules, aiohttp = _imported(whole, rounds, environment)
    yield Row(f"{whole} / import aiohttp", took, aiohttp, took / aiohttp, "ms")


def _imported(
    statement: str, rounds: int, environment: dict[str, str]
) -> tuple[float, int, float]:
    """Return the minimum in ms and aiohttp's modules, and the minimum of aiohttp."""
    programs = [
        _IMPORT.format(statement=each) for each in (statement, "import aiohttp")
    ]
    runs = [
        [_output(program, environment).split() for program in programs]
        for _ in range(rounds)
    ]
    ours, aiohttp = (min(float(run[each][0]) for run in runs) for each in (0, 1))
    return ours, int(runs[0][0][1]), aiohttp


def _output(program: str, environment: dict[str, str]) -> str:
    command = [sys.executable, "-c", program]
    return subprocess.run(  # noqa: S603 - this module
        command, check=True, capture_output=True, text=True, env=environment
    ).stdout


def _first_request(rounds: int, environment: dict[str, str]) -> Row:
    (request,) = RunWork().requests(1)
    arguments = (request.run_test_id, *request.eval_config_ids)
    with server.running() as address:
        least = [float("inf"), float("inf")]
        for _ in range(rounds):
            for each, program in enumerate((_OURS, _BARE)):
                command = [sys.executable, "-c", program, address.url, *arguments]
                started = time.perf_counter()
                subprocess.run(command, check=True, env=environment)  # noqa: S603 - this module
                least[each] = min(least[each], time.perf_counter() - started)
    ours, bare = (1e3 * each for each in least)
    name = "a process that sends one request / the same with bare aiohttp"
    return Row(name, ours, bare, ours / bare, "ms", "<= 1.15")
