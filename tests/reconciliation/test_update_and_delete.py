"""Updates and deletions in doubt: looked up, and sent again only if not done."""

from __future__ import annotations

import asyncio

import pytest
from reconciling_service import (
    RulesSender,
    answered,
    client_of,
    failure,
    on_a_jumping_clock,
    small_world,
)

from futureagi_async import (
    APIConnectionError,
    BadRequestError,
    Delivery,
    EvalConfig,
    NotFoundError,
    PermissionDeniedError,
    RetryPolicy,
    ServerError,
)


# Filters are part of a complete eval config, and have tests of their warning.
pytestmark = pytest.mark.filterwarnings("ignore:filters.*never applies:UserWarning")

RUN_TEST, OTHER = small_world().run_test_ids[:2]
TEMPLATE, OTHER_TEMPLATE = small_world().template_ids[:2]
NOBODY = "99999999-9999-4999-8999-999999999999"
FILTERS = [
    {
        "column_id": "status",
        "filter_config": {
            "filter_type": "text",
            "filter_op": "equals",
            "filter_value": "completed",
        },
    }
]
CHANGES = {
    "name": "renamed",
    "template_id": OTHER_TEMPLATE,
    "config": {"params": {"keyword": "refund"}},
    "mapping": {"text": "transcript"},
    "filters": FILTERS,
    "error_localizer": True,
    "model": "turing_small",
}


def having(*names):
    """A sender in whose world the run test has configs of these names."""
    sender = RulesSender(small_world())
    configs = [EvalConfig(TEMPLATE, name) for name in names]
    on_a_jumping_clock(client_of(sender).add_eval_configs(RUN_TEST, configs))
    sender.sent.clear()
    return sender


def rows(sender):
    """The eval configs of the run test that are not deleted, oldest first."""
    found = sender.service.world.run_tests.get(RUN_TEST).eval_configs
    return [each for each in found if not each.deleted]


def changes_sent(sender):
    return [each for each in sender.sent if each.method != "GET"]


def updated(sender, config_id=None, run_test_id=RUN_TEST, options=None, **changes):
    changes = changes or CHANGES
    client = client_of(sender, **(options or {}))
    config_id = config_id or rows(sender)[0].id
    return client.update_eval_config(run_test_id, config_id, **changes)


def deleted(sender, config_id=None, run_test_id=RUN_TEST, **options):
    config_id = config_id or rows(sender)[0].id
    return client_of(sender, **options).delete_eval_config(run_test_id, config_id)


def test_an_update_that_is_answered_is_not_read_back():
    sender = having("a")

    result = on_a_jumping_clock(updated(sender))

    (row,) = rows(sender)
    assert not result.reconciled
    assert result.eval_config_id == row.id
    assert {name: getattr(row, name) for name in CHANGES} == CHANGES
    assert [each.method for each in sender.sent] == ["POST"]


@pytest.mark.parametrize("field", CHANGES)
def test_an_update_that_was_done_and_not_answered_is_not_sent_again(field):
    sender = having("a")
    sender.trouble.append("after")

    result = on_a_jumping_clock(updated(sender, **{field: CHANGES[field]}))

    assert result.reconciled
    assert result.run_test_id == RUN_TEST
    assert result.eval_config_id == rows(sender)[0].id
    assert len(changes_sent(sender)) == 1


@pytest.mark.parametrize("field", CHANGES)
def test_an_update_that_never_arrived_is_sent_again(field):
    sender = having("a")
    sender.trouble.append("before")

    result = on_a_jumping_clock(updated(sender, **{field: CHANGES[field]}))

    assert not result.reconciled
    assert getattr(rows(sender)[0], field) == CHANGES[field]
    assert len(changes_sent(sender)) == 2


def saved_otherwise(sender, config):
    """Trouble: the update is done, its parameters become these, the answer is lost."""

    async def change(serve):
        serve()
        rows(sender)[0].config = config
        return answered(502)

    return change


@pytest.mark.parametrize(
    "kept",
    [
        {"params": {"most": 5}},
        {"params": {"most": "5", "ratio": 0.5}},
    ],
)
def test_parameters_that_the_service_may_have_changed_prove_nothing(kept):
    sender = having("a")
    sender.trouble.append(saved_otherwise(sender, kept))

    error = on_a_jumping_clock(
        failure(updated(sender, config={"params": {"most": "5"}}))
    )

    assert type(error) is ServerError
    assert error.delivery is Delivery.UNKNOWN
    assert "further or converted parameters" in str(error)
    assert len(changes_sent(sender)) == 1


def test_parameters_that_cannot_come_of_those_sent_show_that_it_was_not_done():
    sender = having("a")
    sender.trouble.append(saved_otherwise(sender, {"params": {"most": 7}}))

    on_a_jumping_clock(updated(sender, config={"params": {"most": 5}}))

    assert rows(sender)[0].config == {"params": {"most": 5}}
    assert len(changes_sent(sender)) == 2


def test_another_value_that_differs_shows_that_it_was_not_done():
    sender = having("a")
    sender.trouble.append("before")
    rows(sender)[0].config = {"params": {"most": 5, "ratio": 1}}

    on_a_jumping_clock(updated(sender, config={"params": {"most": 5}}, name="b"))

    assert rows(sender)[0].name == "b"
    assert len(changes_sent(sender)) == 2


def test_an_update_of_a_config_that_is_not_there_is_not_found():
    sender = having("a")

    error = on_a_jumping_clock(failure(updated(sender, NOBODY)))

    assert type(error) is NotFoundError
    assert error.status_code == 404
    assert error.delivery is Delivery.REJECTED
    assert error.attempts == 1
    assert error.run_test_id == RUN_TEST
    assert type(error.__cause__) is ServerError
    assert f"has no eval config {NOBODY}" in str(error)
    assert len(changes_sent(sender)) == 1


