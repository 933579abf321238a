"""Adding eval configs: what is sent, and what is refused before it is."""

from __future__ import annotations

import copy
import enum
import json
import math
import pickle
import uuid
from types import MappingProxyType

import attrs
import orjson
import pytest
from hypothesis import given, strategies as st

from futureagi_async import AddEvalConfigs, EvalConfig
from futureagi_async.endpoints.add_eval_configs import (
    requests_for,
    validate_eval_configs,
)
from futureagi_async.errors import InvalidRequestError
from futureagi_async.model.request import InvalidItem
from futureagi_async.types import AddEvalConfigsResult, CreatedEvalConfig


# Filters are part of a complete eval config, and have tests of their warning.
pytestmark = pytest.mark.filterwarnings("ignore:filters.*never applies:UserWarning")

RUN_TEST = "b968b200-c57b-5aca-9c9f-60672e3183e7"
OTHER = "116b391d-70d3-54fc-a34d-b481317665ee"
TEMPLATE = "8852dfdd-16f3-4a5a-9bb6-4025b3983786"
FILTER = {
    "column_id": "status",
    "filter_config": {
        "filter_type": "text",
        "filter_op": "equals",
        "filter_value": "completed",
    },
}
ALL_FIELDS = {
    "template_id": TEMPLATE,
    "name": "tone",
    "config": {"params": {"keyword": "order"}},
    "mapping": {"text": "transcript"},
    "filters": [FILTER],
    "error_localizer": True,
    "model": "turing_large",
}

optional_texts = st.none() | st.text("ab cä€", max_size=8)
optional_objects = st.none() | st.dictionaries(
    st.text("ab"), st.integers(0, 9) | st.text("a")
)
fields_of_a_config = st.fixed_dictionaries(
    {"template_id": st.uuids().map(str)},
    optional={
        "name": optional_texts,
        "config": optional_objects,
        "mapping": optional_objects,
        "filters": optional_objects | st.lists(st.just(FILTER)),
        "error_localizer": st.none() | st.booleans(),
        "model": st.none() | st.from_regex(r"[abä]( ?[cä€])*", fullmatch=True),
    },
)

not_plain = st.sampled_from(
    [
        *(5, math.nan, "a\0b", "\udfff", "ä" * 256, f" {'x' * 255} ", ()),
        *(uuid.UUID(TEMPLATE), uuid.UUID(TEMPLATE).hex, f"{TEMPLATE}\n"),
        *((FILTER,), [math.inf], {1: 2}, {"a": ("b",)}, {"a": uuid.UUID(TEMPLATE)}),
        *({"a": math.nan}, {"text": b"transcript"}, MappingProxyType({"a": 1})),
        *(orjson.Fragment(b"{}"), orjson.Fragment(b"{"), True, 2**64, [[]] * 101),
        *("", " ", "\t\n", " a", "a\n", "\u2003ä", "\x1f", f"{' ' * 255}ä"),
        enum.Enum("Held", {"ID": TEMPLATE}).ID,
        enum.StrEnum("Text", {"ID": TEMPLATE}).ID,
    ]
)


def created(**changes) -> CreatedEvalConfig:
    fields = ALL_FIELDS | {"id": OTHER, "status": "Completed", "eval_group": None}
    return CreatedEvalConfig(**fields | changes)


def test_a_request_goes_to_the_path_of_its_run_test():
    request = AddEvalConfigs(RUN_TEST.upper(), [EvalConfig(TEMPLATE)])

    assert request.method == "POST"
    assert request.path == f"/simulate/run-tests/{RUN_TEST}/eval-configs/"
    assert request.run_test_id == RUN_TEST
    assert request.result_type is AddEvalConfigsResult
    assert not request.idempotent


def test_the_smallest_body_holds_the_template_only():
    request = AddEvalConfigs(RUN_TEST, [EvalConfig(template_id=TEMPLATE)])

    assert request.body == (
        b'{"evaluations_config":'
        b'[{"template_id":"8852dfdd-16f3-4a5a-9bb6-4025b3983786"}]}'
    )


