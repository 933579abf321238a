"""The same batch again: what a journal answers, and what is sent all the same."""

from __future__ import annotations

import gc
import os
import resource
import sqlite3
import stat
import sys
import weakref

import pytest
from recorded_requests import (
    ADD,
    RUN,
    adds,
    arrived,
    config,
    config_id,
    entries,
    results,
    runs,
    states,
)

from futureagi_async import (
    AddEvalConfigs,
    APIConnectionError,
    ConfigurationError,
    EvalDispatchError,
    Failure,
    Journal,
    JournalError,
    NotAttempted,
    RetryPolicy,
    RunNewEvals,
    Success,
)
from futureagi_async.emulator import Emulator, World
from futureagi_async.endpoints.get_run_test import GetRunTest
from futureagi_async.journal.entry import JournalState
from futureagi_async.journal.store import Store


UNSETTLED = RetryPolicy(reconcile=False)
ONCE = RetryPolicy(reconcile=False, max_attempts=1)


async def streamed(client, requests, **options):
    """The outcomes of a stream, in input order."""
    async with client.stream(requests, **options) as outcomes:
        found = {each.run_test_id: each async for each in outcomes}
    return [found[each.run_test_id] for each in requests]


async def sent_many(client, requests, **options):
    return await client.send_many(requests, **options)


async def sent_from_generator(client, requests, **options):
    async def generated():
        for each in requests:
            yield each

    return await client.send_many(generated(), **options)


def many(requests):
    """The `*_many` method that makes these requests, with its arguments."""
    first = requests[0]
    ids = [each.run_test_id for each in requests]
    if isinstance(first, AddEvalConfigs):
        return "add_eval_configs_many", (ids, list(first.evaluations_config)), {}
    by_run_test = {each.run_test_id: each.eval_config_ids for each in requests}
    return "run_new_evals_many", (by_run_test,), {"select_all": True}


async def by_method(client, requests, **options):
    name, args, more = many(requests)
    return await getattr(client, name)(*args, **more, **options)


def assert_answered(again, first):
    """All of it came from the journal, as it was."""
    assert all(type(each) is Success for each in again)
    assert [(each.from_journal, each.attempts) for each in again] == [(True, 0)] * 8
    assert results(again) == results(first)


@pytest.mark.parametrize("make", [adds, runs])
@pytest.mark.parametrize("way", [sent_many, sent_from_generator, streamed, by_method])
async def test_the_same_batch_again_sends_nothing(
    way, make, emulator, connect, journal
):
    first = await way(connect(), make(emulator), journal=journal)
    assert [each.from_journal for each in first] == [False] * 8
    done = len(emulator.log.requests)

    again = await way(connect(), make(emulator), journal=str(journal))

    assert_answered(again, first)
    assert len(emulator.log.requests) == done == 8


def streamed_blocking(client, requests, **options):
    with client.stream(requests, **options) as outcomes:
        found = {each.run_test_id: each for each in outcomes}
    return [found[each.run_test_id] for each in requests]


def by_blocking_method(client, requests, **options):
    name, args, more = many(requests)
    return getattr(client, name)(*args, **more, **options)


BLOCKING = {
    "send_many": lambda client, requests, **options: client.send_many(
        requests, **options
    ),
    "a_generator": lambda client, requests, **options: client.send_many(
        (each for each in requests), **options
    ),
    "stream": streamed_blocking,
    "many": by_blocking_method,
}


@pytest.mark.parametrize("make", [adds, runs])
@pytest.mark.parametrize("way", BLOCKING)
def test_the_same_batch_of_the_blocking_client_again_sends_nothing(
    way, make, emulator, connect_blocking, journal
):
    first = BLOCKING[way](connect_blocking(), make(emulator), journal=journal)
    done = len(emulator.log.requests)

    again = BLOCKING[way](connect_blocking(), make(emulator), journal=journal)

    assert_answered(again, first)
    assert len(emulator.log.requests) == done == 8


async def test_both_clients_and_all_ways_share_a_journal(
    emulator, connect, connect_blocking, journal
):
    requests = adds(emulator)
    first = await connect().send_many(requests, journal=journal)

    assert_answered(connect_blocking().send_many(requests, journal=journal), first)
    assert_answered(await streamed(connect(), requests, journal=journal), first)
    assert arrived(emulator) == 8


