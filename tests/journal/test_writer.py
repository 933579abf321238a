"""What a writer stores of requests, and what a later writer finds."""

from __future__ import annotations

import asyncio
import gc
import threading
import weakref

import orjson
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from journal_requests import (
    URL,
    Ask,
    entries,
    failure,
    intend,
    same,
    states,
    success,
)

from futureagi_async.errors import Delivery, JournalError, NotAttemptedError
from futureagi_async.journal import writer as journal_writer
from futureagi_async.journal.database import JournalFile
from futureagi_async.journal.entry import JournalState, request_key
from futureagi_async.journal.store import ROWS_PER_STATEMENT
from futureagi_async.journal.writer import JournalWriter
from futureagi_async.model.outcome import NotAttempted


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


async def test_a_request_is_on_disk_before_it_may_be_sent(path):
    writer = await JournalWriter.open(path, wall_clock=Clock(1234.5))
    request = Ask("/run", b'{"a":1}', run_test_id="rt-1")

    earlier = await writer.record_intent(
        same(request), request, base_url=URL, workspace_id="ws"
    )

    assert earlier is None
    (entry,) = entries(path)
    assert (entry.state, entry.sequence, entry.key) == (
        JournalState.IN_FLIGHT,
        1,
        same(request),
    )
    assert (entry.base_url, entry.workspace_id) == (URL, "ws")
    assert (entry.endpoint, entry.method, entry.path) == ("Ask", "POST", "/run")
    assert (entry.run_test_id, entry.body) == ("rt-1", b'{"a":1}')
    assert entry.sent_at == 1234.5
    assert (entry.attempts, entry.elapsed, entry.response) == (0, 0.0, None)
    assert (entry.error, entry.error_class, entry.delivery) == (None, None, None)
    assert (entry.reconciled, entry.resolved, entry.request_id) == (False, False, None)
    await writer.aclose()


async def test_a_success_is_stored_with_its_response(writer, path):
    request = Ask("/run")
    await intend(writer, request)

    await writer.record_outcome(
        same(request), success(request, {"count": 3, "new": None})
    )

    (entry,) = entries(path)
    assert entry.state is JournalState.DONE
    assert orjson.loads(entry.response) == {"count": 3, "new": None}
    assert (entry.attempts, entry.elapsed, entry.request_id) == (2, 0.5, "r-1")
    assert (entry.reconciled, entry.error, entry.delivery) == (False, None, None)


@pytest.mark.parametrize(
    ("delivery", "state"),
    [
        (Delivery.NOT_SENT, JournalState.FAILED),
        (Delivery.REJECTED, JournalState.FAILED),
        (Delivery.UNKNOWN, JournalState.UNKNOWN),
    ],
)
async def test_a_failure_is_stored_with_its_error(writer, path, delivery, state):
    request = Ask("/run")
    await intend(writer, request)
    outcome = failure(request, delivery)

    await writer.record_outcome(same(request), outcome)

    (entry,) = entries(path)
    assert (entry.state, entry.delivery) == (state, delivery)
    assert entry.error == str(outcome.error)
    assert entry.error_class == type(outcome.error).__name__
    assert (entry.attempts, entry.elapsed, entry.request_id) == (3, 1.5, "r-2")
    assert entry.response is None


async def test_a_request_that_was_not_attempted_counts_as_failed(writer, path):
    request = Ask("/run")
    await intend(writer, request)

    await writer.record_outcome(
        same(request), NotAttempted(request, NotAttemptedError("stopped"))
    )

    (entry,) = entries(path)
    assert (entry.state, entry.delivery) == (JournalState.FAILED, Delivery.NOT_SENT)
    assert entry.request_id is None


async def test_lone_surrogates_of_an_error_are_escaped(writer, path):
    request = Ask("/run")
    await intend(writer, request)
    error = NotAttemptedError("half a \ud83d")

    await writer.record_outcome(same(request), NotAttempted(request, error))

    assert entries(path)[0].error == "half a \\ud83d"


async def test_lone_surrogates_of_a_request_id_are_escaped(writer, path):
    done, undone = Ask("/done"), Ask("/undone")
    await asyncio.gather(intend(writer, done), intend(writer, undone))
    refused = failure(undone)
    refused.error.request_id = "caf\udce9"

    await asyncio.gather(
        writer.record_outcome(same(done), success(done, request_id="caf\udce9")),
        writer.record_outcome(same(undone), refused),
    )

    assert [each.request_id for each in entries(path)] == ["caf\\udce9"] * 2


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (success, JournalState.DONE),
        (lambda request: failure(request, Delivery.UNKNOWN), JournalState.UNKNOWN),
        (None, JournalState.IN_FLIGHT),
    ],
)
async def test_entries_that_are_done_or_unknown_are_returned_unchanged(
    path, outcome, state
):
    request = Ask("/run")
    first = await JournalWriter.open(path)
    await intend(first, request)
    if outcome:
        await first.record_outcome(same(request), outcome(request))
    await first.aclose()
    before = entries(path)

    second = await JournalWriter.open(path)
    earlier = await intend(second, request)
    await second.aclose()

    assert [earlier] == before == entries(path)
    assert earlier.state is state


