"""What keeps money together: mappings, limits, updates under way, new executions."""

from __future__ import annotations

import asyncio
import threading

import pytest

from futureagi_async import (
    AsyncFutureAGI,
    BadRequestError,
    Delivery,
    EvalConfigsDifferError,
    EvaluationStatus,
    EvaluationsUnderWayError,
    InvalidRequestError,
    Journal,
    RetryPolicy,
)
from futureagi_async.emulator import Emulator, World
from futureagi_async.emulator.rules.service import Service
from futureagi_async.evaluation import directory
from futureagi_async.evaluation.options import EVALUATION_DEFAULTS


SCORED = EvaluationStatus.SCORED
LONG = {"timeout": 60, "poll_interval": 0.01}


@pytest.fixture
def tone(emulator):
    """Have the first template need the input `output`."""
    template = next(iter(emulator.world.templates.values()))
    template.required_keys, template.optional_keys = ("output",), ("context",)
    return template


def config_of(template, **mapping):
    return {"template_id": template.id, "name": "tone", "mapping": mapping}


def test_a_mapping_that_does_not_fit_its_template_is_an_error_that_names_both_inputs(
    call, emulator, run_test_ids, tone
):
    with pytest.raises(InvalidRequestError) as raised:
        call("evaluate", run_test_ids, [config_of(tone, text="transcript")], **LONG)

    assert "configs[0].mapping" in str(raised.value)
    assert "'output' is missing" in str(raised.value)
    assert "'text' is unknown" in str(raised.value)
    assert not emulator.log.configs
    assert not emulator.log.runs


def test_a_stream_rejects_such_a_mapping_too(call, emulator, run_test_ids, tone):
    with pytest.raises(InvalidRequestError, match="'output' is missing"):
        call("stream_evaluations", run_test_ids, [config_of(tone)], **LONG)

    assert not emulator.log.configs


def test_the_check_of_mappings_can_be_left_out(call, run_test_ids, tone):
    configs = [config_of(tone, text="transcript")]

    report = call("evaluate", run_test_ids[:1], configs, check_mappings=False, **LONG)

    assert report[0].status is SCORED


@pytest.mark.parametrize("mapping", [{"output": "transcript"}, None])
def test_a_mapping_that_fits_or_is_left_open_is_accepted(
    call, run_test_ids, tone, mapping
):
    configs = [{"template_id": tone.id, "name": "tone", "mapping": mapping}]

    assert call("evaluate", run_test_ids[:1], configs, **LONG)[0].status is SCORED


async def test_templates_are_read_once_by_a_client(
    connect, emulator, run_test_ids, tone
):
    async with connect() as client:
        for copy in (client, client.with_options(timeout=30)):
            configs = [config_of(tone, output="transcript")]
            await copy.evaluate(run_test_ids[:1], configs, **LONG)

    read = [each for each in emulator.log.requests if "get-evals" in each.path]
    assert len(read) == 1


def test_templates_that_cannot_be_read_are_a_warning(
    call, emulator, run_test_ids, tone
):
    emulator.faults.add("status", status=403, endpoint="templates_sdk", times=1)

    (end,) = call(
        "evaluate", run_test_ids[:1], [config_of(tone, text="transcript")], **LONG
    )

    assert end.status is SCORED
    assert any("mappings were not checked" in each for each in end.warnings)


def test_a_template_that_is_not_listed_is_left_to_the_service(call, run_test_ids):
    nowhere = "99999999-9999-4999-8999-999999999999"
    config = {"template_id": nowhere, "name": "tone", "mapping": {"text": "transcript"}}

    (end,) = call("evaluate", run_test_ids[:1], [config], **LONG)

    assert isinstance(end.error, BadRequestError)


LIMIT = "You have run out of credits."


def fail_at_the_limit(emulator):
    """Have evaluations fail as those do that come after the last credit."""
    for template in emulator.world.templates.values():
        template.on_run = {
            "output": None,
            "output_type": "Pass/Fail",
            "reason": LIMIT,
            "error": "error",
            "status": "Failed",
        }


def test_after_a_limit_of_the_account_nothing_more_is_started(
    call, emulator, run_test_ids, configs
):
    fail_at_the_limit(emulator)

    report = call("evaluate", run_test_ids, configs, max_in_progress=1, **LONG)

    assert [each.status for each in report[1:]] == [EvaluationStatus.NOT_ATTEMPTED] * 7
    assert all(LIMIT in each.reason for each in report)
    assert any("limit of the account" in each for each in report[0].warnings)
    assert sum(emulator.log.runs.values()) == 1


def test_a_limit_that_was_reached_long_ago_stops_nothing(
    call, emulator, run_test_ids, configs
):
    fail_at_the_limit(emulator)
    call("evaluate", run_test_ids[:1], configs, **LONG)
    for template in emulator.world.templates.values():
        template.on_run = None

    report = call("evaluate", run_test_ids, configs, max_in_progress=1, **LONG)

    assert report[0].status is EvaluationStatus.NO_RESULT
    assert [each.status for each in report[1:]] == [SCORED] * 7


