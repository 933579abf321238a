"""POST .../eval-configs/: what is created, and how a config that is not is reported."""

from __future__ import annotations

import json

import pytest
from emulator_small_world import (
    CHOICES,
    CONTAINS,
    COUNTED,
    EMPTY,
    NOBODY,
    OURS,
    POLITE,
    SHOP,
    SHORT,
    THEIRS,
    path_of,
)


def names(ask, run_test_id=EMPTY):
    """Return the names of a run test's configs, newest first."""
    body = ask.get(path_of(run_test_id)).json
    return [config["name"] for config in body["simulate_eval_configs_detail"]]


def test_a_config_gets_its_defaults(ask):
    reply = ask.add(EMPTY, {"template_id": CONTAINS})

    body = reply.json
    assert reply.status == 201
    assert body["message"] == "Successfully added 1 evaluation config(s) to run test"
    assert body["run_test_id"] == EMPTY
    assert "warnings" not in body
    created = body["created_eval_configs"][0]
    assert created.pop("id") != CONTAINS
    assert created == {
        "name": f"Eval-{CONTAINS}",
        "config": {},
        "mapping": {},
        "filters": [],
        "error_localizer": False,
        "model": None,
        "status": "Completed",
        "eval_group": None,
        "template_id": CONTAINS,
    }


def test_all_fields_that_are_sent_are_returned(ask):
    sent = {
        "name": "full",
        "config": {"params": {"keyword": "hello"}, "large": 10**30},
        "mapping": {"text": "transcript"},
        "filters": [
            {
                "column_id": "status",
                "filter_config": {
                    "filter_type": "text",
                    "filter_op": "equals",
                    "filter_value": "completed",
                },
            }
        ],
        "error_localizer": True,
        "model": "turing_large",
    }

    reply = ask.add(EMPTY, {"template_id": CONTAINS, **sent, "kb_id": None})

    created = reply.json["created_eval_configs"][0]
    assert {name: created[name] for name in sent} == sent


def test_configs_are_returned_in_request_order_and_listed_newest_first(ask):
    reply = ask.add(
        EMPTY,
        {"template_id": CONTAINS, "name": "one"},
        {"template_id": OURS, "name": "two"},
    )

    assert [c["name"] for c in reply.json["created_eval_configs"]] == ["one", "two"]
    assert names(ask) == ["two", "one"]


@pytest.mark.parametrize(
    ("sent", "stored"),
    [
        (" padded ", "padded"),
        ("", f"Eval-{CONTAINS}"),
        ("  ", f"Eval-{CONTAINS}"),
        (12, "12"),
        (1.5, "1.5"),
        ("日本語 🚀", "日本語 🚀"),
        ("n" * 255, "n" * 255),
    ],
)
def test_names_are_converted_to_text_and_trimmed(ask, sent, stored):
    ask.add(EMPTY, {"template_id": CONTAINS, "name": sent})

    assert names(ask) == [stored]


@pytest.mark.parametrize(
    "spelling",
    [
        CONTAINS.upper(),
        CONTAINS.replace("-", ""),
        f"{{{CONTAINS}}}",
        f"urn:uuid:{CONTAINS}",
        int(CONTAINS.replace("-", ""), 16),
    ],
)
def test_template_ids_are_accepted_in_any_spelling(ask, spelling):
    reply = ask.add(EMPTY, {"template_id": spelling})

    assert reply.json["created_eval_configs"][0]["template_id"] == CONTAINS


@pytest.mark.parametrize("value", ["true", "TRUE", "t", "Yes", "y", "on", "1", 1, 1.0])
def test_many_words_mean_true(ask, value):
    reply = ask.add(EMPTY, {"template_id": CONTAINS, "error_localizer": value})

    assert reply.json["created_eval_configs"][0]["error_localizer"] is True