async def test_an_entry_that_failed_is_returned_and_in_flight_again(path):
    request = Ask("/run")
    clock = Clock(1.0)
    first = await JournalWriter.open(path, wall_clock=clock)
    await intend(first, request)
    await first.record_outcome(same(request), failure(request))
    await first.aclose()

    clock.now = 2.0
    second = await JournalWriter.open(path, wall_clock=clock)
    earlier = await intend(second, request)
    (entry,) = entries(path)
    await second.record_outcome(same(request), success(request))
    await second.aclose()

    assert earlier.state is JournalState.FAILED
    assert (entry.state, entry.sent_at) == (JournalState.IN_FLIGHT, 2.0)
    assert (entry.error, entry.delivery, entry.sequence) == (None, None, 1)
    assert states(path) == {"/run": "DONE"}


async def test_an_unknown_request_can_be_reconciled(writer, path):
    request = Ask("/run")
    await intend(writer, request)
    await writer.record_outcome(same(request), failure(request, Delivery.UNKNOWN))

    await writer.record_outcome(
        same(request), success(request, {"ok": 1}, reconciled=True)
    )

    (entry,) = entries(path)
    assert (entry.state, entry.reconciled, entry.response) == (
        JournalState.DONE,
        True,
        b'{"ok":1}',
    )
    assert (entry.error, entry.error_class, entry.delivery) == (None, None, None)


@pytest.mark.parametrize("outcome", [success, failure])
async def test_an_outcome_is_not_overwritten(writer, path, outcome):
    request = Ask("/run")
    await intend(writer, request)
    await writer.record_outcome(same(request), outcome(request))
    before = entries(path)

    with pytest.raises(JournalError, match=r"is (done|failed) already"):
        await writer.record_outcome(same(request), failure(request, Delivery.UNKNOWN))

    assert entries(path) == before


async def test_an_outcome_of_an_earlier_writer_is_not_overwritten(path):
    request = Ask("/run")
    for _ in range(2):
        writer = await JournalWriter.open(path)
        if await intend(writer, request) is None:
            await writer.record_outcome(same(request), success(request))
        else:
            with pytest.raises(JournalError, match="is done already"):
                await writer.record_outcome(same(request), failure(request))
        await writer.aclose()

    assert states(path) == {"/run": "DONE"}


async def test_an_outcome_without_an_intent_fails_alone(writer, path):
    known, unknown = Ask("/known"), Ask("/unknown")
    await intend(writer, known)

    refused, written = await asyncio.gather(
        writer.record_outcome(same(unknown), success(unknown)),
        writer.record_outcome(same(known), success(known)),
        return_exceptions=True,
    )

    assert isinstance(refused, JournalError)
    assert "is not in it" in str(refused)
    assert written is None
    assert states(path) == {"/known": "DONE"}


async def test_many_concurrent_writes_are_stored_in_order(writer, path):
    requests = [Ask(f"/{n}", b'{"n":%d}' % n) for n in range(3 * ROWS_PER_STATEMENT)]

    assert set(await asyncio.gather(*(intend(writer, each) for each in requests))) == {
        None
    }
    await asyncio.gather(
        *(writer.record_outcome(same(each), success(each)) for each in requests)
    )

    found = entries(path)
    assert [(each.path, each.body) for each in found] == [
        (each.path, each.body) for each in requests
    ]
    assert {each.state for each in found} == {JournalState.DONE}


async def test_the_same_request_twice_at_once_is_one_entry(writer, path):
    request = Ask("/run")

    first, second = await asyncio.gather(
        intend(writer, request), intend(writer, request)
    )

    assert first is None
    assert second.state is JournalState.IN_FLIGHT
    assert len(entries(path)) == 1


async def test_each_service_and_workspace_has_its_own_entry(writer, path):
    request = Ask("/run")
    services = [(URL, None), (URL, "ws"), ("https://staging.example.com", None)]

    for url, workspace in services:
        earlier = await writer.record_intent(
            request_key(url, workspace, request),
            request,
            base_url=url,
            workspace_id=workspace,
        )
        assert earlier is None

    assert [(each.base_url, each.workspace_id) for each in entries(path)] == services


