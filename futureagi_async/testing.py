"""pytest fixtures and assertions for tests against the emulator.

They are there as soon as the package is installed beside pytest:

- `futureagi_emulator`: an emulator with a port and a state of its own for each test;
  `@pytest.mark.futureagi(...)` says what it is to be like, with the arguments of
  `World.synthetic` and `Emulator`.
- `futureagi_client`: an `AsyncFutureAGI` for it, not yet entered: the test writes
  `async with futureagi_client as client:`.
- `futureagi_blocking_client`: a `FutureAGI` for it, closed after the test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

    from futureagi_async.blocking.client import FutureAGI
    from futureagi_async.client import AsyncFutureAGI
    from futureagi_async.emulator import Emulator


__all__ = [
    "assert_added",
    "assert_nothing_sent",
    "assert_started_once",
    "futureagi_blocking_client",
    "futureagi_client",
    "futureagi_emulator",
]

_WORLD = {"run_tests", "executions", "calls", "templates", "seed"}
_MARK = (
    "futureagi(run_tests=10, executions=1, calls=2, dispatch='run', latency=0.0, ...): "
    "what the emulator of this test is like; the arguments of World.synthetic and Emulator"
)


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def futureagi_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """An emulator that nobody else uses; see its `url`, `world`, `log` and `faults`.

    Without a marker it has 10 run tests with one execution of two calls each, and
    evaluations finish after 0.05 s.
    """
    # Imported here: every run of pytest imports this module.
    from futureagi_async.emulator import Emulator, World  # noqa: PLC0415

    options: dict[str, Any] = {"run_tests": 10, "dispatch": "run", "run_seconds": 0.05}
    for mark in request.node.iter_markers("futureagi"):
        options = {**options, **mark.kwargs}
    world = {name: options.pop(name) for name in _WORLD & options.keys()}
    with Emulator(World.synthetic(**world), **options) as emulator:
        yield emulator


@pytest.fixture
def futureagi_client(futureagi_emulator: Emulator) -> AsyncFutureAGI:
    """A client for the emulator of this test, not yet entered."""
    from futureagi_async.client import AsyncFutureAGI  # noqa: PLC0415

    return AsyncFutureAGI(
        futureagi_emulator.api_key,
        futureagi_emulator.secret_key,
        base_url=futureagi_emulator.url,
    )


@pytest.fixture
def futureagi_blocking_client(futureagi_emulator: Emulator) -> Iterator[FutureAGI]:
    """A blocking client for the emulator of this test."""
    from futureagi_async.blocking.client import FutureAGI  # noqa: PLC0415

    with FutureAGI(
        futureagi_emulator.api_key,
        futureagi_emulator.secret_key,
        base_url=futureagi_emulator.url,
    ) as client:
        yield client


def assert_nothing_sent(emulator: Emulator) -> None:
    """Check that no request arrived."""
    sent = [f"{each.method} {each.path}" for each in emulator.log.requests]
    assert not sent, f"nothing should have been sent, but there was: {sent}"


def assert_added(
    emulator: Emulator, run_test_id: UUID | str, names: Iterable[str]
) -> None:
    """Check which eval configs were created on a run test, by name.

    Those that the run test had from the start do not count.
    """
    run_test = emulator.world.run_tests.get(_as_sent(run_test_id))
    assert run_test is not None, f"the emulator has no run test {run_test_id}"
    newest = run_test.live_configs()[: emulator.log.configs[run_test.id]]
    created, wanted = sorted(each.name for each in newest), sorted(names)
    assert created == wanted, f"run test {run_test_id} got {created}, not {wanted}"


def assert_started_once(emulator: Emulator, run_test_ids: Iterable[UUID | str]) -> None:
    """Check that evaluations were started once on each of these, and on no others."""
    wanted = {_as_sent(each): 1 for each in run_test_ids}
    started = {each: times for each, times in emulator.log.runs.items() if times}
    missing = sorted(wanted.keys() - started.keys())
    surplus = {k: n for k, n in started.items() if n != wanted.get(k)}
    assert not missing, f"no evaluations were started on {missing}"
    assert not surplus, (
        f"evaluations were started more than once, or unasked: {surplus}"
    )


def _as_sent(run_test_id: UUID | str) -> str:
    """Spell an id as a client sends it; what is none stays what it is."""
    from futureagi_async.errors import InvalidRequestError  # noqa: PLC0415
    from futureagi_async.model import validation  # noqa: PLC0415

    try:
        return validation.run_test_id(run_test_id)
    except InvalidRequestError:
        return str(run_test_id)