@pytest.mark.parametrize("value", ["false", "F", "no", "off", "0", 0, False])
def test_many_words_mean_false(ask, value):
    reply = ask.add(EMPTY, {"template_id": CONTAINS, "error_localizer": value})

    assert reply.json["created_eval_configs"][0]["error_localizer"] is False


@pytest.mark.parametrize("value", [[], "", "[]", "null"])
def test_filters_may_be_empty_in_several_ways(ask, value):
    reply = ask.add(EMPTY, {"template_id": CONTAINS, "filters": value})

    assert reply.json["created_eval_configs"][0]["filters"] == []


def test_filters_may_be_a_text_with_json(ask):
    item = {
        "column_id": "x",
        "filter_config": {"filter_type": "number", "filter_op": "is_null"},
    }

    reply = ask.add(EMPTY, {"template_id": CONTAINS, "filters": json.dumps([item])})

    assert reply.json["created_eval_configs"][0]["filters"] == [item]


def test_an_empty_text_is_an_empty_object(ask):
    reply = ask.add(EMPTY, {"template_id": CONTAINS, "config": "", "mapping": ""})

    created = reply.json["created_eval_configs"][0]
    assert (created["config"], created["mapping"]) == ({}, {})


@pytest.mark.parametrize(
    ("params", "stored"),
    [
        ({"most": "5"}, {"most": 5, "ratio": 0.5}),
        ({"most": 5, "ratio": 1}, {"most": 5, "ratio": 1.0}),
        ({"most": 5, "ratio": " "}, {"most": 5, "ratio": 0.5}),
    ],
)
def test_a_template_with_a_schema_converts_its_parameters(ask, params, stored):
    reply = ask.add(EMPTY, {"template_id": COUNTED, "config": {"params": params}})

    assert reply.json["created_eval_configs"][0]["config"] == {"params": stored}


@pytest.mark.parametrize(
    ("config", "warning"),
    [
        ({"template_id": NOBODY}, f"EvalTemplate with id {NOBODY} not found"),
        ({"template_id": THEIRS}, f"EvalTemplate with id {THEIRS} not found"),
        (
            {"template_id": CONTAINS, "name": "n" * 256},
            (
                "Error creating evaluation config: value too long for type character "
                "varying(255)"
            ),
        ),
        (
            {"template_id": CONTAINS, "name": "m", "model": "m" * 256},
            (
                "Error creating evaluation config: value too long for type character "
                "varying(255)"
            ),
        ),
        (
            {"template_id": CONTAINS, "name": "m", "mapping": {"a": [{"b": "\0"}]}},
            "Error creating evaluation config: unsupported Unicode escape sequence",
        ),
        (
            {"template_id": COUNTED},
            "Error creating evaluation config: most is required",
        ),
    ],
)
def test_a_config_that_cannot_be_created_is_a_warning_beside_the_others(
    ask, config, warning
):
    reply = ask.add(EMPTY, config, {"template_id": CONTAINS, "name": "fine"})

    assert reply.status == 201
    assert reply.json["warnings"] == [warning]
    assert names(ask) == ["fine"]


def test_the_reasons_are_lost_if_no_config_can_be_created(ask):
    reply = ask.add(EMPTY, {"template_id": NOBODY})

    assert reply.status == 400
    assert reply.message == "Failed to create any evaluation configs"
    assert reply.json["code"] == "invalid"
    assert "details" not in reply.json


def test_a_duplicate_name_does_not_undo_the_configs_before_it(ask):
    reply = ask.add(
        SHOP,
        {"template_id": CONTAINS, "name": "fresh"},
        {"template_id": CONTAINS, "name": "polite"},
        {"template_id": CONTAINS, "name": "never"},
    )

    assert reply.status == 400
    assert reply.message == (
        "An evaluation config with the name 'polite' already exists in this run test. "
        "Please use a different name."
    )
    assert names(ask, SHOP) == ["fresh", "short", "polite"]
    assert reply.served.effects.configs == 1


