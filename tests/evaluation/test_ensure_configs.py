"""Ensured eval configs: created, found, left or changed, and never created twice."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading

import pytest
from ensuring import ensures

from futureagi_async import (
    BadRequestError,
    Delivery,
    EnsureEvalConfigs,
    EvalConfig,
    EvalConfigsDifferError,
    EvaluationStatus,
    Failure,
    InvalidRequestError,
    Journal,
    JournalError,
    NameConflictError,
    NotAttempted,
    NotAttemptedError,
    NotFoundError,
    RetryPolicy,
    Success,
    Timeout,
)
from futureagi_async.batch.journaling import BatchJournal
from futureagi_async.emulator.rows import EvalConfig as KeptConfig
from futureagi_async.types import EnsuredEvalConfigs, EvalConfigOrigin, JournalState


NOWHERE = "99999999-9999-4999-8999-999999999999"


def origins(ensured):
    return {each.eval_config.name: each.origin for each in ensured.eval_configs}


def names(run_test):
    return [each.name for each in run_test.eval_configs]


def writes(emulator):
    return [each for each in emulator.log.requests if each.method == "POST"]


def test_missing_configs_are_created_once_and_exist_the_second_time(
    call, emulator, run_tests, configs
):
    first = call("ensure_eval_configs", run_tests[0].id, configs[:2])
    again = call("ensure_eval_configs", run_tests[0].id, configs)

    assert origins(first) == {
        "mood": EvalConfigOrigin.CREATED,
        "contains": EvalConfigOrigin.CREATED,
    }
    assert origins(again) == {
        "mood": EvalConfigOrigin.EXISTING,
        "contains": EvalConfigOrigin.EXISTING,
        "similar": EvalConfigOrigin.CREATED,
    }
    assert names(run_tests[0]) == ["mood", "contains", "similar"]
    assert emulator.log.configs == {run_tests[0].id: 3}
    assert again.run_test_name == run_tests[0].name
    assert [each.name for each in again.existing] == ["mood", "contains"]
    assert [each.name for each in again.created] == ["similar"]
    assert (again.updated, again.different) == ((), ())


def test_ensured_configs_can_be_read_back_from_their_dict(call, run_test_ids, configs):
    ensured = call("ensure_eval_configs", run_test_ids[0], configs)

    again = EnsuredEvalConfigs.from_dict(json.loads(json.dumps(ensured.to_dict())))

    assert again == ensured
    assert again.created == ensured.created


def test_configs_that_exist_cost_one_read(call, emulator, run_test_ids, configs):
    call("ensure_eval_configs", run_test_ids[0], configs)
    emulator.log.clear()

    call("ensure_eval_configs", run_test_ids[0], configs)

    assert [each.method for each in emulator.log.requests] == ["GET"]


def test_the_result_has_the_order_of_the_request(call, run_test_ids, configs):
    call("ensure_eval_configs", run_test_ids[0], configs[1:2])

    ensured = call("ensure_eval_configs", run_test_ids[0], configs)

    assert [e.eval_config.name for e in ensured.eval_configs] == [
        "mood",
        "contains",
        "similar",
    ]


@pytest.fixture
def differing(client, run_test_ids, configs):
    """A run test that has one of the eval configs with another mapping and model."""
    other = {**configs[0], "mapping": {"output": "transcript"}, "model": "old"}
    client.ensure_eval_configs(run_test_ids[0], [other, configs[1]])
    return run_test_ids[0]


@pytest.fixture
def wanted(configs):
    """What is wanted there; the first of them differs, the last is missing."""
    return [{**configs[0], "model": "new"}, configs[1], configs[2]]


def test_a_config_that_differs_is_named_and_nothing_is_changed(
    call, emulator, run_tests, differing, wanted
):
    emulator.log.clear()

    with pytest.raises(EvalConfigsDifferError, match="'mood' with other con") as caught:
        call("ensure_eval_configs", differing, wanted)

    assert caught.value.names == ("mood",)
    assert caught.value.run_test_id == differing
    assert caught.value.delivery is Delivery.NOT_SENT
    assert writes(emulator) == []
    assert names(run_tests[0]) == ["mood", "contains"]


def test_a_config_that_differs_is_left_with_keep(call, run_tests, differing, wanted):
    ensured = call("ensure_eval_configs", differing, wanted, on_conflict="keep")

    assert origins(ensured) == {
        "mood": EvalConfigOrigin.DIFFERENT,
        "contains": EvalConfigOrigin.EXISTING,
        "similar": EvalConfigOrigin.CREATED,
    }
    assert ensured.different[0].model == "old"
    assert run_tests[0].eval_configs[0].model == "old"


def test_update_changes_what_differs_and_no_open_setting(
    call, run_tests, differing, wanted
):
    ensured = call("ensure_eval_configs", differing, wanted, on_conflict="update")

    assert origins(ensured)["mood"] is EvalConfigOrigin.UPDATED
    assert ensured.updated[0].model == "new"
    kept = run_tests[0].eval_configs[0]
    assert (kept.model, kept.mapping) == ("new", {"output": "transcript"})
    assert len(run_tests[0].eval_configs) == 3
    again = call("ensure_eval_configs", differing, wanted)
    assert set(origins(again).values()) == {EvalConfigOrigin.EXISTING}


def test_another_template_under_the_same_name_is_a_difference(
    call, emulator, run_tests, differing
):
    other = {"template_id": emulator.world.template_ids[3], "name": "contains"}

    with pytest.raises(EvalConfigsDifferError, match="'contains'"):
        call("ensure_eval_configs", differing, [other])
    call("ensure_eval_configs", differing, [other], on_conflict="update")

    assert run_tests[0].eval_configs[1].template_id == other["template_id"]


def test_an_impossible_update_is_rejected_before_anything_is_created(
    call, emulator, run_tests, configs
):
    call(
        "ensure_eval_configs",
        run_tests[0].id,
        [{**configs[0], "config": {"keyword": "order"}}],
    )
    emulator.log.clear()
    emptied = {**configs[0], "config": {}}

    with pytest.raises(InvalidRequestError, match="config: is empty"):
        call(
            "ensure_eval_configs",
            run_tests[0].id,
            [emptied, configs[1]],
            on_conflict="update",
        )

    assert writes(emulator) == []
    assert names(run_tests[0]) == ["mood"]


def test_the_error_of_a_failed_update_lists_what_was_created_before(
    call, emulator, differing, wanted
):
    emulator.faults.add(
        "status", status=400, endpoint="update_eval_config", retry_after=None
    )

    with pytest.raises(Exception, match="before, 'similar' was created") as caught:
        call("ensure_eval_configs", differing, wanted, on_conflict="update")

    assert caught.value.delivery is Delivery.REJECTED


def test_the_error_of_a_failed_first_update_lists_nothing(
    call, emulator, differing, wanted
):
    emulator.faults.add("status", status=400, endpoint="update_eval_config")

    with pytest.raises(Exception, match="400") as caught:
        call("ensure_eval_configs", differing, wanted[:2], on_conflict="update")

    assert caught.value.hint == ""


def test_names_are_compared_as_the_service_stores_them(call, run_tests, configs):
    call("ensure_eval_configs", run_tests[0].id, [{**configs[0], "name": "  mood\n"}])
    nameless = {"template_id": configs[1]["template_id"]}
    call("ensure_eval_configs", run_tests[0].id, [nameless])

    ensured = call(
        "ensure_eval_configs",
        run_tests[0].id,
        [{**configs[0], "name": "mood "}, {**nameless, "name": " "}],
    )

    assert set(origins(ensured).values()) == {EvalConfigOrigin.EXISTING}
    assert names(run_tests[0]) == ["mood", f"Eval-{configs[1]['template_id']}"]


@pytest.fixture
def old_row(run_tests, configs):
    """A run test with an eval config from before the service's present rules."""
    kept = KeptConfig(
        "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        configs[0]["name"],
        configs[0]["template_id"],
        config=None,
        mapping=None,
        filters={},
    )
    run_tests[0].eval_configs.append(kept)
    return run_tests[0].id