async def test_what_comes_new_is_sent_beside_what_is_done(emulator, connect, journal):
    await connect().send_many(adds(emulator, 5), journal=journal)

    batch = await connect().send_many(adds(emulator), journal=journal)

    assert [each.from_journal for each in batch] == [True] * 5 + [False] * 3
    assert set(emulator.log.configs.values()) == {1}
    assert len(emulator.log.configs) == 8


async def test_what_failed_is_sent_again(emulator, connect, journal):
    requests = runs(emulator)
    troubled = requests[3].run_test_id
    emulator.faults.add("dispatch", endpoint=RUN, run_test_id=troubled)
    first = await connect(retry=ONCE).send_many(requests, journal=journal)
    assert [type(each.error) for each in first.failures] == [EvalDispatchError]
    assert states(journal)[troubled] == "FAILED"
    emulator.faults.clear()

    again = await connect().send_many(requests, journal=journal)

    assert len(again.successes) == 8
    assert [each.run_test_id for each in again if not each.from_journal] == [troubled]
    assert arrived(emulator) == 9
    assert set(states(journal).values()) == {"DONE"}
    assert set(emulator.log.runs.values()) == {1}


async def test_a_changed_config_is_a_new_request(emulator, connect, journal):
    await connect().send_many(adds(emulator), journal=journal)

    batch = await connect().send_many(adds(emulator, name="other"), journal=journal)

    assert [each.from_journal for each in batch] == [False] * 8
    assert set(emulator.log.configs.values()) == {2}


async def test_another_service_is_never_answered_for(emulator, connect, journal):
    await connect().send_many(adds(emulator), journal=journal)
    with Emulator(World.synthetic(run_tests=8)) as production:
        client = connect(base_url=production.url)
        batch = await client.send_many(adds(emulator), journal=journal)

        assert [each.from_journal for each in batch] == [False] * 8
        assert arrived(production) == 8
    assert arrived(emulator) == 8


async def test_another_workspace_is_never_answered_for(emulator, connect, journal):
    await connect().send_many(runs(emulator, 1), journal=journal)
    workspace = emulator.world.keys[0].workspace

    (outcome,) = await connect(workspace_id=workspace).send_many(
        runs(emulator, 1), journal=journal
    )

    assert not outcome.from_journal
    assert arrived(emulator) == 2
    assert [each.workspace_id for each in entries(journal)] == [None, workspace]


@pytest.mark.parametrize("max_concurrency", [1, 8])
async def test_equal_requests_of_one_batch_are_sent_once(
    max_concurrency, emulator, connect, journal
):
    one, other = adds(emulator, 2)
    twin = AddEvalConfigs(one.run_test_id.upper(), [config(emulator)])

    batch = await connect().send_many(
        [one, twin, other, one], journal=journal, max_concurrency=max_concurrency
    )

    assert [each.from_journal for each in batch] == [False, True, False, True]
    assert results([batch[1], batch[3]]) == results([batch[0]]) * 2
    assert batch[1].request is twin
    assert arrived(emulator) == 2
    assert len(entries(journal)) == 2


@pytest.mark.parametrize("max_concurrency", [1, 8])
async def test_equal_requests_share_a_failure_too(
    max_concurrency, emulator, connect, journal
):
    emulator.faults.add("drop_after", endpoint=ADD)
    (request,) = adds(emulator, 1)

    batch = await connect(retry=UNSETTLED).send_many(
        [request] * 3, journal=journal, max_concurrency=max_concurrency
    )

    assert len(batch.unknown) == 3
    assert len({(type(each.error), str(each.error)) for each in batch}) == 1
    assert [each.from_journal for each in batch] == [False, True, True]
    assert arrived(emulator) == 1


async def test_what_comes_after_an_equal_failure_is_told_the_same_in_short(
    emulator, connect, journal
):
    missing = adds(emulator, 1)[0].run_test_id.replace("0", "f")
    request = AddEvalConfigs(missing, [config(emulator)])

    async with connect().stream(
        [request] * 3, journal=journal, max_concurrency=1
    ) as outcomes:
        first, *later = [each async for each in outcomes]

    assert first.error.body
    for each in later:
        assert type(each.error) is type(first.error)
        assert str(each.error) == str(first.error)
        assert each.error.delivery is first.error.delivery
        assert (each.request, each.attempts, each.elapsed, each.from_journal) == (
            request,
            first.attempts,
            first.elapsed,
            True,
        )
        assert not each.error.body
    assert arrived(emulator) == 1