def test_of_two_equal_default_names_only_the_first_is_created(ask):
    reply = ask.add(EMPTY, {"template_id": CONTAINS}, {"template_id": CONTAINS})

    assert reply.status == 400
    assert names(ask) == [f"Eval-{CONTAINS}"]


def test_the_name_of_a_deleted_config_can_be_used_again(ask):
    assert ask.add(SHOP, {"template_id": CONTAINS, "name": "removed"}).status == 201


def test_names_are_case_sensitive(ask):
    assert ask.add(SHOP, {"template_id": CONTAINS, "name": "POLITE"}).status == 201


def test_equal_names_in_one_request_create_nothing(ask):
    reply = ask.add(
        EMPTY,
        {"template_id": CONTAINS, "name": "same"},
        {"template_id": CHOICES, "name": " same "},
    )

    assert reply.json["details"] == {
        "evaluations_config": [
            (
                "Duplicate eval name 'same' found in the request. "
                "Each evaluation config must have a unique name."
            )
        ]
    }
    assert names(ask) == []


@pytest.mark.parametrize(
    ("value", "code", "problem"),
    [
        ([], "min_length", "Ensure this field has at least 1 elements."),
        (None, "null", "This field may not be null."),
        ("x", "not_a_list", 'Expected a list of items but got type "str".'),
        ({"a": 1}, "not_a_list", 'Expected a list of items but got type "dict".'),
        ([None], "null", "0: This field may not be null."),
        (
            [[]],
            "invalid",
            "0: non_field_errors: Invalid data. Expected a dictionary, but got list.",
        ),
    ],
)
def test_a_value_that_is_not_a_list_of_configs_is_rejected(ask, value, code, problem):
    body = {"evaluations_config": value}

    reply = ask("POST", path_of(EMPTY, "eval-configs/"), body)

    assert reply.status == 400
    assert reply.message == f"evaluations_config: {problem}"
    assert reply.json["type"] == "validation_error"
    assert reply.json["code"] == code
    assert reply.json["attr"] == "evaluations_config"
    assert reply.json["details"] == {"evaluations_config": [problem]}


@pytest.mark.parametrize(
    ("field", "value", "code", "problem"),
    [
        ("template_id", "zz", "invalid", "Must be a valid UUID."),
        ("template_id", 1.5, "invalid", "Must be a valid UUID."),
        ("template_id", -1, "invalid", "Must be a valid UUID."),
        ("template_id", None, "null", "This field may not be null."),
        ("name", None, "null", "This field may not be null."),
        ("name", True, "invalid", "Not a valid string."),
        ("name", ["x"], "invalid", "Not a valid string."),
        (
            "name",
            "a\0b",
            "null_characters_not_allowed",
            "Null characters are not allowed.",
        ),
        (
            "name",
            "a\ud800b",
            "surrogate_characters_not_allowed",
            "Surrogate characters are not allowed: U+D800.",
        ),
        ("config", None, "null", "This field may not be null."),
        ("config", [1], "invalid", "Value must be an object."),
        ("mapping", "{}", "invalid", "Value must be an object."),
        ("filters", {}, "invalid", "Filters must be a list."),
        ("filters", "{}", "invalid", "Filters must be a list."),
        ("filters", "abc", "invalid", "Filters must be valid JSON."),
        ("error_localizer", None, "null", "This field may not be null."),
        ("error_localizer", "maybe", "invalid", "Must be a valid boolean."),
        ("error_localizer", 2, "invalid", "Must be a valid boolean."),
        ("error_localizer", [], "invalid", "Must be a valid boolean."),
        ("model", " ", "blank", "This field may not be blank."),
        ("kb_id", "x", "invalid", "Must be a valid UUID."),
        ("eval_group", [], "invalid", "Must be a valid UUID."),
        ("surprise", 1, "invalid", "Unknown field."),
    ],
)
def test_a_field_rejects_invalid_values(ask, field, value, code, problem):
    config = {"template_id": CONTAINS, "name": "x", field: value}

    reply = ask.add(EMPTY, config)

    assert reply.status == 400
    assert reply.json["code"] == code
    assert reply.message == f"evaluations_config: 0: {field}: {problem}"
    assert names(ask) == []


