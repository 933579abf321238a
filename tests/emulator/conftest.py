"""The small world as fixtures."""

from __future__ import annotations

import pytest
from emulator_small_world import Caller, small_world

from futureagi_async.emulator import World


@pytest.fixture
def ask():
    """The small world, where evaluations are accepted and stay pending."""
    return Caller(World.load(small_world()))


@pytest.fixture
def ask_running():
    """The small world, where evaluations finish ten seconds later."""
    return Caller(World.load(small_world()), "run")


@pytest.fixture
def ask_failing():
    """The small world, where evaluations cannot be started."""
    return Caller(World.load(small_world()), "fail")
