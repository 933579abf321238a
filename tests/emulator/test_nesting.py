"""JSON that is nested deeper than Python's recursion reaches."""

from __future__ import annotations

import json

import pytest
from emulator_small_world import CONTAINS, EMPTY, path_of
from hypothesis import assume, given, strategies as st

from futureagi_async.emulator.rules.content import _classic_text
from futureagi_async.emulator.rules.nesting import (
    decode_nested,
    encode_nested,
    leaves,
)


DECODER = json.JSONDecoder()

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def outcome(parse, text):
    """Return what a parser makes of a text, or what it has against it."""
    try:
        return repr(parse(text))
    except json.JSONDecodeError as error:
        return str(error)


@given(VALUES, st.sampled_from([None, 1]))
def test_it_reads_what_pythons_parser_reads(value, indent):
    text = json.dumps(value, indent=indent)

    assert decode_nested(text, DECODER) == json.loads(text)


@given(VALUES)
def test_what_it_writes_is_read_back(value):
    assert json.loads(encode_nested(value)) == value


@given(VALUES.map(json.dumps), st.integers(0, 40), st.sampled_from(' ,:[]{}"1n'))
def test_it_rejects_what_pythons_parser_rejects_in_the_same_words(text, at, strange):
    text = f"{text[:at]}{strange}{text[at:]}"

    # Newer parsers have words of their own for a trailing comma.
    assume("Illegal trailing comma" not in outcome(json.loads, text))
    assert outcome(lambda each: decode_nested(each, DECODER), text) == outcome(
        json.loads, text
    )


@pytest.mark.parametrize(
    "text", ["[", "[1", "[1,", "{", '{"a"', '{"a":', '{"a":1,', ""]
)
def test_an_end_that_comes_too_early_is_an_error(text):
    with pytest.raises(json.JSONDecodeError):
        decode_nested(text, DECODER)


def test_a_lone_surrogate_cannot_be_written():
    with pytest.raises(UnicodeEncodeError):
        encode_nested(["\ud800"])


def test_all_keys_and_values_are_leaves():
    value = {"a": [1, {"b": None}], "c": []}

    assert sorted(map(str, leaves(value))) == ["1", "None", "a", "b", "c"]


def nested(depth, opening, end):
    """Return a request that adds a config with so many levels."""
    inside = opening * depth + "1" + end * depth
    item = (
        f'{{"template_id": "{CONTAINS}", "name": "deep", "config": {{"x": {inside}}}}}'
    )
    return f'{{"evaluations_config": [{item}]}}'.encode()


BRACKETS = [("[", "]"), ('{"a":', "}")]


@pytest.mark.parametrize(("opening", "end"), BRACKETS)
@pytest.mark.parametrize("depth", [200, 980, 4_900])
def test_a_config_may_be_nested_thousands_of_levels_deep(ask, depth, opening, end):
    path = path_of(EMPTY, "eval-configs/")

    added = ask("POST", path, raw=nested(depth, opening, end))
    read = ask.get(path_of(EMPTY))

    assert added.status == 201
    assert read.status == 200
    assert opening * depth + "1" + end * depth in read.text


@pytest.mark.parametrize(("opening", "end"), BRACKETS)
def test_a_config_that_is_nested_too_deep_is_a_500_below_the_api(ask, opening, end):
    reply = ask(
        "POST", path_of(EMPTY, "eval-configs/"), raw=nested(5_000, opening, end)
    )

    assert (reply.status, reply.content_type[:9]) == (500, "text/html")


def test_numbers_beyond_64_bits_are_kept(ask):
    config = {"x": 2**70, "y": [1.5, True, None, "ü"]}

    ask.add(EMPTY, {"template_id": CONTAINS, "config": config})

    assert ask.get(path_of(EMPTY)).json["evals_detail"][0]["config"] == config


def test_a_missing_byte_order_mark_is_worded_as_by_an_older_python():
    reason = "Stream does not start with BOM"
    newer = UnicodeDecodeError("utf-16", b"{}", 0, 1, reason)

    assert _classic_text(newer) == "UTF-16 stream does not start with BOM"
    assert _classic_text(ValueError("no")) == "no"