async def test_a_stream_keeps_no_failure_that_was_taken(emulator, connect, journal):
    emulator.faults.add("drop_after", endpoint=ADD, times=4)
    emulator.faults.add("status", status=404, endpoint=ADD)
    errors = []

    async with connect(retry=UNSETTLED).stream(
        adds(emulator), journal=journal, max_concurrency=1
    ) as outcomes:
        async for each in outcomes:
            errors.append(weakref.ref(each.error))
            if len(errors) == 7:
                break
        del each
        gc.collect()

        assert not [found() for found in errors[:6] if found() is not None]


async def test_equal_requests_are_sent_again_when_they_failed_before(
    emulator, connect, journal
):
    emulator.faults.add("dispatch", endpoint=RUN, times=1)
    (request,) = runs(emulator, 1)
    first = await connect(retry=ONCE).send_many([request] * 2, journal=journal)
    assert len(first.failures) == 2

    again = await connect().send_many([request] * 2, journal=journal)

    assert [each.from_journal for each in again] == [False, True]
    assert arrived(emulator) == 2


async def test_reads_are_answered_from_the_journal_too(emulator, connect, journal):
    requests = [GetRunTest(each) for each in emulator.world.run_test_ids]
    first = await connect().send_many(requests, journal=journal)

    again = await connect().send_many(requests, journal=journal)

    assert_answered(again, first)
    assert len(emulator.log.requests) == 8


async def test_a_request_is_on_disk_when_it_arrives(
    emulator, connect, journal, when_served
):
    found = []

    def look(request):
        found.extend(
            each.body == request.body
            for each in entries(journal)
            if each.path == request.path and each.state is JournalState.IN_FLIGHT
        )

    when_served(look)
    await connect().send_many(adds(emulator), journal=journal)

    assert found == [True] * 8


async def test_an_outcome_is_on_disk_before_it_is_handed_on(emulator, connect, journal):
    missing = runs(emulator, 1)[0].run_test_id.replace("0", "f")
    requests = [*runs(emulator), RunNewEvals(missing, [missing], select_all=True)]
    seen = []
    await connect().send_many(
        requests,
        journal=journal,
        on_outcome=lambda outcome: seen.append(
            (type(outcome), states(journal)[outcome.run_test_id])
        ),
    )
    assert sorted(seen, key=str) == [(Failure, "FAILED")] + [(Success, "DONE")] * 8

    more = adds(emulator)
    async with connect().stream(more, journal=f"{journal}-2") as outcomes:
        async for outcome in outcomes:
            assert states(f"{journal}-2")[outcome.run_test_id] == "DONE"


def test_an_outcome_is_on_disk_before_the_blocking_client_hands_it_on(
    emulator, connect_blocking, journal
):
    seen = []
    connect_blocking().send_many(
        adds(emulator),
        journal=journal,
        on_outcome=lambda outcome: seen.append(states(journal)[outcome.run_test_id]),
    )

    assert seen == ["DONE"] * 8


async def test_no_key_is_in_any_file_and_only_the_owner_may_read_them(
    emulator, connect, journal, when_served
):
    emulator.faults.add("drop_after", endpoint=ADD, times=2)
    emulator.faults.add("status", status=500, endpoint=ADD, times=2)
    found = {}

    def look(request=None):
        for each in journal.parent.iterdir():
            found[each.name] = stat.S_IMODE(each.stat().st_mode)
            content = each.read_bytes()
            assert emulator.api_key.encode() not in content
            assert emulator.secret_key.encode() not in content

    when_served(look)
    await connect(retry=UNSETTLED).send_many(adds(emulator), journal=journal)
    look()

    assert f"{journal.name}-wal" in found
    assert set(found.values()) == {0o600}


