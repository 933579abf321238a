"""What the tests of the endpoints share: an emulator, and both clients of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from futureagi_async import AsyncFutureAGI, FutureAGI, RetryPolicy
from futureagi_async.emulator import Emulator, World


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


QUICK = RetryPolicy(reconcile_after=0.05)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """A world of 230 run tests, three pages of them."""
    with Emulator(World.synthetic(run_tests=230, executions=3)) as emulator:
        yield emulator


@pytest.fixture
def client(emulator: Emulator) -> Iterator[FutureAGI]:
    """A blocking client of the emulator."""
    keys = emulator.api_key, emulator.secret_key
    with FutureAGI(*keys, base_url=emulator.url, retry=QUICK) as client:
        yield client


async def _given(result: Any) -> Any:
    """What a method of the asynchronous client gives, a list where it is an iterator."""
    if hasattr(result, "__aiter__"):
        return [each async for each in result]
    return await result


@pytest.fixture(params=["awaited", "blocking"])
def call(request: Any, emulator: Emulator, client: FutureAGI) -> Callable[..., Any]:
    """Call a method of either client; iterators are read to their end."""

    async def awaited(method: str, /, *args: Any, **options: Any) -> Any:
        keys = emulator.api_key, emulator.secret_key
        async with AsyncFutureAGI(*keys, base_url=emulator.url, retry=QUICK) as twin:
            return await _given(getattr(twin, method)(*args, **options))

    def call(method: str, /, *args: Any, **options: Any) -> Any:
        if request.param == "awaited":
            return asyncio.run(awaited(method, *args, **options))
        result = getattr(client, method)(*args, **options)
        return list(result) if hasattr(result, "__next__") else result

    return call