EMPTY = {"config": {}, "mapping": {}, "filters": []}


@pytest.mark.parametrize("different", ["raise", "update"])
def test_empty_settings_match_the_null_of_an_old_row(
    call, emulator, configs, old_row, different
):
    wanted = [{**configs[0], **EMPTY}]

    ensured = call("ensure_eval_configs", old_row, wanted, on_conflict=different)

    assert origins(ensured) == {"mood": EvalConfigOrigin.EXISTING}
    assert writes(emulator) == []


def test_an_update_of_an_old_row_does_not_touch_empty_settings(
    call, run_tests, configs, old_row
):
    wanted = [{**configs[0], **EMPTY, "model": "new"}]

    call("ensure_eval_configs", old_row, wanted, on_conflict="update")

    (kept,) = run_tests[0].eval_configs
    assert (kept.model, kept.mapping, kept.filters) == ("new", None, {})
    again = call("ensure_eval_configs", old_row, wanted)
    assert origins(again) == {"mood": EvalConfigOrigin.EXISTING}


def test_a_model_with_spaces_around_it_is_no_difference(call, run_tests, configs):
    spaced = [{**configs[0], "model": " gpt-4o\n"}]

    call("ensure_eval_configs", run_tests[0].id, spaced)
    again = call("ensure_eval_configs", run_tests[0].id, spaced)

    assert origins(again) == {"mood": EvalConfigOrigin.EXISTING}
    assert again.existing[0].model == run_tests[0].eval_configs[0].model == "gpt-4o"


