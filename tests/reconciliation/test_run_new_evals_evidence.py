"""Readings of eval configs on a jumping clock: when, how often, and what they prove."""

from __future__ import annotations

import asyncio

import attrs
import pytest
from reconciling_service import (
    RulesSender,
    answered,
    client_of,
    failure,
    lost,
    now,
    on_a_jumping_clock,
    small_world,
)

from futureagi_async import (
    APIConnectionError,
    BadRequestError,
    Delivery,
    EvalConfig,
    NameConflictError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    Timeout,
)


# Filters are part of a complete eval config, and have tests of their warning.
pytestmark = pytest.mark.filterwarnings("ignore:filters.*never applies:UserWarning")

RUN_TEST = small_world().run_test_ids[0]
TEMPLATE, OTHER_TEMPLATE = small_world().template_ids[:2]
ABC = [EvalConfig(TEMPLATE, name) for name in "abc"]
A, B, C = ABC
STRANGE = EvalConfig("99999999-9999-4999-8999-999999999999", "strange")


def add(sender, *configs, **options):
    return client_of(sender, **options).add_eval_configs(RUN_TEST, configs)


def added(sender, *configs, **options):
    """The result of adding these configs."""
    return on_a_jumping_clock(add(sender, *configs, **options))


def refused(sender, *configs, **options):
    """The error of adding these configs."""
    return on_a_jumping_clock(failure(add(sender, *configs, **options)))


def having(*kept):
    """A sender in whose world the run test has these configs already."""
    sender = RulesSender(small_world())
    if kept:
        added(sender, *kept)
        sender.sent.clear()
    return sender


def rows(sender):
    """The eval configs that the run test has."""
    return sender.service.world.run_tests.get(RUN_TEST).eval_configs


def names(configs):
    return [each.name for each in configs]


def names_sent(write):
    return [part.split(b'"')[0].decode() for part in write.body.split(b'"name":"')[1:]]


@pytest.mark.parametrize("trouble", ["before", "after"])
def test_a_remaining_part_that_is_lost_as_well_is_reconciled_as_part_of_the_original(
    trouble,
):
    sender = having(A)
    sender.trouble.extend(["before", trouble])

    result = added(sender, *ABC)

    assert result.reconciled
    assert names(result.created_eval_configs) == ["a", "b", "c"]
    assert names(rows(sender)) == ["a", "b", "c"]
    assert {"".join(names_sent(each)) for each in sender.writes[1:]} == {"bc"}


def test_a_remaining_part_of_which_the_service_warns_keeps_the_warning():
    sender = having(B)
    sender.trouble.append("before")

    result = added(sender, A, B, STRANGE)

    assert names(result.created_eval_configs) == ["a", "b"]
    assert len(result.warnings) == 1


def test_a_remaining_part_of_which_nothing_can_be_created_leaves_a_success_with_warnings():
    sender = having()
    sender.trouble.append("after")
    stranger = attrs.evolve(STRANGE, name="stranger")

    result = added(sender, STRANGE, A, stranger, B)

    assert result.reconciled
    assert names(result.created_eval_configs) == ["a", "b"]
    assert [each.id for each in result.created_eval_configs] == [
        each.id for each in rows(sender)
    ]
    assert result.warnings == tuple(
        f"{name!r} with template {STRANGE.template_id}: "
        "Failed to create any evaluation configs"
        for name in ("strange", "stranger")
    )
    assert result.raw["warnings"] == list(result.warnings)
    assert result.request_id == "of-the-answer"
    assert [names_sent(each) for each in sender.writes[1:]] == [["strange", "stranger"]]


def test_a_request_of_which_nothing_can_be_created_stays_rejected_when_it_is_sent_again():
    sender = having(A)
    sender.trouble.append("after")

    error = refused(sender, STRANGE)

    assert type(error) is BadRequestError
    assert error.delivery is Delivery.REJECTED
    assert len(sender.writes) == 2


def test_a_remaining_part_that_is_rejected_says_what_was_created_before():
    async def refuse(serve):
        return answered(400, b'{"error": "Not today."}')

    sender = having()
    sender.trouble.extend(["after", refuse])

    error = refused(sender, A, STRANGE)

    assert type(error) is BadRequestError
    assert error.delivery is Delivery.REJECTED
    assert error.attempts == 2
    assert "'a' had been created before" in str(error)
    assert names(rows(sender)) == ["a"]


