"""The seam between policy and wire: an attempt goes down, an answer comes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import attrs


if TYPE_CHECKING:
    from futureagi_async.transport.settings import Timeout


@attrs.define(eq=False, repr=False)
class HTTPRequest:
    """One attempt at a request.

    `handed_over` turns true when a connection is ready to take the bytes: before that
    nothing can have arrived, after it anything may have. `under_way` turns false when
    the attempt has failed. `request_id` turns into the one of the answer, should that
    be another, and `status` is that of an answer whose body is waited for.
    """

    method: str
    path: str
    body: bytes | None
    timeout: Timeout
    request_id: str
    handed_over: bool = False
    under_way: bool = True
    status: int | None = None


class HTTPResponse(NamedTuple):
    """The answer to an attempt, as bytes."""

    status: int
    reason: str
    request_id: str
    retry_after: str | None
    location: str | None
    body: bytes


class HTTPBackend(Protocol):
    """What carries attempts."""

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        """Carry one attempt.

        Raises:
            APIConnectionError: no answer came; its delivery says how far it got.
            UnexpectedResponseError: the answer has more bytes than are read.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections; what is in flight fails."""
        ...

    def abandon(self) -> None:
        """Let go of the connections without a word on them.

        They are another process's, or the loop that could close them is gone. `aclose`
        does nothing from then on.
        """
        ...