async def test_a_body_that_many_share_is_stored_once(path):
    body = b'{"text":"%s"}' % (b"x" * 10_000)
    writer = await JournalWriter.open(path)
    await asyncio.gather(*(intend(writer, Ask(f"/{n}", body)) for n in range(100)))
    await writer.aclose()

    assert {each.body for each in entries(path)} == {body}
    assert path.stat().st_size < 20 * len(body)


async def test_bodies_are_restored_whatever_was_there_before(path):
    requests = [
        Ask(f"/{n}", body)
        for n, body in enumerate([b"a", b"a", None, b"b", b"a", None, b"b", b"b"])
    ]
    first = await JournalWriter.open(path)
    await asyncio.gather(*(intend(first, each) for each in requests[::3]))
    await first.aclose()

    second = await JournalWriter.open(path)
    await asyncio.gather(*(intend(second, each) for each in requests))
    await second.aclose()

    assert {each.path: each.body for each in entries(path)} == {
        each.path: each.body for each in requests
    }


async def test_the_history_of_a_run_test_has_its_entries_in_order(path):
    about = [Ask(f"/{n}", run_test_id=f"rt-{n % 2}") for n in range(6)]
    first = await JournalWriter.open(path)
    assert await first.history("rt-1") == []
    for request in about[:3]:
        await intend(first, request)
    await first.aclose()

    second = await JournalWriter.open(path)
    for request in about[3:]:
        await intend(second, request)
    found, earlier = await asyncio.gather(
        second.history("rt-1"), second.history("rt-1", earlier_only=True)
    )
    await second.aclose()

    assert [entry.path for entry in found] == ["/1", "/3", "/5"]
    assert earlier == found[:1]


async def test_a_cancelled_write_reaches_the_disk(writer, path):
    request = Ask("/run")
    intending = asyncio.create_task(intend(writer, request))
    await asyncio.sleep(0)
    intending.cancel()
    finishing = asyncio.create_task(
        writer.record_outcome(same(request), success(request))
    )
    await asyncio.sleep(0)
    finishing.cancel()

    await writer.aclose()

    assert intending.cancelled()
    assert finishing.cancelled()
    assert states(path) == {"/run": "DONE"}


async def test_an_outcome_that_nothing_waits_for_is_written_by_closing(writer, path):
    request = Ask("/run")
    await intend(writer, request)
    not_sent = NotAttempted(request, NotAttemptedError("cancelled"))

    writer.record_outcome_nowait(same(request), not_sent)
    await writer.aclose()

    assert states(path) == {"/run": "FAILED"}


