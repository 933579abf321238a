"""The thread that owns the loop: how it starts, is interrupted, and ends."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from anyio.from_thread import BlockingPortal

from futureagi_async.blocking import portal as module
from futureagi_async.blocking.portal import Call, Portal
from futureagi_async.errors import ClientClosedError, Delivery


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Eventually = Callable[[Callable[[], object]], None]
    InThread = Callable[..., Callable[[], Any]]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a thread that a busy machine holds up have the time that it needs."""
    monkeypatch.setattr(module, "_JOIN_TIMEOUT", 60.0)


class Work:
    """Something to wait for, that tells how it went."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.cancelled = threading.Event()

    async def __call__(self) -> None:
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


async def closed() -> None:
    """Nothing to close."""


async def answer() -> int:
    return 42


@pytest.fixture
def portal() -> Iterator[Portal]:
    portal = Portal(closed)
    yield portal
    portal.close()


def test_a_call_gives_what_the_coroutine_gives(portal: Portal) -> None:
    assert portal.call(answer) == 42
    assert portal.call(answer) == 42


def test_a_call_raises_what_the_coroutine_raises(portal: Portal) -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        portal.call(fail)


def test_the_thread_starts_when_it_is_needed(portal: Portal) -> None:
    before = threading.active_count()
    assert portal.start() is portal.start()
    assert threading.active_count() == before + 1


def test_it_prepares_in_the_calling_thread_and_closes_in_its_own() -> None:
    seen: list[tuple[str, str]] = []

    def note(what: str) -> None:
        seen.append((what, threading.current_thread().name))

    async def close() -> None:
        note("close")

    portal = Portal(close, lambda: note("prepare"))
    portal.call(answer)
    portal.close()

    here = threading.current_thread().name
    assert seen == [("prepare", here), ("close", "futureagi-async")]


def test_a_loop_that_cannot_be_made_is_an_error_and_may_be_made_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise OSError("too many open files")

    portal = Portal(closed)
    with monkeypatch.context() as patch:
        patch.setattr(module.anyio, "run", fail)
        with pytest.raises(OSError, match="too many"):
            portal.call(answer)
        portal._thread.request_stop()  # of a thread that never ran: nothing happens

    assert portal.call(answer) == 42
    portal.close()


def test_what_cannot_start_is_told_and_may_start_later() -> None:
    troubles = [OSError("too many open files")]

    def prepare() -> None:
        if troubles:
            raise troubles.pop()

    portal = Portal(closed, prepare)

    with pytest.raises(OSError, match="too many"):
        portal.call(answer)
    assert portal.call(answer) == 42
    portal.close()


def test_what_cannot_start_can_be_closed() -> None:
    def prepare() -> None:
        raise OSError("too many open files")

    portal = Portal(closed, prepare)
    with pytest.raises(OSError, match="too many"):
        portal.call(answer)

    portal.close()

    with pytest.raises(ClientClosedError):
        portal.call(answer)


def test_an_interruption_while_the_thread_starts_leaves_no_thread(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    portal = Portal(closed)
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            portal.call(answer)

    eventually(lambda: "futureagi-async" not in {t.name for t in threading.enumerate()})
    assert portal.call(answer) == 42
    portal.close()


def test_an_interruption_while_waiting_cancels_the_call(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()

    def interrupted(_: object) -> None:
        assert work.begun.wait(60)
        raise KeyboardInterrupt

    monkeypatch.setattr(Call, "result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        portal.call(work)

    assert work.cancelled.is_set()


def test_a_call_that_never_began_is_cancelled_at_once(portal: Portal) -> None:
    Call(portal, answer).cancel()


def test_cancelling_what_has_ended_does_nothing(portal: Portal) -> None:
    call = Call(portal, answer)
    call.start()
    assert call.result() == 42

    call.cancel()

    assert call.result() == 42


@pytest.mark.parametrize("reason", [SystemExit, GeneratorExit, KeyboardInterrupt])
def test_an_exit_in_a_coroutine_ends_its_caller_and_no_other_call(
    portal: Portal, reason: type[BaseException]
) -> None:
    async def leave() -> None:
        raise reason

    async def stay() -> int:
        return 7

    with pytest.raises(reason):
        portal.call(leave)

    assert portal.call(stay) == 7


def test_a_client_may_be_closed_while_its_first_call_prepares_the_thread() -> None:
    async def nothing() -> None:
        raise AssertionError("it is closed")

    def close_as_a_signal_handler_does() -> None:
        portal.close()

    portal = Portal(nothing, close_as_a_signal_handler_does)

    with pytest.raises(ClientClosedError):
        portal.call(nothing)


def test_a_cancelled_call_may_have_done_its_work(
    portal: Portal, in_thread: InThread
) -> None:
    work = Work()
    call = Call(portal, work)
    call.start()
    wait = in_thread(call.result)
    assert work.begun.wait(60)

    call.cancel()

    with pytest.raises(ClientClosedError) as caught:
        wait()
    assert caught.value.delivery is Delivery.UNKNOWN


def test_a_call_is_told_when_the_client_closes(
    portal: Portal, in_thread: InThread
) -> None:
    told, begun = asyncio.Event(), threading.Event()

    async def work() -> str:
        begun.set()
        await told.wait()
        return "told"

    call = Call(portal, work, told.set)
    call.start()
    assert begun.wait(60)

    portal.close()

    assert call.result() == "told"


def test_closing_after_the_loop_has_ended_and_forgetting_then_is_quiet() -> None:
    portal = Portal(closed)
    portal.call(answer)
    portal.close()

    del portal
    gc.collect()


def test_closing_from_its_own_thread_does_not_wait_for_itself() -> None:
    portal = Portal(closed)

    async def close() -> str:
        portal.close()
        return "closed"

    assert portal.call(close) == "closed"
    with pytest.raises(ClientClosedError):
        portal.call(answer)


@pytest.mark.parametrize("wait_for_begin", [True, False])
def test_an_interruption_while_a_call_starts_cancels_it(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, wait_for_begin: bool
) -> None:
    work, start_task_soon = Work(), BlockingPortal.start_task_soon

    def interrupted(*args: Any) -> None:
        start_task_soon(*args)
        if wait_for_begin:
            assert work.begun.wait(60)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BlockingPortal, "start_task_soon", interrupted)
        with pytest.raises(KeyboardInterrupt):
            portal.call(work)

    assert portal.call(answer) == 42
    assert work.cancelled.is_set() == work.begun.is_set()


def test_a_call_abandoned_before_its_first_step_does_nothing(portal: Portal) -> None:
    work = Work()
    call = Call(portal, work)
    call._thread = portal.start()
    call.cancel()

    call.start()

    with pytest.raises(ClientClosedError):
        call.result()
    assert not work.begun.is_set()


def test_a_call_that_comes_while_it_closes_is_not_left_waiting(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, in_thread: InThread
) -> None:
    """It has been accepted, and enters the loop when the client is closed."""
    start_task_soon = BlockingPortal.start_task_soon
    is_entering, thread = threading.Event(), portal.start()

    def late(*args: Any) -> Any:
        is_entering.set()
        while thread._accepting:
            time.sleep(0.001)
        time.sleep(0.01)  # the loop has had time to end
        return start_task_soon(*args)

    monkeypatch.setattr(BlockingPortal, "start_task_soon", late)
    call = in_thread(portal.call, answer)
    assert is_entering.wait(60)

    portal.close()

    assert call() == 42  # a real client rejects it, since it is closed


def test_a_call_that_comes_after_the_loop_has_ended_is_rejected(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = portal.start()
    portal.close()
    monkeypatch.setattr(Portal, "start", lambda _: thread)

    with pytest.raises(ClientClosedError) as caught:
        portal.call(answer)

    assert caught.value.delivery is Delivery.NOT_SENT
    assert not thread.call_soon(print)


def test_an_error_of_a_running_loop_is_not_taken_for_its_end(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    thread = portal.start()
    with monkeypatch.context() as patch:
        loop = thread._running.result().loop
        patch.setattr(loop, "call_soon_threadsafe", fail)
        with pytest.raises(RuntimeError, match="a defect"):
            thread.call_soon(print)
        with pytest.raises(RuntimeError, match="a defect"):
            portal.call(answer)

    portal.close()
    monkeypatch.setattr(module._LoopThread, "is_alive", True)
    assert not thread.call_soon(print)


def test_only_one_thread_is_started(portal: Portal) -> None:
    assert portal._start() is portal._start() is portal.start()


def test_a_process_has_a_lock_of_its_own(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    with portal._lock, monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        assert not portal._lock.locked()


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the threads of this test, for what is done to all."""
    monkeypatch.setattr(module, "_threads", weakref.WeakSet())
    monkeypatch.setattr(module, "_program_ends", threading.Event())


@pytest.mark.usefixtures("apart")
def test_the_end_of_the_program_ends_every_thread() -> None:
    portals = [Portal(closed) for _ in range(3)]
    threads = [portal.start() for portal in portals]

    module._stop_all()

    assert not [thread for thread in threads if thread.is_alive]


@pytest.mark.usefixtures("apart")
def test_at_the_end_of_the_program_a_daemon_thread_leaves_quietly(
    in_thread: InThread,
) -> None:
    async def fail() -> None:
        raise ClientClosedError

    portal = Portal(closed)
    call = Call(portal, fail)
    call.start()

    module._stop_all()

    late, unused = portal.start, Portal(closed)
    for leaving in (
        call.result,
        late,
        lambda: portal.call(answer),
        lambda: unused.call(answer),
    ):
        with pytest.raises(SystemExit):
            in_thread(leaving)()
        with pytest.raises(ClientClosedError):
            leaving()