def test_names_are_case_sensitive(call, run_tests, configs):
    call("ensure_eval_configs", run_tests[0].id, configs[:1])
    call("ensure_eval_configs", run_tests[0].id, [{**configs[0], "name": "Mood"}])

    assert names(run_tests[0]) == ["mood", "Mood"]


def test_settings_that_are_left_open_are_not_compared(
    call, emulator, run_test_ids, configs
):
    full = {
        **configs[0],
        "mapping": {"output": "transcript"},
        "config": {"params": {}},
        "filters": [],
        "error_localizer": True,
        "model": "turing_large",
    }
    call("ensure_eval_configs", run_test_ids[0], [full])

    ensured = call("ensure_eval_configs", run_test_ids[0], configs[:1])

    assert ensured.existing[0].model == "turing_large"


def test_parameters_that_the_template_fills_in_are_no_difference(
    call, emulator, run_tests
):
    template = next(iter(emulator.world.templates.values()))
    template.function_params_schema = {
        "least": {"type": "integer", "default": 3},
        "share": {"type": "number"},
    }
    wanted = [
        {
            "template_id": template.id,
            "name": "length",
            "config": {"params": {"share": "0.5"}},
        }
    ]

    first = call("ensure_eval_configs", run_tests[0].id, wanted)
    again = call("ensure_eval_configs", run_tests[0].id, wanted)

    assert run_tests[0].eval_configs[0].config == {"params": {"least": 3, "share": 0.5}}
    assert origins(first) == {"length": EvalConfigOrigin.CREATED}
    assert origins(again) == {"length": EvalConfigOrigin.EXISTING}


def test_text_that_converts_to_another_number_than_the_stored_one_is_a_difference(
    call, emulator, run_tests
):
    template = next(iter(emulator.world.templates.values()))
    template.function_params_schema = {"least": {"type": "integer"}}

    def wanted(least):
        config = {"params": {"least": least}}
        return [{"template_id": template.id, "name": "length", "config": config}]

    call("ensure_eval_configs", run_tests[0].id, wanted("20"))

    again = call("ensure_eval_configs", run_tests[0].id, wanted("20"))
    assert origins(again) == {"length": EvalConfigOrigin.EXISTING}
    with pytest.raises(EvalConfigsDifferError, match="'length'"):
        call("ensure_eval_configs", run_tests[0].id, wanted("10"))


def test_an_unknown_template_among_known_ones_is_a_warning(call, run_tests, configs):
    unknown = {"template_id": NOWHERE, "name": "unknown"}

    ensured = call("ensure_eval_configs", run_tests[0].id, [unknown, *configs[:1]])

    assert origins(ensured) == {"mood": EvalConfigOrigin.CREATED}
    assert ensured.warnings == (f"EvalTemplate with id {NOWHERE} not found",)


def not_created(name):
    """The warning of an unknown template, where it was sent beside no good one."""
    return f"{name!r} with template {NOWHERE}: Failed to create any evaluation configs"


