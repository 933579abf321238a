"""What the fields of a request may hold."""

from __future__ import annotations

import enum
import math
import string
import uuid
from types import MappingProxyType

import attrs
import orjson
import pytest
from hypothesis import given, strategies as st

from futureagi_async.errors import InvalidRequestError
from futureagi_async.model import validation
from futureagi_async.model.resource import IdentifiesEvalConfig


ID = "b968b200-c57b-5aca-9c9f-60672e3183e7"

json_leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
json_values = st.recursive(
    json_leaves,
    lambda each: (
        st.lists(each)
        | st.lists(each).map(tuple)
        | st.dictionaries(st.text(), each)
        | st.dictionaries(st.text(), each).map(MappingProxyType)
    ),
    max_leaves=20,
)
not_json = (
    st.sampled_from([math.nan, math.inf, -math.inf, b"bytes", {1, 2}, 1j, object()])
    | st.integers(min_value=2**64)
    | st.integers(max_value=-(2**63) - 1)
    | st.uuids()
    | st.sampled_from(enum.Enum("Level", {"HIGH": 1, "LOW": "low"}))
    | st.sampled_from([orjson.Fragment(b"{}"), orjson.Fragment(b"{")])
    | st.just(attrs.make_class("Params", ["a"])(1))
    | st.datetimes()
    | st.dictionaries(
        st.integers() | st.none() | st.booleans(), json_leaves, min_size=1
    )
    | st.characters(categories=["Cs"])
)
HOLDERS = [
    lambda value: value,
    lambda value: [value],
    lambda value: {"a": value},
    lambda value: (0, {"b": [value]}),
]


class Named(str, enum.Enum):  # noqa: UP042 - the spelling that str() shows otherwise
    """Text that `str` does not give back."""

    ID = ID


def plain(value):
    """Say in dicts and lists what a JSON value says."""
    match value:
        case list() | tuple():
            return [plain(each) for each in value]
        case dict() | MappingProxyType():
            return {key: plain(each) for key, each in value.items()}
        case _:
            return value


def spellings(canonical: str) -> list[str]:
    bare = canonical.replace("-", "")
    return [
        form
        for text in (canonical, bare)
        for wrapped in (text, f"{{{text}}}", f"urn:uuid:{text}", f"urn:uuid:{{{text}}}")
        for form in (wrapped, wrapped.upper(), wrapped.title())
    ]


@given(st.uuids())
def test_every_spelling_of_a_uuid_comes_out_canonical(value):
    canonical = str(value)

    read = {validation.uuid_text(each, "id") for each in spellings(canonical)}

    assert read == {canonical}
    assert validation.uuid_text(value, "id") == canonical


@given(
    st.text()
    | st.text(string.hexdigits + "-{}", min_size=30, max_size=40)
    | st.uuids().map(str).flatmap(lambda each: st.sampled_from(spellings(each)))
)
def test_text_is_either_a_uuid_or_rejected(text):
    try:
        read = validation.uuid_text(text, "id")
    except InvalidRequestError:
        return

    assert uuid.UUID(text.lower()) == uuid.UUID(read)


@pytest.mark.parametrize(
    "text",
    [
        f"{ID} ",
        f" {ID}",
        f"{ID}\n",
        f"{{{ID}",
        f"{ID}}}",
        ID[:-1],
        f"{ID}0",
        ID.replace("-", "", 1),
        ID.replace("b", "g", 1),
        ID.replace("9", "٩", 1),
        "abc",
        "None",
        "../../admin",
    ],
)
def test_what_is_nearly_a_uuid_is_rejected(text):
    with pytest.raises(InvalidRequestError, match=r"^id: .* is no UUID"):
        validation.uuid_text(text, "id")


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_an_empty_id_is_called_empty(text):
    with pytest.raises(InvalidRequestError, match=r"^id: is empty; an id"):
        validation.uuid_text(text, "id")


@pytest.mark.parametrize(
    ("value", "named"),
    [(None, "None"), (5, "an int"), (b"x", "a bytes"), ([ID], "a list")],
)
def test_what_is_no_id_at_all_is_named(value, named):
    with pytest.raises(InvalidRequestError, match=f"^id: .*not {named}$"):
        validation.uuid_text(value, "id")


def test_an_id_that_is_a_text_enum_gives_its_text():
    read = validation.uuid_text(Named.ID, "id")

    assert read == ID
    assert type(read) is str


