"""What one eval config gave for one call: its state, and that nothing breaks it."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from futureagi_async.types import EvalOutput, EvalOutputStatus


PENDING, DONE, FAILED, SKIPPED = EvalOutputStatus
WHOLE = {
    "value": "Passed",
    "reason": "it was polite",
    "type": "Pass/Fail",
    "name": "tone",
    "error": False,
    "status": "Completed",
    "skipped": False,
}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("entry", "state"),
    [
        (None, PENDING),
        ({}, PENDING),
        ({"status": "pending"}, PENDING),
        ({"status": "Running", "value": None}, PENDING),
        (WHOLE, DONE),
        ({"value": 0.0}, DONE),
        ({"value": False}, DONE),
        ({"value": ""}, DONE),
        ({"value": 1, "status": "running"}, DONE),
        (WHOLE | {"error": True, "status": "Failed", "value": None}, FAILED),
        (WHOLE | {"error": True}, FAILED),
        ({"status": "Failed"}, FAILED),
        ({"status": "failed", "value": "Passed"}, FAILED),
        (WHOLE | {"value": None}, FAILED),
        ({"strange": 1}, FAILED),
        (WHOLE | {"skipped": True, "value": None, "status": "skipped"}, SKIPPED),
        ({"skipped": True}, SKIPPED),
        ({"status": "Skipped"}, SKIPPED),
        ({"skipped": True, "error": True}, SKIPPED),
        ({"skipped": "yes", "error": "no", "value": 1}, DONE),
        ("Passed", DONE),
        ([1], DONE),
        (0, DONE),
    ],
)
def test_the_state_follows_from_what_the_service_keeps(entry, state):
    assert EvalOutput.from_wire(entry).status is state


def test_a_result_is_read_field_by_field():
    output = EvalOutput.from_wire(WHOLE)

    assert output == EvalOutput(
        status=DONE,
        value="Passed",
        reason="it was polite",
        type="Pass/Fail",
        name="tone",
        raw=WHOLE,
    )
    assert output.raw is WHOLE


@pytest.mark.parametrize("strange", [5, None, [], {}, True])
@pytest.mark.parametrize("field", ["reason", "type", "name"])
def test_a_field_that_is_no_text_is_none_and_stays_in_raw(field, strange):
    output = EvalOutput.from_wire(WHOLE | {field: strange})

    assert getattr(output, field) is None
    assert output.raw[field] == strange
    assert output.status is DONE


@pytest.mark.parametrize("entry", ["Passed", 0.5, [1, 2], True])
def test_what_is_no_object_is_the_value_itself(entry):
    output = EvalOutput.from_wire(entry)

    assert output.value == entry
    assert output.raw == {"value": entry}


@pytest.mark.parametrize("entry", [None, {}])
def test_what_is_pending_has_nothing(entry):
    assert EvalOutput.from_wire(entry) == EvalOutput(status=PENDING)


@given(json_values)
def test_nothing_that_json_can_say_breaks_the_reading(entry):
    output = EvalOutput.from_wire(entry)

    assert output.status in EvalOutputStatus
    assert isinstance(output.raw, dict)
    assert isinstance(hash(output), int)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(WHOLE, json_values)),
)
def test_known_fields_of_any_kind_do_not_break_it_either(entry):
    assert EvalOutput.from_wire(entry).status in EvalOutputStatus