async def test_an_item_that_was_refused_is_not_written(emulator, connect, journal):
    good = emulator.world.run_test_ids[0]
    batch = await connect().add_eval_configs_many(
        (each for each in [good, "no id"]), [config(emulator)], journal=journal
    )

    assert [type(each) for each in batch] == [Success, Failure]
    assert states(journal) == {good: "DONE"}


@pytest.mark.parametrize("value", [7, True, b"evals.db", ["evals.db"], object()])
@pytest.mark.parametrize("method", ["send_many", "stream"])
async def test_what_is_no_path_is_refused(
    value, method, emulator, connect, connect_blocking
):
    with pytest.raises(ConfigurationError, match="journal: the path of a file"):
        getattr(connect_blocking(), method)(adds(emulator), journal=value)
    with pytest.raises(ConfigurationError, match="journal: the path of a file"):
        await sent_or_streamed(connect(), method, adds(emulator), value)

    assert not emulator.log.requests


@pytest.fixture
def clients(connect, connect_blocking):
    return connect, connect_blocking


async def sent_or_streamed(client, method, requests, journal):
    way = sent_many if method == "send_many" else streamed
    return await way(client, requests, journal=journal)


def a_folder(path):
    path.mkdir()


def a_missing_folder(path):
    return path / "evals.db"


def a_text(path):
    path.write_text("dear diary, " * 100)


def another_database(path):
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE sums (one)")
    connection.commit()
    connection.close()


def nothing_to_call_a_path(path):
    return "nul\0"


def a_folder_without_room(path):
    return "/proc/self/evals.db"


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (a_folder, "this is a directory"),
        (a_missing_folder, "there is no directory"),
        (a_text, "this file is no journal"),
        (another_database, "another program's SQLite file"),
        (nothing_to_call_a_path, "is no path"),
        pytest.param(
            a_folder_without_room,
            "check its name and the permissions",
            marks=pytest.mark.skipif(
                not sys.platform.startswith("linux"), reason="no /proc here"
            ),
        ),
    ],
)
async def test_a_journal_that_cannot_be_is_refused_before_anything_is_sent(
    prepare, says, emulator, clients, journal
):
    connect, connect_blocking = clients
    where = prepare(journal) or journal
    before = journal.read_bytes() if journal.is_file() else None

    for method in ("send_many", "stream"):
        with pytest.raises(JournalError, match=says):
            await sent_or_streamed(connect(), method, adds(emulator), where)
        with pytest.raises(JournalError, match=says):
            BLOCKING[method](connect_blocking(), adds(emulator), journal=where)

    assert not emulator.log.requests
    assert before is None or journal.read_bytes() == before


@pytest.mark.parametrize("method", ["send_many", "stream"])
async def test_a_journal_of_another_batch_is_refused_before_anything_is_sent(
    method, emulator, connect, journal
):
    client = connect()
    async with client.stream(
        adds(emulator, 4), journal=journal, max_concurrency=1
    ) as outcomes:
        await anext(outcomes)
        with pytest.raises(JournalError, match="being written already"):
            await sent_or_streamed(client, method, runs(emulator), journal)
        with Journal.open(journal) as looking:
            assert len(looking) > 0
        assert len([each async for each in outcomes]) == 3

    assert not emulator.log.runs
    assert len(emulator.log.configs) == 4


