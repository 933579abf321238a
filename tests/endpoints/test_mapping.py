"""Mappings against the inputs of a template."""

from __future__ import annotations

import pytest

from futureagi_async import EvalConfig, InvalidRequestError
from futureagi_async.endpoints.mapping import check_mapping
from futureagi_async.types import EvalTemplate


ID = "b968b200-c57b-5aca-9c9f-60672e3183e7"
TONE = EvalTemplate(
    id=ID, name="tone", required_keys=("output",), optional_keys=("context",)
)


def config(mapping=None):
    return EvalConfig(ID, mapping=mapping)


@pytest.mark.parametrize(
    "mapping",
    [{"output": "transcript"}, {"output": "transcript", "context": "agent_prompt"}],
)
def test_a_mapping_with_the_inputs_of_the_template_is_accepted(mapping):
    check_mapping(config(mapping), TONE)


def test_a_template_without_inputs_needs_no_mapping():
    check_mapping(config(), EvalTemplate(id=ID, name="x", required_keys=()))


def test_nothing_is_checked_if_the_inputs_are_not_known():
    check_mapping(config({"anything": "x"}), EvalTemplate(id=ID, name="x"))


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        (None, r"^mapping: 'output' is missing; template 'tone' takes 'output', 'con"),
        ({}, "^mapping: 'output' is missing; "),
        (
            {"text": "transcript"},
            "^mapping: 'output' is missing, 'text' is unknown; template 'tone' takes",
        ),
        (
            {"outputs": "transcript"},
            r"'output' is missing, 'outputs' is unknown \(did you mean 'output'\?\)",
        ),
        (
            {"output": "transcript", "contxt": "x"},
            r"^mapping: 'contxt' is unknown \(did you mean 'context'\?\); ",
        ),
    ],
)
def test_inputs_that_are_missing_or_unknown_are_named(mapping, problem):
    with pytest.raises(InvalidRequestError, match=problem):
        check_mapping(config(mapping), TONE)


def test_a_template_without_inputs_takes_none():
    template = EvalTemplate(id=ID, name="is_email", required_keys=())

    with pytest.raises(InvalidRequestError, match="'is_email' takes no inputs"):
        check_mapping(config({"text": "transcript"}), template)


def test_an_input_that_is_required_and_optional_can_be_left_out():
    template = EvalTemplate(
        id=ID,
        name="groundedness",
        required_keys=("output", "input"),
        optional_keys=("input",),
    )

    check_mapping(config({"output": "transcript"}), template)
    with pytest.raises(
        InvalidRequestError, match=r"'groundedness' takes 'output', 'input'$"
    ):
        check_mapping(config(), template)


def test_the_message_has_the_place_of_the_mapping():
    with pytest.raises(InvalidRequestError, match=r"^configs\[2\]\.mapping: "):
        check_mapping(config(), TONE, "configs[2].mapping")


def test_without_optional_inputs_the_required_ones_are_all():
    template = EvalTemplate(id=ID, name="tone", required_keys=("output",))

    with pytest.raises(InvalidRequestError, match="'context' is unknown"):
        check_mapping(config({"output": "x", "context": "y"}), template)
