"""pytest fixtures and assertions for tests against the emulator.

They are available once the package is installed beside pytest:

- `futureagi_emulator`: an emulator with a port and a state of its own for each test;
  `@pytest.mark.futureagi(...)` configures it, with the arguments of
  `World.synthetic` and `Emulator`; with `lived_in=True` its world is
  `World.lived_in`.
- `futureagi_client`: an `AsyncFutureAGI` for it, not yet entered: the test writes
  `async with futureagi_client as client:`.
- `futureagi_blocking_client`: a `FutureAGI` for it, closed after the test.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest


# Imported where they are needed: every run of pytest imports this module.
if TYPE_CHECKING:
    from collections.abc import Iterator

    from futureagi_async.blocking.client import FutureAGI
    from futureagi_async.client import AsyncFutureAGI
    from futureagi_async.emulator import Emulator
    from futureagi_async.emulator.assertions import (
        assert_added,
        assert_nothing_sent,
        assert_started_once,
    )


__all__ = [
    "assert_added",
    "assert_nothing_sent",
    "assert_started_once",
    "futureagi_blocking_client",
    "futureagi_client",
    "futureagi_emulator",
]

_WORLD_OPTIONS = {"run_tests", "executions", "calls", "templates", "seed"}
_MARK = (
    "futureagi(run_tests=10, executions=1, calls=2, dispatch='run', latency=0.0, ...): "
    "configures the emulator of a test; the arguments of World.synthetic and Emulator, "
    "and with lived_in=True those of World.lived_in"
)


def __getattr__(name: str) -> Any:
    """Import an assertion on its first use."""
    if not name.startswith("assert_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from futureagi_async.emulator import assertions  # noqa: PLC0415 - see above

    return getattr(assertions, name)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", _MARK)


@pytest.fixture
def futureagi_emulator(request: pytest.FixtureRequest) -> Iterator[Emulator]:
    """Run an emulator for this test alone; see its `url`, `world`, `log` and `faults`.

    Without a marker it has 10 run tests with one execution of two calls each, and
    evaluations finish after 0.05 s. A world that is lived in has 20 run tests.
    """
    from futureagi_async.emulator import Emulator, World  # noqa: PLC0415 - see above

    options: dict[str, Any] = {"dispatch": "run", "run_seconds": 0.05}
    for mark in request.node.iter_markers("futureagi"):
        options.update(mark.kwargs)
    lived_in = options.pop("lived_in", False)
    sizes = {name: options.pop(name) for name in _WORLD_OPTIONS & options.keys()}
    sizes = {"run_tests": 20 if lived_in else 10, **sizes}
    world = World.lived_in(**sizes) if lived_in else World.synthetic(**sizes)
    with Emulator(world, **options) as emulator:
        yield emulator


@pytest.fixture
def futureagi_client(futureagi_emulator: Emulator) -> AsyncFutureAGI:
    """Create a client for the emulator of this test, not yet entered."""
    from futureagi_async.client import AsyncFutureAGI  # noqa: PLC0415 - see above

    return AsyncFutureAGI(**_client_options(futureagi_emulator))


@pytest.fixture
def futureagi_blocking_client(futureagi_emulator: Emulator) -> Iterator[FutureAGI]:
    """Open a blocking client for the emulator of this test."""
    from futureagi_async.blocking.client import FutureAGI  # noqa: PLC0415 - see above

    with FutureAGI(**_client_options(futureagi_emulator)) as client:
        yield client


def _client_options(emulator: Emulator) -> dict[str, Any]:
    """Return the arguments of a client for an emulator."""
    return {
        "api_key": emulator.api_key,
        "secret_key": emulator.secret_key,
        "base_url": emulator.url,
    }
