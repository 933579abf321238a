"""Run tests and templates by name: exactly one, or an error that helps."""

from __future__ import annotations

import pickle

import attrs
import pytest

from futureagi_async import Delivery, FutureAGIError, NameLookupError
from futureagi_async.types import EvalTemplate, RunTestEntry


def rename(emulator, index, name):
    """Give the run test at a place another name; give its id."""
    row = emulator.world.run_tests.get(emulator.world.run_test_ids[index])
    row.name = name
    return row.id


@pytest.fixture
def named(emulator, monkeypatch):
    """Let the emulator search among the names that run tests have now."""
    world = emulator.world
    rows = [world.run_tests.get(run_test_id) for run_test_id in world.run_test_ids]

    def visible_to(key, search=""):
        wanted = search.lower()
        return [each for each in reversed(rows) if wanted in each.name.lower()]

    monkeypatch.setattr(world.run_tests, "visible_to", visible_to)
    return rows


def refused(call, method, name):
    with pytest.raises(NameLookupError) as caught:
        call(method, name)
    return caught.value


@pytest.mark.parametrize("name", ["run test 22", " run test 22 "])
def test_a_run_test_is_found_by_its_exact_name(call, emulator, name):
    entry = call("find_run_test", name)

    assert type(entry) is RunTestEntry
    assert entry.id == emulator.world.run_test_ids[22]
    assert emulator.log.counts == {("run_tests", 200): 1}


def test_a_name_that_others_contain_is_found_on_any_page(call, emulator, named):
    oldest = rename(emulator, 0, "run test")

    assert call("find_run_test", "run test").id == oldest


@pytest.mark.parametrize("name", ["Run Test 22", "test 22", "run test 229x"])
def test_a_name_is_compared_as_it_is(call, name):
    error = refused(call, "find_run_test", name)

    assert error.name == name
    assert error.matches == ()


def test_names_that_contain_it_are_named_where_none_is_equal(call):
    error = refused(call, "find_run_test", "Run Test 22")

    assert str(error) == (
        "no run test is named 'Run Test 22'; close names are 'run test 229', "
        "'run test 228', 'run test 227', 'run test 226', 'run test 225'"
    )


def test_names_that_are_spelt_alike_are_named_where_none_contains_it(call):
    error = refused(call, "find_run_test", "run tset 229")

    assert "close names are 'run test 229'" in str(error)


def test_a_name_that_is_like_no_other_is_named_alone(call):
    error = refused(call, "find_run_test", "§§§")

    assert str(error) == "no run test is named '§§§'"


def test_a_name_that_several_have_is_reported_with_their_ids(call, emulator, named):
    ids = [rename(emulator, index, "twin") for index in (200, 3)]

    error = refused(call, "find_run_test", "twin")

    assert error.matches == tuple(ids)
    assert str(error) == (
        f"2 run tests are named 'twin': {ids[0]}, {ids[1]}; take the id"
    )


def test_many_of_a_name_are_counted_and_some_are_shown(call, emulator, named):
    ids = [rename(emulator, index, "many") for index in range(120, 0, -1)]

    error = refused(call, "find_run_test", "many")

    assert error.matches == tuple(ids)
    assert str(error).startswith("120 run tests are named 'many': ")
    assert str(error).count("-") == 5 * 4
    assert ", …; take the id" in str(error)


def test_a_template_is_found_by_its_exact_name(call, emulator):
    template = call("find_eval_template", "contains")

    assert type(template) is EvalTemplate
    assert template.id == emulator.world.template_ids[1]


def test_a_template_that_is_spelt_alike_is_named(call):
    error = refused(call, "find_eval_template", "Contain")

    assert str(error) == (
        "no eval template is named 'Contain'; close names are 'contains'"
    )
    assert error.matches == ()


def test_templates_of_one_name_are_reported_with_their_ids(call, emulator):
    tone, other = emulator.world.template_ids[:2]
    templates = emulator.world.templates
    templates[other] = attrs.evolve(templates[other], name="tone")

    error = refused(call, "find_eval_template", "tone")

    assert error.matches == (other, tone)


def test_the_error_is_a_lookup_error_of_this_package_that_did_nothing(call):
    error = refused(call, "find_eval_template", "nothing")

    assert isinstance(error, LookupError)
    assert isinstance(error, FutureAGIError)
    assert error.delivery is Delivery.NOT_SENT
    arrived = pickle.loads(pickle.dumps(error))
    assert (str(arrived), arrived.name) == (str(error), "nothing")
