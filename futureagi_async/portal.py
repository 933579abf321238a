"""The thread that owns an event loop, and the way into it from other threads."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
import anyio.from_thread
import attrs

from futureagi_async.errors import ClientClosedError, ConfigurationError


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.from_thread import BlockingPortal


T = TypeVar("T")

_GRACE = 2.0
"""Seconds that an interrupted call, or the end of the program, waits for the thread."""


@attrs.frozen(eq=False)
class _Running:
    """What a started thread has to offer."""

    portal: BlockingPortal
    loop: asyncio.AbstractEventLoop
    stop: asyncio.Event

    def end(self) -> None:
        """Ask the thread to end; from any thread."""
        try:
            self.loop.call_soon_threadsafe(self.stop.set)
        except RuntimeError:
            return  # the loop is closed: it has ended


@attrs.define(eq=False)
class _Thread:
    """A thread with a loop, from its start to its end."""

    thread: threading.Thread
    running: Future[_Running]

    def end(self) -> None:
        """Have it end as soon as it can."""
        self.running.add_done_callback(_end_running)

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end, unless it is this thread."""
        if self.thread is not threading.current_thread():
            self.thread.join(timeout)


def _end_running(running: Future[_Running]) -> None:
    running.result().end()


def _run(close: Callable[[], Awaitable[None]], running: Future[_Running]) -> None:
    async def serve() -> None:
        stop = asyncio.Event()
        async with anyio.from_thread.BlockingPortal() as portal:
            loop = asyncio.get_running_loop()
            running.set_result(_Running(portal, loop, stop))
            await stop.wait()
            # Calls under way end now, and with them the portal.
            await close()

    asyncio.run(serve())


class Portal:
    """Runs coroutine functions in a thread of its own, started when first needed.

    The thread lives until `close`, or until nobody holds the portal any more, or until
    the program ends. A forked child has no such thread and starts its own.
    """

    def __init__(self, close: Callable[[], Awaitable[None]]) -> None:
        self._close = close
        self._lock = threading.Lock()
        self._thread: _Thread | None = None
        self._finalizer: weakref.finalize[..., Portal] | None = None
        self._closed = False
        _portals.add(self)

    @property
    def closed(self) -> bool:
        """Whether it takes no more calls."""
        return self._closed

    def start(self) -> _Running:
        """Start the thread if it is not running.

        Raises:
            ClientClosedError: `close` was called.
            ConfigurationError: this is that thread.
        """
        with self._lock:
            if self._closed:
                raise ClientClosedError
            thread = self._thread or self._start()
        if thread.thread is threading.current_thread():
            raise ConfigurationError(
                "a blocking call from the client's own thread would wait for itself; "
                "use AsyncFutureAGI in asynchronous code"
            )
        return thread.running.result()

    def _start(self) -> _Thread:
        running: Future[_Running] = Future()
        thread = threading.Thread(
            target=_run,
            args=(self._close, running),
            name="futureagi-async",
            daemon=True,
        )
        thread.start()
        self._thread = _Thread(thread, running)
        self._finalizer = weakref.finalize(self, self._thread.end)
        self._finalizer.atexit = False  # `_end_all` sees to it, and waits
        _threads.add(self._thread)
        return self._thread

    def call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        """Run a coroutine function to its end and give what it returns.

        When the waiting thread is interrupted, as by Ctrl-C, the coroutine is cancelled.
        """
        call = self.begin(function, *args)
        try:
            return call.result()
        except BaseException:
            call.cancel()
            raise

    def begin(self, function: Callable[..., Awaitable[T]], *args: Any) -> Call[T]:
        """Start a coroutine function and come back at once."""
        running = self.start()
        ended = threading.Event()

        async def run() -> T:
            try:
                return await function(*args)
            finally:
                ended.set()

        try:
            future = running.portal.start_task_soon(run)
        except RuntimeError:  # it closed in this moment
            raise ClientClosedError from None
        return Call(future, ended, running.loop)

    def close(self) -> None:
        """End the thread; calls under way end with `ClientClosedError`."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            thread.end()
            thread.join()

    def forget(self) -> None:
        """Leave the thread to the process that this one was forked from."""
        self._lock = threading.Lock()
        if self._finalizer is not None:
            self._finalizer.detach()
            _inherited.append(self._thread)
        self._thread = self._finalizer = None


@attrs.frozen(eq=False)
class Call(Generic[T]):
    """A coroutine under way in the portal's thread."""

    future: Future[T]
    ended: threading.Event
    loop: asyncio.AbstractEventLoop

    def result(self) -> T:
        """Wait for it and give what it returned."""
        return self.future.result()

    def cancel(self) -> None:
        """Cancel it if it is under way, and wait until it has ended."""
        if self.future.cancel():
            self.ended.wait(_GRACE)


_portals: weakref.WeakSet[Portal] = weakref.WeakSet()
_inherited: list[_Thread | None] = []
_threads: weakref.WeakSet[_Thread] = weakref.WeakSet()


@atexit.register
def _end_all() -> None:
    for thread in list(_threads):
        thread.end()
        thread.join(_GRACE)


def _forget_all() -> None:
    for portal in list(_portals):
        portal.forget()
    _threads.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, which cannot fork
    os.register_at_fork(after_in_child=_forget_all)