def test_an_old_limit_of_a_config_that_is_not_requested_stops_nothing(
    call, emulator, run_test_ids, configs
):
    fail_at_the_limit(emulator)
    call("evaluate", run_test_ids[:1], configs[:1], **LONG)
    for template in emulator.world.templates.values():
        template.on_run = None

    report = call("evaluate", run_test_ids, configs[1:], max_in_progress=1, **LONG)

    assert [each.status for each in report] == [SCORED] * 8


@pytest.fixture
def equipped(call, run_tests, configs):
    """A run test with results of the configs."""
    one = run_tests[0]
    call("evaluate", [one.id], configs, **LONG)
    return one


def changed(configs):
    return [{**configs[0], "model": "another"}, *configs[1:]]


UPDATE = {"on_conflict": "update"}


@pytest.mark.parametrize("status", ["evaluating", "running"])
def test_an_eval_config_is_not_updated_while_it_is_evaluated(
    call, emulator, equipped, configs, status
):
    equipped.executions[0].status = status
    before = [each.model for each in equipped.eval_configs]

    with pytest.raises(EvaluationsUnderWayError) as raised:
        call("ensure_eval_configs", equipped.id, changed(configs), **UPDATE)

    assert status in str(raised.value)
    assert raised.value.run_test_id == equipped.id
    assert [each.model for each in equipped.eval_configs] == before


def test_evaluate_updates_an_eval_config_when_the_evaluations_have_ended(
    call, equipped, configs, when_served
):
    equipped.executions[0].status = "evaluating"
    for each in equipped.executions[0].calls:
        each.status = "analyzing"

    def end(_):
        equipped.executions[0].status = "completed"
        for each in equipped.executions[0].calls:
            each.status = "completed"

    timer = threading.Timer(0.3, end, [None])
    timer.start()
    (done,) = call("evaluate", [equipped.id], changed(configs), **UPDATE, **LONG)
    timer.join()

    assert done.status is SCORED
    assert done.configs[0].origin.value == "updated"
    assert equipped.eval_configs[0].model == "another"


def test_an_execution_that_is_not_chosen_holds_up_the_update_too(
    call, client, equipped, configs, when_served
):
    *_, oldest = client.list_test_executions(equipped.id)
    (old,) = (each for each in equipped.executions if each.id == oldest.id)
    old.status = "evaluating"
    for each in old.calls:
        each.status = "analyzing"
    models = []

    def end(_):
        models.append(equipped.eval_configs[0].model)
        if len(models) == 6:
            old.status = "completed"
            for each in old.calls:
                each.status = "completed"

    when_served(end, "executions", times=6)
    (done,) = call(
        "evaluate",
        [equipped.id],
        changed(configs),
        latest_executions=1,
        **UPDATE,
        **LONG,
    )

    assert "another" not in models
    assert (done.status, done.executions) == (SCORED, 1)
    assert equipped.eval_configs[0].model == "another"


def test_an_execution_that_only_says_evaluating_holds_up_no_update_for_ever(
    call, equipped, configs
):
    equipped.executions[0].status = "evaluating"

    call("evaluate", [equipped.id], changed(configs), **UPDATE, **LONG)

    assert equipped.eval_configs[0].model == "another"


def test_an_execution_that_runs_holds_up_the_update_to_the_deadline(
    call, equipped, configs
):
    equipped.executions[0].status = "running"

    (end,) = call(
        "evaluate",
        [equipped.id],
        changed(configs),
        timeout=0.5,
        poll_interval=0.01,
        **UPDATE,
    )

    assert end.status is EvaluationStatus.NOT_STARTED
    assert "an execution is running" in end.reason
    assert equipped.eval_configs[0].model != "another"


def test_without_wait_an_update_under_way_is_a_failure(call, equipped, configs):
    equipped.executions[0].status = "evaluating"

    (end,) = call(
        "evaluate", [equipped.id], changed(configs), timeout=9, wait=False, **UPDATE
    )

    assert isinstance(end.error, EvaluationsUnderWayError)


def test_an_update_that_a_worker_undoes_is_an_error(
    call, equipped, configs, when_served
):
    def undo(_):
        equipped.eval_configs[0].model = "old"

    update = equipped.eval_configs[0]
    reads = iter([lambda: None, undo])
    when_served(
        lambda r: next(reads, undo)(r) if update.model == "another" else None,
        equipped.id,
        times=-1,
    )

    with pytest.raises(EvalConfigsDifferError, match="other content again"):
        call("ensure_eval_configs", equipped.id, changed(configs), **UPDATE)


@pytest.fixture
def acting(configs):
    """An emulator whose executions take a moment, and its run tests."""
    world = World.synthetic(run_tests=3, executions=1, calls=2)
    with Emulator(
        world, dispatch="run", run_seconds=0.05, call_seconds=0.05, monitor_seconds=0.05
    ) as running:
        yield running


@pytest.fixture
def executing(acting, connect):
    """Evaluate with new executions."""

    def run(run_tests, configs, **options):
        async def main():
            keys = {"api_key": acting.api_key, "secret_key": acting.secret_key}
            async with AsyncFutureAGI(**keys, base_url=acting.url) as client:
                return await client.evaluate(
                    run_tests,
                    configs,
                    execute=True,
                    **{"timeout": 60, "poll_interval": 0.02, **options},
                )

        return asyncio.run(main())

    return run


