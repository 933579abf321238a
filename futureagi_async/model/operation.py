"""An operation: one or several requests about one run test, with one result.

A client sends an operation like a request, by itself or in a batch. The operation passes
its requests to an `Executor`.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

# A request is an operation, so that its module cannot be imported from here.
from futureagi_async import model


T_co = TypeVar("T_co", covariant=True)


class HistoryEntry(Protocol):
    """The entry of a journal about one request."""

    @property
    def sequence(self) -> int:
        """Its position in the order in which requests first appeared."""
        ...

    @property
    def endpoint(self) -> str:
        """The name of the request's class."""
        ...

    @property
    def path(self) -> str:
        """Path and query below the base URL."""
        ...

    @property
    def run_test_id(self) -> str | None:
        """The run test that it is about, if it is about one."""
        ...

    @property
    def body(self) -> bytes | None:
        """The JSON that was sent."""
        ...

    @property
    def sent_at(self) -> float:
        """The time from which on it may have been sent, in Unix seconds."""
        ...

    @property
    def response(self) -> bytes | None:
        """The JSON of the successful response."""
        ...

    @property
    def reconciled(self) -> bool:
        """Whether it was found applied by reading, without a response to it."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether it was applied."""
        ...

    @property
    def is_unknown(self) -> bool:
        """Whether it was sent, and no outcome of it is known."""
        ...

    @property
    def request_digest(self) -> bytes:
        """The digest of the request, whichever service it was sent to."""
        ...


History: TypeAlias = Callable[[], Awaitable[Sequence[HistoryEntry]]]
"""Returns the journal entries of a run test; none without a journal."""


class Executor(Protocol):
    """Interface through which an operation sends its requests.

    `read` and `write` raise what `client.send` raises, and `NotAttemptedError` once the
    batch that the operation is part of has stopped.
    """

    async def read(
        self, request: model.request.Request[model.request.ResultT], /
    ) -> model.request.ResultT:
        """Send an idempotent request, whose failure leaves no unknown outcome."""
        ...

    def write(
        self, request: model.request.Request[model.request.ResultT], /
    ) -> Coroutine[Any, Any, model.request.ResultT]:
        """Send a request and record it in the journal, if there is one.

        The result of a request that is completed in the journal comes from there. A
        request whose outcome is unknown is reconciled, not repeated.
        """
        ...

    async def probe(
        self, request: model.reconciliation.Reconcilable[Any], /
    ) -> model.reconciliation.Reconciliation:
        """Find out by reading whether a request of an earlier batch was applied.

        It waits until `reconcile_after` seconds have passed since sending. Nothing else
        is sent.
        """
        ...

    async def history(self, run_test_id: str, /) -> Sequence[HistoryEntry]:
        """Return the journal entries of earlier batches for a run test, oldest first."""
        ...


class Operation(abc.ABC, Generic[T_co]):
    """One or several requests about one run test, with one result.

    A client runs one exclusive operation of a run test at a time, so that none changes
    what another has read. A plain request does not wait for an operation, only for a
    write to the same run test: like those of other clients it can come between a read
    and a write of an operation.
    """

    __slots__ = ()

    is_exclusive: ClassVar[bool] = True
    """Whether it waits for other operations of its run test."""

    @property
    @abc.abstractmethod
    def run_test_id(self) -> str | None:
        """The run test that it is about."""

    @abc.abstractmethod
    def run(self, executor: Executor) -> Coroutine[Any, Any, T_co]:
        """Send the requests and return the result.

        Raises:
            FutureAGIError: a request failed, or what was read rules out the next one.
        """
