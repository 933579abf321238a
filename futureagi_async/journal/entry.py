"""What a journal holds of one request."""

from __future__ import annotations

import enum
import hashlib
from typing import TYPE_CHECKING, Any

import attrs

from futureagi_async.model import codec


if TYPE_CHECKING:
    from futureagi_async.errors import Delivery
    from futureagi_async.model.request import Request


class JournalState(enum.Enum):
    """Where a request stands, as far as the disk knows."""

    IN_FLIGHT = "in_flight"
    """About to be sent or sent, with no outcome yet: it is in flight, or its process
    died meanwhile."""

    DONE = "done"
    """Carried out."""

    FAILED = "failed"
    """Certainly not carried out; the next fan-out sends it again."""

    UNKNOWN = "unknown"
    """Sent without a usable answer: the work may have been done."""


@attrs.frozen(kw_only=True)
class JournalEntry:
    """One request of a journal, with what became of it.

    Attributes:
        sequence: its place in the order in which requests first appeared.
        identity: the digest by which a later fan-out finds it again.
        base_url: the service that it was for.
        workspace_id: the workspace that it was for, if one was set.
        endpoint: the name of the request's class.
        method: the HTTP method.
        path: path and query below the base URL.
        run_test_id: the run test that it is about, if it is about one.
        body: the JSON that was sent.
        state: where it stands.
        attempts: how often it was sent, as its outcome counts it.
        elapsed: seconds from its turn to its end, as its outcome has it.
        sent_at: from when on it may have left, in Unix seconds.
        answer: the JSON of the successful answer.
        request_id: the `X-Request-ID` of the exchange.
        reconciled: whether it was found done by reading back, without an answer to it.
        error: what went wrong, in one line.
        error_class: the name of that error's class.
        delivery: what that error says about the work.
        resolved: whether a person decided what became of it.
        read_before: whether it had been read, before it was sent, that nothing of it
            was there.

    """

    sequence: int
    identity: bytes = attrs.field(repr=False)
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
    answer: bytes | None = attrs.field(repr=False)
    request_id: str | None
    reconciled: bool
    error: str | None
    error_class: str | None
    delivery: Delivery | None
    resolved: bool
    read_before: bool

    @property
    def is_done(self) -> bool:
        """Whether it was carried out."""
        return self.state is JournalState.DONE

    @property
    def is_unknown(self) -> bool:
        """Whether it was sent, and no outcome of it is known."""
        return self.state in {JournalState.IN_FLIGHT, JournalState.UNKNOWN}

    @property
    def content(self) -> bytes:
        """The digest of what was asked, whichever service it was asked of."""
        return _digest([self.method, self.path], self.body)


def identity(base_url: str, workspace_id: str | None, request: Request[Any]) -> bytes:
    """Digest what makes a request this one: the service, the workspace, the content."""
    return _digest([base_url, workspace_id, request.method, request.path], request.body)


def content(request: Request[Any]) -> bytes:
    """Digest what a request asks, whichever service it is asked of."""
    return _digest([request.method, request.path], request.body)


def _digest(heading: list[str | None], body: bytes | None) -> bytes:
    # JSON ends where it ends, so that no heading can run over into a body.
    head = codec.encode(heading)
    return hashlib.sha256(head if body is None else b"%b\n%b" % (head, body)).digest()
