"""The fixtures and assertions for users' tests, in projects of their own."""

from __future__ import annotations

import pathlib
import re
import typing
import uuid

import pytest

from futureagi_async import testing
from futureagi_async.emulator import Emulator
from futureagi_async.testing import (
    assert_added,
    assert_nothing_sent,
    assert_started_once,
)


GUIDE = pathlib.Path(__file__).parents[2] / "docs" / "testing.md"
(EXAMPLE,) = re.findall(
    r"^```python\n(.*?)^```$", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


ASYNCIO = "asyncio_default_fixture_loop_scope = function"
NO_ASYNCIO = "addopts = -p no:asyncio"


def run(
    pytester: pytest.Pytester, source: str, *options: str, setting: str = ASYNCIO
) -> pytest.RunResult:
    """Run a project of one test file, with warnings as errors."""
    pytester.makeini(f"[pytest]\n{setting}\n")
    pytester.makepyfile(source)
    return pytester.runpytest_subprocess("-W", "error", "--strict-markers", *options)


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_the_example_of_the_guide_runs(pytester, options):
    result = run(pytester, EXAMPLE, *options)

    result.assert_outcomes(passed=4)


@pytest.mark.slow
def test_the_example_runs_with_the_plugin_of_anyio(pytester):
    backend = '\n@pytest.fixture\ndef anyio_backend():\n    return "asyncio"\n'
    source = EXAMPLE.replace("pytest.mark.asyncio", "pytest.mark.anyio") + backend

    result = run(pytester, source, setting=NO_ASYNCIO)

    result.assert_outcomes(passed=4)


def test_importing_the_fixtures_loads_no_client(pytester):
    source = """
        import sys
        def test_nothing_is_loaded():
            assert not {"aiohttp", "cattrs", "orjson"} & sys.modules.keys()
    """

    run(pytester, source, setting=NO_ASYNCIO).assert_outcomes(passed=1)


def test_each_test_has_an_emulator_of_its_own(pytester):
    source = """
        import pytest
        urls = set()
        @pytest.mark.parametrize("_", range(2))
        def test_it(futureagi_emulator, _):
            assert futureagi_emulator.url not in urls
            assert not futureagi_emulator.log.requests
            urls.add(futureagi_emulator.url)
    """

    run(pytester, source).assert_outcomes(passed=2)


@pytest.mark.futureagi(run_tests=3)
def test_a_mark_configures_the_emulator(futureagi_emulator):
    assert len(futureagi_emulator.world.run_test_ids) == 3


@pytest.mark.futureagi(lived_in=True, calls=4)
def test_a_mark_can_ask_for_a_world_that_is_lived_in(futureagi_emulator):
    world = futureagi_emulator.world
    stuck = world.run_tests.get(world.run_test_ids[13])

    assert (len(world.run_test_ids), stuck.name) == (20, "stuck 13")
    assert len(stuck.executions[0].calls) == 4


def test_assert_nothing_sent_names_the_request_that_was_sent(
    futureagi_emulator, futureagi_blocking_client
):
    add(futureagi_emulator, futureagi_blocking_client, "tone")

    with pytest.raises(AssertionError, match="POST /simulate/run-tests/"):
        assert_nothing_sent(futureagi_emulator)


def test_assert_added_compares_the_names(futureagi_emulator, futureagi_blocking_client):
    run_test_id = add(futureagi_emulator, futureagi_blocking_client, "tone")

    assert_added(futureagi_emulator, run_test_id, ["tone"])
    with pytest.raises(AssertionError, match=r"got \['tone'\], not \['order'\]"):
        assert_added(futureagi_emulator, run_test_id, ["order"])


SPELLINGS = pytest.mark.parametrize("spell", [str.upper, uuid.UUID, "{{{}}}".format])


@SPELLINGS
@pytest.mark.futureagi(seed=0xABCDEF)
def test_assert_added_accepts_any_spelling_of_the_id(
    futureagi_emulator, futureagi_blocking_client, spell
):
    run_test_id = add(futureagi_emulator, futureagi_blocking_client, "tone")

    assert_added(futureagi_emulator, spell(run_test_id), ["tone"])


@SPELLINGS
@pytest.mark.futureagi(seed=0xABCDEF)
def test_assert_started_once_accepts_any_spelling_of_the_id(futureagi_emulator, spell):
    first, second = futureagi_emulator.world.run_test_ids[:2]
    futureagi_emulator.log.runs.update([first, second])

    assert_started_once(futureagi_emulator, map(spell, [first, second]))


def test_assert_added_accepts_that_nothing_was_added(futureagi_emulator):
    assert_added(futureagi_emulator, futureagi_emulator.world.run_test_ids[1], [])


def test_assert_added_names_an_unknown_run_test(futureagi_emulator):
    with pytest.raises(AssertionError, match="has no run test nowhere"):
        assert_added(futureagi_emulator, "nowhere", [])


def test_assert_started_once_names_what_was_not_started(futureagi_emulator):
    with pytest.raises(AssertionError, match=r"no evaluations were started on \['x'\]"):
        assert_started_once(futureagi_emulator, ["x"])


def test_assert_started_once_names_what_was_started_unexpectedly(futureagi_emulator):
    futureagi_emulator.log.runs["y"] = 1

    with pytest.raises(AssertionError, match=r"unexpectedly: {'y': 1}"):
        assert_started_once(futureagi_emulator, [])


def test_assert_started_once_names_what_was_started_twice(futureagi_emulator):
    futureagi_emulator.log.runs["x"] = 2

    with pytest.raises(
        AssertionError, match=r"more than once, or unexpectedly: {'x': 2}"
    ):
        assert_started_once(futureagi_emulator, ["x"])


async def test_a_client_that_was_not_entered_does_not_warn(futureagi_client):
    assert "open" in repr(futureagi_client)


@pytest.mark.parametrize(
    "name", ["assert_added", "assert_nothing_sent", "assert_started_once"]
)
def test_the_types_of_the_assertions_are_resolved_at_run_time(name):
    hints = typing.get_type_hints(getattr(testing, name))

    assert hints["emulator"] is Emulator


@pytest.mark.parametrize("name", ["assert_nonsense", "nonsense"])
def test_the_module_has_no_other_names(name):
    with pytest.raises(AttributeError, match=f"has no attribute '{name}'"):
        getattr(testing, name)


def add(emulator, client, name):
    """Add one eval config to the first run test."""
    run_test_id, template_id = (
        emulator.world.run_test_ids[0],
        emulator.world.template_ids[0],
    )
    client.add_eval_configs(run_test_id, [{"template_id": template_id, "name": name}])
    return run_test_id
