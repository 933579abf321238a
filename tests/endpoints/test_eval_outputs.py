"""What one eval config gave for one call: its state, and that nothing breaks it."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given, strategies as st

from futureagi_async.endpoints.eval_output import choices_label, read_choices
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
STORED = {
    "output": "Passed",
    "output_type": "Pass/Fail",
    "name": "tone",
    "reason": "so",
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
        (WHOLE | {"value": None}, DONE),
        ({"strange": 1}, DONE),
        (STORED, DONE),
        (STORED | {"output": None}, DONE),
        (STORED | {"output": None, "error": "error"}, FAILED),
        (STORED | {"output": None, "error": "error", "status": "Failed"}, FAILED),
        (STORED | {"output": None, "error": True}, FAILED),
        (STORED | {"output": None, "status": "error"}, FAILED),
        (STORED | {"output": None, "skipped": True, "status": "skipped"}, SKIPPED),
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


def test_a_stored_result_is_the_same_as_one_in_a_list_of_calls():
    listed = {"value": "Passed", "type": "Pass/Fail", "name": "tone", "reason": "so"}

    stored = EvalOutput.from_wire(STORED)

    assert attrs.evolve(stored, raw={}) == attrs.evolve(
        EvalOutput.from_wire(listed), raw={}
    )


def test_a_completed_evaluation_without_an_answer_has_no_value():
    output = EvalOutput.from_wire(STORED | {"output": None})

    assert (output.value, output.has_value) == (None, False)
    assert EvalOutput.from_wire(STORED | {"output": 0}).has_value


def test_a_value_of_a_failed_evaluation_is_not_one():
    output = EvalOutput.from_wire(WHOLE | {"error": True, "value": "Passed"})

    assert (output.value, output.has_value) == (None, False)


CHOICES = [
    ("Yes", ("Yes",)),
    (["Yes"], ("Yes",)),
    ({"score": 1.0, "choice": "Yes"}, ("Yes",)),
    ({"choice": "Yes"}, ("Yes",)),
    ("{'score': 1.0, 'choice': 'Yes'}", ("Yes",)),
    (["{'score': 1.0, 'choice': 'Yes'}"], ("Yes",)),
    (["price", "delivery"], ("price", "delivery")),
    ("['price', 'delivery']", ("price", "delivery")),
    ({"score": 0.4, "choices": ["price", "delivery"]}, ("price", "delivery")),
    ("{'score': 0.4, 'choices': ['price', 'delivery']}", ("price", "delivery")),
    ([], ()),
    ("[]", ()),
    ({}, ()),
    ({"score": 0.0, "choice": None}, ()),
    ({"score": 0.0, "choices": []}, ()),
    ([None], ()),
    ([3], ("3",)),
    (3, ("3",)),
    ([True], ("True",)),
    (True, ("True",)),
    ("", ("",)),
    ("{", ("{",)),
    ("[not Python]", ("[not Python]",)),
    ("{'a', 'b'}", ("{'a', 'b'}",)),
    ("[" * 5000 + "]" * 5000, ("[" * 5000 + "]" * 5000,)),
    (None, None),
]


@pytest.mark.parametrize(("stored", "choices"), CHOICES)
@pytest.mark.parametrize(
    ("value", "kind"), [("value", "type"), ("output", "output_type")]
)
def test_choices_are_a_tuple_in_whichever_form_they_come(value, kind, stored, choices):
    output = EvalOutput.from_wire(
        {value: stored, kind: "choices", "status": "Completed"}
    )

    assert output.status is DONE
    assert output.value == choices
    assert EvalOutput.from_dict(output.to_dict()) == output


@given(st.lists(st.text(min_size=1)))
def test_the_label_of_choices_is_read_as_these_choices(choices):
    read = read_choices(choices)

    assert read_choices(choices_label(read)) == read


@pytest.mark.parametrize(
    "reason",
    [
        "insufficient_credits: the monthly credits of this plan are used up",
        "Error 402: not enough credits left",
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "Quota exceeded for this organization",
        "USAGE_LIMIT_EXCEEDED",
        "usage limit reached",
        "The plan limit was reached",
        "Your account balance is exhausted",
        "ENTITLEMENT_DENIED",
        "Insufficient credits. Please recharge your account.",
        "Free tier allowance exhausted. Upgrade to Pay-as-you-go to continue.",
        "Resource limit reached for your current plan. Upgrade to increase limits.",
        "This feature is not available on your current plan.",
        "Usage paused by your budget rule. Raise or remove the budget to continue.",
        "A payment method is required. Please add a card to continue.",
        "Evaluation not started: out of credits",
    ],
)
def test_a_failure_says_that_a_limit_of_the_account_was_reached(reason):
    failed = {"error": True, "value": None, "reason": reason}

    assert EvalOutput.from_wire(failed).hit_limit
    assert not EvalOutput.from_wire(WHOLE | {"reason": reason}).hit_limit


@pytest.mark.parametrize(
    "reason",
    [
        None,
        "The evaluator did not answer.",
        "Rate limit reached for requests; try again in 20 s",
        "Rate limit reached. Please try again later or upgrade your plan.",
        "Too many requests. Please wait and retry.",
        "429: too many requests",
        "This model's maximum context length is 8192 tokens; the limit was exceeded",
        "The credit card number exceeded the expected length",
        "Column 'credits' is not available in the test scenario(s)",
        "The agent reached the caller. Credits were not mentioned.",
        "timeout of 60 s reached",
    ],
)
def test_another_failure_says_nothing_about_limits_of_the_account(reason):
    failed = EvalOutput.from_wire({"error": True, "value": None, "reason": reason})

    assert failed.status is FAILED
    assert not failed.hit_limit
