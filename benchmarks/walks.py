"""The frames of the package between a caller and the wire, for one request.

Nothing is timed. For each POST of `evaluate(journal=...)`, and for that of a single
`add_eval_configs`, this prints the frames of the task that the caller awaits and of the
worker that sends, from the caller down, with three figures: frames, modules, and how
often a module that had been left is entered once more.

    python -m benchmarks.walks
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
import pathlib
import tempfile
from typing import TYPE_CHECKING, Any
from unittest import mock

import aiohttp
import attrs

from futureagi_async import AsyncFutureAGI, EvalConfig
from futureagi_async.emulator import Emulator, World


if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Iterator
    from types import FrameType


_PACKAGE = "futureagi_async."


@attrs.frozen
class Walk:
    """The frames above one request, as pairs of module and function, caller first."""

    endpoint: str
    frames: tuple[tuple[str, str], ...]

    @property
    def modules(self) -> list[str]:
        """The modules in the order of the calls; one that is entered twice is twice here."""
        return [
            module
            for module, _ in itertools.groupby(module for module, _ in self.frames)
        ]

    @property
    def reentered(self) -> int:
        """How often a module is entered that had been left."""
        return len(self.modules) - len(set(self.modules))

    def __str__(self) -> str:
        return (
            f"{self.endpoint}: {len(self.frames)} frames in {len(set(self.modules))} "
            f"modules, {self.reentered} times back in a module that had been left"
        )


def recorded(send: Callable[[], Coroutine[Any, Any, object]]) -> list[Walk]:
    """Run `send` and return the walk of every POST, in the order of sending."""
    walks: list[Walk] = []
    callers: list[asyncio.Task[Any]] = []
    request = aiohttp.ClientSession._request  # noqa: SLF001 - every request passes here

    async def record(self: Any, method: str, url: Any, **options: Any) -> Any:
        if method == "POST":
            endpoint = url.path.rstrip("/").rpartition("/")[2]
            frames = [*_awaited(callers[0]), *_on_stack()]
            walks.append(Walk(endpoint, tuple(_of_package(frames))))
        return await request(self, method, url, **options)

    async def run() -> None:
        callers.append(asyncio.current_task())  # type: ignore[arg-type]  # in a task
        await send()

    with mock.patch.object(aiohttp.ClientSession, "_request", record):
        asyncio.run(run())
    return walks


def _awaited(task: asyncio.Task[Any]) -> Iterator[FrameType]:
    """Yield the frames of a task that waits; of the running one there are none."""
    coroutine: Any = task.get_coro()
    while task is not asyncio.current_task() and inspect.iscoroutine(coroutine):
        yield coroutine.cr_frame
        coroutine = coroutine.cr_await


def _on_stack() -> list[FrameType]:
    """Return the frames of the running task, the outermost first."""
    return [each.frame for each in reversed(inspect.stack(context=0))]


def _of_package(frames: Iterable[FrameType]) -> Iterator[tuple[str, str]]:
    for frame in frames:
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_PACKAGE):
            yield module.removeprefix(_PACKAGE), frame.f_code.co_qualname


def evaluation_walks() -> list[Walk]:
    """Return the walks of `evaluate(journal=...)` for one run test."""
    with (
        Emulator(World.synthetic(1), dispatch="run", run_seconds=0.0) as emulator,
        tempfile.TemporaryDirectory() as folder,
    ):

        async def evaluate() -> None:
            async with _client(emulator) as client:
                await client.evaluate(
                    emulator.world.run_test_ids,
                    [EvalConfig(emulator.world.template_ids[0], name="tone")],
                    timeout=60,
                    poll_interval=0.05,
                    journal=pathlib.Path(folder, "walks.db"),
                )

        return recorded(evaluate)


def single_walks() -> list[Walk]:
    """Return the walks of a single `add_eval_configs`."""
    with Emulator(World.synthetic(1)) as emulator:

        async def add() -> None:
            async with _client(emulator) as client:
                await client.add_eval_configs(
                    emulator.world.run_test_ids[0],
                    [EvalConfig(emulator.world.template_ids[0], name="tone")],
                )

        return recorded(add)


def _client(emulator: Emulator) -> AsyncFutureAGI:
    return AsyncFutureAGI(emulator.api_key, emulator.secret_key, base_url=emulator.url)


def _main() -> None:
    for title, walks in (
        ("evaluate(journal=...)", evaluation_walks()),
        ("add_eval_configs", single_walks()),
    ):
        print(title)
        for walk in walks:
            print(f"\n{walk}")
            print("\n".join(f"    {module}: {name}" for module, name in walk.frames))
        print()


if __name__ == "__main__":
    _main()