def test_a_run_test_id_is_named_as_such():
    with pytest.raises(InvalidRequestError, match=r"^run_test_id: "):
        validation.run_test_id("abc")


def test_a_long_value_is_shown_cut():
    with pytest.raises(InvalidRequestError) as caught:
        validation.uuid_text("x" * 1000, "id")

    assert len(str(caught.value)) < 150


def test_ids_are_read_from_any_iterable():
    ids = (each for each in [ID.upper(), uuid.UUID(ID)])

    assert validation.resource_ids(ids, "ids", IdentifiesEvalConfig) == (ID, ID)


@given(st.lists(st.uuids(), unique=True), st.randoms())
def test_the_ids_of_a_set_are_sorted_however_they_are_spelled(ids, random):
    given_as = {random.choice([each, *spellings(str(each))]) for each in ids}

    assert validation.resource_ids(given_as, "ids", IdentifiesEvalConfig) == tuple(
        sorted(map(str, ids))
    )
    assert validation.resource_ids(
        frozenset(ids), "ids", IdentifiesEvalConfig
    ) == tuple(sorted(map(str, ids)))


@given(st.lists(st.uuids()), st.sampled_from([list, tuple, iter]))
def test_the_ids_of_a_list_keep_their_order(ids, given_as):
    assert validation.resource_ids(given_as(ids), "ids", IdentifiesEvalConfig) == tuple(
        map(str, ids)
    )


@given(st.sets(st.text()))
def test_the_items_of_a_set_are_sorted(names):
    assert validation.as_list(names, "names", "names") == sorted(names)


def test_a_bad_id_of_a_list_is_named_by_its_index():
    with pytest.raises(InvalidRequestError, match=r"^ids\[1\]: 'abc' is no UUID"):
        validation.resource_ids([ID, "abc"], "ids", IdentifiesEvalConfig)


@pytest.mark.parametrize("value", [ID, ID.encode(), {ID: 1}, None, 5, uuid.UUID(ID)])
def test_a_single_value_is_no_list(value):
    with pytest.raises(
        InvalidRequestError, match=r"^ids: a list of ids is expected, not "
    ):
        validation.resource_ids(value, "ids", IdentifiesEvalConfig)


@pytest.mark.parametrize("value", [True, False, None])
def test_a_flag_may_be_true_false_or_left_out(value):
    assert validation.optional_bool(value, "x") is value


@pytest.mark.parametrize("value", [0, 1, "true", "", []])
def test_a_flag_is_nothing_else(value):
    with pytest.raises(
        InvalidRequestError, match=r"^x: True or False is expected, not a"
    ):
        validation.optional_bool(value, "x")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_text_is_taken_as_it_is_given(text):
    assert validation.bounded_text(text, "name", max_length=10**6) == text


def test_text_may_be_left_out():
    assert validation.bounded_text(None, "name", max_length=3) is None


def test_text_is_measured_without_the_space_around_it():
    assert validation.bounded_text("  ä€😀 ", "name", max_length=3) == "  ä€😀 "


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("abcd", "4 characters; the service accepts at most 3"),
        ("a\0", "the service accepts no null characters"),
        ("a\ud800", "character 2 is half of a surrogate pair"),
        (5, "text is expected, not an int"),
        (b"a", "text is expected, not a bytes"),
    ],
)
def test_text_that_the_service_cannot_take_is_rejected(value, problem):
    with pytest.raises(InvalidRequestError, match=f"^name: {problem}"):
        validation.bounded_text(value, "name", max_length=3)


@given(json_values)
def test_what_json_can_say_is_copied_and_encodes_to_the_same(value):
    copied = validation.copy_json(value, "config")

    assert copied == plain(value)
    assert orjson.loads(orjson.dumps(copied)) == plain(value)


@given(not_json, st.sampled_from(HOLDERS))
def test_what_json_cannot_say_is_rejected_wherever_it_stands(value, held):
    with pytest.raises(InvalidRequestError, match=r"^config(\.|\[|:)"):
        validation.copy_json(held(value), "config")


@pytest.mark.parametrize("value", [-(2**63), 2**64 - 1])
def test_the_outermost_integers_of_64_bits_are_taken(value):
    assert orjson.loads(orjson.dumps(validation.copy_json(value, "config"))) == value


