"""What the tests of journaled batches share: an emulator, clients of it, a clock."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from futureagi_async import AsyncFutureAGI, FutureAGI, RetryPolicy, Timeout
from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.rules.service import Service


if TYPE_CHECKING:
    import pathlib
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator


SETTLING = RetryPolicy(reconcile_after=0.05)


@pytest.fixture
def journal(tmp_path: pathlib.Path) -> pathlib.Path:
    """Where a journal can be."""
    return tmp_path / "evals.db"


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A small world, served from a thread, in which evaluations stay pending."""
    with Emulator(World.synthetic(run_tests=8)) as emulator:
        yield emulator


@pytest.fixture
async def connect(emulator: Emulator) -> AsyncIterator[Callable[..., AsyncFutureAGI]]:
    """Make clients that reconcile soon and do not wait long, and close them at the end."""
    async with contextlib.AsyncExitStack() as stack:

        def make(**options: Any) -> AsyncFutureAGI:
            options = {
                "base_url": emulator.url,
                "retry": SETTLING,
                "timeout": Timeout(total=60),
            } | options
            keys = emulator.api_key, emulator.secret_key
            client = AsyncFutureAGI(*keys, **options)
            transport = client._transport
            transport._shared = attrs.evolve(transport._shared, random=lambda: 0.0)
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
def connect_blocking(emulator: Emulator) -> Iterator[Callable[..., FutureAGI]]:
    """Make blocking clients, and close them at the end."""
    with contextlib.ExitStack() as stack:

        def make(**options: Any) -> FutureAGI:
            options = {"base_url": emulator.url, "retry": SETTLING} | options
            client = FutureAGI(emulator.api_key, emulator.secret_key, **options)
            stack.callback(client.close)
            return client

        yield make


@pytest.fixture
def when_served(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    """Have a function called in the emulator's thread before a request is served."""

    def install(function: Callable[[Any], object]) -> None:
        serve = Service.serve

        def watched(self: Service, request: Any, *args: Any, **more: Any) -> Any:
            function(request)
            return serve(self, request, *args, **more)

        monkeypatch.setattr(Service, "serve", watched)

    return install


@pytest.fixture
def leap_when_served(
    leap: Callable[[float], None], when_served: Callable[[Any], None]
) -> Callable[[float], None]:
    """Have every request take so many seconds by the clock of the loop."""

    def install(seconds: float) -> None:
        loop = asyncio.get_running_loop()
        when_served(lambda _: loop.call_soon_threadsafe(leap, seconds))

    return install


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait in the loop until something is so."""

    async def wait(condition: Callable[[], object]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.002)

    return wait


@pytest.fixture
def eventually_blocking() -> Callable[[Callable[[], object]], None]:
    """Wait until something is so."""

    def wait(condition: Callable[[], object]) -> None:
        latest = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < latest, "it did not come to pass"
            time.sleep(0.002)

    return wait


@pytest.fixture(autouse=True)
def nothing_is_left_running(
    eventually_blocking: Callable[[Callable[[], object]], None],
) -> Iterator[None]:
    """Neither the thread of a journal nor that of a client outlives its test."""
    earlier = set(threading.enumerate())
    ours = {"futureagi-journal", "futureagi-async"}
    yield
    eventually_blocking(
        lambda: (
            not [
                each
                for each in threading.enumerate()
                if each.name in ours and each not in earlier
            ]
        )
    )
