"""What is written of requests, and what a later fan-out finds of them."""

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
from futureagi_async.journal.entry import JournalState, identity
from futureagi_async.journal.store import AT_A_TIME
from futureagi_async.journal.writer import JournalWriter
from futureagi_async.model.outcome import NotAttempted


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


async def test_a_request_is_on_disk_before_it_may_leave(path):
    writer = await JournalWriter.open(path, wall_clock=Clock(1234.5))
    request = Ask("/run", b'{"a":1}', run_test_id="rt-1")

    earlier = await writer.intend(
        same(request), request, base_url=URL, workspace_id="ws", read_before=True
    )

    assert earlier is None
    (entry,) = entries(path)
    assert (entry.state, entry.sequence, entry.identity) == (
        JournalState.IN_FLIGHT,
        1,
        same(request),
    )
    assert (entry.base_url, entry.workspace_id) == (URL, "ws")
    assert (entry.endpoint, entry.method, entry.path) == ("Ask", "POST", "/run")
    assert (entry.run_test_id, entry.body) == ("rt-1", b'{"a":1}')
    assert (entry.sent_at, entry.read_before) == (1234.5, True)
    assert (entry.attempts, entry.elapsed, entry.answer) == (0, 0.0, None)
    assert (entry.error, entry.error_class, entry.delivery) == (None, None, None)
    assert (entry.reconciled, entry.resolved, entry.request_id) == (False, False, None)
    await writer.aclose()


async def test_a_success_is_kept_with_its_answer(writer, path):
    request = Ask("/run")
    await intend(writer, request)

    await writer.finish(same(request), success(request, {"count": 3, "new": None}))

    (entry,) = entries(path)
    assert entry.state is JournalState.DONE
    assert orjson.loads(entry.answer) == {"count": 3, "new": None}
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
async def test_a_failure_is_kept_with_what_it_says(writer, path, delivery, state):
    request = Ask("/run")
    await intend(writer, request)
    outcome = failure(request, delivery)

    await writer.finish(same(request), outcome)

    (entry,) = entries(path)
    assert (entry.state, entry.delivery) == (state, delivery)
    assert entry.error == str(outcome.error)
    assert entry.error_class == type(outcome.error).__name__
    assert (entry.attempts, entry.elapsed, entry.request_id) == (3, 1.5, "r-2")
    assert entry.answer is None


async def test_what_was_not_attempted_after_all_is_sent_next_time(writer, path):
    request = Ask("/run")
    await intend(writer, request)

    await writer.finish(
        same(request), NotAttempted(request, NotAttemptedError("stopped"))
    )

    (entry,) = entries(path)
    assert (entry.state, entry.delivery) == (JournalState.FAILED, Delivery.NOT_SENT)
    assert entry.request_id is None


async def test_an_error_that_no_file_could_hold_is_kept_all_the_same(writer, path):
    request = Ask("/run")
    await intend(writer, request)
    error = NotAttemptedError("half a \ud83d")

    await writer.finish(same(request), NotAttempted(request, error))

    assert entries(path)[0].error == "half a \\ud83d"


