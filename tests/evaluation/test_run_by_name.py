"""Eval configs by their names, which each run test resolves for itself."""

from __future__ import annotations

import warnings

import pytest

from futureagi_async import (
    Failure,
    InvalidRequestError,
    Journal,
    NameLookupError,
    NotFoundError,
    RunNamedEvals,
    RunNewEvals,
    Success,
)
from futureagi_async.emulator.world import EvalConfig as KeptConfig


NOWHERE = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def named(client, run_test_ids, configs):
    """Run tests that all have the eval configs, each under ids of its own."""
    client.ensure_eval_configs_many(run_test_ids, configs).raise_for_failures()
    return run_test_ids


def results(run_test, name):
    """How many calls of each execution have a result of this eval config."""
    id_ = next(e.id for e in run_test.eval_configs if e.name == name)
    return [
        sum(bool(call.eval_outputs.get(id_)) for call in execution.calls)
        for execution in run_test.executions
    ]


def evaluated(client, run_test):
    """Have the emulator finish what is due, which it does when it is asked something."""
    client.get_run_test(run_test.id)
    return {each.name: results(run_test, each.name) for each in run_test.eval_configs}


def test_names_run_everywhere(call, client, named, run_tests):
    started = call(
        "run_new_evals",
        named[0],
        eval_config_names=[" mood ", "similar", "mood"],
        select_all=True,
    )

    assert started.call_execution_count == 4
    assert evaluated(client, run_tests[0]) == {
        "mood": [2, 2],
        "contains": [0, 0],
        "similar": [2, 2],
    }


def test_names_run_on_the_executions_that_are_meant(call, client, named, run_tests):
    started = call(
        "run_new_evals",
        named[0],
        eval_config_names=["mood"],
        test_execution_ids=[run_tests[0].executions[1].id.upper()],
        enable_tool_evaluation=True,
    )

    assert started.call_execution_count == 2
    assert evaluated(client, run_tests[0])["mood"] == [0, 2]
    assert run_tests[0].enable_tool_evaluation is True


def test_a_name_that_is_not_there_names_those_that_are(call, emulator, named):
    with pytest.raises(NameLookupError, match="no eval config named 'Mood'") as caught:
        call("run_new_evals", named[0], eval_config_names=["Mood"], select_all=True)

    assert "it has 'similar', 'contains', 'mood'" in str(caught.value)
    assert (caught.value.name, caught.value.matches) == ("Mood", ())
    assert not emulator.log.runs


def test_where_there_are_no_eval_configs_that_is_said(call, run_test_ids):
    with pytest.raises(NameLookupError, match="it has none at all"):
        call("run_new_evals", run_test_ids[0], eval_config_names=["a"], select_all=True)


def test_a_name_that_several_have_names_their_ids(
    call, emulator, named, run_tests, configs
):
    twin = KeptConfig(NOWHERE, "mood", configs[0]["template_id"])
    run_tests[0].eval_configs.append(twin)

    with pytest.raises(NameLookupError, match="2 eval configs named 'mood'") as caught:
        call("run_new_evals", named[0], eval_config_names=["mood"], select_all=True)

    assert set(caught.value.matches) == {run_tests[0].eval_configs[0].id, NOWHERE}
    assert not emulator.log.runs


def test_a_missing_run_test_is_an_error(call):
    with pytest.raises(NotFoundError):
        call("run_new_evals", NOWHERE, eval_config_names=["mood"], select_all=True)