@pytest.mark.parametrize("change", [updated, deleted])
def test_a_run_test_that_is_not_there_is_not_found(change):
    sender = having("a")
    sender.trouble.append("before")

    error = on_a_jumping_clock(failure(change(sender, NOBODY, NOBODY)))

    assert type(error) is NotFoundError
    assert error.delivery is Delivery.REJECTED
    assert error.attempts == 1
    assert "Run test not found" in str(error)


def test_an_update_that_fails_and_is_not_read_back_stays_unknown():
    sender = having("a")
    options = {"retry": RetryPolicy(reconcile=False)}

    error = on_a_jumping_clock(failure(updated(sender, NOBODY, options=options)))

    assert type(error) is ServerError
    assert error.delivery is Delivery.UNKNOWN


def test_an_update_that_is_rejected_is_not_read_back():
    sender = having("a", "b")

    error = on_a_jumping_clock(failure(updated(sender, name="b")))

    assert type(error) is BadRequestError
    assert "already exists" in str(error)
    assert error.delivery is Delivery.REJECTED
    assert [each.method for each in sender.sent] == ["POST"]


def test_a_read_that_fails_leaves_an_update_unknown():
    sender = having("a")
    sender.trouble.append("before")
    sender.on_read = lambda number: answered(403)

    error = on_a_jumping_clock(failure(updated(sender)))

    assert type(error) is APIConnectionError
    assert error.delivery is Delivery.UNKNOWN
    assert "could not be read back" in str(error)


def test_a_deletion_that_is_answered_is_not_read_back():
    sender = having("a", "b")

    result = on_a_jumping_clock(deleted(sender))

    assert not result.reconciled
    assert result.message == "Evaluation config deleted successfully"
    assert [each.name for each in rows(sender)] == ["b"]
    assert [(each.method, each.body) for each in sender.sent] == [("DELETE", None)]


def test_a_deletion_that_was_done_and_not_answered_is_not_sent_again():
    sender = having("a", "b")
    sender.trouble.append("after")

    result = on_a_jumping_clock(deleted(sender))

    assert result.reconciled
    assert "it is gone" in result.message
    assert len(changes_sent(sender)) == 1


def test_a_deletion_that_never_arrived_is_sent_again():
    sender = having("a", "b")
    sender.trouble.append("before")

    result = on_a_jumping_clock(deleted(sender))

    assert not result.reconciled
    assert [each.name for each in rows(sender)] == ["b"]
    assert len(changes_sent(sender)) == 2


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_deletes_with_or_without_a_body(status):
    async def done(serve):
        serve()
        return answered(status)

    sender = having("a", "b")
    sender.trouble.append(done)

    result = on_a_jumping_clock(deleted(sender))

    assert not result.reconciled
    assert result.message == ""
    assert len(sender.sent) == 1


@pytest.mark.parametrize("status", [301, 400, 403, 404, 409])
def test_a_status_that_is_no_success_deletes_nothing(status):
    async def refused(serve):
        return answered(status, b'{"message": "Evaluation config deleted"}')

    sender = having("a", "b")
    sender.trouble.append(refused)

    error = on_a_jumping_clock(failure(deleted(sender)))

    assert error.status_code == status
    assert error.delivery is Delivery.REJECTED
    assert error.hint == ""


def test_a_deletion_that_is_forbidden_says_nothing_of_a_last_config():
    async def refused(serve):
        return answered(403)

    sender = having("a")
    sender.trouble.append(refused)

    error = on_a_jumping_clock(failure(deleted(sender)))

    assert type(error) is PermissionDeniedError
    assert error.hint == ""
    assert len(sender.sent) == 1


def test_a_deletion_of_what_is_not_there_is_not_found():
    sender = having("a", "b")

    error = on_a_jumping_clock(failure(deleted(sender, NOBODY)))

    assert type(error) is NotFoundError
    assert error.attempts == 1
    assert len(rows(sender)) == 2


def test_the_last_config_stays_and_the_error_says_what_to_do():
    sender = having("a")

    error = on_a_jumping_clock(failure(deleted(sender)))

    assert type(error) is BadRequestError
    assert error.delivery is Delivery.REJECTED
    assert str(error).endswith("add another eval config first, then this one can go")
    assert len(rows(sender)) == 1


def test_the_guard_of_the_last_config_hides_that_another_is_not_there():
    sender = having("a")

    error = on_a_jumping_clock(failure(deleted(sender, NOBODY)))

    assert type(error) is BadRequestError
    assert str(error).endswith("and this eval config does not exist")


def test_a_change_waits_until_another_for_the_run_test_has_ended():
    sender = having("a", "b")
    first, second = rows(sender)
    under_way = []

    async def slow(serve):
        under_way.append("begun")
        await asyncio.sleep(1)
        under_way.append("ended")
        return serve()

    sender.trouble.extend([slow, slow])

    async def both():
        client = client_of(sender)
        await asyncio.gather(
            client.update_eval_config(RUN_TEST, first.id, name="x"),
            client.delete_eval_config(RUN_TEST, second.id),
        )

    on_a_jumping_clock(both())

    assert under_way == ["begun", "ended"] * 2
    assert [each.name for each in rows(sender)] == ["x"]


def test_a_config_is_found_by_its_id_in_any_spelling():
    sender = having("a", "b")
    config_id = rows(sender)[0].id
    sender.trouble.append("after")

    result = on_a_jumping_clock(updated(sender, config_id.upper(), name="x"))

    assert result.reconciled
    assert result.eval_config_id == config_id
