"""The public names: complete, sorted, and loaded when they are used."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
import typing
from pathlib import Path

import pytest

import futureagi_async
from futureagi_async import types
from futureagi_async.errors import FutureAGIError


HEAVY = ("aiohttp", "anyio", "attrs", "cattrs", "orjson", "asyncio", "ssl")


def loaded_after(code: str) -> set[str]:
    """Run code in a fresh interpreter; give the names of all modules it loaded."""
    report = "import json, sys; print(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", f"{code}\n{report}"],
        capture_output=True,
        check=True,
        text=True,
    )
    return set(json.loads(done.stdout))


MODULES = {"futureagi_async": futureagi_async, "futureagi_async.types": types}
PUBLIC = [(module, name) for module, found in MODULES.items() for name in found.__all__]
PAIRS = pytest.mark.parametrize(("module", "name"), PUBLIC)


def imported_by_type_checkers(module):
    """Where the type checkers find each name: the text below `if TYPE_CHECKING`."""
    tree = ast.parse(Path(MODULES[module].__file__).read_text("utf-8"))
    (block,) = [each for each in tree.body if isinstance(each, ast.If)]
    return {
        alias.asname: (each.module, alias.name)
        for each in block.body
        for alias in each.names
    }


@pytest.mark.parametrize("module", MODULES)
def test_the_public_names_are_sorted_and_listed_once(module):
    names = MODULES[module].__all__

    assert names == sorted(set(names))


def test_no_name_is_public_in_two_places():
    assert not set(futureagi_async.__all__) & set(types.__all__)
    assert len(futureagi_async.__all__) <= 67


@PAIRS
def test_every_public_name_can_be_imported(module, name):
    assert getattr(MODULES[module], name) is not None


@PAIRS
def test_every_public_class_and_function_has_a_docstring(module, name):
    value = getattr(MODULES[module], name)

    can_have_one = inspect.isclass(value) or inspect.isfunction(value)
    assert not can_have_one or inspect.getdoc(value)


@pytest.mark.parametrize("module", MODULES)
def test_type_checkers_see_the_same_names_at_the_same_place(module):
    seen = imported_by_type_checkers(module)

    assert sorted(seen) == MODULES[module].__all__
    for name, (origin, original) in seen.items():
        expected = getattr(importlib.import_module(origin), original, None)
        assert name == original
        assert getattr(MODULES[module], name) is (
            expected or importlib.import_module(f"{origin}.{original}")
        )


def public_members(value):
    """A class and its own public methods and properties."""
    yield value
    for name, member in vars(value).items():
        if name.startswith("_") and name != "__init__":
            continue
        getter = member.fget if isinstance(member, property) else member
        function = getattr(getter, "__func__", getter)
        if inspect.isfunction(function):
            yield function


@PAIRS
def test_annotations_of_everything_public_resolve_at_run_time(module, name):
    value = getattr(MODULES[module], name)

    if inspect.isclass(value):
        for member in public_members(value):
            typing.get_type_hints(member)


def test_every_error_class_is_public():
    errors = importlib.import_module("futureagi_async.errors")
    defined = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, FutureAGIError)
    }

    assert defined <= set(futureagi_async.__all__)
    assert set(vars(errors)) & set(types.__all__) == {"ItemError"}


def test_public_names_are_those_that_dir_lists_each_once():
    assert futureagi_async.EvalConfig is not None

    listed = dir(futureagi_async)

    assert set(futureagi_async.__all__) <= set(listed)
    assert len(listed) == len(set(listed))


def test_a_name_that_is_loaded_is_kept():
    first = futureagi_async.EvalConfig

    assert vars(futureagi_async)["EvalConfig"] is first
    assert futureagi_async.EvalConfig is first


def test_a_name_that_does_not_exist_is_told_as_python_does():
    with pytest.raises(
        AttributeError, match=r"^module 'futureagi_async' has no attribute 'EvalConfg'$"
    ):
        _ = futureagi_async.EvalConfg


def test_a_name_that_does_not_exist_cannot_be_imported():
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec("from futureagi_async import nothing")


def test_the_version_is_one():
    assert futureagi_async.__version__.count(".") == 2
    assert futureagi_async.__version__.replace(".", "").isdigit()


def test_importing_the_package_loads_nothing_heavy():
    before = loaded_after("")

    loaded = loaded_after("import futureagi_async") - before

    assert loaded.isdisjoint(HEAVY)
    assert {each for each in loaded if each.startswith("futureagi")} == {
        "futureagi_async",
        "futureagi_async._lazy",
    }


def test_requests_and_errors_are_used_without_loading_the_transport():
    loaded = loaded_after(
        "from futureagi_async import AddEvalConfigs, APIError, Batch, RunNewEvals\n"
        "run_test_id = 'b968b200-c57b-5aca-9c9f-60672e3183e7'\n"
        "AddEvalConfigs(run_test_id, [{'template_id': run_test_id}])\n"
        "RunNewEvals(run_test_id, [run_test_id], select_all=True)"
    )

    assert "futureagi_async.endpoints.run_new_evals" in loaded
    assert loaded.isdisjoint({"aiohttp", "anyio", "futureagi_async.client"})


def test_a_client_is_made_without_loading_aiohttp():
    loaded = loaded_after(
        "from futureagi_async import AsyncFutureAGI\nAsyncFutureAGI('key', 'secret')"
    )

    assert "futureagi_async.client" in loaded
    assert "aiohttp" not in loaded


def test_a_request_loads_no_endpoint_but_its_own():
    loaded = loaded_after("from futureagi_async import RunNewEvals")

    assert {
        each for each in loaded if each.startswith("futureagi_async.endpoints.")
    } == {"futureagi_async.endpoints.run_new_evals"}


def test_what_few_clients_need_is_loaded_by_those_that_do():
    client = (
        "import futureagi_async as fa\nfa.EvalConfig\nfa.AsyncFutureAGI('key', 'secret'"
    )

    assert loaded_after(f"{client})").isdisjoint({"difflib", "html"})


def test_a_client_and_a_request_load_nothing_of_batches_lists_and_error_bodies():
    loaded = loaded_after(
        "from futureagi_async import AsyncFutureAGI, RunNewEvals\n"
        "AsyncFutureAGI('key', 'secret')"
    )

    for name in (
        "transport.error_body",
        "batch.worker_pool",
        "batch.batch_executor",
    ):
        assert f"futureagi_async.{name}" not in loaded


def test_the_whole_package_is_typed():
    assert (Path(futureagi_async.__file__).parent / "py.typed").exists()


@pytest.mark.parametrize("name", ["batch", "endpoints", "evaluation", "model"])
def test_a_room_loads_each_of_its_modules_when_it_is_first_named(name):
    room = importlib.import_module(f"futureagi_async.{name}")

    for module in room.__all__:
        assert getattr(room, module).__name__ == f"futureagi_async.{name}.{module}"
    with pytest.raises(AttributeError, match="has no attribute 'kitchen'"):
        _ = room.kitchen
