"""Streams evaluations in a separate process, and prints how much memory that takes.

    python streaming_child.py WAY COUNT EARLY trace|'' rerun|''

It samples twice: after `EARLY` run tests and after all, when nothing is under way.
"""

from __future__ import annotations

import asyncio
import gc
import json
import pathlib
import sys
import tracemalloc
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async import AsyncFutureAGI, EvalConfig, FutureAGI
from futureagi_async.emulator import World
from futureagi_async.model import codec


if TYPE_CHECKING:
    from collections.abc import AsyncIterator


MAX_EVALUATING = 64
"""How many may be under way, which is all that memory may depend on."""

DEADLINE = 3600.0
POLL = 0.05


@attrs.define
class Course:
    """How far the stream is: run tests read from the input, evaluations received."""

    world: World
    early: int
    rerun: bool = False
    given: int = 0
    taken: int = 0
    unscored: int = 0
    most_held: int = 0
    samples: list[dict[str, int]] = attrs.field(factory=list)

    async def run_test_ids(self) -> AsyncIterator[str]:
        """Yield them one by one; before a sample, wait until all are finished."""
        ids = self.world.run_test_ids
        for number in range(len(ids)):
            if number == self.early:
                await self.sample()
            self.given += 1
            self.most_held = max(self.most_held, self.given - self.taken)
            yield ids[number]
        await self.sample()

    async def sample(self) -> None:
        """Measure the memory when nothing is under way."""
        while self.taken < self.given:
            await asyncio.sleep(0.01)
        gc.collect()
        self.samples.append(
            {
                "traced": tracemalloc.get_traced_memory()[0],
                "peak": peak(),
            }
        )

    def take(self, evaluation: Any) -> None:
        """Count an evaluation, and store nothing of it."""
        self.taken += 1
        self.unscored += not evaluation.is_scored

    @property
    def arguments(self) -> dict[str, Any]:
        """Those of `stream_evaluations`."""
        return {
            "run_tests": self.run_test_ids(),
            "configs": [EvalConfig(self.world.template_ids[0], name="one")],
            "timeout": DEADLINE,
            "poll_interval": POLL,
            "max_in_progress": MAX_EVALUATING,
            "rerun": self.rerun,
        }


def peak() -> int:
    """The most bytes that this program has had in memory; 0 where Linux is not there.

    `ru_maxrss` counts from before the program was loaded: what started it was larger.
    """
    status = pathlib.Path("/proc/self/status")
    if not status.exists():
        return 0
    (line,) = (e for e in status.read_text().splitlines() if e.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def stream(course: Course) -> None:
    client = AsyncFutureAGI()
    async with client, client.stream_evaluations(**course.arguments) as stream:
        async for evaluation in stream:
            course.take(evaluation)


def stream_blocking(course: Course) -> None:
    client = FutureAGI()
    with client, client.stream_evaluations(**course.arguments) as stream:
        for evaluation in stream:
            course.take(evaluation)


def fill_caches() -> None:
    """Fill the caches of other packages: that of orjson stores 2,048 keys, and every run
    test has new ones."""
    for number in range(20_000):
        codec.decode(b'{"%036d": 0}' % number)


def main(way: str, count: str, early: str, trace: str, rerun: str) -> None:
    course = Course(World.synthetic(int(count)), int(early), rerun == "rerun")
    if trace == "trace":
        tracemalloc.start()
        fill_caches()
    if way == "blocking":
        stream_blocking(course)
    else:
        asyncio.run(stream(course))
    printed = attrs.asdict(course, filter=lambda field, _: field.name != "world")
    print(json.dumps(printed))


if __name__ == "__main__":
    main(*sys.argv[1:])