def test_a_remaining_part_whose_name_is_taken_meanwhile_says_which_names_of_the_original_exist():
    async def taken(serve):
        rows(sender).append(attrs.evolve(rows(sender)[0], name="c", model="other"))
        return serve()

    sender = having(A)
    sender.trouble.extend(["before", taken])

    error = refused(sender, *ABC)

    assert type(error) is NameConflictError
    assert error.existing == ("a", "b", "c")
    assert error.delivery is Delivery.REJECTED


def test_a_conflict_that_was_read_says_which_names_exist():
    other = EvalConfig(OTHER_TEMPLATE, "b")
    sender = having(other)
    sender.trouble.append("after")

    error = refused(sender, *ABC)

    assert type(error) is NameConflictError
    assert error.existing == ("a", "b")
    assert len(sender.writes) == 1


WHOLE = {
    "config": {"params": {"keyword": "order"}},
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
CHANGED = {
    "template_id": OTHER_TEMPLATE,
    "config": {},
    "mapping": None,
    "filters": {},
    "error_localizer": False,
    "model": None,
}


def done_and_changed(sender, name, value):
    """Trouble: the work is done, a field is changed, and the answer is lost."""

    async def change(serve):
        assert serve().status == 201
        setattr(rows(sender)[0], name, value)
        raise lost()

    return change


@pytest.mark.parametrize("field", CHANGED)
def test_every_field_that_was_sent_must_be_equal(field):
    sender = having()
    sender.trouble.append(done_and_changed(sender, field, CHANGED[field]))

    error = refused(sender, EvalConfig(TEMPLATE, "a", **WHOLE))

    assert type(error) is NameConflictError
    assert len(sender.writes) == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"params": {"most": "5"}}, {"params": {"most": 5, "ratio": 0.5}}),
        ({"params": {"most": 5}}, {"params": {"most": 5, "ratio": 0.5}}),
        ({"params": {"most": " "}}, {"params": {"most": None}}),
        ({"params": {"share": " 5e-1 "}}, {"params": {"share": 0.5}}),
        ({"params": {"flag": ""}}, {"params": {"flag": True}}),
        ({}, {"params": {"most": 1}}),
        ({"params": None, "k": 1}, {"params": {"most": 1}, "k": 1}),
    ],
)
def test_parameters_that_the_service_may_have_changed_prove_nothing(sent, kept):
    sender = having()
    sender.trouble.append(done_and_changed(sender, "config", kept))

    error = refused(sender, EvalConfig(TEMPLATE, "a", config=sent))

    assert type(error) is APIConnectionError
    assert error.delivery is Delivery.UNKNOWN
    assert "'a' with further or converted parameters" in str(error)
    assert len(sender.writes) == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"params": {"most": 5}}, {"params": {"most": 6}}),
        ({"params": {"most": 5}}, {"params": {"least": 5}}),
        ({"params": {"word": "a"}}, {"params": {"word": "b"}}),
        ({"params": {"most": "10"}}, {"params": {"most": 20}}),
        ({"params": {"most": "5.0"}}, {"params": {"most": 5}}),
        ({"params": {"share": "0.5"}}, {"params": {"share": 0.25}}),
        ({"params": {"word": "a"}}, {"params": {"word": 1}}),
        ({"params": {"flag": "true"}}, {"params": {"flag": True}}),
        ({"params": {"most": "5"}}, {"params": {"most": None}}),
        ({"params": {"most": "5"}}, {"params": {"most": [5]}}),
        ({"params": {"most": 5}}, {"params": [5]}),
        ({"params": {"most": 5}}, None),
        ({"params": [5]}, {"params": {"most": 5}}),
        ({"k": 1}, {"params": {"most": 5}}),
        ({}, {"params": {"most": 5}, "k": 1}),
    ],
)
def test_parameters_that_no_service_makes_of_those_sent_are_other_content(sent, kept):
    sender = having()
    sender.trouble.append(done_and_changed(sender, "config", kept))

    error = refused(sender, EvalConfig(TEMPLATE, "a", config=sent))

    assert type(error) is NameConflictError


