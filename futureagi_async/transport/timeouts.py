"""Deadlines of calls, and of parts of them: many are watched by one timer of the loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import math
from collections import abc
from typing import TYPE_CHECKING, Any, Self


if TYPE_CHECKING:
    from types import TracebackType


class TimeoutRegistry:
    """Watches what is under way in one event loop: calls, or their attempts.

    Nearly every call ends long before its deadline, and a timer for each would be the
    dearest thing that is done for a call here. So one timer is set for the earliest
    deadline of all, and looks for what is late when it rings.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now: abc.Callable[[], float] = loop.time
        self._under_way: set[TaskTimeout] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf
        # The timer outlives the call that set it, whose context would stay with it.
        self._context = contextvars.Context()

    def after(self, seconds: float | None) -> TaskTimeout:
        """Make a deadline that comes so many seconds from now; `None` means never."""
        return TaskTimeout(self, math.inf if seconds is None else self.now() + seconds)

    def expire_all(self) -> None:
        """Let every deadline come, once what is ready in the loop has had its turn."""
        with contextlib.suppress(RuntimeError):  # it ended, and the calls with it
            self.loop.call_soon_threadsafe(self._expire_all)

    def _expire_all(self) -> None:
        for deadline in self._under_way:
            deadline.expire()

    def enter(self, deadline: TaskTimeout) -> None:
        """Watch one more."""
        self._under_way.add(deadline)
        self.watch(deadline.when)

    def leave(self, deadline: TaskTimeout) -> None:
        """Watch one less."""
        self._under_way.discard(deadline)

    def watch(self, when: float) -> None:
        """See to it that the timer rings by then."""
        if when >= self._rings_at:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = when
        self._timer = self.loop.call_at(when, self._ring, context=self._context)

    def _ring(self) -> None:
        """End what is late, and ring again for the earliest of the rest."""
        # By its own clock a loop may ring a little early.
        now = max(self._rings_at, self.now())
        self._rings_at, self._timer = math.inf, None
        late = [each for each in self._under_way if each.when <= now]
        later = (each.when for each in self._under_way if each.when > now)
        self.watch(min(later, default=math.inf))
        for deadline in late:
            deadline.expire()


class TaskTimeout:
    """Cancels the task that has entered it, and raises `TimeoutError` for that.

    It does what `asyncio.timeout` does.
    """

    __slots__ = ("_cancelling", "_deadlines", "_has_come", "_task", "when")

    def __init__(self, deadlines: TimeoutRegistry, when: float) -> None:
        self._deadlines = deadlines
        self._has_come = False
        self.when: float = when
        """When it comes, in loop time; infinity is never."""

    def now(self) -> float:
        """Give the time of the event loop."""
        return self._deadlines.now()

    def move(self, when: float) -> None:
        """Let it come at another time."""
        self.when = when
        self._deadlines.watch(when)

    def expire(self) -> None:
        """Let it come now."""
        if not self._has_come:
            self._has_come = True
            self._task.cancel()

    def __enter__(self) -> Self:
        self._task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # entered in a task only
        self._cancelling = self._task.cancelling()
        self._deadlines.enter(self)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._deadlines.leave(self)
        task = self._task
        del self._task  # whatever still knows this deadline is not to keep the task
        if not self._has_come:
            return
        # Somebody else may have cancelled the task as well: then it stays so.
        is_ours = task.uncancel() <= self._cancelling
        if is_ours and exc_type is asyncio.CancelledError:
            raise TimeoutError from exc