@pytest.fixture
def full_disk(journal):
    """No file can grow beyond what the journal has now."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        size = journal.with_name(f"{journal.name}-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))

    def empty():
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    yield fill, empty
    empty()


@pytest.mark.parametrize("max_concurrency", [1, 2])
async def test_a_full_disk_stops_the_batch_and_what_was_done_is_told(
    max_concurrency, emulator, connect, journal, full_disk
):
    fill, empty = full_disk
    seen = []

    def fill_after_two(outcome):
        seen.append(outcome)
        if len(seen) == 2:
            fill()

    requests = adds(emulator)
    batch = await connect().send_many(
        requests,
        journal=journal,
        max_concurrency=max_concurrency,
        on_outcome=fill_after_two,
    )
    empty()

    done = {each.run_test_id for each in batch.successes}
    assert done == set(emulator.log.configs)
    assert {type(each.error) for each in batch.failures} == {JournalError}
    assert "the disk is full" in str(batch.failures[0].error)
    assert not batch.unknown
    assert len(batch.successes + batch.failures + batch.not_attempted) == 8
    assert all("disk is full" in str(each.error) for each in batch.not_attempted)

    again = await connect().send_many(requests, journal=journal)
    assert len(again.successes) == 8
    assert set(emulator.log.configs.values()) == {1}
    assert set(states(journal).values()) == {"DONE"}


def full(*_):
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    raise error


async def test_an_outcome_that_cannot_be_written_is_told_and_warned_of(
    emulator, connect, journal, monkeypatch, caplog
):
    with monkeypatch.context() as patch:
        patch.setattr(Store, "record_outcome", full)
        (outcome,) = await connect().send_many(adds(emulator, 1), journal=journal)

    assert isinstance(outcome, Success)
    assert states(journal) == {outcome.run_test_id: "IN_FLIGHT"}
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert outcome.run_test_id in record.message
    assert "disk is full" in record.message

    (again,) = await connect().send_many(adds(emulator, 1), journal=journal)
    assert again.result.reconciled
    assert emulator.log.configs.total() == 1


async def test_a_failure_that_cannot_be_written_keeps_its_delivery(
    emulator, connect, journal, monkeypatch
):
    emulator.faults.add("drop_after", endpoint=ADD)
    monkeypatch.setattr(Store, "record_outcome", full)

    (outcome,) = await connect(retry=UNSETTLED).send_many(
        adds(emulator, 1), journal=journal
    )

    assert isinstance(outcome.error, APIConnectionError)
    assert outcome.error.delivery.value == "unknown"


async def test_a_journal_that_breaks_while_reconciling_leaves_the_doubt(
    emulator, connect, journal, monkeypatch
):
    requests = runs(emulator, 1)
    call = emulator.world.run_tests.get(requests[0].run_test_id).calls()[0][1]
    call.eval_outputs[config_id(requests[0].run_test_id)] = {"output": "Passed"}
    emulator.faults.add("drop_before", endpoint=RUN)
    monkeypatch.setattr(Store, "history", full)

    (outcome,) = await connect().send_many(requests, journal=journal)

    assert outcome.error.delivery.value == "unknown"
    assert isinstance(outcome.error, APIConnectionError)
    assert states(journal) == {outcome.run_test_id: "IN_FLIGHT"}


async def test_equal_requests_are_all_told_that_the_journal_refuses(
    emulator, connect, journal, monkeypatch
):
    monkeypatch.setattr(Store, "record_intent", full)
    (request,) = adds(emulator, 1)

    batch = await connect().send_many([request] * 3, journal=journal)

    assert [type(each) for each in batch] == [Failure] * 3
    assert {type(each.error) for each in batch} == {JournalError}
    assert not emulator.log.requests


def rewrite(journal, statement):
    connection = sqlite3.connect(journal)
    connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("answer", ["'{'", "'[]'", """'{"message": 7}'"""])
async def test_a_damaged_answer_stops_the_batch(answer, emulator, connect, journal):
    requests = adds(emulator)
    await connect().send_many(requests, journal=journal)
    rewrite(journal, f"UPDATE outcomes SET response = {answer} WHERE sequence = 3")

    batch = await connect().send_many(requests, journal=journal, max_concurrency=1)

    assert "entry 3 is damaged" in str(batch[2].error)
    assert len(batch.successes) >= 2
    assert isinstance(batch[7], NotAttempted)
    assert arrived(emulator) == 8


async def test_a_read_that_a_person_called_done_has_no_answer(
    emulator, connect, journal
):
    emulator.faults.add("drop_after")
    request = GetRunTest(emulator.world.run_test_ids[0])
    (failure,) = await connect(retry=ONCE).send_many([request], journal=journal)
    with Journal.open(journal) as opened:
        opened.resolve(failure, done=True)

    (outcome,) = await connect().send_many([request], journal=journal)

    assert "entry 1 has no response" in str(outcome.error)


async def test_a_journal_may_be_named_by_anything_that_is_a_path(
    emulator, connect, journal, monkeypatch
):
    class Path(os.PathLike):
        def __fspath__(self):
            return journal.name

    monkeypatch.chdir(journal.parent)
    await connect().send_many(adds(emulator, 1), journal=Path())

    assert len(entries(journal)) == 1