async def test_cancelling_a_write_does_not_affect_others(writer, path):
    tasks = [asyncio.create_task(intend(writer, Ask(f"/{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()

    await asyncio.wait(tasks, timeout=60)

    assert [each.cancelled() for each in tasks] == [True, False, False]
    assert all(each.done() for each in tasks)
    assert len(states(path)) == 3


async def test_closing_writes_what_is_pending(writer, path):
    tasks = [asyncio.create_task(intend(writer, Ask(f"/{n}"))) for n in range(5)]
    await asyncio.sleep(0)

    await writer.aclose()

    assert [await each for each in tasks] == [None] * 5
    assert len(states(path)) == 5


async def test_closing_twice_or_at_once_is_harmless(path):
    writer = await JournalWriter.open(path)

    await asyncio.gather(writer.aclose(), writer.aclose())
    await writer.aclose()

    assert sorted(each.name for each in path.parent.iterdir()) == [
        "evals.db",
        "evals.db.lock",
    ]


async def test_closing_continues_when_its_task_is_cancelled(path):
    writer = await JournalWriter.open(path)
    closing = asyncio.create_task(writer.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])

    await writer.aclose()

    await (await JournalWriter.open(path)).aclose()


async def test_the_next_writer_waits_for_one_that_closes_slowly(path, monkeypatch):
    is_closing, may_close = threading.Event(), threading.Event()

    def close_late(file):
        is_closing.set()
        may_close.wait(60)
        close_now(file)

    close_now = JournalFile.close
    monkeypatch.setattr(JournalFile, "close", close_late)
    first = await JournalWriter.open(path)
    closing = asyncio.create_task(first.aclose())
    await asyncio.to_thread(is_closing.wait, 60)
    opening = asyncio.create_task(JournalWriter.open(path))
    done, _ = await asyncio.wait([opening], timeout=0.2)
    may_close.set()

    second = await opening

    assert not done
    await closing
    await second.aclose()


async def test_a_closed_journal_is_refused(path):
    writer = await JournalWriter.open(path)
    await writer.aclose()

    with pytest.raises(JournalError, match="is closed"):
        await intend(writer, Ask("/run"))


async def test_opening_that_is_cancelled_leaves_nothing_locked(path):
    others = set(threading.enumerate())
    opening = asyncio.create_task(JournalWriter.open(path))
    await asyncio.sleep(0)
    threads = set(threading.enumerate()) - others
    opening.cancel()
    await asyncio.wait([opening])
    for each in threads:
        await asyncio.to_thread(each.join)

    assert opening.cancelled()
    assert threads
    await (await JournalWriter.open(path)).aclose()


@pytest.mark.parametrize("is_journal", [True, False])
async def test_a_cancelled_open_returns_when_the_journal_is_released(
    path, is_journal, monkeypatch
):
    if not is_journal:
        path.write_text("something else")
    has_begun, may_open = threading.Event(), threading.Event()

    def open_late(path):
        has_begun.set()
        may_open.wait(60)
        return open_now(path)

    open_now = journal_writer._open_store
    monkeypatch.setattr(journal_writer, "_open_store", open_late)
    opening = asyncio.create_task(JournalWriter.open(path))
    await asyncio.to_thread(has_begun.wait, 60)
    opening.cancel()
    for _ in range(10):
        await asyncio.sleep(0)
    is_waiting = not opening.done()
    may_open.set()
    await asyncio.wait([opening])

    assert is_waiting
    assert opening.cancelled()
    if not is_journal:
        path.unlink()
    await (await JournalWriter.open(path)).aclose()


async def test_a_collected_writer_releases_the_journal(path):
    writer = await JournalWriter.open(path)
    await intend(writer, Ask("/run"))
    (thread,) = [each for each in threading.enumerate() if "journal" in each.name]
    remembered = weakref.ref(writer)
    del writer
    gc.collect()
    await asyncio.to_thread(thread.join, 60)

    assert remembered() is None
    assert not thread.is_alive()
    await (await JournalWriter.open(path)).aclose()
    assert states(path) == {"/run": "IN_FLIGHT"}


def test_a_writer_stops_when_its_loop_is_closed(path):
    async def leave_something_to_write():
        writer = await JournalWriter.open(path)
        task = asyncio.create_task(intend(writer, Ask("/run")))
        await asyncio.sleep(0)
        writer._flush()
        task.cancel()
        return writer

    loop = asyncio.new_event_loop()
    writer = loop.run_until_complete(leave_something_to_write())
    (thread,) = [each for each in threading.enumerate() if "journal" in each.name]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    writer._queue.put([])
    thread.join(60)

    assert not thread.is_alive()
    assert states(path) == {"/run": "IN_FLIGHT"}


class Model:
    """What a journal should hold, in a dict."""

    def __init__(self):
        self.states = {}

    def intend(self, key):
        earlier = self.states.get(key)
        if earlier in {None, "FAILED"}:
            self.states[key] = "IN_FLIGHT"
        return earlier

    def end(self, key, state):
        if self.states.get(key) not in {"IN_FLIGHT", "UNKNOWN"}:
            return "refused"
        self.states[key] = state
        return None


steps = st.tuples(
    st.sampled_from(["intend", "DONE", "FAILED", "UNKNOWN", "reopen"]),
    st.integers(0, 1),
)
ENDS = {
    "DONE": success,
    "FAILED": failure,
    "UNKNOWN": lambda request: failure(request, Delivery.UNKNOWN),
}


async def take(writer, step, key):
    request = Ask(f"/{key}")
    try:
        if step == "intend":
            earlier = await intend(writer, request)
            return earlier and earlier.state.name
        return await writer.record_outcome(same(request), ENDS[step](request))
    except JournalError:
        return "refused"


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.lists(steps, max_size=6), max_size=4))
def test_a_journal_holds_what_was_written_in_any_order(tmp_path, turns):
    """Steps of one turn run concurrently and reach the disk together."""
    path = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
    model = Model()

    async def work():
        writer = await JournalWriter.open(path)
        for turn in turns:
            wanted = [
                model.intend(key) if step == "intend" else model.end(key, step)
                for step, key in turn
                if step != "reopen"
            ]
            found = await asyncio.gather(
                *(take(writer, step, key) for step, key in turn if step != "reopen")
            )
            assert found == wanted
            if any(step == "reopen" for step, _ in turn):
                await writer.aclose()
                writer = await JournalWriter.open(path)
        await writer.aclose()

    asyncio.run(work())

    assert states(path) == {f"/{key}": each for key, each in model.states.items()}
