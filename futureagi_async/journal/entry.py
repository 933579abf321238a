"""One request in a journal, and the digests that identify it."""

from __future__ import annotations

import enum
import hashlib
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.errors import Delivery
from futureagi_async.model import codec


if TYPE_CHECKING:
    from futureagi_async.model.request import Request


class JournalState(enum.Enum):
    """State of a request, as far as it is on disk."""

    IN_FLIGHT = "in_flight"
    """About to be sent or sent, with no outcome yet: it is in flight, or its process
    died meanwhile."""

    DONE = "done"
    """Carried out."""

    FAILED = "failed"
    """Certainly not carried out; the next batch sends it again."""

    UNKNOWN = "unknown"
    """Sent without a usable response: the work may have been done."""


@attrs.frozen(kw_only=True)
class JournalEntry:
    """One request of a journal, with its outcome.

    Attributes:
        sequence: the number of the entry, in the order in which requests first appeared.
        key: the digest by which a later batch finds it again.
        base_url: the service that it was sent to.
        workspace_id: the workspace that it was sent to, if one was set.
        endpoint: the name of the request's class.
        method: the HTTP method.
        path: path and query below the base URL.
        run_test_id: the run test that it is about, if it is about one.
        body: the JSON that was sent.
        state: its state.
        attempts: how often it was sent, as its outcome counts it.
        elapsed: seconds that it took, as its outcome counts them.
        sent_at: the time from which on it may have been sent, in Unix seconds.
        response: the JSON of the successful response.
        request_id: the `X-Request-ID` of the response.
        reconciled: whether it was found done by reading, without a response to it.
        error: its error, in one line.
        error_class: the name of the error's class.
        delivery: the delivery of the error.
        resolved: whether a person decided its state.
    """

    sequence: int
    key: bytes = attrs.field(repr=False)
    base_url: str
    workspace_id: str | None
    endpoint: str
    method: str
    path: str
    run_test_id: str | None
    body: bytes | None = attrs.field(repr=False)
    state: JournalState
    attempts: int
    elapsed: float
    sent_at: float
    response: bytes | None = attrs.field(repr=False)
    request_id: str | None
    reconciled: bool
    error: str | None
    error_class: str | None
    delivery: Delivery | None
    resolved: bool

    @property
    def is_done(self) -> bool:
        """Whether it was carried out."""
        return self.state is JournalState.DONE

    @property
    def is_unknown(self) -> bool:
        """Whether it may have been sent, and no outcome of it is known."""
        return self.state in {JournalState.IN_FLIGHT, JournalState.UNKNOWN}

    @property
    def request_digest(self) -> bytes:
        """The digest of the request, whichever service it was sent to."""
        return _digest([self.method, self.path], self.body)


def request_key(
    base_url: str, workspace_id: str | None, request: Request[Any]
) -> bytes:
    """Return the digest of a request to one service and workspace."""
    return _digest([base_url, workspace_id, request.method, request.path], request.body)


def request_digest(request: Request[Any]) -> bytes:
    """Return the digest of a request, whichever service it is sent to."""
    return _digest([request.method, request.path], request.body)


def _digest(heading: list[str | None], body: bytes | None) -> bytes:
    # JSON delimits itself, so no heading can run over into a body.
    head = codec.encode(heading)
    return hashlib.sha256(head if body is None else b"%b\n%b" % (head, body)).digest()