def filter_item(**config):
    return {"column_id": "x", "filter_config": config}


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        ("x", "Filter item must be an object."),
        (None, "This field may not be null."),
        ({}, "Missing filter item keys: column_id, filter_config"),
        ({**filter_item(), "b": 1, "a": 1}, "Unknown filter item keys: a, b"),
        (
            {"column_id": " ", "filter_config": {}},
            "column_id must be a non-empty string.",
        ),
        (
            {"column_id": "x", "filter_config": []},
            "Filter config must be an object.",
        ),
        (filter_item(), "Missing filter config keys: filter_op, filter_type"),
        (
            filter_item(filter_type="text", filter_op="equals", more=1),
            "Unknown filter config keys: more",
        ),
        (
            filter_item(filter_type="colour", filter_op="equals"),
            "Unsupported filter_type 'colour'.",
        ),
        (
            filter_item(filter_type=[], filter_op="equals"),
            "Unsupported filter_type [].",
        ),
        (
            filter_item(filter_type="boolean", filter_op="between"),
            "Unsupported filter_op 'between' for filter_type 'boolean'.",
        ),
        (
            filter_item(filter_type="text", filter_op={}),
            "Unsupported filter_op {} for filter_type 'text'.",
        ),
        (
            filter_item(filter_type="number", filter_op="between", filter_value=[1]),
            "'between' requires a two-value filter_value list.",
        ),
        (
            filter_item(filter_type="text", filter_op="in", filter_value=[]),
            "'in' requires a non-empty filter_value list.",
        ),
        (
            filter_item(filter_type="text", filter_op="contains"),
            "'contains' requires filter_value.",
        ),
    ],
)
def test_a_filter_rejects_invalid_conditions(ask, item, problem):
    good = filter_item(filter_type="number", filter_op="between", filter_value=[1, 2])

    reply = ask.add(EMPTY, {"template_id": CONTAINS, "filters": [good, item]})

    assert reply.message == f"evaluations_config: 0: filters: 1: {problem}"


def test_all_problems_of_all_configs_are_reported(ask):
    reply = ask.add(
        EMPTY,
        {"template_id": "x", "kb_id": "x"},
        {"template_id": CONTAINS},
        {"name": "no template"},
    )

    assert reply.message == (
        "evaluations_config: "
        "0: template_id: Must be a valid UUID.; kb_id: Must be a valid UUID.; "
        "2: template_id: This field is required."
    )


def test_unknown_fields_hide_all_other_problems(ask):
    reply = ask("POST", path_of(EMPTY, "eval-configs/"), {"b": 1, "a": 2})

    assert reply.message == "a: Unknown field.; b: Unknown field."
    assert reply.json["attr"] == "a"


@pytest.mark.parametrize("field", ["message", "detail", "error"])
def test_the_text_of_an_unknown_field_can_become_the_message(ask, field):
    reply = ask("POST", path_of(EMPTY, "eval-configs/"), {field: 1})

    assert reply.message == "Unknown field."
    assert "attr" not in reply.json


def test_a_field_can_have_two_problems(ask):
    reply = ask.add(EMPTY, {"template_id": CONTAINS, "name": "\0\udfff"})

    assert reply.message.endswith(
        "name: Null characters are not allowed., "
        "Surrogate characters are not allowed: U+DFFF."
    )


def test_the_body_is_checked_before_the_run_test(ask):
    assert ask.add(NOBODY).status == 400
    reply = ask.add(NOBODY, {"template_id": CONTAINS})
    assert (reply.status, reply.message) == (404, "Run test not found")


def test_deleted_configs_are_not_listed(ask):
    shown = ask.get(path_of(SHOP)).json["simulate_eval_configs"]

    assert shown == [SHORT, POLITE]
