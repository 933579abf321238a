"""An operation: one or several requests about one run test, with one result.

A client sends an operation like a request, by itself or in a batch. What it does on the
wire are the requests that it hands to its `Executor`.
"""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar


if TYPE_CHECKING:
    from futureagi_async.model.reconciliation import Reconcilable, Reconciliation
    from futureagi_async.model.request import Request, ResultT


T_co = TypeVar("T_co", covariant=True)


class HistoryEntry(Protocol):
    """What a journal has about one request."""

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
    def answer(self) -> bytes | None:
        """The JSON of the successful response."""
        ...

    @property
    def reconciled(self) -> bool:
        """Whether it was found applied by reading, without a response to it."""
        ...

    @property
    def is_done(self) -> bool:
        """Whether it was carried out."""
        ...

    @property
    def is_unknown(self) -> bool:
        """Whether it was sent, and no outcome of it is known."""
        ...

    @property
    def content(self) -> bytes:
        """The digest of what was asked for."""
        ...


History: TypeAlias = Callable[[], Awaitable[Sequence[HistoryEntry]]]
"""Reads what the journal has about a run test; nothing where there is no journal."""


class Executor(Protocol):
    """Interface through which an operation sends its requests.

    `read` and `write` raise what `client.send` raises, and `NotAttemptedError` once the
    batch that the operation is part of has stopped.
    """

    async def read(self, request: Request[ResultT], /) -> ResultT:
        """Send an idempotent request; a failure of it leaves no unknown outcome."""
        ...

    async def write(self, request: Request[ResultT], /) -> ResultT:
        """Send a request and record it in the journal, if there is one.

        A request that the journal has as done is answered from it. One whose outcome is
        unknown is reconciled, not repeated.
        """
        ...

    async def probe(self, request: Reconcilable[Any], /) -> Reconciliation:
        """Find out by reading whether a request of an earlier batch was applied.

        The service is given `reconcile_after` seconds to act on it first. Nothing else
        is sent.
        """
        ...

    async def history(self, run_test_id: str, /) -> Sequence[HistoryEntry]:
        """Return the journal entries of earlier batches for a run test, oldest first."""
        ...


class Operation(abc.ABC, Generic[T_co]):
    """One or several requests about one run test, with one result.

    No two exclusive operations of one run test run at a time in one client, so that none
    changes what another has read. Requests that are sent by themselves do not wait for
    an operation, only for a write to the same run test: like other clients they can come
    between what an operation reads and what it writes.
    """

    __slots__ = ()

    is_exclusive: ClassVar[bool] = True
    """Whether it waits for other operations of its run test."""

    @property
    @abc.abstractmethod
    def run_test_id(self) -> str | None:
        """The run test that it is about."""

    @abc.abstractmethod
    async def run(self, executor: Executor) -> T_co:
        """Run it.

        Raises:
            FutureAGIError: a request failed, or what was read does not allow to go on.
        """