@pytest.mark.parametrize("value", [-(2**63) - 1, 2**64])
def test_an_integer_beyond_64_bits_is_rejected(value):
    with pytest.raises(InvalidRequestError, match="the integer has more than 64 bits"):
        validation.copy_json(value, "config")


def test_the_place_of_a_bad_value_is_named():
    value = {"params": {"weights": [0.5, math.nan]}}

    with pytest.raises(InvalidRequestError) as caught:
        validation.copy_json(value, "config")

    assert str(caught.value) == "config.params.weights[1]: nan is no JSON number"


def test_the_place_of_a_bad_value_is_cut_when_it_is_deep():
    value = {"a" * 200: math.inf}

    with pytest.raises(InvalidRequestError, match=r"^config\.a{59}…: inf is no"):
        validation.copy_json(value, "config")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (2**64, "the integer has more than 64 bits"),
        ({1: "a"}, "the key 1 is an int; JSON has text keys only"),
        ({None: "a"}, "the key None is None; JSON has text keys only"),
        ({"\udfff": 1}, "character 1 is half of a surrogate pair"),
        ({1, 2}, "a set is no JSON value; turn it into"),
        (uuid.UUID(ID), "a UUID is no JSON value"),
    ],
)
def test_a_bad_value_is_reported_with_what_is_wrong(value, problem):
    with pytest.raises(InvalidRequestError, match=f"^config: {problem}"):
        validation.copy_json(value, "config")


def test_a_value_that_holds_itself_is_rejected():
    value = []
    value.append(value)

    with pytest.raises(InvalidRequestError, match="nested more than 100 levels deep"):
        validation.copy_json(value, "config")


@pytest.mark.parametrize(("levels", "is_taken"), [(100, True), (101, False)])
def test_nesting_ends_at_a_hundred_levels(levels, is_taken):
    value = 1
    for _ in range(levels):
        value = [value]

    try:
        validation.copy_json(value, "config")
    except InvalidRequestError:
        assert not is_taken
    else:
        assert is_taken


@pytest.mark.parametrize("value", [[{}] * 200, ["[" * 200], {"a": "{" * 200}])
def test_many_brackets_are_not_many_levels(value):
    assert validation.copy_json(value, "config") == value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Named.ID, str),
        (enum.IntEnum("Count", ["one"]).one, int),
        (type("Seconds", (float,), {})(1.5), float),
        (type("Defaults", (dict,), {})(a=1), dict),
        ((1, 2), list),
    ],
)
def test_subclasses_come_out_as_what_json_has(value, kind):
    assert type(validation.copy_json(value, "config")) is kind


def test_keys_that_are_text_enums_come_out_as_text():
    (key,) = validation.copy_json({Named.ID: 1}, "config")

    assert type(key) is str


def test_changing_the_original_changes_nothing():
    original = {"params": {"words": ["a"]}}
    copied = validation.copy_json_object(original, "config")

    original["params"]["words"].append("b")

    assert copied == {"params": {"words": ["a"]}}


def test_an_object_may_be_left_out():
    assert validation.copy_json_object(None, "config") is None


@pytest.mark.parametrize("value", [[], "{}", 0, False])
def test_an_object_is_a_mapping(value):
    with pytest.raises(
        InvalidRequestError, match=r"^config: a dict is expected, not a"
    ):
        validation.copy_json_object(value, "config")


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_text_is_given_as_it_is(text):
    assert validation.valid_text(text, "search") == text


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "text is expected, not None"),
        (5, "text is expected, not an int"),
        (b"x", "text is expected, not a bytes"),
        (["x"], "text is expected, not a list"),
        ("a\0", "the service accepts no null characters"),
        ("a\ud800", "character 2 is half of a surrogate pair"),
    ],
)
@pytest.mark.parametrize("check", [validation.valid_text, validation.non_blank_text])
def test_what_the_service_cannot_take_as_text_is_rejected(check, value, problem):
    with pytest.raises(InvalidRequestError, match=f"^search: {problem}"):
        check(value, "search")


def test_text_that_says_something_is_trimmed():
    assert validation.non_blank_text("  tone\n", "name") == "tone"


@pytest.mark.parametrize("blank", ["", "  ", "\n\t"])
def test_text_that_says_nothing_is_rejected(blank):
    with pytest.raises(InvalidRequestError, match=r"^name: is blank$"):
        validation.non_blank_text(blank, "name")
