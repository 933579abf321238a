"""The interface between policy and wire: a request goes down, a response comes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import attrs


if TYPE_CHECKING:
    from futureagi_async.transport.settings import Timeout


@attrs.define(eq=False, repr=False)
class HTTPRequest:
    """One attempt at a request.

    The backend reports its progress in the last four attributes.

    Attributes:
        method: the HTTP method.
        path: path and query, after the base URL.
        body: JSON, or `None` for a request without a body.
        timeout: limits on connecting and reading.
        request_id: sent with the request; replaced by that of the response, if it has
            another.
        connection_acquired: false until a connection can take the bytes: until then
            nothing can have arrived, afterwards anything may have.
        in_progress: false once the attempt has failed.
        status: that of a response whose body is not complete yet.
    """

    method: str
    path: str
    body: bytes | None
    timeout: Timeout
    request_id: str
    connection_acquired: bool = False
    in_progress: bool = True
    status: int | None = None


class HTTPResponse(NamedTuple):
    """The response to an attempt, as bytes."""

    status: int
    reason: str
    request_id: str
    retry_after: str | None
    location: str | None
    body: bytes


class HTTPBackend(Protocol):
    """A connection pool that sends attempts, in one event loop of one process."""

    async def send(self, attempt: HTTPRequest) -> HTTPResponse:
        """Send one attempt and return its response.

        Raises:
            APIConnectionError: no response came; `delivery` is how far the attempt got.
            ResponseTooLargeError: the response is too large to be read.
        """
        ...

    async def aclose(self) -> None:
        """Close the connections; attempts in progress fail."""
        ...

    def detach(self) -> None:
        """Drop the connections without sending anything on them.

        They belong to another process, or their event loop cannot close them any more.
        Afterwards `aclose` does nothing.
        """
        ...