def test_parameters_of_a_template_with_a_schema_are_never_called_a_conflict():
    sender = having()
    schema = {
        "most": {"type": "integer", "required": True},
        "ratio": {"type": "number", "default": 0.5},
    }
    sender.service.world.templates[TEMPLATE].function_params_schema = schema
    sender.trouble.append("after")

    error = refused(sender, EvalConfig(TEMPLATE, "a", config={"params": {"most": "5"}}))

    assert error.delivery is Delivery.UNKNOWN
    assert rows(sender)[0].config == {"params": {"most": 5, "ratio": 0.5}}


@pytest.mark.parametrize("field", WHOLE)
def test_a_field_that_was_not_sent_may_be_whatever_it_is(field):
    sender = having()
    sender.trouble.append(done_and_changed(sender, field, WHOLE[field]))

    result = added(sender, A)

    assert result.reconciled
    assert getattr(result.created_eval_configs[0], field) == WHOLE[field]


def test_of_two_configs_with_the_name_the_equal_one_serves():
    async def with_a_twin(serve):
        serve()
        rows(sender).append(attrs.evolve(rows(sender)[0], id="twin", model="other"))
        raise lost()

    sender = having()
    sender.trouble.append(with_a_twin)

    result = added(sender, EvalConfig(TEMPLATE, "a", model="turing_large"))

    assert [each.model for each in result.created_eval_configs] == ["turing_large"]


def test_of_two_equal_configs_one_serves():
    async def with_a_twin(serve):
        serve()
        rows(sender).append(attrs.evolve(rows(sender)[0], id="twin"))
        raise lost()

    sender = having()
    sender.trouble.append(with_a_twin)

    result = added(sender, A)

    assert len(result.created_eval_configs) == 1


def test_reads_that_never_agree_are_not_believed():
    def come_and_go(number):
        rows(sender)[0].deleted = number % 2 == 0

    sender = having()
    sender.trouble.append("after")
    sender.on_read = come_and_go

    error = refused(sender, *ABC)

    assert type(error) is APIConnectionError
    assert error.delivery is Delivery.UNKNOWN
    assert "changed from one read to the next" in str(error)
    assert len(sender.reads) == 4
    assert len(sender.writes) == 1


def test_work_that_is_done_between_two_reads_is_not_done_again():
    works = []

    async def later(serve):
        works.append(serve)
        raise lost()

    def work(number):
        if number == 2:
            works.pop()()

    sender = having()
    sender.trouble.append(later)
    sender.on_read = work

    result = added(sender, *ABC)

    assert result.reconciled
    assert len(sender.reads) == 3
    assert len(sender.writes) == 1


def test_nothing_is_read_before_the_service_has_had_its_time():
    async def late(serve):
        await asyncio.sleep(3)
        serve()
        raise lost()

    sender = having()
    sender.trouble.append(late)

    added(sender, *ABC)

    sent = sender.writes[0].at
    first, second = (each.at - sent for each in sender.reads)
    assert first == pytest.approx(10, abs=0.01)
    assert second == pytest.approx(11, abs=0.01)


def test_what_took_longer_than_that_is_read_at_once():
    async def very_late(serve):
        await asyncio.sleep(30)
        serve()
        raise lost()

    sender = having()
    sender.trouble.append(very_late)

    added(sender, *ABC, retry=RetryPolicy(reconcile_after=2))

    first, second = (each.at - sender.writes[0].at for each in sender.reads)
    assert first == pytest.approx(30, abs=0.01)
    assert second == pytest.approx(30.2, abs=0.01)


def test_each_attempt_with_unknown_outcome_is_reconciled_after_its_own_time():
    sender = having()
    sender.trouble.extend(["before", "before"])

    added(sender, *ABC)

    times = [(each.method, round(each.at - sender.sent[0].at)) for each in sender.sent]
    assert times == [
        ("POST", 0),
        ("GET", 10),
        ("GET", 11),
        ("POST", 11),
        ("GET", 21),
        ("GET", 22),
        ("POST", 22),
    ]


def test_what_proved_not_to_be_done_was_rejected_when_no_attempt_is_left():
    sender = having()
    sender.trouble.extend(["before", "before"])

    error = refused(sender, *ABC, retry=RetryPolicy(max_attempts=2))

    assert type(error) is APIConnectionError
    assert error.delivery is Delivery.REJECTED
    assert error.attempts == 2
    assert [each.delivery for each in error.earlier] == [Delivery.REJECTED]
    assert "read back: " in str(error)


