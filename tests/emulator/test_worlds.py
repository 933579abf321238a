"""Worlds: loaded, synthetic and large ones."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from itertools import islice

import pytest
from emulator_small_world import CONTAINS, SHOP, Caller, path_of, small_world

from futureagi_async.emulator import World
from futureagi_async.emulator.rules.evaluations import synthetic_result
from futureagi_async.emulator.rules.parameters import ParameterError, apply_schema
from futureagi_async.emulator.world import WorldError


def test_a_world_is_loaded_from_a_file_or_its_content(tmp_path):
    path = tmp_path / "world.json"
    path.write_text(json.dumps(small_world()))

    loaded = World.load(path)

    assert loaded.run_test_ids == World.load(small_world()).run_test_ids
    assert World.load(str(path)).template_ids[0] == CONTAINS


def test_the_key_of_a_world_is_the_first_that_may_write():
    world = World.load(small_world())

    assert (world.api_key, world.secret_key) == ("key-owner", "secret-owner")


def test_a_world_without_a_writing_key_raises_an_error():
    content = small_world()
    content["api_keys"] = content["api_keys"][:2]

    with pytest.raises(WorldError, match="may write"):
        assert World.load(content).api_key


def test_changes_in_a_world_do_not_change_its_source():
    content = small_world()
    ask = Caller(World.load(content))

    ask.run(SHOP, ["b0000000-0000-4000-8000-000000000001"], select_all=True)

    assert content == small_world()
    renewed = Caller(ask.world.reset_copy())
    assert set(renewed.states(SHOP).values()) == {"Completed"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"run_tests": {}}, "run_tests is a list"),
        ({"run_tests": [1]}, r"run_tests\[0\] is an object"),
        ({"api_keys": [{}]}, r"api_keys\[0\]: .*missing"),
        (
            {"run_tests": [{"executions": [{"calls": [{}]}]}]},
            r"run_tests\[0\].executions\[0\].calls\[0\]: ",
        ),
    ],
)
def test_the_error_of_an_invalid_world_names_the_location(content, problem):
    with pytest.raises(WorldError, match=problem):
        World.load(content)


@pytest.mark.parametrize(
    ("text", "problem"), [("{", "is not JSON"), ("[]", "a world is an object")]
)
def test_a_file_without_a_world_is_rejected(tmp_path, text, problem):
    path = tmp_path / "world.json"
    path.write_text(text)

    with pytest.raises(WorldError, match=problem):
        World.load(path)


def caller_of(world):
    """Return a caller of a synthetic world with its own key."""
    ask = Caller(world)
    keys = {"X-Api-Key": world.api_key, "X-Secret-Key": world.secret_key}
    return lambda method, path, body=None: ask(
        method, path, body, key=None, headers=keys
    )


def test_a_synthetic_world_is_the_same_for_the_same_numbers():
    one, same, other = (
        World.synthetic(3),
        World.synthetic(3),
        World.synthetic(3, seed=1),
    )

    assert list(one.run_test_ids) == list(same.run_test_ids)
    assert set(one.run_test_ids).isdisjoint(other.run_test_ids)
    assert one.api_key != other.api_key
    assert len(set(one.run_test_ids)) == 3


def test_the_reset_copy_of_a_synthetic_world_is_unchanged():
    world = World.synthetic(2, executions=3, calls=4, templates=7, seed=5)
    world.run_tests.get(world.run_test_ids[0]).executions.clear()

    renewed = world.reset_copy()

    assert list(renewed.run_test_ids) == list(world.run_test_ids)
    assert renewed.template_ids == world.template_ids
    executions = renewed.run_tests.get(world.run_test_ids[0]).executions
    assert [len(each.calls) for each in executions] == [4, 4, 4]


def test_template_names_are_numbered_when_they_run_out():
    names = [each.name for each in World.synthetic(0, templates=7).templates.values()]

    assert len(set(names)) == 7


def test_every_row_of_a_synthetic_world_is_found_by_its_id():
    world = World.synthetic(2, executions=2, calls=2)
    ask = caller_of(world)
    row = world.run_tests.get(world.run_test_ids[1])

    for execution in row.executions:
        assert ask("GET", f"/simulate/test-executions/{execution.id}/").status == 200
        for call in execution.calls:
            assert ask("GET", f"/simulate/call-executions/{call.id}/").status == 200


@pytest.mark.parametrize(
    "strange",
    [
        "00000002-0000-4000-8000-000000000000",
        "00000000-0000-4000-8001-000000000000",
        "00000000-0000-4000-8000-000000000001",
        "00000000-0000-4000-9000-000000000000",
    ],
)
def test_other_ids_are_not_in_a_synthetic_world(strange):
    world = World.synthetic(2)

    assert world.run_tests.get(strange) is None
    assert world.run_tests.of_execution(strange.replace("-8001", "-8007")) is None
    assert world.run_tests.of_call(strange) is None


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 30), ("?search=TEST 2", 11), ("?search=synthetic", 30), ("?search=zzz", 0)],
)
def test_a_synthetic_world_can_be_searched(query, count):
    ask = caller_of(World.synthetic(30))

    assert ask("GET", f"/simulate/run-tests/{query}").json["count"] == count


def test_a_synthetic_world_is_not_visible_to_another_workspace():
    mine, other = World.synthetic(3), World.synthetic(3, seed=9)

    assert mine.run_tests.visible_to(other.writing_key()) == ()
    assert mine.run_tests.find("run test 0", other.writing_key().organization) is None


@pytest.mark.parametrize(
    ("name", "place"),
    [("run test 2", 2), ("run test 3", None), ("run test 02", None), ("other", None)],
)
def test_a_synthetic_run_test_is_found_by_the_number_in_its_name(name, place):
    world = World.synthetic(3)

    found = world.run_tests.find(name, world.writing_key().organization)

    assert (found and found.id) == (
        None if place is None else world.run_test_ids[place]
    )


@pytest.mark.parametrize(
    "numbers",
    [
        {"run_tests": -1},
        {"run_tests": 1.5},
        {"executions": 70_000},
        {"calls": 5_000},
        {"seed": -1},
    ],
)
def test_numbers_that_do_not_fit_are_rejected(numbers):
    with pytest.raises(ValueError, match="must be a whole number between 0 and"):
        World.synthetic(**numbers)


def test_rows_are_made_on_their_first_use():
    world = World.synthetic(100_000)
    ask = caller_of(world)

    body = ask("GET", "/simulate/run-tests/?limit=5&page=3").json

    assert body["count"] == 100_000
    assert len(world.run_tests._made) == 5
    assert list(islice(world.run_test_ids[99_999:], 2)) == [world.run_test_ids[-1]]


@pytest.mark.slow
def test_a_hundred_thousand_run_tests_with_configs_and_results_fit_into_memory():
    program = """
        import resource
        from futureagi_async.emulator import World
        from futureagi_async.emulator.rows import (EvalConfig)
        from futureagi_async.emulator.rules.evaluations import erase_results

        world = World.synthetic(100_000, executions=2)
        for run_test_id in world.run_test_ids:
            row = world.run_tests.get(run_test_id)
            config = EvalConfig(f"{run_test_id}!", "tone", "t", {}, {}, [])
            row.eval_configs.append(config)
            erase_results(row.executions, [config.id])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    """

    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )

    megabytes = int(done.stdout)
    assert 0 < megabytes < 1024


def test_the_package_is_imported_without_aiohttp():
    program = "import sys, futureagi_async.emulator; print('aiohttp' in sys.modules)"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    ("rule", "value", "problem"),
    [
        ({"type": "integer"}, True, "p must be an integer"),
        ({"type": "integer"}, 1.0, "p must be an integer"),
        ({"type": "integer"}, "x", "p must be an integer"),
        ({"type": "number"}, True, "p must be a number"),
        ({"type": "number"}, "x", "p must be a number"),
        ({"type": "boolean"}, "true", "p must be a boolean"),
        ({"type": "string"}, 1, "p must be a string"),
        ({"type": "number", "maximum": 1}, 1.5, "p must be <= 1"),
        ({"type": "integer", "minimum": 1}, 0, "p must be >= 1"),
        ({"type": "integer", "required": True}, None, "p is required"),
    ],
)
def test_an_invalid_parameter_is_rejected(rule, value, problem):
    with pytest.raises(ParameterError, match=problem):
        apply_schema({"p": rule}, {"params": {"p": value}})


@pytest.mark.parametrize(
    ("rule", "params", "stored"),
    [
        ({"type": "boolean"}, {"p": False}, False),
        ({"type": "string"}, {"p": " x "}, " x "),
        ({"type": "colour"}, {"p": [1]}, [1]),
        ({"type": "integer", "required": True, "nullable": True}, {}, None),
        ({"type": "integer", "default": 3}, None, 3),
    ],
)
def test_a_parameter_is_converted_to_the_type_of_its_schema(rule, params, stored):
    assert apply_schema({"p": rule}, {"params": params})["params"] == {"p": stored}


@pytest.mark.parametrize("params", ["x", [1]])
def test_parameters_must_be_an_object(params):
    with pytest.raises(ParameterError, match="Invalid function parameter input"):
        apply_schema({"p": {"type": "integer"}}, {"params": params})


@pytest.mark.parametrize(
    ("output_type", "kind", "values"),
    [
        ("Pass/Fail", "Pass/Fail", {"Passed", "Failed"}),
        ("choices", "choices", {"positive", "neutral", "negative"}),
    ],
)
def test_synthetic_results_have_the_type_of_their_template(output_type, kind, values):
    made = [synthetic_result(output_type, str(number)) for number in range(200)]

    assert {each["output_type"] for each in made} == {kind}
    assert {each["output"] for each in made} <= values
    assert len({each["output"] for each in made}) > 1


def test_a_synthetic_number_is_a_score():
    assert synthetic_result("numeric", "x")["output_type"] == "score"


def test_a_config_whose_template_is_gone_still_gets_a_result():
    content = small_world()
    ask = Caller(World.load(content), "run")
    ask.world.templates.clear()

    ask.run(SHOP, ["b0000000-0000-4000-8000-000000000002"], select_all=True)
    ask.now += 11

    calls = ask.get(path_of(SHOP, "call-executions/")).json["results"]
    assert calls[0]["eval_outputs"]
