"""An emulator, both clients of it, and points in time."""

from __future__ import annotations

import asyncio
import inspect
import time
import urllib.parse
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from futureagi_async import AsyncFutureAGI, FutureAGI, RetryPolicy
from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.rules.service import Service
from futureagi_async.evaluation.options import EVALUATION_DEFAULTS


if TYPE_CHECKING:
    import pathlib
    from collections.abc import Awaitable, Callable, Iterator


QUICK = RetryPolicy(reconcile_after=0.02)
"""Reconciles unknown outcomes soon."""


def _without_jitter(client: AsyncFutureAGI) -> None:
    transport = client._transport
    transport._shared = attrs.evolve(transport._shared, random=lambda: 0.0)


@pytest.fixture(autouse=True)
def soon_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    """Believe after a moment that nothing goes on where nothing changes."""
    monkeypatch.setitem(EVALUATION_DEFAULTS, "stuck_after", 0.05)
    defaults = AsyncFutureAGI.wait_for_evals.__kwdefaults__
    monkeypatch.setitem(defaults, "stuck_after", 0.05)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Eight run tests with two executions each, whose evaluations end at once."""
    world = World.synthetic(run_tests=8, executions=2)
    with Emulator(world, dispatch="run", run_seconds=0.0) as emulator:
        yield emulator


@pytest.fixture
def run_test_ids(emulator: Emulator) -> list[str]:
    """The ids of its run tests."""
    return list(emulator.world.run_test_ids)


@pytest.fixture
def run_tests(emulator: Emulator) -> list[Any]:
    """Its run tests, to read and to change."""
    found = map(emulator.world.run_tests.get, emulator.world.run_test_ids)
    return [each for each in found if each is not None]


@pytest.fixture
def configs(emulator: Emulator) -> list[dict[str, Any]]:
    """An eval config of each form of result: choices, Pass/Fail and numbers."""
    ids = emulator.world.template_ids
    return [
        {"template_id": ids[0], "name": "mood"},
        {"template_id": ids[1], "name": "contains"},
        {"template_id": ids[4], "name": "similar"},
    ]


@pytest.fixture
def journal(tmp_path: pathlib.Path) -> pathlib.Path:
    """Where a journal can be."""
    return tmp_path / "evals.db"


@pytest.fixture
def client(emulator: Emulator) -> Iterator[FutureAGI]:
    """A blocking client of the emulator."""
    keys = emulator.api_key, emulator.secret_key
    with FutureAGI(*keys, base_url=emulator.url, retry=QUICK) as client:
        _without_jitter(client._client)
        yield client


@pytest.fixture
def connect(emulator: Emulator) -> Callable[..., AsyncFutureAGI]:
    """Make an asynchronous client of the emulator; enter it to have it closed."""

    def make(**options: Any) -> AsyncFutureAGI:
        keys = emulator.api_key, emulator.secret_key
        options = {"base_url": emulator.url, "retry": QUICK} | options
        client = AsyncFutureAGI(*keys, **options)
        _without_jitter(client)
        return client

    return make


async def _given(result: Any) -> Any:
    """Return the result of a method, as a list if it is a stream."""
    if inspect.isawaitable(result):
        return await result
    async with result as stream:
        return [each async for each in stream]


@pytest.fixture(params=["awaited", "blocking"])
def call(
    request: Any, client: FutureAGI, connect: Callable[..., AsyncFutureAGI]
) -> Callable[..., Any]:
    """Call a method of either client; streams are read to their end."""

    async def awaited(method: str, /, *args: Any, **options: Any) -> Any:
        async with connect() as twin:
            return await _given(getattr(twin, method)(*args, **options))

    def call(method: str, /, *args: Any, **options: Any) -> Any:
        if request.param == "awaited":
            return asyncio.run(awaited(method, *args, **options))
        result = getattr(client, method)(*args, **options)
        if hasattr(result, "__enter__"):
            with result as stream:
                return list(stream)
        return result

    return call


@pytest.fixture
def when_served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a function called in the emulator's thread before a request is served.

    Of `endpoint` only, the last part of whose path that is, and so many `times` at most.
    `executions` are read by the id of the run test or by its name.
    """

    def install(
        function: Callable[[Any], object], endpoint: str, times: int = 1
    ) -> None:
        serve, left = Service.serve, times

        def watched(self: Service, request: Any, *args: Any, **more: Any) -> Any:
            nonlocal left
            is_by_name = "run_test_name=" in request.query
            served = "executions" if is_by_name else request.path.split("/")[-2]
            if left and served == endpoint:
                left -= 1
                function(request)
            return serve(self, request, *args, **more)

        monkeypatch.setattr(Service, "serve", watched)

    return install


def _run_test_of(world: World, request: Any) -> str:
    """Return the run test whose executions are read, by its id or by its name."""
    asked = urllib.parse.parse_qs(request.query)
    if "run_test_name" not in asked:
        return str(request.path.split("/")[3])
    run_tests = map(world.run_tests.get, world.run_test_ids)
    return next(
        each.id for each in run_tests if each and [each.name] == asked["run_test_name"]
    )


@pytest.fixture
def leap_when_seen(
    monkeypatch: pytest.MonkeyPatch,
    emulator: Emulator,
    when_served: Callable[..., None],
) -> Callable[[int], None]:
    """Have two hours pass for the clients when so many were seen under way.

    A run test that is polled again has been seen: the poll before is finished, which
    has read the results.
    """
    ahead = 0.0
    assert emulator._thread is not None
    its_own = emulator._thread.loop
    monkeypatch.setattr(
        asyncio.BaseEventLoop,
        "time",
        lambda loop: time.monotonic() + (0.0 if loop is its_own else ahead),
    )

    def install(count: int) -> None:
        read: set[str] = set()
        seen: set[str] = set()

        def note(request: Any) -> None:
            nonlocal ahead
            run_test_id = _run_test_of(emulator.world, request)
            if run_test_id in read:
                seen.add(run_test_id)
            elif emulator.log.runs[run_test_id]:
                read.add(run_test_id)
            if len(seen) == count:
                ahead = 7200.0

        when_served(note, "executions", times=-1)

    return install


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], Awaitable[None]]:
    """Wait in the loop until something is so."""

    async def wait(condition: Callable[[], object]) -> None:
        # Not by the clock of the loop, which a test may set forward.
        latest = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < latest, "it did not come to pass"
            await asyncio.sleep(0.002)

    return wait


@pytest.fixture
def leave(emulator: Emulator) -> Callable[..., None]:
    """Have evaluations that are started from now on end otherwise."""

    def leave(dispatch: Any, seconds: float = 0.0) -> None:
        workers = emulator.state.service.workers
        workers.dispatch = dispatch
        workers.settings.evaluation_seconds = seconds

    return leave


@pytest.fixture
def leap_when_served(
    leap: Callable[[float], None], when_served: Callable[..., None]
) -> Callable[[str], None]:
    """Have the first request of an endpoint take a thousand seconds."""
    return lambda endpoint: when_served(lambda _: leap(1000), endpoint)
