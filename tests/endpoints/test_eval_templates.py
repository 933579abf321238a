"""Eval templates: id and name are needed, the rest is taken as it comes."""

from __future__ import annotations

import json

import pytest

from futureagi_async.model import codec
from futureagi_async.types import EvalTemplate, EvalTemplates, ListEvalTemplates


WHOLE = {
    "id": "t-1",
    "name": "tone",
    "description": "how it sounds",
    "owner": "system",
    "output_type": "choices",
    "required_keys": ["output", "input"],
}


def read(*entries):
    body = json.dumps({"status": True, "result": list(entries)}).encode()
    return codec.decode_result(body, EvalTemplates, None)


def test_a_template_is_read_field_by_field():
    (template,) = read(WHOLE | {"new": 1}).result

    assert template == EvalTemplate(**WHOLE | {"required_keys": ("output", "input")})


def test_an_id_and_a_name_will_do():
    (template,) = read({"id": "t-1", "name": "tone"}).result

    assert template == EvalTemplate(id="t-1", name="tone")
    assert template.required_keys is None


@pytest.mark.parametrize("field", ["description", "owner", "output_type"])
@pytest.mark.parametrize("strange", [None, 5, [], {}, True])
def test_a_field_of_another_kind_counts_as_absent(field, strange):
    (template,) = read(WHOLE | {field: strange}).result

    assert getattr(template, field) is None
    assert template.name == "tone"


@pytest.mark.parametrize("strange", [None, "output", {}, ["output", 5], [None]])
def test_required_keys_that_are_no_list_of_texts_count_as_absent(strange):
    (template,) = read(WHOLE | {"required_keys": strange}).result

    assert template.required_keys is None


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("tone", "an object belongs here, not text"),
        (None, "an object belongs here, not null"),
        ({"name": "tone"}, "id: missing"),
        ({"id": "t-1"}, "name: missing"),
        ({"id": 5, "name": "tone"}, "id: text belongs here, not an int"),
        ({"id": "t-1", "name": []}, "name: text belongs here, not a list"),
    ],
)
def test_a_template_without_id_or_name_is_rejected_by_place(entry, problem):
    with pytest.raises(codec.DecodeError, match=rf"^{problem} @ result\[1\]$"):
        read(WHOLE, entry)


def test_the_kind_and_the_inputs_are_read_from_the_config():
    (template,) = read(
        {
            "id": "t-1",
            "name": "caller_mood",
            "config": {
                "output": "choices",
                "required_keys": ["conversation"],
                "optional_keys": [],
            },
            "choices": ["positive", "negative"],
            "multi_choice": True,
            "criteria": "Which mood?",
        }
    ).result

    assert template.output_type == "choices"
    assert (template.required_keys, template.optional_keys) == (("conversation",), ())
    assert template.choices == ("positive", "negative")
    assert template.multi_choice is True
    assert template.criteria == "Which mood?"


@pytest.mark.parametrize("config", [None, [], {}, {"output": 5}])
def test_a_config_of_another_kind_says_nothing(config):
    (template,) = read({"id": "t-1", "name": "tone", "config": config}).result

    assert (template.output_type, template.required_keys) == (None, None)


def test_templates_are_sought_by_a_part_of_their_name():
    templates = read(
        WHOLE, {"id": "t-2", "name": "Ton Ärger"}, {"id": "t-3", "name": "x"}
    )

    assert [each.id for each in templates.named_like("TON")] == ["t-1", "t-2"]
    assert [each.id for each in templates.named_like("ärger")] == ["t-2"]
    assert len(list(templates.named_like(""))) == 3


def test_the_templates_are_those_of_no_run_test():
    assert ListEvalTemplates().run_test_id is None