def test_the_full_body_holds_every_documented_field_in_the_documented_order():
    request = AddEvalConfigs(RUN_TEST, [EvalConfig(**ALL_FIELDS)])

    assert request.body == (
        b'{"evaluations_config":[{'
        b'"template_id":"8852dfdd-16f3-4a5a-9bb6-4025b3983786",'
        b'"name":"tone",'
        b'"config":{"params":{"keyword":"order"}},'
        b'"mapping":{"text":"transcript"},'
        b'"filters":[{"column_id":"status","filter_config":{"filter_type":"text",'
        b'"filter_op":"equals","filter_value":"completed"}}],'
        b'"error_localizer":true,'
        b'"model":"turing_large"}]}'
    )


def test_several_configs_stand_in_the_order_given():
    request = AddEvalConfigs(
        RUN_TEST, [EvalConfig(TEMPLATE, "b"), {"template_id": TEMPLATE, "name": "a"}]
    )

    sent = json.loads(request.body)["evaluations_config"]
    assert [item["name"] for item in sent] == ["b", "a"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("error_localizer", False),
        ("config", {}),
        ("mapping", {}),
        ("filters", []),
        ("filters", {}),
        ("name", ""),
    ],
)
def test_a_value_that_is_set_is_sent_even_if_it_is_empty(field, value):
    config = EvalConfig(TEMPLATE, **{field: value})

    assert json.loads(config.encoded) == {"template_id": TEMPLATE, field: value}


@given(fields_of_a_config)
def test_what_is_none_is_left_out_and_the_rest_is_sent_as_given(fields):
    request = AddEvalConfigs(RUN_TEST, [EvalConfig.from_dict(fields)])

    expected = {key: value for key, value in fields.items() if value is not None}
    assert json.loads(request.body) == {"evaluations_config": [expected]}


@pytest.mark.parametrize(
    "filters", [[FILTER], (FILTER,), {"status": "completed"}, MappingProxyType(FILTER)]
)
def test_filters_are_sent_as_a_list_or_an_object_as_they_are_given(filters):
    sent = json.loads(EvalConfig(TEMPLATE, filters=filters).encoded)["filters"]

    assert sent == (
        list(filters) if isinstance(filters, list | tuple) else dict(filters)
    )


@pytest.mark.parametrize("filters", [[FILTER], FILTER])
def test_filters_come_with_a_warning_where_the_eval_config_is_made(filters):
    with pytest.warns(UserWarning, match="never applies them") as caught:
        EvalConfig(TEMPLATE, filters=filters)

    (warning,) = caught
    assert warning.filename == __file__


@pytest.mark.parametrize("filters", [None, [], {}])
@pytest.mark.filterwarnings("error")
def test_no_filters_come_without_a_warning(filters):
    assert not EvalConfig(TEMPLATE, filters=filters).filters


@pytest.mark.parametrize("filters", ["x", [b"x"]])
@pytest.mark.filterwarnings("error")
def test_invalid_filters_are_an_error_without_a_warning(filters):
    with pytest.raises(InvalidRequestError, match="filters"):
        EvalConfig(TEMPLATE, filters=filters)


def test_comparing_an_eval_config_gives_no_warning_again(recwarn):
    config = EvalConfig.from_dict(ALL_FIELDS)
    recwarn.clear()

    assert config.may_match(created())
    assert not config.may_match(created(filters=[]))
    assert not recwarn.list


def test_text_beyond_ascii_is_sent_as_utf_8():
    request = AddEvalConfigs(RUN_TEST, [EvalConfig(TEMPLATE, "Höflichkeit 😀")])

    assert '"name":"Höflichkeit 😀"'.encode() in request.body


def test_changing_the_callers_dict_later_changes_nothing():
    config = {"params": {"keyword": "order"}}
    filters = [copy.deepcopy(FILTER)]
    item = EvalConfig(TEMPLATE, config=config, filters=filters)
    request = AddEvalConfigs(RUN_TEST, [item])

    config["params"]["keyword"] = "changed"
    filters.clear()

    assert item.config == {"params": {"keyword": "order"}}
    assert item.filters == [FILTER]
    assert b"changed" not in request.body


