"""How long the service may stay silent while a request goes out and nothing comes back."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from futureagi_async.transport.timeouts import TaskTimeout


if TYPE_CHECKING:
    from futureagi_async.transport.http import HTTPRequest
    from futureagi_async.transport.timeouts import TimeoutRegistry


class ReadTimeout(TaskTimeout):
    """The wait for the beginning of an answer, from when there is a connection.

    It takes the place of aiohttp's own read timeout, whose timers of the event loop, two
    for each request, are a fourteenth of all that a request costs.
    """

    __slots__ = ("_attempt",)

    def __init__(self, deadlines: TimeoutRegistry, attempt: HTTPRequest) -> None:
        super().__init__(deadlines, math.inf)
        self._attempt = attempt

    def begin(self) -> None:
        """Note that from now on bytes can have reached the service."""
        self._attempt.handed_over = True
        self.begin_anew()

    def begin_anew(self) -> None:
        """Wait as long again: the service has taken something."""
        limit = self._attempt.timeout.read
        if limit is not None:
            self.move(self.now() + limit)


class ChunkedBody(io.BytesIO):
    """A body that is written piece by piece, the next when there is room for it."""

    def __init__(self, body: bytes, silence: ReadTimeout) -> None:
        super().__init__(body)
        self._silence = silence

    def read(self, size: int | None = -1, /) -> bytes:
        """Give the next piece; see `io.BytesIO`."""
        self._silence.begin_anew()
        return super().read(size)
