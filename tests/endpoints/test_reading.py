"""Reading from both clients: run tests, executions, calls, scores and templates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from futureagi_async import (
    AddEvalConfigs,
    AsyncFutureAGI,
    BatchInterruptedError,
    FutureAGI,
    GetEvalSummary,
    GetRunTest,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)
from futureagi_async.emulator import Emulator, World
from futureagi_async.types import (
    EvalOutputStatus,
    ExecutionStatus,
    NumericScores,
    PassFailScores,
    RunTest,
)


NOBODY = "99999999-9999-4999-8999-999999999999"


def newest_first(emulator):
    return list(reversed(emulator.world.run_test_ids))


def add(emulator, run_test_id, *template_ids):
    """Add a config of each template; give their ids in that order."""
    keys = emulator.api_key, emulator.secret_key
    with FutureAGI(*keys, base_url=emulator.url) as client:
        configs = [
            {"template_id": each, "name": str(place)}
            for place, each in enumerate(template_ids)
        ]
        added = client.add_eval_configs(run_test_id, configs)
    return [each.id for each in added.created_eval_configs]


def test_all_run_tests_are_listed_the_newest_first(call, emulator):
    entries = call("list_run_tests")

    assert [each.id for each in entries] == newest_first(emulator)
    assert entries[0].name == "run test 229"
    assert entries[0].enable_tool_evaluation is False
    assert entries[0].simulate_eval_configs == ()
    assert entries[0].last_run_at == "2026-01-03T00:00:00Z"
    assert emulator.log.counts == {("run_tests", 200): 3}


def test_run_tests_are_searched_for_by_the_service(call, emulator):
    entries = call("list_run_tests", " RUN TEST 22 ")

    numbers = [*range(229, 219, -1), 22]
    assert [each.name for each in entries] == [f"run test {n}" for n in numbers]
    assert emulator.log.counts == {("run_tests", 200): 1}


@pytest.mark.parametrize("search", ["50% & more", "a+b", "ä/ö?#", "'; --"])
def test_a_search_that_fits_nothing_lists_nothing(call, search):
    assert call("list_run_tests", search) == []


def test_executions_are_listed_with_their_states_and_times(call, emulator):
    run_test_id = emulator.world.run_test_ids[0]
    rows = emulator.world.run_tests.get(run_test_id).executions
    rows[1].status = "evaluating"

    entries = call("list_test_executions", run_test_id)

    assert [each.id for each in entries] == [each.id for each in reversed(rows)]
    assert [each.status for each in entries] == [
        ExecutionStatus.COMPLETED,
        ExecutionStatus.EVALUATING,
        ExecutionStatus.COMPLETED,
    ]
    first = datetime(2026, 1, 1, tzinfo=UTC)
    assert [each.start_time - first for each in entries] == [
        timedelta(days=2),
        timedelta(days=1),
        timedelta(0),
    ]
    assert [each.calls for each in entries] == [2, 2, 2]


@pytest.mark.parametrize("status", [ExecutionStatus.EVALUATING, "Evaluating"])
def test_executions_are_listed_by_their_state(call, emulator, status):
    run_test_id = emulator.world.run_test_ids[0]
    rows = emulator.world.run_tests.get(run_test_id).executions
    rows[1].status = "evaluating"

    entries = call("list_test_executions", run_test_id, status=status)

    assert [each.id for each in entries] == [rows[1].id]


def test_calls_are_listed_with_what_their_evaluations_gave(call, emulator):
    run_test_id = emulator.world.run_test_ids[0]
    contains, is_json = add(emulator, run_test_id, *emulator.world.template_ids[1:3])
    _, row = emulator.world.run_tests.get(run_test_id).calls()[0]
    row.eval_outputs.update(
        {contains: {"status": "pending"}, is_json: {"output": "Passed"}}
    )

    entries = call("list_call_executions", run_test_id)

    assert len(entries) == 6
    assert entries[0].id == row.id
    assert entries[0].eval_outputs[contains].status is EvalOutputStatus.PENDING
    assert entries[0].eval_outputs[is_json].status is EvalOutputStatus.COMPLETED
    assert entries[1].eval_outputs == {}


def test_a_run_test_is_read_with_its_eval_configs(call, emulator):
    run_test_id = emulator.world.run_test_ids[7]
    config_ids = add(emulator, run_test_id, *emulator.world.template_ids[:2])

    run_test = call("get_run_test", run_test_id.upper())

    assert type(run_test) is RunTest
    assert run_test.name == "run test 7"
    kept = run_test.simulate_eval_configs_detail
    assert [each.id for each in kept] == list(reversed(config_ids))
    assert run_test.eval_config(config_ids[0]) == kept[1]
    assert run_test.eval_config(NOBODY) is None


def test_scores_are_read_in_their_forms(call, emulator):
    run_test_id = emulator.world.run_test_ids[0]
    _, contains, _, _, similarity = emulator.world.template_ids
    passes, scores = add(emulator, run_test_id, contains, similarity)
    rows = emulator.world.run_tests.get(run_test_id).calls()
    for place, (_, row) in enumerate(rows):
        word = "Passed" if place else "Failed"
        row.eval_outputs[passes] = {"output": word, "output_type": "Pass/Fail"}
        row.eval_outputs[scores] = {"output": place / 10, "output_type": "score"}

    summary = call("get_eval_summary", run_test_id)

    by_id = {each.id: each for each in summary.configs}
    assert by_id[passes].scores == PassFailScores(83.33, 16.67, 5, 1)
    assert by_id[passes].total_cells == 6
    assert isinstance(by_id[scores].scores, NumericScores)
    assert by_id[scores].scores.average == 25.0
    assert by_id[scores].scores.percentiles[100] == 50.0
    assert [each.total_avg for each in summary.result] == [25.0, None]


def test_scores_of_one_execution_are_read_by_its_id(call, emulator):
    run_test_id = emulator.world.run_test_ids[0]
    (config_id,) = add(emulator, run_test_id, emulator.world.template_ids[1])
    newest = emulator.world.run_tests.get(run_test_id).executions[-1]
    for row in newest.calls:
        row.eval_outputs[config_id] = {"output": "Passed", "output_type": "Pass/Fail"}

    of_newest = call("get_eval_summary", run_test_id, newest.id)
    of_oldest = call(
        "get_eval_summary",
        run_test_id,
        execution=emulator.world.run_tests.get(run_test_id).executions[0].id,
    )

    assert of_newest.configs[0].scores == PassFailScores(100.0, 0.0, 2, 0)
    assert of_oldest.configs[0].scores is None


def test_all_templates_are_listed_in_one_answer(call, emulator):
    templates = call("list_eval_templates")

    assert [each.id for each in templates] == list(
        reversed(emulator.world.template_ids)
    )
    tone = templates[-1]
    assert (tone.name, tone.owner, tone.output_type) == ("tone", "system", "choices")
    assert tone.required_keys == ("output",)
    assert tone.description is None
    assert emulator.log.counts == {("templates_sdk", 200): 1}


@pytest.mark.parametrize("search", ["CON", " con "])
def test_templates_are_searched_for_by_name_in_any_case(call, search):
    assert [each.name for each in call("list_eval_templates", search)] == ["contains"]


@pytest.mark.parametrize("search", [None, "", "  "])
def test_a_blank_search_for_templates_is_none(call, search):
    assert len(call("list_eval_templates", search)) == 5


def test_many_run_tests_are_read_at_once(call, emulator):
    ids = emulator.world.run_test_ids
    seen = []

    reads = [GetRunTest(each) for each in (*ids, NOBODY)]
    batch = call("send_many", reads, on_outcome=seen.append)

    assert [each.result.id for each in batch.successes] == list(ids)
    assert type(batch.failures[0].error) is NotFoundError
    assert len(seen) == 231


def test_scores_of_many_run_tests_are_read_at_once(call, emulator):
    ids = emulator.world.run_test_ids[:20]

    reads = (GetEvalSummary(each) for each in ids)
    batch = call("send_many", reads, max_concurrency=4, timeout=60)

    assert [each.run_test_id for each in batch.successes] == list(ids)


@pytest.mark.parametrize(
    "name", ["get_run_test", "get_eval_summary", "list_test_executions"]
)
def test_a_run_test_that_is_not_there_is_not_found(call, name):
    with pytest.raises(NotFoundError):
        call(name, NOBODY)


WRONG = [
    ("get_run_test", ("abc",), {}),
    ("get_eval_summary", ("abc",), {}),
    ("get_eval_summary", (NOBODY, "abc"), {}),
    ("update_eval_config", (NOBODY, NOBODY), {}),
    ("update_eval_config", ("abc", NOBODY), {"name": "x"}),
    ("delete_eval_config", (NOBODY, "abc"), {}),
    ("get_call_execution", ("abc",), {}),
    ("get_simulation_metrics", ("abc",), {}),
    ("get_simulation_runs", ("abc",), {}),
    ("get_simulation_runs", (NOBODY,), {"page": 0}),
    ("get_simulation_runs", (NOBODY,), {"limit": "all"}),
    ("get_simulation_runs", (NOBODY,), {"eval_names": "tone"}),
    ("compare_executions", (NOBODY, []), {}),
    ("compare_executions", ("abc", [NOBODY]), {}),
    ("find_run_test", ("",), {}),
    ("find_run_test", (5,), {}),
    ("find_eval_template", (" ",), {}),
    ("find_eval_template", (None,), {}),
    ("send_many", ([GetRunTest(NOBODY), "abc"],), {}),
    ("send_many", (GetRunTest(NOBODY),), {}),
    ("send_many", ([GetRunTest(NOBODY)],), {"on_outcome": 5}),
]
WRONG_LISTS = [
    ("list_run_tests", (5,), {}),
    ("list_run_tests", ("a\0",), {}),
    ("list_test_executions", ("abc",), {}),
    ("list_test_executions", (NOBODY,), {"status": ""}),
    ("list_call_executions", ("abc",), {}),
    ("list_call_executions", (NOBODY,), {"status": "registered"}),
    ("list_call_executions", (NOBODY,), {"execution": "abc"}),
    ("list_eval_templates", (5,), {}),
    ("list_eval_templates", ("\ud800",), {}),
]


@pytest.mark.parametrize(("name", "args", "options"), [*WRONG, *WRONG_LISTS])
def test_what_could_never_succeed_is_rejected_and_not_sent(
    call, emulator, name, args, options
):
    with pytest.raises(InvalidRequestError):
        call(name, *args, **options)

    assert emulator.log.counts == {}


@pytest.mark.parametrize("cls", [AsyncFutureAGI, FutureAGI])
@pytest.mark.parametrize(("name", "args", "options"), WRONG_LISTS)
def test_a_list_checks_its_arguments_when_it_is_requested(cls, name, args, options):
    client = cls("key", "secret")

    with pytest.raises(InvalidRequestError):
        getattr(client, name)(*args, **options)


@pytest.mark.parametrize(
    "name", [name for name in dir(FutureAGI) if name[:5] == "list_"]
)
def test_a_list_is_an_iterator_and_need_not_be_awaited(name):
    asked = [NOBODY] if "executions" in name else []

    awaited = getattr(AsyncFutureAGI("key", "secret"), name)(*asked)
    blocking = getattr(FutureAGI("key", "secret"), name)(*asked)

    assert isinstance(awaited, AsyncIterator)
    assert iter(blocking) is blocking


def test_a_page_is_read_when_its_first_entry_is_requested(client, emulator):
    entries = client.list_run_tests()

    assert emulator.log.counts == {}
    next(entries)
    assert emulator.log.counts == {("run_tests", 200): 1}


def test_a_list_that_is_left_early_reads_no_further(client, emulator):
    async def first(limit):
        keys = emulator.api_key, emulator.secret_key
        async with AsyncFutureAGI(*keys, base_url=emulator.url) as twin:
            found = []
            async for each in twin.list_run_tests():
                found.append(each)
                if len(found) == limit:
                    break
        return found

    assert len(asyncio.run(first(100))) == 100
    assert emulator.log.counts == {("run_tests", 200): 1}


def test_a_list_can_be_the_input_of_a_batch_of_the_same_client(client, emulator):
    batch = client.send_many(
        (GetRunTest(each.id) for each in client.list_run_tests()), max_concurrency=4
    )

    assert [each.result.id for each in batch.successes] == newest_first(emulator)
    assert emulator.log.counts == {("run_tests", 200): 3, ("run_test", 200): 230}


def test_a_list_can_be_the_input_of_a_stream_of_the_same_client(client, emulator):
    template_id = emulator.world.template_ids[0]
    requests = (
        AddEvalConfigs(each.id, [{"template_id": template_id}])
        for each in client.list_run_tests()
    )

    with client.stream(requests, max_concurrency=4) as outcomes:
        done = {outcome.run_test_id for outcome in outcomes}

    assert done == set(emulator.world.run_test_ids)


def test_a_list_can_be_read_while_outcomes_come_in(client):
    listed = []

    batch = client.send_many(
        (GetRunTest(each) for each in client.list_run_tests("run test 2")),
        on_outcome=lambda outcome: listed.extend(client.list_eval_templates("tone")),
    )

    assert len(listed) == len(batch.successes) > 0


def test_a_list_can_be_the_input_of_an_asynchronous_batch(emulator):
    async def main():
        keys = emulator.api_key, emulator.secret_key
        async with AsyncFutureAGI(*keys, base_url=emulator.url) as client:
            requests = (GetRunTest(each.id) async for each in client.list_run_tests())
            return await client.send_many(requests, max_concurrency=4)

    batch = asyncio.run(main())

    assert [each.result.id for each in batch.successes] == newest_first(emulator)


def test_a_batch_ends_with_what_its_list_could_not_read(client, emulator):
    emulator.faults.add("status", status=403, endpoint="run_tests")

    with pytest.raises(BatchInterruptedError) as caught:
        client.send_many(GetRunTest(each.id) for each in client.list_run_tests())

    assert type(caught.value.__cause__) is PermissionDeniedError


def test_a_world_can_say_when_an_execution_began():
    execution = {"id": NOBODY, "started_at": "2026-02-03T04:05:06Z"}
    run_test = {
        "id": NOBODY,
        "name": "dated",
        "organization": "o",
        "workspace": "w",
        "executions": [execution, {"id": NOBODY[::-1]}],
    }
    key = {"name": "k", "api_key": "a", "secret_key": "s"}
    owner = {"organization": "o", "workspace": "w"}
    world = World.load({"api_keys": [key | owner], "run_tests": [run_test]})

    with (
        Emulator(world) as emulator,
        FutureAGI("a", "s", base_url=emulator.url) as client,
    ):
        newest, oldest = client.list_test_executions(NOBODY)

    assert oldest.start_time == datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert newest.start_time == datetime(2026, 1, 1, tzinfo=UTC)
