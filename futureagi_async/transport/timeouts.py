"""Timeouts of calls and attempts, for all of which one timer of the loop is enough.

They replace two things that would cost more. `asyncio.timeout`, for each call and each
attempt, sets and cancels a timer of the loop: nearly 9 % of the instructions of a
request. So does aiohttp's own read timeout, two for each request: nearly 4 %; and it
does not cover the sending of a body.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import io
import math
from collections import abc
from typing import TYPE_CHECKING, Any, Self


if TYPE_CHECKING:
    from types import TracebackType

    from futureagi_async.transport.http import HTTPRequest


class TimeoutRegistry:
    """The timeouts that are active in one event loop.

    Nearly every one is left long before it expires, so one timer is set for the first
    of all deadlines, and searches for the expired ones when it fires.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now: abc.Callable[[], float] = loop.time
        self._active: set[TaskTimeout] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._next_at = math.inf
        # The timer outlives the call that set it, whose context would stay with it.
        self._context = contextvars.Context()

    def after(self, seconds: float | None) -> TaskTimeout:
        """Return a timeout that expires in so many seconds; `None` means never."""
        return TaskTimeout(self, math.inf if seconds is None else self.now() + seconds)

    def expire_all(self) -> None:
        """Expire every timeout after the callbacks that are ready in the loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed, its calls as well
            self.loop.call_soon_threadsafe(self._expire_all)

    def _expire_all(self) -> None:
        for timeout in self._active:
            timeout.expire()

    def add(self, timeout: TaskTimeout) -> None:
        """Start to watch a timeout."""
        self._active.add(timeout)
        self.schedule(timeout.when)

    def remove(self, timeout: TaskTimeout) -> None:
        """Stop watching a timeout."""
        self._active.discard(timeout)

    def schedule(self, when: float) -> None:
        """Let the timer fire at this loop time at the latest."""
        if when >= self._next_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._next_at = when
        self._timer = self.loop.call_at(when, self._on_timer, context=self._context)

    def _on_timer(self) -> None:
        """Expire what is due, and schedule the first deadline of the others."""
        # By its own clock a loop may call back a little early.
        now = max(self._next_at, self.now())
        self._next_at, self._timer = math.inf, None
        due = [timeout for timeout in self._active if timeout.when <= now]
        later = (timeout.when for timeout in self._active if timeout.when > now)
        self.schedule(min(later, default=math.inf))
        for timeout in due:
            timeout.expire()


class TaskTimeout:
    """A replacement for `asyncio.Timeout` that uses the timer of a registry."""

    __slots__ = ("_cancelling", "_expired", "_registry", "_task", "when")

    def __init__(self, registry: TimeoutRegistry, when: float) -> None:
        self._registry = registry
        self._expired = False
        self.when: float = when
        """The deadline, in loop time; infinity is never."""

    def now(self) -> float:
        """Return the time of the event loop."""
        return self._registry.now()

    def reschedule(self, when: float) -> None:
        """Move the deadline."""
        self.when = when
        self._registry.schedule(when)

    def expire(self) -> None:
        """Cancel the task now."""
        if not self._expired:
            self._expired = True
            self._task.cancel()

    def __enter__(self) -> Self:
        self._task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # entered in a task only
        self._cancelling = self._task.cancelling()
        self._registry.add(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._registry.remove(self)
        task = self._task
        del (
            self._task
        )  # a timeout that is still referenced must not keep the task alive
        if not self._expired:
            return
        # The task may have been cancelled from elsewhere as well: then it stays so.
        is_ours = task.uncancel() <= self._cancelling
        if is_ours and exc_type is asyncio.CancelledError:
            raise TimeoutError from exc


class ReadTimeout(TaskTimeout):
    """The limit on the wait for a response, from when there is a connection."""

    __slots__ = ("_attempt",)

    def __init__(self, registry: TimeoutRegistry, attempt: HTTPRequest) -> None:
        super().__init__(registry, math.inf)
        self._attempt = attempt

    def start(self) -> None:
        """Note that from now on bytes can have reached the service."""
        self._attempt.connection_acquired = True
        self.restart()

    def restart(self) -> None:
        """Start the wait again, since the service has read a piece of the body."""
        limit = self._attempt.timeout.read
        if limit is not None:
            self.reschedule(self.now() + limit)


class ChunkedBody(io.BytesIO):
    """A body that is sent in pieces, each when there is room for it."""

    def __init__(self, body: bytes, read_timeout: ReadTimeout) -> None:
        super().__init__(body)
        self._read_timeout = read_timeout

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next piece; see `io.BytesIO`."""
        self._read_timeout.restart()
        return super().read(size)
