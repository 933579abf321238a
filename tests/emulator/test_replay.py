"""Exchanges recorded from the real service, played against the emulator."""

from __future__ import annotations

import argparse
import importlib.util
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from futureagi_async.emulator import Emulator, World


RECORDED = Path(__file__).resolve().parents[1] / "recordings"

SMALL, LIVED_IN = "world.json", "lived/world.json"

FILES = {
    "scenarios.jsonl": SMALL,
    "probes.jsonl": SMALL,
    "lived/scenarios.jsonl": LIVED_IN,
}
"""The recorded exchanges, and the world that each file starts from."""


def scenarios():
    """Return the recorded scenarios with their worlds."""
    return [
        pytest.param(
            world, scenario, id=f"{name.removesuffix('.jsonl')}:{scenario['name']}"
        )
        for name, world in FILES.items()
        for scenario in map(json.loads, (RECORDED / name).read_text().splitlines())
    ]


@pytest.fixture(scope="module")
def replay():
    """Import the program that plays the recording."""
    spec = importlib.util.spec_from_file_location("replay", RECORDED / "replay.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def worlds():
    return {name: World.load(RECORDED / name) for name in set(FILES.values())}


@pytest.fixture(scope="module")
def emulator():
    with Emulator() as running:
        yield running


@pytest.fixture(scope="module")
def play(replay, emulator):
    """Return what plays a scenario, as the program does it by itself."""
    options = argparse.Namespace(
        base_url=emulator.url, rows_url="/_emulator/rows", rows_cmd=None
    )
    change_rows = replay.rows_changer(options)
    # The program needs most of the recursion that a thread of its own has: some of the
    # JSON is nested 1,000 levels deep.
    with ThreadPoolExecutor(1) as pool:
        yield lambda scenario: pool.submit(
            replay.play, emulator.url, scenario, [], change_rows=change_rows
        ).result()


@pytest.mark.parametrize(("world", "scenario"), scenarios())
def test_a_recorded_scenario_has_the_recorded_responses(
    emulator, worlds, play, world, scenario
):
    emulator.reset(worlds[world].reset_copy(), dispatch=scenario["dispatch"])

    assert [each for each in play(scenario) if each] == []
