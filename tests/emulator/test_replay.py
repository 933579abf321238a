"""Exchanges recorded from the real service, played against the emulator."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from futureagi_async.emulator import Emulator, World


RECORDED = Path(__file__).resolve().parents[1] / "recordings"


def scenarios():
    """Return the recorded scenarios."""
    lines = (RECORDED / "scenarios.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def replay():
    """Import the program that plays the recording."""
    spec = importlib.util.spec_from_file_location("replay", RECORDED / "replay.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def emulator():
    with Emulator(World.load(RECORDED / "world.json")) as running:
        yield running


@pytest.mark.parametrize("scenario", scenarios(), ids=lambda each: each["name"])
def test_a_recorded_scenario_has_the_recorded_responses(replay, emulator, scenario):
    emulator.reset(dispatch=scenario["dispatch"])

    differences = replay.play(emulator.url, scenario, [])

    assert [each for each in differences if each] == []