def test_ids_come_out_canonical():
    bare = uuid.UUID(TEMPLATE).hex.upper()

    assert EvalConfig(bare).template_id == TEMPLATE
    assert EvalConfig(uuid.UUID(TEMPLATE)).template_id == TEMPLATE


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"template_id": "abc"}, "template_id: 'abc' is no UUID"),
        ({"template_id": ""}, "template_id: is empty"),
        ({"template_id": 5}, "template_id: an id .* is expected, not an int"),
        ({"name": 5}, "name: text is expected, not an int"),
        ({"name": "x" * 256}, "name: 256 characters; the service accepts at most 255"),
        ({"name": "a\0b"}, "name: the service accepts no null characters"),
        ({"model": "x" * 256}, "model: 256 characters"),
        ({"model": ["gpt"]}, "model: text is expected, not a list"),
        ({"model": ""}, "model: is blank"),
        ({"model": " \n"}, "model: is blank"),
        ({"config": "{}"}, "config: a dict is expected, not a str"),
        ({"config": []}, "config: a dict is expected, not a list"),
        ({"config": {"n": float("nan")}}, r"config\.n: nan is no JSON number"),
        ({"config": {1: 2}}, "config: the key 1 is an int"),
        ({"mapping": {"a": {1}}}, r"mapping\.a: a set is no JSON value"),
        ({"mapping": 5}, "mapping: a dict is expected, not an int"),
        ({"filters": "[]"}, "filters: a list of filters is expected, not a str"),
        ({"filters": [{"a": b""}]}, r"filters\[0\]\.a: a bytes is no JSON value"),
        ({"filters": {1, 2}}, "filters: a list of filters is expected, not a set"),
        (
            {"error_localizer": 1},
            "error_localizer: True or False is expected, not an int",
        ),
    ],
)
def test_a_value_that_could_never_be_accepted_is_rejected_by_name(fields, problem):
    with pytest.raises(InvalidRequestError, match=f"^{problem}"):
        EvalConfig(**{"template_id": TEMPLATE} | fields)


def test_a_name_of_255_characters_is_taken():
    assert EvalConfig(TEMPLATE, f" {'x' * 255} ").name == f" {'x' * 255} "


@pytest.mark.parametrize("make", [EvalConfig.from_dict, lambda v: EvalConfig(**v)])
def test_the_model_is_trimmed_as_the_service_does(make):
    config = make({"template_id": TEMPLATE, "model": f"\n{'x' * 255} "})

    assert config.model == "x" * 255
    assert json.loads(config.encoded)["model"] == "x" * 255
    assert config == EvalConfig(TEMPLATE, model="x" * 255)


def test_a_plain_dict_makes_a_config():
    assert EvalConfig.from_dict(ALL_FIELDS) == EvalConfig(**ALL_FIELDS)


@given(
    fields_of_a_config,
    st.dictionaries(st.sampled_from(sorted(ALL_FIELDS)), not_plain, max_size=2),
    st.randoms(use_true_random=False),
)
def test_a_dict_makes_what_its_fields_make_one_by_one(fields, odd, random):
    values = list((fields | odd).items())
    random.shuffle(values)

    def made(make):
        try:
            config = make()
        except InvalidRequestError as error:
            return str(error)
        return repr(config), config.encoded, hash(config)

    assert made(lambda: EvalConfig.from_dict(dict(values))) == made(
        lambda: EvalConfig(**dict(values))
    )


def test_a_dict_makes_a_config_that_cannot_be_changed_and_shares_nothing():
    values = copy.deepcopy(ALL_FIELDS)
    config = EvalConfig.from_dict(values)

    values["config"]["params"]["keyword"] = "refund"

    assert config == EvalConfig(**ALL_FIELDS)
    assert type(config) is EvalConfig
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        config.name = "other"


def test_a_dict_makes_the_class_that_it_was_asked_of():
    kind = type("Ours", (EvalConfig,), {})

    assert type(kind.from_dict(ALL_FIELDS)) is kind


def test_any_mapping_makes_a_config():
    assert EvalConfig.from_dict(MappingProxyType(ALL_FIELDS)).name == "tone"


def test_an_unknown_key_is_named_with_what_was_probably_meant():
    with pytest.raises(InvalidRequestError) as caught:
        EvalConfig.from_dict({"templateId": TEMPLATE})

    assert str(caught.value) == (
        "unknown key 'templateId' (did you mean template_id?); an eval config has "
        "template_id, name, config, mapping, filters, error_localizer, model"
    )