WRONG = [
    ({}, "eval_config_ids, eval_config_names: give one of the two"),
    (
        {"eval_config_ids": [NOWHERE], "eval_config_names": ["a"]},
        "eval_config_ids, eval_config_names: give one of the two",
    ),
    ({"eval_config_names": []}, "eval_config_names: the list is empty"),
    ({"eval_config_names": "mood"}, "eval_config_names: a list of names is expected"),
    ({"eval_config_names": ["a", "  "]}, r"eval_config_names\[1\]: is blank"),
    ({"eval_config_names": [None]}, r"eval_config_names\[0\]: text is expected"),
    (
        {"eval_config_names": ["a"], "select_all": False},
        "neither test_execution_ids nor select_all=True",
    ),
    (
        {"eval_config_names": ["a"], "test_execution_ids": NOWHERE},
        "test_execution_ids: a list of ids is expected",
    ),
    (
        {
            "eval_config_names": ["a"],
            "select_all": False,
            "test_execution_ids": ["no id"],
        },
        r"test_execution_ids\[0\]: 'no id' is no UUID",
    ),
    (
        {"eval_config_names": ["a"], "enable_tool_evaluation": "yes"},
        "enable_tool_evaluation: True or False is expected",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_what_is_wrong_is_said_before_anything_is_sent(
    call, emulator, options, message
):
    with pytest.raises(InvalidRequestError, match=message):
        call("run_new_evals", NOWHERE, **{"select_all": True, **options})

    assert not emulator.log.counts


def test_executions_beside_select_all_warn_once_and_are_not_sent(
    client, named, run_tests
):
    one = run_tests[0].executions[0].id

    with pytest.warns(UserWarning, match="test_execution_ids are not sent"):
        job = RunNamedEvals(named[0], ["mood"], [one], select_all=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        started = client.send(job)

    assert started.call_execution_count == 4


def test_many_run_tests_resolve_the_names_for_themselves(
    call, client, emulator, named, run_tests
):
    batch = call(
        "run_new_evals_many",
        run_test_ids=named[:3],
        eval_config_names=["mood", "contains"],
        select_all=True,
    )

    assert [type(each) for each in batch] == [Success] * 3
    assert emulator.log.runs == dict.fromkeys(named[:3], 1)
    assert evaluated(client, run_tests[2])["contains"] == [2, 2]


def test_of_many_each_has_executions_of_its_own(call, client, named, run_tests):
    executions = {
        each.id.upper(): [each.executions[n].id] for n, each in enumerate(run_tests[:2])
    }

    call(
        "run_new_evals_many",
        run_test_ids=named[:2],
        eval_config_names=["mood"],
        test_execution_ids=executions,
    )

    assert evaluated(client, run_tests[0])["mood"] == [2, 0]
    assert evaluated(client, run_tests[1])["mood"] == [0, 2]


def test_of_many_one_without_the_name_fails_alone(call, named, run_tests):
    run_tests[1].eval_configs[0].name = "renamed"

    batch = call(
        "run_new_evals_many",
        run_test_ids=iter([*named[:2], "no id"]),
        eval_config_names=["mood"],
        select_all=True,
    )

    assert [type(each) for each in batch] == [Success, Failure, Failure]
    assert isinstance(batch[1].error, NameLookupError)
    assert isinstance(batch[2].error, InvalidRequestError)


WRONG_MANY = [
    ({}, "give either eval_config_ids, by run test, or both"),
    ({"run_test_ids": [NOWHERE]}, "give either"),
    ({"eval_config_names": ["a"]}, "give either"),
    ({"eval_config_ids": {NOWHERE: [NOWHERE]}, "run_test_ids": [NOWHERE]}, "either"),
    (
        {
            "eval_config_ids": {NOWHERE: [NOWHERE]},
            "run_test_ids": [NOWHERE],
            "eval_config_names": ["a"],
        },
        "give either",
    ),
    ({"run_test_ids": NOWHERE, "eval_config_names": ["a"]}, "an iterable is expected"),
    ({"run_test_ids": ["x"], "eval_config_names": ["a"]}, r"run_test_ids\[0\]"),
    ({"run_test_ids": [NOWHERE], "eval_config_names": [" "]}, r"\[0\]: is blank"),
    ({"run_test_ids": [NOWHERE], "eval_config_names": []}, "the list is empty"),
    (
        {
            "run_test_ids": [NOWHERE],
            "eval_config_names": ["a"],
            "test_execution_ids": {NOWHERE[:-1] + "8": [NOWHERE]},
        },
        "is not among those of run_test_ids",
    ),
    (
        {
            "run_test_ids": [NOWHERE],
            "eval_config_names": ["a"],
            "test_execution_ids": [NOWHERE],
        },
        "a dict of execution ids by run test id is expected",
    ),
]


@pytest.mark.parametrize(("options", "message"), WRONG_MANY)
def test_what_is_wrong_with_many_is_said_before_anything_is_sent(
    call, emulator, options, message
):
    with pytest.raises(InvalidRequestError, match=message):
        call("run_new_evals_many", **{"select_all": True, **options})

    assert not emulator.log.counts


def test_a_journal_knows_what_was_run_by_name(call, emulator, named, journal):
    options = {
        "run_test_ids": named,
        "eval_config_names": ["mood"],
        "select_all": True,
        "journal": journal,
    }
    emulator.log.clear()

    call("run_new_evals_many", **options).raise_for_failures()
    call("run_new_evals_many", **options).raise_for_failures()

    assert emulator.log.runs == dict.fromkeys(named, 1)
    with Journal.open(journal) as entries:
        assert {each.endpoint for each in entries} == {RunNewEvals.__name__}


def test_the_blocking_twin_sends_the_job_as_a_request_too(client, named):
    job = RunNamedEvals(named[0], ["mood"], select_all=True)

    (outcome,) = client.send_many([job])

    assert isinstance(outcome, Success)
    assert outcome.request is job
    assert outcome.attempts == 2
