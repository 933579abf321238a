"""The thread of a blocking client: its event loop, and calls into it."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from typing import Any, Generic, TypeVar

import anyio
import attrs
from anyio.from_thread import BlockingPortal

from futureagi_async.errors import ClientClosedError, ConfigurationError, Delivery


T = TypeVar("T")

_JOIN_TIMEOUT = 2.0
"""Seconds that an interrupted call, or the end of the program, waits for the thread."""


def no_op() -> None:
    """Do nothing; the default callback."""


@attrs.frozen(eq=False)
class _Running:
    """The inside of a thread that has started."""

    loop: asyncio.AbstractEventLoop
    portal: BlockingPortal
    stop: asyncio.Event


class _LoopThread:
    """A daemon thread in which an event loop, a client and a portal live together.

    Args:
        close: awaited in the loop before it ends.
    """

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self.on_close: set[Callable[[], object]] = set()
        self._close = close
        self._accepting = True
        self._submitting: set[Call[Any]] = set()
        self._running: Future[_Running] = Future()
        # anyio refuses to run where a context variable of the caller names a library.
        run = contextvars.Context().run
        self._thread = threading.Thread(
            target=run, args=(self._run,), name="futureagi-async", daemon=True
        )

    def start(self) -> None:
        """Start the thread, which ends again if this is interrupted."""
        try:
            self._thread.start()
        except BaseException:
            self.request_stop()
            raise
        _threads.add(self)

    def _run(self) -> None:
        try:
            anyio.run(self._serve)
        except Exception as error:  # noqa: BLE001 - raised in the calling thread
            self._running.set_exception(error)
        finally:
            self._accepting = False

    async def _serve(self) -> None:
        async with BlockingPortal() as portal:
            running = _Running(asyncio.get_running_loop(), portal, asyncio.Event())
            self._running.set_result(running)
            await running.stop.wait()
            self._accepting = False
            # This ends calls on the wire; `on_close` those that wait for their caller.
            await self._close()
            for callback in tuple(self.on_close):
                callback()
            # Their threads would wait for ever for a loop that has ended.
            while self._submitting:  # noqa: ASYNC110 - other threads empty it
                await anyio.sleep(0.001)

    @property
    def is_alive(self) -> bool:
        """Whether it runs in this process: a forked child has no such thread."""
        if not self._thread.is_alive():
            return False
        return not self._running.done() or self._running.exception() is None

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in it."""
        return self._thread is threading.current_thread()

    def submit(self, call: Call[T]) -> Future[T]:
        """Start a call in the loop.

        Raises:
            ClientClosedError: the loop is ending, or has ended.
        """
        portal = self._running.result().portal
        try:
            # In this order: the loop stops accepting, and then waits for these.
            self._submitting.add(call)
            if not self._accepting:
                _exit_daemon_at_shutdown()
                raise ClientClosedError
            return portal.start_task_soon(call.run, self)
        finally:
            self._submitting.discard(call)

    def call_soon(self, function: Callable[..., object], *args: object) -> bool:
        """Call a function in the loop; return whether there is a loop to do so."""
        if not self.is_alive:
            return False
        loop = self._running.result().loop
        try:
            loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            if not loop.is_closed():
                raise
            return False
        return True

    def request_stop(self) -> None:
        """Let it end as soon as it runs."""
        self._running.add_done_callback(self._stop_when_running)

    def _stop_when_running(self, running: Future[_Running]) -> None:
        if running.exception() is None:
            self.call_soon(running.result().stop.set)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, unless the caller runs in it."""
        if not self.is_current:
            self._thread.join(timeout)


class Portal:
    """A thread for coroutine functions, started when first needed.

    It lives until `close`, until the portal is garbage, or until the program
    ends. A forked child has no such thread and starts another.

    Args:
        close: awaited in the thread before it ends.
        on_thread_start: called before a thread is started.
    """

    def __init__(
        self,
        close: Callable[[], Awaitable[None]],
        on_thread_start: Callable[[], object] = no_op,
    ) -> None:
        self._close = close
        self._on_thread_start = on_thread_start
        self._locks: dict[int, threading.Lock] = {}
        self._thread: _LoopThread | None = None
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether it accepts no more calls."""
        return self._closed

    @property
    def _lock(self) -> threading.Lock:
        """The lock of this process: another thread may have held it during a fork."""
        return self._locks.setdefault(os.getpid(), threading.Lock())

    def start(self) -> _LoopThread:
        """Return the thread; start it unless it runs.

        Raises:
            ClientClosedError: `close` was called.
            ConfigurationError: the caller runs in that thread.
            OSError: the machine has no room for another loop.
        """
        thread = self._thread
        if self._closed or thread is None or not thread.is_alive:
            thread = self._start()
        if thread.is_current:
            raise ConfigurationError(
                "a blocking call from the client's own thread would wait for itself; "
                "use AsyncFutureAGI in asynchronous code"
            )
        return thread

    def _start(self) -> _LoopThread:
        if not self._closed:
            # Outside the lock: a signal handler may close the client meanwhile.
            self._on_thread_start()
        with self._lock:
            thread = self._thread
            if self._closed or _program_ends.is_set():
                _exit_daemon_at_shutdown()
                raise ClientClosedError
            if thread is None or not thread.is_alive:
                thread = _LoopThread(self._close)
                thread.start()
                self._thread = thread
            return thread

    def call(self, function: Callable[[], Awaitable[T]]) -> T:
        """Run a coroutine function and return its result.

        When the waiting thread is interrupted, as by Ctrl-C, the coroutine is cancelled.
        """
        call = Call(self, function)
        try:
            call.start()
            return call.result()
        finally:
            call.cancel()

    def close(self) -> None:
        """End the thread; running calls fail with `ClientClosedError`."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is not None and thread.is_alive:
            thread.request_stop()
            thread.join()

    def __del__(self) -> None:
        if self._thread is not None and self._thread.is_alive:
            self._thread.request_stop()


class _ExitError(Exception):
    """The way of a `SystemExit` or the like to the calling thread."""

    def __init__(self, reason: BaseException) -> None:
        super().__init__(reason)
        self.reason = reason


class Call(Generic[T]):
    """A coroutine function that runs in the thread of a portal.

    It exists before it starts, so that a start that is interrupted can be cancelled.

    Args:
        portal: where it runs.
        function: called without arguments; what it returns is awaited.
        on_close: called in the loop when the client is closed during the call, where
            that alone would not end it.
    """

    def __init__(
        self,
        portal: Portal,
        function: Callable[[], Awaitable[T]],
        on_close: Callable[[], object] = no_op,
    ) -> None:
        self._portal = portal
        self._function = function
        self._on_close = on_close
        self._thread: _LoopThread | None = None
        self._future: Future[T] = Future()  # until it starts
        self._task: asyncio.Task[Any] | None = None
        self._abandoned = False

    def start(self, on_end: Callable[[], object] = no_op) -> None:
        """Start it, and return at once.

        Args:
            on_end: called, in any thread, when it has ended.

        Raises:
            ClientClosedError: the client is closed.
        """
        self._thread = self._portal.start()
        self._future = self._thread.submit(self)
        self._future.add_done_callback(lambda _: on_end())

    async def run(self, thread: _LoopThread) -> T:
        """Run it; called in the loop."""
        self._task = asyncio.current_task()
        if self._abandoned:
            raise asyncio.CancelledError
        thread.on_close.add(self._on_close)
        try:
            return await self._function()
        except (Exception, asyncio.CancelledError):
            raise
        except BaseException as error:
            # It would end the loop, and with it the calls of other threads.
            raise _ExitError(error) from error
        finally:
            thread.on_close.discard(self._on_close)

    def result(self) -> T:
        """Wait for its end and return its result."""
        try:
            return self._future.result()
        except CancelledError:
            raise ClientClosedError(
                "the call was cancelled", delivery=Delivery.UNKNOWN
            ) from None
        except _ExitError as error:
            raise error.reason from None
        except Exception:
            _exit_daemon_at_shutdown()
            raise

    def cancel(self) -> None:
        """Cancel it if it is running, and wait until it has ended."""
        if self._future.done():
            return
        self._abandoned = True
        ended = threading.Event()
        if self.call_soon(self._cancel, ended):
            ended.wait(_JOIN_TIMEOUT)

    def _cancel(self, ended: threading.Event) -> None:
        if self._task is None:  # it has not begun, and will see that it is abandoned
            ended.set()
            return
        self._task.add_done_callback(lambda _: ended.set())
        self._task.cancel()

    def call_soon(self, function: Callable[..., object], *args: object) -> bool:
        """Call a function in the loop; return whether there is a loop to do so."""
        return self._thread is not None and self._thread.call_soon(function, *args)


_threads: weakref.WeakSet[_LoopThread] = weakref.WeakSet()
_program_ends = threading.Event()


# Finalizers run at exit where the first of all was created: with this one, after
# `_stop_all` and after what the program itself has registered.
weakref.finalize(Portal, no_op)


@atexit.register
def _stop_all() -> None:
    _program_ends.set()
    threads = [thread for thread in _threads if thread.is_alive]
    for thread in threads:
        thread.request_stop()
    for thread in threads:
        thread.join(_JOIN_TIMEOUT)


def _exit_daemon_at_shutdown() -> None:
    """End a daemon thread quietly when the program ends during its call."""
    if _program_ends.is_set() and threading.current_thread().daemon:
        raise SystemExit