def test_an_unknown_template_among_existing_configs_is_a_warning_each_time(
    call, emulator, run_tests, configs
):
    unknown = {"template_id": NOWHERE, "name": "unknown"}
    nameless = {"template_id": NOWHERE}
    wanted = [unknown, configs[0], nameless]

    first = call("ensure_eval_configs", run_tests[0].id, wanted)
    again = call("ensure_eval_configs", run_tests[0].id, wanted)

    assert len(first.warnings) == 2
    assert origins(again) == {"mood": EvalConfigOrigin.EXISTING}
    assert again.warnings == (not_created("unknown"), not_created(f"Eval-{NOWHERE}"))
    assert names(run_tests[0]) == ["mood"]


def test_an_unknown_template_among_configs_that_differ_is_a_warning(
    call, run_tests, differing, wanted
):
    unknown = {"template_id": NOWHERE, "name": "unknown"}

    kept = call(
        "ensure_eval_configs", differing, [wanted[0], unknown], on_conflict="keep"
    )
    changed = call(
        "ensure_eval_configs", differing, [wanted[0], unknown], on_conflict="update"
    )

    assert origins(kept) == {"mood": EvalConfigOrigin.DIFFERENT}
    assert origins(changed) == {"mood": EvalConfigOrigin.UPDATED}
    assert kept.warnings == changed.warnings == (not_created("unknown"),)
    assert run_tests[0].eval_configs[0].model == "new"


def test_unknown_templates_alone_are_an_error_each_time(call, run_test_ids, configs):
    unknown = {"template_id": NOWHERE, "name": "unknown"}
    call("ensure_eval_configs", run_test_ids[0], configs[:1])

    for _ in range(2):
        with pytest.raises(BadRequestError, match="Failed to create any"):
            call("ensure_eval_configs", run_test_ids[0], [unknown])


def test_another_rejection_of_missing_configs_is_an_error(
    call, emulator, run_test_ids, configs
):
    call("ensure_eval_configs", run_test_ids[0], configs[:1])
    emulator.faults.add("status", status=400, endpoint="add_eval_configs")

    with pytest.raises(BadRequestError):
        call("ensure_eval_configs", run_test_ids[0], configs)


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_after_a_lost_response_an_unknown_template_is_still_a_warning(
    call, emulator, run_tests, configs, fault
):
    unknown = {"template_id": NOWHERE, "name": "unknown"}
    emulator.faults.add(fault, endpoint="add_eval_configs", times=1)

    ensured = call("ensure_eval_configs", run_tests[0].id, [unknown, *configs[:1]])

    assert origins(ensured) == {"mood": EvalConfigOrigin.CREATED}
    assert len(ensured.warnings) == 1
    assert NOWHERE in ensured.warnings[0]
    assert names(run_tests[0]) == ["mood"]


def test_an_unknown_template_is_a_warning_each_time_that_a_journal_is_resumed(
    client, emulator, run_tests, configs, journal
):
    wanted = [{"template_id": NOWHERE, "name": "unknown"}, configs[0]]
    emulator.faults.add("drop_after", endpoint="add_eval_configs", times=1)
    blind = client.with_options(retry=RetryPolicy(reconcile=False, max_attempts=1))
    ids = [run_tests[0].id]

    blind.send_many(ensures(ids, wanted), journal=journal)
    batches = [
        client.send_many(ensures(ids, wanted), journal=journal) for _ in range(2)
    ]

    for (outcome,) in batches:
        assert set(origins(outcome.result)) == {"mood"}
        assert outcome.result.warnings == (not_created("unknown"),)
    assert names(run_tests[0]) == ["mood"]


def test_a_missing_run_test_is_an_error(call, configs):
    with pytest.raises(NotFoundError, match=NOWHERE):
        call("ensure_eval_configs", NOWHERE, configs)


def test_two_clients_one_after_the_other_add_everything_once(
    client, connect, emulator, run_test_ids, configs
):
    async def other():
        async with connect() as twin:
            return await twin.ensure_eval_configs(run_test_ids[0], configs)

    client.ensure_eval_configs(run_test_ids[0], configs)
    assert len(asyncio.run(other()).existing) == 3

    assert emulator.log.configs[run_test_ids[0]] == 3