def test_a_run_test_is_executed_and_that_execution_is_scored(
    acting, executing, configs
):
    ids = list(acting.world.run_test_ids)

    report = executing(ids, configs)

    assert [each.status for each in report] == [SCORED] * 3
    assert [each.executions for each in report] == [1] * 3
    for id_ in ids:
        first, new = acting.world.run_tests.get(id_).executions
        assert not any(each.eval_outputs for each in first.calls)
        assert all(len(each.eval_outputs) == len(configs) for each in new.calls)


def test_a_run_test_that_comes_twice_is_executed_once(acting, executing, configs):
    id_ = acting.world.run_test_ids[0]

    report = executing([id_, id_], configs)

    assert [each.status for each in report] == [SCORED] * 2
    assert len(acting.world.run_tests.get(id_).executions) == 2


def test_with_a_journal_the_same_execution_is_scored_again(
    acting, executing, configs, journal
):
    id_ = acting.world.run_test_ids[0]

    first = executing([id_], configs, journal=journal)
    again = executing([id_], configs, journal=journal)

    assert first[0].status is again[0].status is SCORED
    assert len(acting.world.run_tests.get(id_).executions) == 2


def test_without_wait_an_execution_is_started_and_left(acting, executing, configs):
    (end,) = executing(acting.world.run_test_ids[:1], configs, wait=False)

    assert end.status is EvaluationStatus.STARTED


@pytest.mark.parametrize("others", [{"rerun": True}, {"latest_executions": 1}], ids=str)
def test_a_new_execution_leaves_nothing_else_to_choose(
    call, run_test_ids, configs, others
):
    with pytest.raises(InvalidRequestError, match=r"^execute: a new execution"):
        call("evaluate", run_test_ids, configs, execute=True, **others, **LONG)


@pytest.mark.parametrize("option", ["execute", "check_mappings"])
def test_an_option_that_is_no_truth_value_is_refused(
    call, run_test_ids, configs, option
):
    with pytest.raises(InvalidRequestError, match=rf"^{option}: True or False"):
        call("evaluate", run_test_ids, configs, **{option: "yes"}, **LONG)


def test_mappings_are_checked_unless_that_is_turned_off():
    assert EVALUATION_DEFAULTS["check_mappings"] is True


async def test_an_execution_that_a_person_has_resolved_has_no_id_to_go_on_with(
    acting, configs, journal
):
    id_ = acting.world.run_test_ids[0]
    retry = RetryPolicy(reconcile=False, max_attempts=1)
    acting.faults.add("drop_after", endpoint="execute", times=1)
    options = {"execute": True, "timeout": 60, "journal": journal}
    keys = acting.api_key, acting.secret_key
    async with AsyncFutureAGI(*keys, base_url=acting.url, retry=retry) as client:
        (lost,) = await client.evaluate([id_], configs, **options)
        with Journal.open(journal) as reader:
            for entry in reader:
                if entry.endpoint == "ExecuteRunTest":
                    reader.resolve(entry, done=True)
        (end,) = await client.evaluate([id_], configs, **options)

    assert lost.error.delivery is Delivery.UNKNOWN
    assert end.status is EvaluationStatus.FAILED
    assert "resolved by a person, without an id" in end.reason
    assert len(acting.world.run_tests.get(id_).executions) == 2


@pytest.fixture
def listing(monkeypatch):
    """Read every run test from the list."""
    monkeypatch.setattr(directory, "_MIN_RUN_TESTS", 1)


def test_an_eval_config_that_was_deleted_since_it_was_listed_is_added_again(
    call, listing, equipped, configs, when_served
):
    for each in equipped.calls():
        each[1].eval_outputs.clear()

    def delete(_):
        equipped.eval_configs[0].deleted = True

    when_served(delete, "run-new-evals")
    (end,) = call("evaluate", [equipped.id], configs, **LONG)

    assert end.status is SCORED
    assert [each.name for each in equipped.live_configs()].count(
        configs[0]["name"]
    ) == 1


@pytest.fixture
def updated_by_others(listing, equipped, monkeypatch):
    """A run test, an eval config of which others update once the list was read."""
    serve = Service.serve

    def update_after(self, request, *args, **more):
        answer = serve(self, request, *args, **more)
        if request.path == "/simulate/run-tests/":
            equipped.eval_configs[0].model = "another"
        return answer

    monkeypatch.setattr(Service, "serve", update_after)
    return equipped


@pytest.mark.parametrize("on_conflict", ["raise", "update"])
def test_an_eval_config_that_others_updated_since_it_was_listed_is_read_afresh(
    call, updated_by_others, emulator, configs, on_conflict
):
    one, wanted = updated_by_others, changed(configs)

    (end,) = call("evaluate", [one.id], wanted, on_conflict=on_conflict, **LONG)

    assert end.status is SCORED
    assert one.eval_configs[0].model == "another"
    assert not any(name == "update_eval_config" for name, _ in emulator.log.counts)