def test_all_unknown_keys_are_named():
    with pytest.raises(
        InvalidRequestError, match=r"^unknown keys 'errorLocaliser' \(.*\), 'x', 5; an"
    ):
        EvalConfig.from_dict({"errorLocaliser": True, "x": 1, 5: 1, **ALL_FIELDS})


@pytest.mark.parametrize("values", [{}, {"template_id": None}, {"name": "tone"}])
def test_a_dict_without_a_template_is_reported_so(values):
    with pytest.raises(InvalidRequestError, match=r"^template_id: missing"):
        EvalConfig.from_dict(values)


@pytest.mark.parametrize(
    ("values", "named"), [(TEMPLATE, "a str"), (None, "None"), ([TEMPLATE], "a list")]
)
def test_what_is_no_dict_makes_no_config(values, named):
    with pytest.raises(
        InvalidRequestError, match=f"^an eval config is a dict .*, not {named}$"
    ):
        EvalConfig.from_dict(values)


def test_what_is_wrong_with_an_item_is_said_with_its_index():
    items = [{"template_id": TEMPLATE}, {"template_id": TEMPLATE, "nmae": "a"}]

    with pytest.raises(
        InvalidRequestError,
        match=r"^evaluations_config\[1\]: unknown key 'nmae' \(did you mean name\?\)",
    ):
        AddEvalConfigs(RUN_TEST, items)


def test_what_is_wrong_deep_in_an_item_is_said_with_its_place():
    items = [
        ALL_FIELDS,
        ALL_FIELDS | {"name": "b", "config": {"n": [0.0, float("inf")]}},
    ]

    with pytest.raises(InvalidRequestError) as caught:
        AddEvalConfigs(RUN_TEST, items)

    assert str(caught.value) == (
        "evaluations_config[1]: config.n[1]: inf is no JSON number"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"name": "tone"}, {"name": "tone"}),
        ({"name": "tone"}, {"name": "  tone\n"}),
        ({}, {}),
        ({}, {"name": " "}),
        ({}, {"name": f"Eval-{TEMPLATE}"}),
        ({"template_id": uuid.UUID(TEMPLATE).hex}, {}),
    ],
)
def test_two_configs_that_would_take_one_name_are_rejected_by_index(first, second):
    middle = {"template_id": TEMPLATE, "name": "other"}
    base = {"template_id": TEMPLATE}

    with pytest.raises(
        InvalidRequestError,
        match=r"^evaluations_config\[2\]: the name .* is that of evaluations_config\[0\]",
    ):
        AddEvalConfigs(RUN_TEST, [base | first, middle, base | second])


def test_names_that_differ_in_case_or_template_are_different():
    items = [
        EvalConfig(TEMPLATE, "tone"),
        EvalConfig(TEMPLATE, "Tone"),
        EvalConfig(TEMPLATE),
        EvalConfig(OTHER),
    ]

    assert len(AddEvalConfigs(RUN_TEST, items).evaluations_config) == 4


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ([], "the list is empty; at least one is expected"),
        ((each for each in ()), "the list is empty"),
        (TEMPLATE, "a list of eval configs is expected, not a str"),
        (ALL_FIELDS, "a list of eval configs is expected, not a dict"),
        (EvalConfig(TEMPLATE), "a list of eval configs is expected, not an EvalConfig"),
        (None, "a list of eval configs is expected, not None"),
    ],
)
def test_a_list_of_configs_is_wanted(values, problem):
    with pytest.raises(InvalidRequestError, match=f"^evaluations_config: {problem}"):
        AddEvalConfigs(RUN_TEST, values)


def test_any_iterable_of_configs_will_do():
    request = AddEvalConfigs(RUN_TEST, (EvalConfig(TEMPLATE, n) for n in "ab"))

    assert [each.name for each in request.evaluations_config] == ["a", "b"]


def test_a_bad_run_test_id_is_rejected():
    with pytest.raises(InvalidRequestError, match=r"^run_test_id: 'abc' is no UUID"):
        AddEvalConfigs("abc", [EvalConfig(TEMPLATE)])


def test_requests_for_many_run_tests_share_their_configs():
    first, second = requests_for([RUN_TEST, uuid.UUID(OTHER)], [ALL_FIELDS])

    assert (first.run_test_id, second.run_test_id) == (RUN_TEST, OTHER)
    assert first.body is second.body


