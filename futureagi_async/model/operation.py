"""A job: several calls that belong together and give one result.

A client sends it like a request, alone or in a fan-out; what it does on the wire are the
requests that it hands to its `Executor`.
"""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import attrs

from futureagi_async.model.request import Request, Result, ResultT, ResultT_co


if TYPE_CHECKING:
    from collections.abc import Sequence

    from futureagi_async.journal.entry import JournalEntry
    from futureagi_async.model.reconciliation import Reconcilable, Reconciliation


class Executor(Protocol):
    """What a job does its calls with.

    Both raise what `client.send` raises, and `NotAttemptedError` when the fan-out that
    the job is part of begins nothing more.
    """

    async def read(self, request: Request[ResultT], /) -> ResultT:
        """Send a request that is safe to repeat."""
        ...

    async def write(self, request: Request[ResultT], /) -> ResultT:
        """Send a request that changes something; a journal, if there is one, knows it.

        What the journal knows as done is answered from it.
        """
        ...

    async def look(self, request: Reconcilable[Any], /) -> Reconciliation:
        """Find out by reading if a request was done that an earlier fan-out had sent.

        Not before the service had time to act on it. Nothing else is sent.
        """
        ...

    async def earlier(self, run_test_id: str, /) -> Sequence[JournalEntry]:
        """Give what earlier fan-outs wrote in the journal about a run test.

        The oldest comes first. What is in doubt is reconciled when it is written again.
        """
        ...


@attrs.frozen
class Operation(Request[ResultT_co]):
    """Several calls about one run test that belong together and give one result.

    No two jobs of one run test work at a time in one client, so that none changes what
    another has read. Requests that are sent by themselves do not wait for a job, but
    only for a write of the same run test: like other clients they can come between what
    a job reads and what it writes.
    """

    method: ClassVar[str] = ""
    result_type: ClassVar[type[Result]] = Result

    @property
    def path(self) -> str:
        """Nothing: it is its calls that go somewhere."""
        return ""

    @property
    def body(self) -> bytes | None:
        """Nothing."""
        return None

    @abc.abstractmethod
    async def work(self, executor: Executor) -> ResultT_co:
        """Do it.

        Raises:
            FutureAGIError: a call failed, or what was read does not allow to go on.
        """
