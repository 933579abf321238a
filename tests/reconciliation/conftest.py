"""What the tests of reconciling share: an emulator, and clients of it."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from reconciling_service import small_world

from futureagi_async import AsyncFutureAGI, EvalConfig, RetryPolicy, Timeout
from futureagi_async.emulator import Emulator


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


QUICK = RetryPolicy(reconcile_after=0.05)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    """A small world in which evaluations stay pending."""
    async with Emulator(small_world()) as emulator:
        yield emulator


@pytest.fixture
async def make_client() -> AsyncIterator[Callable[..., AsyncFutureAGI]]:
    """Make clients that reconcile soon and wait for no retry, and close them at the end."""
    async with contextlib.AsyncExitStack() as stack:

        def make(emulator: Emulator, **options: Any) -> AsyncFutureAGI:
            keys = emulator.api_key, emulator.secret_key
            options = {"retry": QUICK, "timeout": Timeout(total=20)} | options
            options = {"base_url": emulator.url} | options
            client = AsyncFutureAGI(*keys, **options)
            transport = client._transport
            transport._shared = attrs.evolve(transport._shared, random=lambda: 0.0)
            stack.push_async_callback(client.aclose)
            return client

        yield make


@pytest.fixture
def connect(
    emulator: Emulator, make_client: Callable[..., AsyncFutureAGI]
) -> Callable[..., AsyncFutureAGI]:
    """Make clients of the emulator."""
    return functools.partial(make_client, emulator)


@pytest.fixture
def configs(emulator: Emulator) -> list[EvalConfig]:
    """Three configs, one with every field and one without a name."""
    tone, contains, is_json = emulator.world.template_ids[:3]
    by_status = {
        "column_id": "status",
        "filter_config": {
            "filter_type": "text",
            "filter_op": "equals",
            "filter_value": "completed",
        },
    }
    with pytest.warns(UserWarning, match="never applies them"):
        complete = EvalConfig(
            is_json,
            " whole ",
            config={"params": {"strict": True}},
            mapping={"text": "transcript"},
            filters=[by_status],
            error_localizer=True,
            model="turing_large",
        )
    named = EvalConfig(tone, "tone", mapping={"output": "transcript"})
    return [named, EvalConfig(contains), complete]