async def test_a_request_id_that_no_file_could_hold_is_kept_all_the_same(writer, path):
    done, undone = Ask("/done"), Ask("/undone")
    await asyncio.gather(intend(writer, done), intend(writer, undone))
    refused = failure(undone)
    refused.error.request_id = "caf\udce9"

    await asyncio.gather(
        writer.finish(same(done), success(done, request_id="caf\udce9")),
        writer.finish(same(undone), refused),
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
async def test_done_and_doubtful_requests_are_given_back_unchanged(
    path, outcome, state
):
    request = Ask("/run")
    first = await JournalWriter.open(path)
    await intend(first, request)
    if outcome:
        await first.finish(same(request), outcome(request))
    await first.aclose()
    before = entries(path)

    second = await JournalWriter.open(path)
    earlier = await intend(second, request, read_before=True)
    await second.aclose()

    assert [earlier] == before == entries(path)
    assert earlier.state is state


async def test_a_failed_request_is_given_back_and_set_to_sent(path):
    request = Ask("/run")
    clock = Clock(1.0)
    first = await JournalWriter.open(path, wall_clock=clock)
    await intend(first, request)
    await first.finish(same(request), failure(request))
    await first.aclose()

    clock.now = 2.0
    second = await JournalWriter.open(path, wall_clock=clock)
    earlier = await intend(second, request, read_before=True)
    (entry,) = entries(path)
    await second.finish(same(request), success(request))
    await second.aclose()

    assert earlier.state is JournalState.FAILED
    assert (entry.state, entry.sent_at, entry.read_before) == (
        JournalState.IN_FLIGHT,
        2.0,
        True,
    )
    assert (entry.error, entry.delivery, entry.sequence) == (None, None, 1)
    assert states(path) == {"/run": "DONE"}


async def test_an_unknown_request_can_be_settled(writer, path):
    request = Ask("/run")
    await intend(writer, request)
    await writer.finish(same(request), failure(request, Delivery.UNKNOWN))

    await writer.finish(same(request), success(request, {"ok": 1}), reconciled=True)

    (entry,) = entries(path)
    assert (entry.state, entry.reconciled, entry.answer) == (
        JournalState.DONE,
        True,
        b'{"ok":1}',
    )
    assert (entry.error, entry.error_class, entry.delivery) == (None, None, None)


@pytest.mark.parametrize("outcome", [success, failure])
async def test_what_has_ended_is_not_written_over(writer, path, outcome):
    request = Ask("/run")
    await intend(writer, request)
    await writer.finish(same(request), outcome(request))
    before = entries(path)

    with pytest.raises(JournalError, match=r"is (done|failed) already"):
        await writer.finish(same(request), failure(request, Delivery.UNKNOWN))

    assert entries(path) == before


async def test_what_was_done_at_an_earlier_time_is_not_written_over(path):
    request = Ask("/run")
    for _ in range(2):
        writer = await JournalWriter.open(path)
        if await intend(writer, request) is None:
            await writer.finish(same(request), success(request))
        else:
            with pytest.raises(JournalError, match="is done already"):
                await writer.finish(same(request), failure(request))
        await writer.aclose()

    assert states(path) == {"/run": "DONE"}


async def test_what_was_never_intended_cannot_end_and_hurts_nobody_else(writer, path):
    known, unknown = Ask("/known"), Ask("/unknown")
    await intend(writer, known)

    refused, written = await asyncio.gather(
        writer.finish(same(unknown), success(unknown)),
        writer.finish(same(known), success(known)),
        return_exceptions=True,
    )

    assert isinstance(refused, JournalError)
    assert "is not in there" in str(refused)
    assert written is None
    assert states(path) == {"/known": "DONE"}


async def test_many_at_a_time_are_kept_in_order(writer, path):
    requests = [Ask(f"/{n}", b'{"n":%d}' % n) for n in range(3 * AT_A_TIME)]

    assert set(await asyncio.gather(*(intend(writer, each) for each in requests))) == {
        None
    }
    await asyncio.gather(
        *(writer.finish(same(each), success(each)) for each in requests)
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
        earlier = await writer.intend(
            identity(url, workspace, request),
            request,
            base_url=url,
            workspace_id=workspace,
        )
        assert earlier is None

    assert [(each.base_url, each.workspace_id) for each in entries(path)] == services


async def test_a_body_that_many_share_is_kept_once(path):
    body = b'{"text":"%s"}' % (b"x" * 10_000)
    writer = await JournalWriter.open(path)
    await asyncio.gather(*(intend(writer, Ask(f"/{n}", body)) for n in range(100)))
    await writer.aclose()

    assert {each.body for each in entries(path)} == {body}
    assert path.stat().st_size < 20 * len(body)


async def test_bodies_come_back_whatever_was_there_before(path):
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


def created(*ids):
    return {"created_eval_configs": [{"id": each} for each in ids]}


async def test_created_configs_are_those_that_answers_speak_of(path):
    answers = {
        "/1": (created("a", "B"), False),
        "/2": (created("c"), False),
        "/3": (created("reconciled"), True),
        "/4": ({"created_eval_configs": "none"}, False),
        "/5": ({"created_eval_configs": [None, {"id": 7}, {}]}, False),
        "/6": ({"message": "started"}, False),
    }
    first = await JournalWriter.open(path)
    for where, (answer, reconciled) in answers.items():
        request = Ask(where, run_test_id="rt-1")
        await intend(first, request)
        await first.finish(
            same(request), success(request, answer), reconciled=reconciled
        )
    other = Ask("/other", run_test_id="rt-2")
    await intend(first, other)
    await first.finish(same(other), success(other, created("d")))
    await first.aclose()

    second = await JournalWriter.open(path)
    assert await second.created_ids("rt-1") == {"a", "b", "c"}
    assert await second.created_ids("rt-2") == {"d"}
    assert await second.created_ids("rt-3") == frozenset()
    await second.aclose()


async def test_a_request_is_alone_if_no_other_has_its_path(writer):
    alone, one, other = Ask("/alone"), Ask("/shared", b"1"), Ask("/shared", b"2")
    for each in (alone, one, other):
        await intend(writer, each)

    assert await writer.is_alone(same(alone), alone.path)
    assert not await writer.is_alone(same(one), one.path)


async def test_whoever_is_cancelled_while_waiting_has_written_all_the_same(
    writer, path
):
    request = Ask("/run")
    intending = asyncio.create_task(intend(writer, request))
    await asyncio.sleep(0)
    intending.cancel()
    finishing = asyncio.create_task(writer.finish(same(request), success(request)))
    await asyncio.sleep(0)
    finishing.cancel()

    await writer.aclose()

    assert intending.cancelled()
    assert finishing.cancelled()
    assert states(path) == {"/run": "DONE"}


async def test_whoever_is_cancelled_takes_nobody_else_along(writer, path):
    tasks = [asyncio.create_task(intend(writer, Ask(f"/{n}"))) for n in range(3)]
    await asyncio.sleep(0)
    tasks[0].cancel()

    await asyncio.wait(tasks, timeout=60)

    assert [each.cancelled() for each in tasks] == [True, False, False]
    assert all(each.done() for each in tasks)
    assert len(states(path)) == 3


async def test_closing_writes_what_is_left(writer, path):
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


async def test_closing_goes_on_when_who_waits_for_it_is_cancelled(path):
    writer = await JournalWriter.open(path)
    closing = asyncio.create_task(writer.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing])

    await writer.aclose()

    await (await JournalWriter.open(path)).aclose()


async def test_the_next_writer_waits_for_one_that_a_slow_disk_keeps(path, monkeypatch):
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


async def test_a_closed_journal_says_so(path):
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
async def test_opening_that_is_cancelled_ends_when_the_journal_is_free(
    path, is_journal, monkeypatch
):
    if not is_journal:
        path.write_text("something else")
    has_begun, may_open = threading.Event(), threading.Event()

    def open_late(path):
        has_begun.set()
        may_open.wait(60)
        return open_now(path)

    open_now = journal_writer._opened
    monkeypatch.setattr(journal_writer, "_opened", open_late)
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


async def test_a_forgotten_writer_lets_go_of_the_journal(path):
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


def test_a_writer_ends_with_the_loop_that_was_closed_under_it(path):
    async def leave_something_to_write():
        writer = await JournalWriter.open(path)
        task = asyncio.create_task(intend(writer, Ask("/run")))
        await asyncio.sleep(0)
        writer._hand_over()
        task.cancel()
        return writer

    loop = asyncio.new_event_loop()
    writer = loop.run_until_complete(leave_something_to_write())
    (thread,) = [each for each in threading.enumerate() if "journal" in each.name]
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    writer._jobs.put([])
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
        return await writer.finish(same(request), ENDS[step](request))
    except JournalError:
        return "refused"


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(st.lists(steps, max_size=6), max_size=4))
def test_a_journal_holds_what_was_written_in_whatever_order(tmp_path, turns):
    """Steps of one turn are taken at the same time, and reach the disk together."""
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
