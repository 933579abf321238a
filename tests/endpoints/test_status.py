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
from hypothesis import given, strategies as st

from futureagi_async.endpoints import status as module
from futureagi_async.types import ExecutionStatus


@pytest.mark.parametrize("state", ExecutionStatus)
def test_a_state_is_the_same_member_in_any_case(state):
    for text in (state.value, state.value.upper(), state.value.title()):
        assert ExecutionStatus(text) is state
        assert ExecutionStatus.from_wire(text) is state


def test_a_state_is_its_text_in_lower_case():
    assert ExecutionStatus.COMPLETED == "completed"
    assert f"{ExecutionStatus.COMPLETED}" == "completed"
    assert all(state == state.value == state.lower() for state in ExecutionStatus)


@given(st.text())
def test_any_text_is_a_state_and_equals_itself_in_lower_case(text):
    state = ExecutionStatus(text)

    assert type(state) is ExecutionStatus
    assert state == text.lower()
    assert state.value == text.lower()
    assert hash(state) == hash(text.lower())
    assert state.is_known is (text.lower() in {each.value for each in ExecutionStatus})
    assert ExecutionStatus(state) == state


def test_a_state_that_is_not_known_says_so_and_is_no_member():
    paused = ExecutionStatus("Paused")

    assert not paused.is_known
    assert paused not in list(ExecutionStatus)
    assert paused == ExecutionStatus("PAUSED")
    assert paused != ExecutionStatus.PENDING
    assert repr(paused) == "<ExecutionStatus.PAUSED: 'paused'>"
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
    state = ExecutionStatus(text)

    arrived = again(state)

    assert type(arrived) is ExecutionStatus
    assert arrived == state
    assert arrived.is_known is state.is_known


def test_a_state_is_written_as_its_text():
    states = [ExecutionStatus.FAILED, ExecutionStatus("Paused")]

    assert orjson.loads(orjson.dumps(states)) == ["failed", "paused"]
    assert json.loads(json.dumps(states)) == ["failed", "paused"]


def test_a_state_that_is_not_known_is_not_kept():
    before = len(ExecutionStatus._value2member_map_)
    vanishing = weakref.ref(ExecutionStatus("vanishing"))
    gc.collect()

    assert vanishing() is None
    assert len(ExecutionStatus._value2member_map_) == before


@pytest.mark.parametrize("value", [None, 5, True, [], {}, b"completed"])
def test_what_is_no_text_is_no_state(value):
    with pytest.raises(ValueError, match="is not a valid ExecutionStatus"):
        ExecutionStatus(value)
    with pytest.raises(TypeError, match=r"^text belongs here, not "):
        ExecutionStatus.from_wire(value)


def test_the_example_does_what_it_says():
    results = doctest.testmod(module)

    assert results.attempted > 0
    assert results.failed == 0