async def test_two_parallel_operations_of_one_client_create_everything_once(
    connect, emulator, run_test_ids, configs
):
    async with connect() as client:
        hasty = client.with_options(timeout=10)
        ensured = await asyncio.gather(
            *(
                each.ensure_eval_configs(run_test_ids[0], configs)
                for each in (client, hasty, client)
            ),
            client.send_many(ensures([run_test_ids[0]] * 3, configs)),
        )

    assert emulator.log.configs[run_test_ids[0]] == 3
    assert [len(each.created) for each in ensured[:3]] == [3, 0, 0]
    assert [len(each.result.created) for each in ensured[3]] == [0, 0, 0]


def test_threads_of_one_client_add_everything_once(
    client, emulator, run_test_ids, configs
):
    threads = [
        threading.Thread(
            target=client.ensure_eval_configs, args=(run_test_ids[0], configs)
        )
        for _ in range(4)
    ]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert emulator.log.configs[run_test_ids[0]] == 3


@pytest.fixture
def somebody_adds(run_tests, when_served):
    """Have another client create an eval config just before this one does."""

    def install(config, times=1):
        def add(_):
            kept = KeptConfig(
                f"0000000{len(run_tests[0].eval_configs)}-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
                config["name"],
                config["template_id"],
                model=config.get("model"),
            )
            run_tests[0].eval_configs.append(kept)

        when_served(add, "eval-configs", times)

    return install


def test_a_config_that_others_create_in_between_exists(
    call, run_tests, configs, somebody_adds
):
    somebody_adds(configs[1])

    ensured = call("ensure_eval_configs", run_tests[0].id, configs)

    # The service keeps what stood before the name that clashed.
    assert sorted(names(run_tests[0])) == ["contains", "mood", "similar"]
    assert origins(ensured)["mood"] is EvalConfigOrigin.CREATED
    assert origins(ensured)["contains"] is EvalConfigOrigin.EXISTING
    assert origins(ensured)["similar"] is EvalConfigOrigin.CREATED


def test_a_config_that_others_create_differently_in_between_is_a_difference(
    call, run_tests, configs, somebody_adds
):
    somebody_adds({**configs[1], "model": "theirs"})

    with pytest.raises(EvalConfigsDifferError, match="'contains'"):
        call(
            "ensure_eval_configs",
            run_tests[0].id,
            [configs[0], {**configs[1], "model": "ours"}],
        )


def test_a_name_that_others_create_and_delete_is_tried_three_times(
    call, emulator, run_tests, configs, when_served
):
    theirs = KeptConfig(
        "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
        configs[0]["name"],
        configs[0]["template_id"],
        deleted=True,
    )
    run_tests[0].eval_configs.append(theirs)
    polls = itertools.count()

    def come(_):
        theirs.deleted = False

    def go_after_every_second_look(_):
        # Looked at for what is missing, and then for what was in the way of that.
        theirs.deleted = next(polls) % 2 == 0

    when_served(come, "eval-configs", times=-1)
    when_served(go_after_every_second_look, run_tests[0].id, times=-1)

    with pytest.raises(NameConflictError):
        call("ensure_eval_configs", run_tests[0].id, configs[:1])

    assert emulator.log.counts["add_eval_configs", 400] == 3


def test_a_name_conflict_is_read_again_also_without_reconciling(
    client, emulator, configs, run_tests, somebody_adds
):
    blind = client.with_options(retry=RetryPolicy(reconcile=False))
    somebody_adds(configs[1])

    ensured = blind.ensure_eval_configs(run_tests[0].id, configs)

    assert set(origins(ensured)) == {"mood", "contains", "similar"}
    assert emulator.log.counts["add_eval_configs", 400] == 1


def test_a_config_that_others_created_and_deleted_in_between_is_created(
    call, run_tests, configs, when_served
):
    theirs = KeptConfig(
        NOWHERE, configs[0]["name"], configs[0]["template_id"], deleted=True
    )
    run_tests[0].eval_configs.append(theirs)
    when_served(lambda _: setattr(theirs, "deleted", False), "eval-configs")

    def go(_):
        theirs.deleted = True

    when_served(go, run_tests[0].id, times=-1)

    ensured = call("ensure_eval_configs", run_tests[0].id, configs[:1])

    assert origins(ensured) == {"mood": EvalConfigOrigin.CREATED}


