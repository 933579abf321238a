"""Fixtures of all tests, and how Hypothesis works."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings


if TYPE_CHECKING:
    from collections.abc import Callable


pytest_plugins = ["pytester"]

# A busy machine may delay any example, and its generation.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


@pytest.fixture
async def leap(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function that sets the loop's clock forward, from any thread.

    A timeout that has to pass in a test is long, and the test leaps over it when all
    that should be done before is done: a busy machine stays within the timeout.
    """
    loop = asyncio.get_running_loop()
    ahead = 0.0
    monkeypatch.setattr(loop, "time", lambda: time.monotonic() + ahead)

    def forward(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    return forward
