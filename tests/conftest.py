"""What every test can use."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings


if TYPE_CHECKING:
    from collections.abc import Callable


pytest_plugins = ["pytester"]

# A machine that is busy may hold up any example, and the making of any.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


@pytest.fixture
async def leap(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock of the loop forward; it can be called from any thread.

    A limit that has to pass in a test is long, and the test leaps over it once all is
    as it should be by then: what is slow on a busy machine stays within the limit.
    """
    loop = asyncio.get_running_loop()
    ahead = 0.0
    monkeypatch.setattr(loop, "time", lambda: time.monotonic() + ahead)

    def forward(seconds: float) -> None:
        nonlocal ahead
        ahead += seconds

    return forward