async def test_the_error_of_a_deadline_lists_what_was_created_before(
    connect, leap_when_served, differing, wanted
):
    leap_when_served("eval-configs")

    async with connect(timeout=Timeout(read=None, total=None)) as client:
        (outcome,) = await client.send_many(
            ensures([differing], wanted, on_conflict="update"), timeout=500
        )

    assert isinstance(outcome.error, NotAttemptedError)
    assert "before, 'similar' was created" in str(outcome.error)


async def test_an_evaluation_that_has_created_configs_is_failed_and_not_unattempted(
    connect, leap_when_served, differing, wanted
):
    leap_when_served("eval-configs")

    async with connect(timeout=Timeout(read=None, total=None)) as client:
        (end,) = await client.evaluate(
            [differing], wanted, on_conflict="update", timeout=500
        )

    assert end.status is EvaluationStatus.FAILED
    assert "before, 'similar' was created" in end.reason


def test_of_several_with_one_name_the_one_that_matches_counts(
    call, emulator, run_tests, configs
):
    for number, model in enumerate(["other", "wanted", "another"]):
        run_tests[0].eval_configs.append(
            KeptConfig(
                f"{number:08x}-aaaa-4aaa-8aaa-aaaaaaaaaaaa",
                "mood",
                configs[0]["template_id"],
                model=model,
            )
        )

    ensured = call(
        "ensure_eval_configs", run_tests[0].id, [{**configs[0], "model": "wanted"}]
    )

    assert ensured.existing[0].id.startswith("00000001")
    assert not emulator.log.configs


@pytest.mark.parametrize("fault", ["drop_before", "drop_after", "truncate", "garbage"])
def test_after_a_lost_response_everything_exists_once(
    call, emulator, run_tests, configs, fault
):
    emulator.faults.add(fault, endpoint="add_eval_configs", times=1)

    ensured = call("ensure_eval_configs", run_tests[0].id, configs)

    assert names(run_tests[0]) == ["mood", "contains", "similar"]
    assert set(origins(ensured).values()) == {EvalConfigOrigin.CREATED}


def test_a_failed_read_leaves_no_unknown_outcome(client, emulator, run_test_ids):
    emulator.faults.add("drop_after", endpoint="run_test")
    hasty = client.with_options(retry=RetryPolicy(max_attempts=1))

    with pytest.raises(Exception, match="connection") as caught:
        hasty.ensure_eval_configs(run_test_ids[0], [EvalConfig(NOWHERE)])

    assert caught.value.delivery is Delivery.NOT_SENT


def test_many_run_tests_have_an_outcome_each(call, run_test_ids, configs):
    batch = call(
        "send_many", ensures([*run_test_ids[:3], NOWHERE], configs), timeout=60
    )

    assert [type(each) for each in batch] == [Success] * 3 + [Failure]
    assert all(len(each.result.created) == 3 for each in batch.successes)
    assert isinstance(batch[3].error, NotFoundError)
    assert isinstance(batch[0].request, EnsureEvalConfigs)
    # Read and add.
    assert batch[0].attempts == 2


@pytest.mark.parametrize(
    ("endpoint", "attempts"), [("run_test", 3), ("add_eval_configs", 4)]
)
def test_an_outcome_counts_the_attempts_of_the_call_that_failed(
    client, emulator, configs, endpoint, attempts
):
    emulator.faults.add("drop_before", endpoint=endpoint)

    (outcome,) = client.send_many(ensures(emulator.world.run_test_ids[:1], configs))

    assert isinstance(outcome, Failure)
    assert outcome.attempts == attempts


def test_a_journal_answers_what_was_added_before(
    call, emulator, run_test_ids, configs, journal
):
    first = call("send_many", ensures(run_test_ids, configs), journal=journal)
    again = call("send_many", ensures(run_test_ids, configs), journal=journal)

    assert len(first.successes) == len(again.successes) == 8
    assert sum(emulator.log.configs.values()) == 24
    with Journal.open(journal) as entries:
        assert {each.endpoint for each in entries} == {"AddEvalConfigs"}
        assert len(entries) == 8


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
def test_an_unknown_addition_is_applied_once_when_it_is_resumed(
    client, emulator, configs, journal, fault
):
    emulator.faults.add(fault, endpoint="add_eval_configs", times=1)
    blind = client.with_options(retry=RetryPolicy(reconcile=False, max_attempts=1))
    ids = emulator.world.run_test_ids[:1]

    (lost,) = blind.send_many(ensures(ids, configs), journal=journal)
    (found,) = client.send_many(ensures(ids, configs), journal=journal)

    assert lost.error.delivery is Delivery.UNKNOWN
    assert isinstance(found, Success)
    kept = emulator.world.run_tests.get(ids[0])
    assert names(kept) == ["mood", "contains", "similar"]


