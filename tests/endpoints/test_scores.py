"""Scores: each of the three forms, and what is none of them."""

from __future__ import annotations

import json

import pytest

from futureagi_async.endpoints.scores import read_scores
from futureagi_async.model import codec
from futureagi_async.types import (
    ChoiceScores,
    ConfigSummary,
    EvalSummary,
    NumericScores,
    PassFailScores,
    TemplateSummary,
)


CONFIG = {"name": "tone", "id": "c-1", "total_cells": 4}
TEMPLATE = {"name": "tone", "id": "t-1", "output_type": "choices"}
PASSES = {"pass": 75.0, "fail": 25, "pass_count": 3, "fail_count": 1}


def summary(*configs, **template):
    """The answer with one template that has these configs."""
    entry = TEMPLATE | {"result": list(configs)} | template
    return json.dumps({"status": True, "result": [entry]}).encode()


def read(*configs, **template):
    return codec.decode_result(summary(*configs, **template), EvalSummary, None)


@pytest.mark.parametrize(
    ("output", "average", "scores"),
    [
        ({}, None, None),
        (None, None, None),
        (PASSES, None, PassFailScores(75.0, 25.0, 3, 1)),
        (
            {"p5": 10, "p50": 62.5, "p100": 90.0},
            70,
            NumericScores(70.0, {5: 10.0, 50: 62.5, 100: 90.0}),
        ),
        ({}, 0, NumericScores(0.0, {})),
        (
            {"p50": 1, "unit": "percent", "p": 2, "p1000": 3},
            1.5,
            NumericScores(1.5, {50: 1.0}),
        ),
        (
            {"joy": 66.67, "anger": 33},
            None,
            ChoiceScores({"joy": 66.67, "anger": 33.0}),
        ),
        ({"pass": 50, "fail": 50}, None, ChoiceScores({"pass": 50.0, "fail": 50.0})),
        ({"p50": 100}, None, ChoiceScores({"p50": 100.0})),
    ],
)
def test_the_shape_tells_the_form(output, average, scores):
    found = read_scores(output, average)

    assert found == scores
    assert type(found) is type(scores)
    assert isinstance(hash(found), int)


@pytest.mark.parametrize(
    ("output", "average", "problem"),
    [
        ([], None, "^output: an object belongs here, not a list$"),
        (None, 5, "^output: an object belongs here, not null$"),
        ("x", None, "^output: an object belongs here, not text$"),
        ({"joy": "50"}, None, r"^output\.joy: a number belongs here, not text$"),
        ({"joy": True}, None, r"^output\.joy: a number belongs here, not a bool$"),
        ({"p5": None}, 1, r"^output\.p5: a number belongs here, not null$"),
        ({}, "1", "^avg_score: a number belongs here, not text$"),
        (PASSES | {"pass": None}, None, r"^output\.pass: a number belongs here"),
        ({"pass_count": 1, "fail_count": 0}, None, r"^output\.pass: a number"),
        (PASSES | {"fail": "0"}, None, r"^output\.fail: a number belongs here"),
        (PASSES | {"pass_count": 3.0}, None, r"^output\.pass_count: a whole number"),
        (PASSES | {"fail_count": True}, None, r"^output\.fail_count: a whole number"),
    ],
)
def test_what_is_of_no_form_is_rejected_by_name(output, average, problem):
    with pytest.raises(TypeError, match=problem):
        read_scores(output, average)


def test_a_summary_is_read_by_template_and_config():
    result = read(
        CONFIG | {"output": {"joy": 100.0}},
        CONFIG | {"id": "c-2", "total_cells": 0, "output": {}, "new": 1},
        total_choices_avg={"joy": 100},
    )

    assert result.result == (
        TemplateSummary(
            name="tone",
            id="t-1",
            output_type="choices",
            result=(
                ConfigSummary(
                    name="tone",
                    id="c-1",
                    total_cells=4,
                    scores=ChoiceScores({"joy": 100.0}),
                ),
                ConfigSummary(name="tone", id="c-2", total_cells=0, scores=None),
            ),
            total_choices_avg={"joy": 100.0},
        ),
    )
    assert [each.id for each in result.configs] == ["c-1", "c-2"]
    assert isinstance(hash(result), int)


def test_totals_are_numbers_of_their_own_kind():
    result = read(output_type="score", total_avg=62, total_pass_rate=None)

    (template,) = result.result
    assert (template.total_avg, template.total_pass_rate) == (62.0, None)
    assert type(template.total_avg) is float
    assert read(output_type=None).result[0].output_type is None


def test_a_config_can_have_no_name():
    (config,) = read(CONFIG | {"name": None, "output": {}}).configs

    assert config.name is None


@pytest.mark.parametrize(
    ("total_cells", "shares", "share"),
    [
        (3, (33.33, 33.33), 66.67),
        (7, (14.29, 28.57), 42.86),
        (0, (33.33, 33.33), 66.66),
    ],
)
def test_texts_of_one_choice_are_counted_together(total_cells, shares, share):
    output = dict(zip(("Yes", "{'score': 1.0, 'choice': 'Yes'}"), shares, strict=True))

    assert read_scores(output, None, total_cells) == ChoiceScores({"Yes": share})


@pytest.mark.parametrize("text", ["[]", "{'score': 0.0, 'choices': []}", "{}"])
def test_results_without_a_choice_are_counted_under_an_empty_list(text):
    assert read_scores({text: 100.0}, None) == ChoiceScores({"[]": 100.0})


def test_several_choices_are_counted_as_the_service_does():
    scores = read_scores({"['a', 'b']": 60.0, "{'choices': ['a', 'b']}": 40.0}, None)

    assert scores == ChoiceScores({"['a', 'b']": 100.0})


def test_the_total_of_choices_has_the_choices_too():
    result = read(total_choices_avg={"{'choice': 'Yes'}": 50.0, "Yes": 25, "No": 25})

    assert result.result[0].total_choices_avg == {"Yes": 75.0, "No": 25.0}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("tone", r"an object belongs here, not text @ result\[0\]\.result\[0\]"),
        ({}, r"total_cells: missing @ result\[0\]\.result\[0\]"),
        (CONFIG | {"id": 5}, "id: text belongs here, not an int"),
        (CONFIG | {"total_cells": 1.5}, "total_cells: a whole number belongs here"),
        (CONFIG | {"output": {"joy": "x"}}, r"output\.joy: a number .*result\[0\]"),
    ],
)
def test_a_config_of_another_shape_is_rejected_by_place(entry, problem):
    with pytest.raises(codec.DecodeError, match=problem):
        read(entry)
