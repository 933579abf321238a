"""States: the same in any case, tolerant of those that nobody knows, and light."""

from __future__ import annotations

import copy
import doctest
import gc
import json
import pickle
import weakref

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from futureagi_async import Status
from futureagi_async.endpoints import status as module


@pytest.mark.parametrize("state", Status)
def test_a_state_is_the_same_member_in_any_case(state):
    for text in (state.value, state.value.upper(), state.value.title()):
        assert Status(text) is state
        assert Status.from_wire(text) is state


def test_a_state_is_its_text_in_lower_case():
    assert Status.COMPLETED == "completed"
    assert f"{Status.COMPLETED}" == "completed"
    assert all(state == state.value == state.lower() for state in Status)


@given(st.text())
def test_any_text_is_a_state_and_equals_itself_in_lower_case(text):
    state = Status(text)

    assert type(state) is Status
    assert state == text.lower()
    assert state.value == text.lower()
    assert hash(state) == hash(text.lower())
    assert state.is_known is (text.lower() in {each.value for each in Status})
    assert Status(state) == state


def test_a_state_that_is_not_known_says_so_and_is_no_member():
    paused = Status("Paused")

    assert not paused.is_known
    assert paused not in list(Status)
    assert paused == Status("PAUSED")
    assert paused != Status.PENDING
    assert repr(paused) == "<Status.PAUSED: 'paused'>"
    assert {paused: 1}["paused"] == 1


@pytest.mark.parametrize("text", ["Completed", "Paused"])
@pytest.mark.parametrize(
    "again",
    [
        copy.copy,
        copy.deepcopy,
        *(
            lambda state, protocol=protocol: pickle.loads(pickle.dumps(state, protocol))
            for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
        ),
    ],
)
def test_a_state_travels(text, again):
    state = Status(text)

    arrived = again(state)

    assert type(arrived) is Status
    assert arrived == state
    assert arrived.is_known is state.is_known


def test_a_state_is_written_as_its_text():
    states = [Status.FAILED, Status("Paused")]

    assert orjson.loads(orjson.dumps(states)) == ["failed", "paused"]
    assert json.loads(json.dumps(states)) == ["failed", "paused"]


def test_a_state_that_is_not_known_is_not_kept():
    before = len(Status._value2member_map_)
    vanishing = weakref.ref(Status("vanishing"))
    gc.collect()

    assert vanishing() is None
    assert len(Status._value2member_map_) == before


@pytest.mark.parametrize("value", [None, 5, True, [], {}, b"completed"])
def test_what_is_no_text_is_no_state(value):
    with pytest.raises(ValueError, match="is not a valid Status"):
        Status(value)
    with pytest.raises(TypeError, match=r"^text belongs here, not "):
        Status.from_wire(value)


def test_the_example_does_what_it_says():
    results = doctest.testmod(module)

    assert results.attempted > 0
    assert results.failed == 0