def test_a_bad_id_in_a_list_of_run_tests_is_named_before_anything_is_sent():
    with pytest.raises(
        InvalidRequestError, match=r"^run_test_ids\[1\]: run_test_id: 'abc' is no UUID"
    ):
        requests_for([RUN_TEST, "abc"], [ALL_FIELDS])


def test_a_bad_id_of_a_generator_takes_the_place_of_its_request():
    requests = requests_for(iter([RUN_TEST, "abc", OTHER]), [ALL_FIELDS])

    good, bad, last = requests
    assert (good.run_test_id, last.run_test_id) == (RUN_TEST, OTHER)
    assert type(bad) is InvalidItem
    assert str(bad.error).startswith("run_test_ids[1]: run_test_id: 'abc' is no UUID")


def test_a_bad_config_is_rejected_before_any_run_test_is_read():
    unreadable = (1 // 0 for _ in [RUN_TEST])

    with pytest.raises(InvalidRequestError, match=r"^evaluations_config\[0\]: "):
        requests_for(unreadable, [{}])


def test_checked_configs_are_not_checked_again():
    checked = validate_eval_configs([ALL_FIELDS])

    assert validate_eval_configs(checked) is checked


def test_requests_are_values():
    first = AddEvalConfigs(RUN_TEST, [ALL_FIELDS])
    second = AddEvalConfigs(RUN_TEST.upper(), [EvalConfig(**ALL_FIELDS)])

    assert first == second
    assert hash(first) == hash(second)
    assert first != AddEvalConfigs(OTHER, [ALL_FIELDS])


def test_requests_cannot_be_changed():
    request = AddEvalConfigs(RUN_TEST, [ALL_FIELDS])

    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.run_test_id = OTHER
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        request.evaluations_config[0].name = "other"


@pytest.mark.parametrize(
    "travel", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))]
)
def test_a_request_travels_with_its_body(travel):
    request = AddEvalConfigs(RUN_TEST, [ALL_FIELDS])

    copied = travel(request)

    assert copied == request
    assert copied.body == request.body


def test_a_request_shows_what_is_asked():
    shown = repr(AddEvalConfigs(RUN_TEST, [EvalConfig(TEMPLATE, "tone")]))

    assert RUN_TEST in shown
    assert "name='tone'" in shown
    assert "encoded" not in shown


def test_a_config_is_kept_as_it_was_sent():
    assert EvalConfig(**ALL_FIELDS).matches(created())
    assert EvalConfig(TEMPLATE, " tone ").matches(created())
    assert EvalConfig(TEMPLATE).matches(created(name=f"Eval-{TEMPLATE}"))


@pytest.mark.parametrize("sent", [{}, []])
@pytest.mark.parametrize("kept", [None, {}, []])
def test_what_is_empty_is_kept_as_whatever_is_empty(sent, kept):
    config = EvalConfig(TEMPLATE, "tone", config={}, mapping={}, filters=sent)

    assert config.matches(created(config=kept, mapping=kept, filters=kept))


@pytest.mark.parametrize("field", ["config", "mapping", "filters"])
def test_what_is_empty_is_not_kept_as_what_is_not(field):
    assert not EvalConfig(TEMPLATE, "tone", **{field: {}}).matches(created())


def test_a_flag_that_is_off_is_not_kept_as_one_that_is_on():
    assert not EvalConfig(TEMPLATE, "tone", error_localizer=False).matches(created())


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Tone"},
        {"template_id": OTHER},
        {"config": {}},
        {"mapping": None},
        {"filters": {}},
        {"error_localizer": False},
        {"model": None},
    ],
)
def test_a_config_that_differs_in_what_was_sent_is_another(changes):
    assert not EvalConfig(**ALL_FIELDS).matches(created(**changes))


def test_results_are_values():
    def result(raw):
        return AddEvalConfigsResult(
            raw=raw,
            message="ok",
            created_eval_configs=(created(),),
            run_test_id=RUN_TEST,
        )

    assert result({}) == result({"new": 1})
    assert len({result({}), result({"new": 1})}) == 1
    assert created() != created(config={})
