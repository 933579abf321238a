"""Scripted results of evaluations."""

from __future__ import annotations

import json
from uuid import UUID

import pytest
from emulator_small_world import (
    FIRST_CALL,
    MONDAY,
    POLITE,
    SECOND_CALL,
    SHOP,
    SHORT,
    SILENT,
)

from futureagi_async.emulator.rows import Call, EvalConfig
from futureagi_async.emulator.scores import ScoreError, load_scores


def evaluated(ask, *config_ids, call=FIRST_CALL):
    """Evaluate Monday's calls; return what one of them shows."""
    ask.run(SHOP, list(config_ids), test_execution_ids=[MONDAY])
    ask.now += 11
    return ask.outputs(call)


@pytest.mark.parametrize("name", ["short", "similarity"])
def test_a_score_is_scripted_by_the_name_of_a_config_or_a_template(ask_running, name):
    ask_running.world.score(name, 0.1, reason="too long")

    shown = evaluated(ask_running, SHORT)[SHORT]

    assert (shown["value"], shown["type"]) == (0.1, "score")
    assert (shown["reason"], shown["name"]) == ("too long", "short")
    assert (shown["status"], shown["error"]) == ("Completed", False)


def test_a_scripted_score_is_stronger_than_that_of_the_world(ask_running):
    ask_running.world.score("polite", "Failed")

    assert evaluated(ask_running, POLITE)[POLITE]["value"] == "Failed"


def test_other_evaluations_are_made_up_as_ever(ask_running):
    ask_running.world.score("polite", "Failed")

    assert evaluated(ask_running, SHORT)[SHORT]["reason"].startswith("Made up")


def test_of_several_scores_the_last_one_counts(ask_running):
    ask_running.world.score("short", 0.1)
    ask_running.world.score("short", 0.2, calls=[UUID(FIRST_CALL)])

    assert evaluated(ask_running, SHORT)[SHORT]["value"] == 0.2
    assert ask_running.outputs(SECOND_CALL)[SHORT]["value"] == 0.1


@pytest.mark.parametrize(
    ("run_tests", "scripted"),
    [([SHOP], True), (["shop"], True), ([SILENT], False), ([], False)],
)
def test_a_score_can_be_that_of_some_run_tests(ask_running, run_tests, scripted):
    ask_running.world.score("short", 0.111, run_tests=run_tests)

    assert (evaluated(ask_running, SHORT)[SHORT]["value"] == 0.111) is scripted


def test_an_evaluation_can_fail(ask_running):
    ask_running.world.score("short", failed=True, reason="out of credit")

    shown = evaluated(ask_running, SHORT)[SHORT]

    assert (shown["value"], shown["error"], shown["status"]) == (None, True, "Failed")
    assert (shown["type"], shown["reason"]) == ("score", "out of credit")


def test_an_evaluation_can_be_skipped(ask_running):
    ask_running.world.score("short", skipped=True)

    shown = evaluated(ask_running, SHORT)[SHORT]

    assert (shown["skipped"], shown["status"], shown["type"]) == (True, "skipped", None)


def test_a_score_can_be_of_another_type(ask_running):
    ask_running.world.score("short", ["a", "b"], output_type="choices")

    assert evaluated(ask_running, SHORT)[SHORT]["value"] == ["a", "b"]


def test_scores_stay_after_a_reset(ask_running):
    ask_running.world.score("short", 0.1)

    assert len(ask_running.world.reset_copy().scores) == 1


def test_a_template_that_is_unknown_makes_results_that_pass_or_fail(ask):
    config = EvalConfig("1", "polite", "a template of nobody")
    ask.world.score("polite", "Passed")

    [(_, call)] = ask.world.run_tests.get(SHOP).calls()[:1]

    assert ask.world.scripted_cell(config, call)["output_type"] == "Pass/Fail"


def test_a_call_of_no_run_test_has_the_scores_of_all_run_tests(ask):
    config = EvalConfig("1", "polite", "a template of nobody")
    ask.world.score("polite", "Passed")
    ask.world.score("polite", "Failed", run_tests=[SHOP])

    assert ask.world.scripted_cell(config, Call("1"))["output"] == "Passed"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"name": ""}, "the name of an eval config or template, not ''"),
        ({"name": 5}, "the name of an eval config or template, not 5"),
        ({"name": "x", "value": 1, "failed": True}, "only one of these"),
        ({"name": "x", "failed": True, "skipped": True}, "only one of these"),
        ({"name": "x", "failed": "yes"}, "failed of x is true or false, not 'yes'"),
        ({"name": "x", "reason": None}, "reason of x is a text, not None"),
        ({"name": "x", "output_type": 5}, "output_type of x is a text, not 5"),
        ({"name": "x", "calls": FIRST_CALL}, "calls is a list of ids, not 'd0"),
        ({"name": "x", "run_tests": 5}, "run_tests is a list of ids, not 5"),
    ],
)
def test_a_score_that_makes_no_sense_is_rejected(ask, arguments, problem):
    with pytest.raises(ScoreError, match=problem):
        ask.world.score(**arguments)


def test_scores_are_loaded_from_a_file(tmp_path):
    path = tmp_path / "scores.json"
    entries = [
        {"name": "tone", "value": "negative", "run_tests": [SHOP], "reason": "rude"},
        {"name": "polite", "failed": True, "calls": [FIRST_CALL]},
    ]
    path.write_text(json.dumps(entries))

    first, second = load_scores(path)

    assert (first.value, first.run_tests) == ("negative", frozenset([SHOP]))
    assert (second.failed, second.calls) == (True, frozenset([FIRST_CALL]))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "the scores are not JSON"),
        ("{}", "scores are a list of objects"),
        ("[1]", r"scores\[0\] is an object, not 1"),
        ("[{}]", r"scores\[0\]: a score has the name"),
        (
            '[{"name": "x", "config": 1}]',
            r"scores\[0\] has config; the fields are calls,",
        ),
        ('[{"name": "x"}, {"name": "y", "calls": 1}]', r"scores\[1\]: calls is"),
    ],
)
def test_a_bad_file_of_scores_says_what_is_wrong(tmp_path, text, problem):
    path = tmp_path / "scores.json"
    path.write_text(text)

    with pytest.raises(ScoreError, match=problem):
        load_scores(path)