def test_a_deadline_that_has_passed_leaves_nothing_attempted(
    client, emulator, run_test_ids, configs
):
    batch = client.send_many(ensures(run_test_ids, configs), timeout=1e-9)

    assert len(batch.not_attempted) == 8
    assert not emulator.log.counts


async def test_a_deadline_during_the_first_read_leaves_it_not_attempted(
    connect, emulator, configs, leap_when_served
):
    one = emulator.world.run_test_ids[0]
    leap_when_served(one)

    async with connect(timeout=Timeout(read=None, total=None)) as client:
        (outcome,) = await client.send_many(ensures([one], configs), timeout=500)

    assert isinstance(outcome, NotAttempted)
    assert "before the response came" in str(outcome.error)
    assert not emulator.log.configs


async def test_a_deadline_after_the_first_change_is_a_failure(
    connect, emulator, configs, leap_when_served
):
    one = emulator.world.run_test_ids[0]
    changed = [{**each, "model": "turing_small"} for each in configs[:2]]

    async with connect(timeout=Timeout(read=None, total=None)) as client:
        await client.ensure_eval_configs(one, configs[:2])
        leap_when_served("update")
        (outcome,) = await client.send_many(
            ensures([one], changed, on_conflict="update"), timeout=500
        )

    assert isinstance(outcome, Failure)
    assert isinstance(outcome.error, NotAttemptedError)
    assert outcome.attempts == 4  # with what shows that nothing is evaluated


def test_a_batch_stops_at_keys_that_do_not_work(
    client, emulator, run_test_ids, configs
):
    emulator.faults.add("status", status=401, endpoint="add_eval_configs", times=1)

    batch = client.send_many(ensures(run_test_ids, configs), max_concurrency=1)

    assert len(batch.failures) == 1
    assert len(batch.not_attempted) == 7


def test_a_journal_that_cannot_be_written_stops_the_batch(
    client, emulator, configs, journal, monkeypatch
):
    async def refuse(*_, **__):
        raise JournalError("the disk is full")

    monkeypatch.setattr(BatchJournal, "claim", refuse)

    batch = client.send_many(
        ensures(emulator.world.run_test_ids, configs),
        journal=journal,
        max_concurrency=1,
    )

    assert isinstance(batch.failures[0].error, JournalError)
    assert len(batch.failures) + len(batch.not_attempted) == 8
    assert not emulator.log.configs


async def test_an_unexpected_timeout_error_is_not_taken_for_the_deadline(
    connect, run_test_ids, configs, monkeypatch
):
    async def break_down(*_):
        raise TimeoutError("a defect")

    async with connect() as client:
        monkeypatch.setattr(client._transport, "call", break_down)
        batch = await client.send_many(ensures(run_test_ids[:1], configs), timeout=60)

    assert str(batch.failures[0].error).startswith("TimeoutError: a defect")


def test_an_unexpected_exception_fails_one_run_test_only(
    client, emulator, run_test_ids, configs, monkeypatch
):
    work = EnsureEvalConfigs.run

    async def work_or_break(self, executor):
        if self.run_test_id == run_test_ids[0]:
            raise ZeroDivisionError("a defect")
        return await work(self, executor)

    monkeypatch.setattr(EnsureEvalConfigs, "run", work_or_break)

    batch = client.send_many(ensures(run_test_ids, configs))

    (failure,) = batch.failures
    assert "ZeroDivisionError: a defect" in str(failure.error)
    assert failure.error.delivery is Delivery.UNKNOWN


def test_a_rejected_addition_is_failed_in_the_journal(
    client, emulator, run_test_ids, configs, journal
):
    emulator.faults.add("status", status=403, endpoint="add_eval_configs", times=1)

    client.send_many(ensures(run_test_ids[:1], configs), journal=journal)

    with Journal.open(journal) as entries:
        (entry,) = entries
        assert entry.state is JournalState.FAILED