def test_what_is_there_of_it_is_named_when_no_attempt_is_left():
    sender = having(B)
    sender.trouble.append("before")

    error = refused(sender, *ABC, retry=RetryPolicy(max_attempts=1))

    assert error.delivery is Delivery.REJECTED
    assert "only 'b' exist" in str(error)


def test_an_error_before_the_one_that_is_reconciled_leaves_nothing_unknown():
    async def throttled(serve):
        return answered(429, retry_after="1")

    sender = having()
    sender.trouble.extend(["before", throttled, "after"])

    result = added(sender, *ABC)

    assert result.reconciled
    assert len(sender.writes) == 3


def test_repeating_what_is_unknown_is_the_second_choice_after_reconciling():
    retry = RetryPolicy(retry_unknown=True)
    sender = having()
    sender.trouble.append("after")

    result = added(sender, *ABC, retry=retry)

    assert result.reconciled
    assert len(sender.writes) == 1


def test_what_cannot_be_reconciled_is_repeated_if_that_was_requested():
    sender = having()
    sender.trouble.append("before")
    sender.on_read = lambda number: answered(403)

    result = added(sender, *ABC, retry=RetryPolicy(retry_unknown=True))

    assert not result.reconciled
    assert len(sender.writes) == 2


def test_a_repetition_that_fails_leaves_the_first_attempt_unknown():
    sender = having()
    sender.trouble.append("after")
    sender.on_read = lambda number: answered(403)

    error = refused(sender, *ABC, retry=RetryPolicy(retry_unknown=True))

    assert type(error) is NameConflictError
    assert error.delivery is Delivery.UNKNOWN
    assert len(sender.writes) == 2


@pytest.mark.parametrize("total", [5, 10])
def test_a_call_whose_deadline_leaves_no_time_to_reconcile_is_not_read(total):
    sender = having()
    sender.trouble.append("after")

    async def main():
        return await failure(add(sender, *ABC, timeout=total)), now()

    error, moment = on_a_jumping_clock(main())

    assert type(error) is APIConnectionError
    assert error.delivery is Delivery.UNKNOWN
    assert sender.reads == []
    assert moment == pytest.approx(sender.sent[0].at, abs=0.01)


def test_a_call_without_a_deadline_has_time_to_reconcile():
    sender = having()
    sender.trouble.append("after")

    assert added(sender, *ABC, timeout=Timeout(total=None)).reconciled


def test_a_deadline_during_reconciling_leaves_the_error_as_it_was():
    sender = having()
    sender.trouble.append("after")

    error = refused(sender, *ABC, timeout=10.5)

    assert type(error) is APIConnectionError
    assert error.message == "the connection was lost"
    assert error.delivery is Delivery.UNKNOWN
    assert error.attempts == 1
    assert len(sender.reads) == 1


def test_a_deadline_while_a_rejected_name_is_read_back_leaves_the_rejection():
    sender = having(B)
    sender.trouble.append(None)
    sender.on_read = lambda number: asyncio.sleep(100)

    error = refused(sender, *ABC, timeout=5)

    assert type(error) is NameConflictError
    assert error.delivery is Delivery.REJECTED
    assert error.attempts == 1


def test_reads_that_are_throttled_are_repeated():
    def throttled(number):
        return answered(429, retry_after="1") if number in (1, 3) else None

    sender = having()
    sender.trouble.append("after")
    sender.on_read = throttled

    assert added(sender, *ABC).reconciled
    assert len(sender.reads) == 4


def test_in_a_single_call_reads_that_are_always_throttled_prove_nothing():
    sender = having()
    sender.trouble.append("after")
    sender.on_read = lambda number: answered(429, retry_after="1")

    error = refused(sender, *ABC)

    assert error.delivery is Delivery.UNKNOWN
    assert type(error) is APIConnectionError
    assert not isinstance(error, RateLimitError)
    assert len(sender.reads) == 3


def test_an_answer_that_is_an_error_of_the_server_is_reconciled_like_a_lost_one():
    async def broken(serve):
        serve()
        return answered(500, b"<h1>Error</h1>")

    sender = having()
    sender.trouble.append(broken)

    assert added(sender, *ABC).reconciled

    sender = having()
    sender.trouble.append(broken)
    sender.on_read = lambda number: answered(404)
    error = refused(sender, *ABC)
    assert type(error) is ServerError
    assert error.delivery is Delivery.UNKNOWN
