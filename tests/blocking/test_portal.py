"""The thread that owns the loop: how it starts, is interrupted, and ends."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

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
    monkeypatch.setattr(module, "_GRACE", 60.0)


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


def enters(function: Callable[[], object]) -> bool:
    """Tell the function by which a call enters the loop."""
    return isinstance(function, partial) and function.func.__name__ == "_enter"


def tasks_of(loop: asyncio.AbstractEventLoop) -> set[str]:
    return {each.get_coro().__name__ for each in asyncio.all_tasks(loop)}


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


def test_it_prepares_and_closes_in_its_thread() -> None:
    seen: list[tuple[str, str]] = []

    def note(what: str) -> None:
        seen.append((what, threading.current_thread().name))

    async def close() -> None:
        note("close")

    portal = Portal(close, lambda: note("prepare"))
    portal.call(answer)
    portal.close()

    assert seen == [("prepare", "futureagi-async"), ("close", "futureagi-async")]


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


@pytest.mark.parametrize("wait_for_begin", [True, False])
def test_an_interruption_while_a_call_begins_cancels_it(
    portal: Portal, monkeypatch: pytest.MonkeyPatch, wait_for_begin: bool
) -> None:
    work = Work()
    tell = module._Running.tell

    def interrupted(self: Any, function: Callable[[], object]) -> bool:
        told = tell(self, function)
        if not enters(function):
            return told
        if wait_for_begin:
            assert work.begun.wait(60)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module._Running, "tell", interrupted)
        with pytest.raises(KeyboardInterrupt):
            portal.call(work)

    assert portal.call(answer) == 42
    assert work.cancelled.is_set() == work.begun.is_set()


def test_a_call_given_up_before_its_first_step_does_nothing(portal: Portal) -> None:
    """The loop is held up while the call is put into it and given up."""
    work, release = Work(), threading.Event()
    running = portal.start()
    call = Call(portal, work)
    call._running = running

    def interrupted() -> None:
        call._given_up = True
        call._cancel()

    running.loop.call_soon_threadsafe(release.wait, 60)
    running.loop.call_soon_threadsafe(interrupted)
    threading.Timer(0, release.set).start()
    call.begin()

    with pytest.raises(ClientClosedError):
        call.result()
    assert not work.begun.is_set()


def test_a_call_that_never_began_is_cancelled_at_once(portal: Portal) -> None:
    Call(portal, answer).cancel()


def test_cancelling_what_has_ended_does_nothing(portal: Portal) -> None:
    call = Call(portal, answer)
    call.begin()
    assert call.result() == 42

    call.cancel()

    assert call.result() == 42


def test_cancelling_when_the_loop_is_gone_does_not_wait(portal: Portal) -> None:
    running = portal.start()
    call = Call(portal, answer)
    call._running = running
    portal.close()

    call.cancel()

    assert not call._future.done()


def test_a_cancelled_call_may_have_done_its_work(
    portal: Portal, in_thread: InThread
) -> None:
    work = Work()
    call = Call(portal, work)
    call.begin()
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
    call.begin()
    assert begun.wait(60)

    portal.close()

    assert call.result() == "told"


def test_a_call_that_comes_while_it_closes_is_turned_away(
    portal: Portal,
    monkeypatch: pytest.MonkeyPatch,
    in_thread: InThread,
    eventually: Eventually,
) -> None:
    tell = module._Running.tell
    is_entering, may_enter = threading.Event(), threading.Event()

    def late(self: Any, function: Callable[[], object]) -> bool:
        if enters(function):
            is_entering.set()
            assert may_enter.wait(60)
        return tell(self, function)

    monkeypatch.setattr(module._Running, "tell", late)
    call = in_thread(portal.call, answer)
    assert is_entering.wait(60)
    running = portal.start()
    close = in_thread(portal.close)
    eventually(lambda: "serve" not in tasks_of(running.loop))

    for _ in range(100):  # or else what it puts into the loop might never be looked at
        turned = threading.Event()
        assert running.tell(turned.set)
        assert turned.wait(60)
    may_enter.set()

    with pytest.raises(ClientClosedError) as caught:
        call()
    assert caught.value.delivery is Delivery.NOT_SENT
    close()


@pytest.mark.parametrize("is_accepted", [True, False])
def test_a_call_that_comes_after_the_last_turn_of_the_loop_is_turned_away(
    portal: Portal,
    monkeypatch: pytest.MonkeyPatch,
    in_thread: InThread,
    is_accepted: bool,
) -> None:
    """It enters a loop that is about to be closed, or has been since."""
    start, tell, loop = Portal.start, module._Running.tell, portal.start().loop
    end = loop.close
    has_started, may_enter, enters_now, may_tell, told = (
        threading.Event() for _ in range(5)
    )

    def late(self: Portal) -> Any:
        running = start(self)
        has_started.set()
        assert may_enter.wait(60)
        return running

    def watched(self: Any, function: Callable[[], object]) -> bool:
        if not enters(function):
            return tell(self, function)
        enters_now.set()
        assert is_accepted or may_tell.wait(60)
        try:
            return tell(self, function)
        finally:
            told.set()

    def close() -> None:
        may_enter.set()
        assert (told if is_accepted else enters_now).wait(60)
        end()

    monkeypatch.setattr(Portal, "start", late)
    monkeypatch.setattr(module._Running, "tell", watched)
    monkeypatch.setattr(loop, "close", close)
    call = in_thread(portal.call, answer)
    assert has_started.wait(60)

    portal.close()
    may_tell.set()

    with pytest.raises(ClientClosedError) as caught:
        call()
    assert caught.value.delivery is Delivery.NOT_SENT


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


def test_a_forked_child_starts_anew(portal: Portal) -> None:
    before = portal.start()
    inherited = len(module._inherited)

    portal.forget()

    assert portal.call(answer) == 42
    assert portal.start() is not before
    assert len(module._inherited) == inherited + 1
    module._inherited.pop().end()


def test_forgetting_what_never_started_keeps_nothing(portal: Portal) -> None:
    inherited = len(module._inherited)

    portal.forget()

    assert len(module._inherited) == inherited


def test_a_call_of_the_parent_is_not_cancelled_in_the_child(
    portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    call = Call(portal, work)
    call.begin()
    assert work.begun.wait(60)

    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: -1)
        call.cancel()

    assert not work.cancelled.is_set()
    call.cancel()
    assert work.cancelled.is_set()


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Portals of this test only, for what is done to all."""
    for name in ("_portals", "_threads"):
        monkeypatch.setattr(module, name, weakref.WeakSet())
    monkeypatch.setattr(module, "_inherited", [])
    monkeypatch.setattr(module, "_program_ends", threading.Event())


@pytest.mark.usefixtures("apart")
def test_the_child_forgets_all_portals() -> None:
    portals = [Portal(closed) for _ in range(2)]
    threads = [portal.start() and portal._thread for portal in portals]

    module._forget_all()

    assert set(module._inherited) == set(threads)
    assert [portal._thread for portal in portals] == [None, None]
    for thread in threads:
        thread.end()


@pytest.mark.usefixtures("apart")
def test_the_end_of_the_program_ends_every_thread() -> None:
    portals = [Portal(closed) for _ in range(3)]
    threads = [portal.start() and portal._thread.thread for portal in portals]

    module._end_all()

    assert not [thread for thread in threads if thread.is_alive()]


@pytest.mark.usefixtures("apart")
def test_at_the_end_of_the_program_a_daemon_thread_leaves_quietly(
    in_thread: InThread,
) -> None:
    async def fail() -> None:
        raise ClientClosedError

    portal = Portal(closed)
    call = Call(portal, fail)
    call.begin()

    module._end_all()

    for leaving in (call.result, lambda: portal.call(answer)):
        with pytest.raises(SystemExit):
            in_thread(leaving)()
        with pytest.raises(ClientClosedError):
            leaving()
